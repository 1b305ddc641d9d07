"""Brain images in and out. NIfTI; the header travels with the data, affine included."""

from __future__ import annotations

import warnings
import zlib

import nibabel as nib
import numpy as np

from dnnbrain._checks import BadValue, existing_file, has_suffix, writable_file
from dnnbrain.io.atomic import atomic

SUFFIXES = ('.nii', '.nii.gz')
_DAMAGED = (nib.filebasedimages.ImageFileError, nib.spatialimages.HeaderDataError, zlib.error, OSError, EOFError,
            ValueError, OverflowError)
_CIFTI = ('.dscalar.nii', '.dtseries.nii', '.dlabel.nii')


def load_brainimg(path, ismask: bool = False):
    """Read a brain image.

    Parameters
    ----------
    path : str
        A NIfTI file, 3-D or 4-D.
    ismask : bool
        Whether it is one volume: the first axis is then left out.

    Returns
    -------
    data : ndarray of shape (n_vol, x, y, z), or (x, y, z) for a mask
    header : Nifti1Header
        Carries the affine; give it to `save_brainimg`.
    """
    path = existing_file(_supported(path), 'brain image')
    try:
        image = nib.load(path)
        data = np.asanyarray(image.dataobj)
    except _DAMAGED as error:
        raise BadValue(f'brain image {str(path)!r} cannot be read: {error}') from None
    if data.ndim not in (3, 4):
        raise BadValue(f'brain image {str(path)!r} must be 3-D or 4-D, not of shape {data.shape}')
    data = data[..., None] if data.ndim == 3 else data
    if ismask and data.shape[3] != 1:
        raise BadValue(f'mask {str(path)!r} must be one volume, not {data.shape[3]}')
    data = np.moveaxis(data, 3, 0)
    header = image.header.copy()
    header.set_sform(image.affine, code=int(header['sform_code']) or int(header['qform_code']) or 2)
    return (data[0] if ismask else data), header


def save_brainimg(path, data, header, dtype=np.float32) -> None:
    """Write a brain image with the affine and units of a header.

    Parameters
    ----------
    path : str
        ``.nii`` or ``.nii.gz``; any other dots in the name are fine.
    data : ndarray of shape (n_vol, x, y, z) or (x, y, z)
    header : Nifti1Header
        From `load_brainimg`. Its data type is not used: scores stay float32 where the responses
        were integers.
    dtype : dtype
    """
    path = writable_file(_supported(path), 'brain image')
    data = np.asarray(data)
    if data.ndim not in (3, 4):
        raise BadValue(f'a brain image must have shape (n_vol, x, y, z) or (x, y, z), not {data.shape}')
    values = (np.moveaxis(data, 0, 3) if data.ndim == 4 else data).astype(dtype)
    if values.ndim == 4 and values.shape[3] == 1:
        values = values[..., 0]
    header = header.copy()
    header.set_data_dtype(dtype)
    image = nib.Nifti1Image(values, header.get_best_affine(), header)
    image.header['cal_min'] = image.header['cal_max'] = 0       # display range of other data
    with atomic(path) as part:
        nib.save(image, part)


def masked(data: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Responses inside a mask, (n_vol, n_meas), from (n_vol, x, y, z).

    Parameters
    ----------
    mask : ndarray of shape (x, y, z) or None
        Non-zero, non-NaN voxels are inside; None takes all.
    """
    if mask is None:
        return data.reshape(len(data), -1)
    return data[:, inside(mask)]


def unmasked(values: np.ndarray, mask: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    """Maps (..., x, y, z) from values (..., n_meas); NaN outside the mask."""
    if mask is None:
        return values.reshape(*values.shape[:-1], *shape)
    maps = np.full((*values.shape[:-1], *shape), np.nan, dtype=np.float32)
    maps[..., inside(mask)] = values
    return maps


def inside(mask: np.ndarray) -> np.ndarray:
    """Boolean voxels of a mask image: neither 0 nor NaN."""
    return (mask != 0) & ~np.isnan(mask)


def same_space(header, mask_header, shape: tuple[int, ...], mask_shape: tuple[int, ...]) -> None:
    """Refuse a mask on another grid than the responses."""
    affine, mask_affine = header.get_best_affine(), mask_header.get_best_affine()
    if tuple(shape) != tuple(mask_shape) or not np.allclose(affine, mask_affine, atol=1e-3):
        raise BadValue(f'the mask is in another space than the responses: shapes {tuple(mask_shape)} and '
                       f'{tuple(shape)}, affines {_told(mask_affine)} and {_told(affine)}; resample it first')


def _told(affine: np.ndarray) -> str:
    return str(np.round(affine[:3], 2).tolist())


def _supported(path):
    if str(path).lower().endswith(_CIFTI):
        raise BadValue(f'{str(path)!r} is CIFTI, which cannot be read yet; give a NIfTI volume')
    return has_suffix(path, SUFFIXES, 'brain image')


def warn_bad_voxels(responses: np.ndarray, good: np.ndarray) -> None:
    """One counted warning for voxels that are constant or not finite."""
    if not good.all():
        bad = int((~good).sum())
        warnings.warn(f'{bad} of {responses.shape[1]} voxels are constant or not finite; they score NaN',
                      stacklevel=3)
