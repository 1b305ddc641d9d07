"""Cortex as vertices and the rest as voxels, in one table: CIFTI-2."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.cifti2 import BrainModelAxis, Cifti2Header, Cifti2Image, LabelAxis, ScalarAxis, SeriesAxis

from dnnbrain._checks import BadValue
from dnnbrain.brain.surfaces import whole

INTENTS = {'.dscalar.nii': 'ConnDenseScalar', '.dtseries.nii': 'ConnDenseSeries', '.dlabel.nii': 'ConnDenseLabel'}
SUFFIXES = tuple(INTENTS)
MAPS = {'.dlabel.nii': '.dscalar.nii'}    # labels are whole numbers; scores go to a scalar file
IMAGES = (Cifti2Image,)
HEADERS = (Cifti2Header,)


def read(image) -> tuple[np.ndarray, Cifti2Header]:
    """Values (n_vol, n_grayordinate, 1, 1) and the header of an image of nibabel."""
    kinds = [type(image.header.get_axis(i)) for i in range(image.ndim)]
    if len(kinds) != 2 or kinds[1] is not BrainModelAxis or kinds[0] is BrainModelAxis:
        raise BadValue(f'it must hold maps of vertices and voxels ({", ".join(SUFFIXES)}), not axes of '
                       f'{" and ".join(kind.__name__ for kind in kinds)}')
    return np.asanyarray(image.dataobj)[:, :, None, None], image.header


def write(path: Path, part: Path, values: np.ndarray, header: Cifti2Header, dtype, names=None) -> None:
    """Write values (n_map, n_grayordinate, 1, 1) to `part`, in the format of `path`."""
    maps, brain = header.get_axis(0), header.get_axis(1)
    if values.shape[1:] != (len(brain), 1, 1):
        raise BadValue(f'maps of these brain models must have shape (n_map, {len(brain)}, 1, 1), not {values.shape}')
    suffix = next(s for s in SUFFIXES if path.name.lower().endswith(s))
    axis = _MAP_AXES[suffix](maps, len(values), names)
    if suffix == '.dlabel.nii':
        whole(values)
    image = Cifti2Image(values[:, :, 0, 0].astype(dtype), Cifti2Header.from_axes((axis, brain)))
    image.header.matrix.metadata = header.matrix.metadata
    image.nifti_header.set_intent(INTENTS[suffix])
    image.nifti_header.set_data_dtype(dtype)
    nib.save(image, part)


def _scalars(maps, n_map: int, names) -> ScalarAxis:
    kept = names is None and n_map == len(maps) and not isinstance(maps, SeriesAxis)
    return ScalarAxis(maps.name, maps.meta) if kept else ScalarAxis(_names(names, n_map))


def _series(maps, n_map: int, names) -> SeriesAxis:
    """The time axis of the header, with as many points as there are maps."""
    if not isinstance(maps, SeriesAxis):
        return SeriesAxis(0, 1, n_map)
    return SeriesAxis(maps.start, maps.step, n_map, maps.unit)


def _label_axis(maps, n_map: int, names) -> LabelAxis:
    if not isinstance(maps, LabelAxis):
        raise BadValue('a .dlabel.nii needs the header of a label file, with its table; write a .dscalar.nii')
    if names is None and n_map == len(maps):
        return maps
    return LabelAxis(_names(names, n_map), [maps.label[0]] * n_map)


_MAP_AXES = {'.dscalar.nii': _scalars, '.dtseries.nii': _series, '.dlabel.nii': _label_axis}


def _names(names, n_map: int) -> list[str]:
    return list(names) if names is not None else [f'map {i}' for i in range(1, n_map + 1)]


def difference(header: Cifti2Header, other: Cifti2Header, shape, other_shape) -> str:
    """What sets the brain models of two files apart, in words; empty if nothing does."""
    brain, other_brain = header.get_axis(1), other.get_axis(1)
    return '' if brain == other_brain else f'brain models {_told(other_brain)} and {_told(brain)}'


def aligned(mask: np.ndarray, mask_header: Cifti2Header, header: Cifti2Header) -> np.ndarray | None:
    """A mask moved to the vertices and voxels of other brain models; what it does not hold becomes 0.

    Files of one subject may leave out the medial wall or all but the cortex. Vertices are matched by
    structure and number, voxels by place, where surfaces have the same number of vertices and volumes
    the same grid; None where they do not, for nothing is interpolated.

    Parameters
    ----------
    mask : ndarray of shape (n_mask, 1, 1)

    Returns
    -------
    mask : ndarray of shape (n_grayordinate, 1, 1), or None
    """
    mask_brain, brain = mask_header.get_axis(1), header.get_axis(1)
    if not _one_space(mask_brain, brain):
        return None
    surfaces = sorted({*mask_brain.nvertices, *brain.nvertices})
    known, wanted = _codes(mask_brain, surfaces), _codes(brain, surfaces)
    order = np.argsort(known)
    place = order[np.searchsorted(known, wanted, sorter=order).clip(max=len(known) - 1)]
    return np.where(known[place] == wanted, mask[place, 0, 0], 0)[:, None, None]


def _one_space(first: BrainModelAxis, second: BrainModelAxis) -> bool:
    shared = set(first.nvertices) & set(second.nvertices)
    volumes = first.volume_shape is not None and second.volume_shape is not None
    if any(first.nvertices[name] != second.nvertices[name] for name in shared) or not (shared or volumes):
        return False
    return not volumes or (tuple(first.volume_shape) == tuple(second.volume_shape)
                           and np.allclose(first.affine, second.affine, atol=1e-3))


def _codes(brain: BrainModelAxis, surfaces: list[str]) -> np.ndarray:
    """A number for each grayordinate: voxels by place, vertices beyond them by structure and number."""
    codes = np.empty(len(brain), dtype=np.int64)
    on_surface = brain.vertex >= 0                # -1 for voxels
    if not on_surface.all():
        codes[~on_surface] = np.ravel_multi_index(brain.voxel[~on_surface].T, brain.volume_shape)
    structure = np.searchsorted(surfaces, brain.name[on_surface])
    codes[on_surface] = (structure + 1) * 2 ** 40 + brain.vertex[on_surface]
    return codes


def labels(header: Cifti2Header) -> dict[int, str] | None:
    """Names of labels in the first map; None if the file holds no labels."""
    maps = header.get_axis(0)
    return {int(key): name for key, (name, _) in maps.label[0].items()} if isinstance(maps, LabelAxis) else None


def seconds_between(header: Cifti2Header) -> float:
    """Seconds between volumes, 0 where the header does not say."""
    maps = header.get_axis(0)
    return float(maps.step) if isinstance(maps, SeriesAxis) and maps.unit == 'SECOND' else 0.0


def _told(brain: BrainModelAxis) -> str:
    parts = []
    for name, _, model in brain.iter_structures():
        of = f' of {model.nvertices[name]} vertices' if name in model.nvertices else f' voxels of {model.volume_shape}'
        parts.append(f'{name.removeprefix("CIFTI_STRUCTURE_")} {len(model)}{of}')
    shown = parts[:3] + ([f'... ({len(parts)} in all)'] if len(parts) > 3 else [])
    return f'({", ".join(shown)})'
