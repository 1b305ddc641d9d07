"""Brain images in and out: volumes, surfaces, CIFTI. The header travels with the data."""

from __future__ import annotations

import warnings

import nibabel as nib
import numpy as np

from dnnbrain._checks import BadValue, existing_file, writable_file
from dnnbrain.brain.formats import FAMILIES, family_of_header, family_of_path
from dnnbrain.brain.masks import inside, masked, resample_mask, same_space, unmasked
from dnnbrain.brain.regions import extract_brain_activation
from dnnbrain.io.atomic import atomic

__all__ = ['extract_brain_activation', 'inside', 'load_brainimg', 'load_mask', 'masked', 'resample_mask', 'same_space',
           'save_brainimg', 'unmasked', 'warn_bad_voxels']


def load_brainimg(path, ismask: bool = False):
    """Read a brain image.

    Parameters
    ----------
    path : str
        A volume (.nii, .nii.gz, .mgh, .mgz), a surface (.gii, .func.gii, .shape.gii, .label.gii; every data
        array is a time point) or CIFTI-2 (.dscalar.nii, .dtseries.nii, .dlabel.nii).
    ismask : bool
        Whether it is one volume: the first axis is then left out.

    Returns
    -------
    data : ndarray of shape (n_vol, x, y, z), or (x, y, z) for a mask
        Surfaces and CIFTI: (n_vol, n, 1, 1) and (n, 1, 1).
    header : Nifti1Header, MGHHeader, SurfaceHeader or Cifti2Header
        Carries affine, vertices or brain models, names and labels; give it to `save_brainimg`.

    Raises
    ------
    BadPath, BadValue
        The file is missing, damaged, of another kind, or holds several volumes where one mask is needed.
    """
    family_of_path(path)
    path = existing_file(path, 'brain image')
    try:
        image = _opened(path)
        family = next((f for f in FAMILIES if isinstance(image, f.IMAGES)), None)
        if family is None:
            raise BadValue(f'it is of a kind that cannot be used ({type(image).__name__})')
        data, header = family.read(image)
    except BadValue as error:
        raise BadValue(f'brain image {str(path)!r} cannot be used: {error}') from None
    except Exception as error:      # damaged bytes fail in nibabel, expat, zlib in some twenty ways
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadValue(f'brain image {str(path)!r} cannot be read; it may be damaged ({why})') from None
    if ismask and len(data) != 1:
        raise BadValue(f'mask {str(path)!r} must be one volume, not {len(data)}')
    return (data[0] if ismask else data), header


def _opened(path):
    with warnings.catch_warnings():      # nibabel leaves it to the garbage collector to close a .mgh
        warnings.simplefilter('ignore', ResourceWarning)
        return nib.load(path)


def load_mask(path) -> tuple[np.ndarray, object, dict[int, str] | None]:
    """Read a mask; of a label file (.label.gii, .dlabel.nii) every label above 0 is inside.

    Returns
    -------
    mask : ndarray of shape (x, y, z)
    header
    labels : dict or None
        Label -> name, of a label file.
    """
    mask, header = load_brainimg(path, ismask=True)
    labels = family_of_header(header).labels(header)
    return (mask if labels is None else np.where(mask > 0, mask, 0)), header, labels


def save_brainimg(path, data, header, dtype=np.float32, names=None) -> None:
    """Write a brain image with the affine, vertices or brain models of a header.

    Parameters
    ----------
    path : str
        Its suffix says the format, which must be of the family of the header: a volume, a surface, or
        CIFTI. Any other dots in the name are fine.
    data : ndarray of shape (n_vol, x, y, z) or (x, y, z)
        Surfaces and CIFTI: (n_vol, n, 1, 1) or (n, 1, 1).
    header
        From `load_brainimg`. Its data type is not used: scores stay float32 where the responses
        were integers. Its map names and time axis stay if the number of volumes is the same; a
        ``.dtseries.nii`` of another number keeps start and step.
    dtype : dtype
        ``.label.gii`` is always int32.
    names : sequence of str, optional
        A name per map, for surfaces and CIFTI scalars; 'map 1', ... where the header has none that fit.

    Raises
    ------
    BadValue
        A name, shape, dtype or header that does not go with the format.
    """
    family = family_of_path(path)
    path = writable_file(path, 'brain image')
    data = np.asarray(data)
    if data.ndim not in (3, 4):
        raise BadValue(f'a brain image must have shape (n_vol, x, y, z) or (x, y, z), not {data.shape}')
    if family_of_header(header) is not family:
        raise BadValue(f'{str(path)!r} cannot hold what this header ({type(header).__name__}) describes; choose from '
                       f'{", ".join(family_of_header(header).SUFFIXES)}')
    values = data[None] if data.ndim == 3 else data
    if names is not None and len(names) != len(values):
        raise BadValue(f'{len(names)} names came for {len(values)} maps')
    _check_held(values, np.dtype(dtype))
    try:
        with atomic(path) as part:
            family.write(path, part, values, header, dtype, names)
    except nib.spatialimages.HeaderDataError as error:
        raise BadValue(f'brain image {str(path)!r} cannot be written as {np.dtype(dtype)}: {error}') from None


def _check_held(values: np.ndarray, dtype: np.dtype) -> None:
    """Refuse values that would wrap or be cut in a type of whole numbers."""
    if dtype.kind not in 'iu' or not values.size or (values.dtype.kind in 'iub' and np.can_cast(values.dtype, dtype)):
        return
    info = np.iinfo(dtype)
    if not (np.isfinite(values).all() and info.min <= values.min() and values.max() <= info.max
            and (values.dtype.kind != 'f' or (values % 1 == 0).all())):
        raise BadValue(f'dtype {dtype} holds whole numbers from {info.min} to {info.max}, and the data hold others; '
                       'leave dtype out for float32')


def warn_bad_voxels(responses: np.ndarray, good: np.ndarray) -> None:
    """One counted warning for voxels that are constant or not finite."""
    if not good.all():
        bad, empty = int((~good).sum()), int((~np.isfinite(responses).any(axis=1)).sum())
        why = f' ({empty} volumes hold no finite number; leave them out)' if empty else ''
        warnings.warn(f'{bad} of {responses.shape[1]} voxels are constant or not finite; they score NaN{why}',
                      stacklevel=3)
