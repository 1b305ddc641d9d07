"""Values on the vertices of a surface: GIFTI. Every data array is a time point or map."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.nifti1 import intent_codes

from dnnbrain._checks import BadValue, choice

SUFFIXES = ('.func.gii', '.shape.gii', '.label.gii', '.gii')
MAPS = {'.label.gii': '.func.gii'}        # labels are whole numbers; scores go to a metric file
IMAGES = (nib.GiftiImage,)
TYPES = ('float32', 'int32', 'uint8')
HEMISPHERE = 'AnatomicalStructurePrimary'
_LABEL, _SHAPE, _NONE = (intent_codes[f'NIFTI_INTENT_{name}'] for name in ('LABEL', 'SHAPE', 'NONE'))
_NO_VALUES = {intent_codes[f'NIFTI_INTENT_{name}']: what for name, what in (
    ('POINTSET', 'the mesh of a surface'), ('TRIANGLE', 'the mesh of a surface'),
    ('NODE_INDEX', 'a list of some of the vertices'))}


@dataclass(frozen=True)
class SurfaceHeader:
    """What a GIFTI file says beside its values.

    Attributes
    ----------
    n_vertex : int
    maps : tuple of (int, dict)
        Intent and metadata of each data array; its name is 'Name'.
    meta : dict
        Of the file, such as ``AnatomicalStructurePrimary``.
    label_table : GiftiLabelTable
    """

    n_vertex: int
    maps: tuple[tuple[int, dict], ...]
    meta: dict = field(default_factory=dict)
    label_table: nib.gifti.GiftiLabelTable = field(default_factory=nib.gifti.GiftiLabelTable)

    @property
    def names(self) -> list[str]:
        """Names of the maps, empty where there is none."""
        return [meta.get('Name', '') for _, meta in self.maps]


HEADERS = (SurfaceHeader,)


def read(image) -> tuple[np.ndarray, SurfaceHeader]:
    """Values (n_vol, n_vertex, 1, 1) and the header of an image of nibabel."""
    arrays = image.darrays
    if not arrays:
        raise BadValue('it holds no data array')
    held = next((_NO_VALUES[array.intent] for array in arrays if array.intent in _NO_VALUES), None)
    if held:
        raise BadValue(f'it holds {held}; give a file with a value per vertex')
    shapes = {array.data.shape for array in arrays}
    if len(shapes) > 1 or len(arrays[0].data.shape) != 1:
        raise BadValue(f'its data arrays must hold a value per vertex, but have shapes {sorted(shapes)}')
    data = np.stack([array.data for array in arrays])
    header = SurfaceHeader(data.shape[1], tuple((array.intent, dict(array.meta)) for array in arrays),
                           dict(image.meta), image.labeltable)
    return data[:, :, None, None], header


def write(path: Path, part: Path, values: np.ndarray, header: SurfaceHeader, dtype, names=None) -> None:
    """Write values (n_map, n_vertex, 1, 1) to `part`, in the format of `path`."""
    if values.shape[1:] != (header.n_vertex, 1, 1):
        raise BadValue(f'maps of this surface must have shape (n_map, {header.n_vertex}, 1, 1), not {values.shape}')
    as_labels = path.name.lower().endswith('.label.gii')
    dtype = np.dtype(np.int32) if as_labels else np.dtype(dtype)
    choice('dtype', dtype.name, TYPES, owner='GIFTI')
    if as_labels:
        whole(values)
    maps = _maps(header, len(values), names, _SHAPE if path.name.lower().endswith('.shape.gii') else _NONE)
    arrays = [nib.gifti.GiftiDataArray(row, intent=_intent(intent, as_labels, dtype), meta=meta)
              for row, (intent, meta) in zip(values[:, :, 0, 0].astype(dtype), maps, strict=True)]
    nib.save(nib.GiftiImage(meta=nib.gifti.GiftiMetaData(header.meta), labeltable=header.label_table,
                            darrays=arrays), part)


def whole(values: np.ndarray) -> None:
    """Refuse labels that are not whole numbers."""
    if not np.array_equal(values, np.round(values)):
        raise BadValue('a label file holds whole numbers; write other values to .func.gii or .dscalar.nii')


def _maps(header: SurfaceHeader, n_map: int, names, intent: int) -> list[tuple[int, dict]]:
    """Intent and metadata of what is written: those of the header if it is the same number of maps."""
    if names is None and n_map == len(header.maps):
        return list(header.maps)
    return [(intent, {'Name': name}) for name in names or [f'map {i}' for i in range(1, n_map + 1)]]


def _intent(intent: int, as_labels: bool, dtype: np.dtype) -> int:
    if as_labels:
        return _LABEL
    return _NONE if intent == _LABEL and dtype.kind == 'f' else intent


def difference(header: SurfaceHeader, other: SurfaceHeader, shape, other_shape) -> str:
    """What sets two surfaces apart, in words; empty if nothing does."""
    if header.n_vertex != other.n_vertex:
        return f'{other.n_vertex} and {header.n_vertex} vertices'
    sides = [h.meta.get(HEMISPHERE) or h.maps[0][1].get(HEMISPHERE) for h in (other, header)]
    return f'{sides[0]} and {sides[1]}' if all(sides) and sides[0] != sides[1] else ''


def labels(header: SurfaceHeader) -> dict[int, str] | None:
    """Names of labels; None if the file holds no labels."""
    if not any(intent == _LABEL for intent, _ in header.maps):
        return None
    return {int(key): name for key, name in header.label_table.get_labels_as_dict().items()}


def seconds_between(header: SurfaceHeader) -> float:
    """0: GIFTI has no agreed place for the seconds between volumes."""
    return 0.0
