"""Which voxels or vertices are meant: image to table and back, and masks that must lie in the same space."""

from __future__ import annotations

import numpy as np

from dnnbrain._checks import BadValue
from dnnbrain.brain import grayordinates, volumes
from dnnbrain.brain.formats import family_of_header


def inside(mask: np.ndarray) -> np.ndarray:
    """Boolean voxels of a mask image: neither 0 nor NaN."""
    return (mask != 0) & ~np.isnan(mask)


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


def same_space(header, mask_header, shape: tuple[int, ...], mask_shape: tuple[int, ...]) -> None:
    """Refuse a mask of another grid, surface or other brain models than the responses.

    Parameters
    ----------
    header, mask_header
        As `load_brainimg` gives them.
    shape, mask_shape : tuple of int
        (x, y, z).
    """
    family, mask_family = family_of_header(header), family_of_header(mask_header)
    if family is mask_family:
        found = family.difference(header, mask_header, shape, mask_shape)
        mend = 'resample it first (-resample)' if family is volumes else 'give one of the same surface'
    else:
        vertices = grayordinates not in (family, mask_family) and volumes.on_surface(shape)     # an overlay in MGH
        found = '' if vertices and tuple(shape) == tuple(mask_shape) else \
            f'{_told(mask_family, mask_shape)} and {_told(family, shape)}'
        mend = 'give one of the same kind'
    if found:
        raise BadValue(f'the mask is in another space than the responses: {found}; {mend}')


def fit_mask(mask: np.ndarray, mask_header, header, shape: tuple[int, ...], resample: bool = False) -> np.ndarray:
    """A mask on the voxels or vertices of the responses.

    CIFTI masks are matched by structure and vertex, so that one of the cortex alone fits responses of
    the whole brain. Volumes on another grid are refused, or resampled if asked.

    Parameters
    ----------
    mask : ndarray of shape (x, y, z)
    mask_header, header
        Of the mask and of the responses.
    shape : tuple of int
        (x, y, z) of the responses.
    resample : bool
        Bring a volume to the grid of the responses, by the nearest voxel.

    Returns
    -------
    mask : ndarray of shape `shape`

    Raises
    ------
    BadValue
        The mask is in another space.
    """
    families = {family_of_header(mask_header), family_of_header(header)}
    if families == {grayordinates}:
        found = grayordinates.aligned(mask, mask_header, header)
        if found is not None:
            return found
    if resample and families == {volumes} and volumes.difference(header, mask_header, shape, mask.shape):
        return resample_mask(mask, mask_header, header, shape)
    same_space(header, mask_header, shape, mask.shape)
    return mask


def resample_mask(mask: np.ndarray, mask_header, header, shape: tuple[int, ...]) -> np.ndarray:
    """A volume mask or atlas on another grid, by the nearest voxel; 0 beyond its edge and where it is NaN.

    Parameters
    ----------
    mask : ndarray of shape (x, y, z)
    mask_header, header
        Of the mask, and of the grid wanted.
    shape : tuple of int
        (x, y, z) wanted.

    Returns
    -------
    mask : ndarray of shape `shape`, dtype of `mask`

    Raises
    ------
    BadValue
        The two do not overlap.
    """
    import nibabel as nib
    from nilearn.image import resample_img
    from nilearn.image.resampling import BoundingBoxError
    # A margin of zeros: points half a voxel beyond the centre of an edge belong to it, scipy calls them outside.
    values = np.pad(np.nan_to_num(mask).astype(np.float64), 1)          # float64 holds every label of an atlas
    affine = mask_header.get_best_affine() @ nib.affines.from_matvec(np.eye(3), [-1, -1, -1])
    image = nib.Nifti1Image(values, affine)
    try:
        found = resample_img(image, target_affine=header.get_best_affine(), target_shape=tuple(shape),
                             interpolation='nearest', force_resample=True, copy_header=True)
    except BoundingBoxError:
        raise BadValue('the mask lies nowhere within the responses; check the affines of both') from None
    return found.get_fdata().astype(mask.dtype)


def _told(family, shape: tuple[int, ...]) -> str:
    name = family.__name__.rpartition('.')[2]
    return f'a volume of shape {tuple(shape)}' if family is volumes else f'{shape[0]} {_POINTS[name]}'


_POINTS = {'surfaces': 'vertices of a surface', 'grayordinates': 'vertices and voxels of CIFTI'}
