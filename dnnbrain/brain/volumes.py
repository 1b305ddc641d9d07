"""Volumes on a grid: NIfTI and MGH. The header carries the affine."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

from dnnbrain._checks import BadValue, choice

SUFFIXES = ('.nii', '.nii.gz', '.mgh', '.mgz')
MAPS: dict[str, str] = {}                 # every suffix can hold scores
IMAGES = (nib.Nifti1Image, nib.MGHImage)
HEADERS = (nib.Nifti1Header, nib.freesurfer.mghformat.MGHHeader)
MGH_TYPES = ('uint8', 'int16', 'uint16', 'int32', 'float32')
SECONDS = {'sec': 1.0, 'msec': 1e-3, 'usec': 1e-6}


def read(image) -> tuple[np.ndarray, object]:
    """Values (n_vol, x, y, z) and the header of an image of nibabel."""
    data = np.asanyarray(image.dataobj)
    if data.dtype.kind not in 'iufb':
        raise BadValue(f'its voxels must be numbers, not colours or complex ({data.dtype})')
    if data.ndim not in (3, 4):
        raise BadValue(f'it must be 3-D or 4-D, not of shape {data.shape}')
    header = image.header.copy()
    if isinstance(header, nib.Nifti1Header):
        header.set_sform(image.affine, code=int(header['sform_code']) or int(header['qform_code']) or 2)
    return (data[None] if data.ndim == 3 else np.moveaxis(data, 3, 0)), header


def write(path: Path, part: Path, values: np.ndarray, header, dtype, names=None) -> None:
    """Write values (n_vol, x, y, z) to `part`, in the format of `path`; one volume becomes 3-D. No names are kept."""
    values = values[0] if len(values) == 1 else np.moveaxis(values, 0, 3)
    make = _nifti if path.name.lower().endswith(('.nii', '.nii.gz')) else _mgh
    nib.save(make(values.astype(dtype), header, dtype), part)


def _nifti(values: np.ndarray, header, dtype) -> nib.Nifti1Image:
    affine = header.get_best_affine()
    large = isinstance(header, nib.Nifti2Header) or max(values.shape) > 32767       # what NIfTI-1 counts to
    kind = nib.Nifti2Image if large else nib.Nifti1Image
    header = header.copy() if isinstance(header, nib.Nifti1Header) else None
    if header is not None:
        header.set_data_dtype(dtype)
    image = kind(values, affine, header, dtype=dtype)
    image.header['cal_min'] = image.header['cal_max'] = 0       # display range of other data
    return image


def _mgh(values: np.ndarray, header, dtype) -> nib.MGHImage:
    choice('dtype', np.dtype(dtype).name, MGH_TYPES, owner='MGH')
    affine = header.get_best_affine()
    header = header.copy() if isinstance(header, nib.freesurfer.mghformat.MGHHeader) else None
    if header is not None:
        header.set_data_dtype(dtype)
    return nib.MGHImage(values, affine, header)


def difference(header, other, shape: tuple[int, ...], other_shape: tuple[int, ...]) -> str:
    """What sets two grids apart, in words; empty if nothing does."""
    affine, other_affine = header.get_best_affine(), other.get_best_affine()
    same = tuple(shape) == tuple(other_shape)
    if same and (on_surface(shape) or np.allclose(affine, other_affine, atol=1e-3)):
        return ''
    return (f'shapes {tuple(other_shape)} and {tuple(shape)}, '
            f'affines {_told(other_affine)} and {_told(affine)}')


def on_surface(shape: tuple[int, ...]) -> bool:
    """Whether an MGH or NIfTI file holds vertices, in one column, whose affine says nothing."""
    return len(shape) == 3 and tuple(shape[1:]) == (1, 1)


def labels(header) -> None:
    """Volumes bring no names of labels."""
    return None


def seconds_between(header) -> float:
    """Seconds between volumes, 0 where the header does not say."""
    if not isinstance(header, nib.Nifti1Header):
        return float(header['tr']) * 1e-3
    zooms, unit = header.get_zooms(), header.get_xyzt_units()[1]
    return float(zooms[3]) * SECONDS.get(unit, 1.0) if len(zooms) > 3 else 0.0


def _told(affine: np.ndarray) -> str:
    return str(np.round(affine[:3], 2).tolist())
