"""``.h5`` of fitted models: numbers, settings and stimulus IDs, never a pickle.

Attribute `dnnbrain_model` (1), dataset `json` (settings), and a group per part of the model (one; a
group per layer for banded ridge) with its arrays, its own `json`, and `stimID` of the training.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from dnnbrain._checks import BadValue, has_suffix
from dnnbrain.io.atomic import atomic
from dnnbrain.io.h5 import open_h5, read_ids, write_ids, write_text

SUFFIX = '.h5'
BIG = 'coef'
Part = tuple[dict[str, object], dict[str, object], np.ndarray | None]


@dataclass(frozen=True)
class DiskTable:
    """A 2-D dataset in a model file, read when indexed by rows.

    Attributes
    ----------
    path : Path
    name : str
    shape : tuple of int
    """

    path: Path
    name: str
    shape: tuple[int, ...]

    def __getitem__(self, rows: slice) -> np.ndarray:
        with open_h5(self.path, SUFFIX, 'model file') as file:
            return file[self.name][rows]

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)


def write_model_h5(fname, parts: dict[str, Part], settings: dict) -> None:
    """Write parts of a model.

    Parameters
    ----------
    parts : dict
        name -> (arrays, settings, stimulus IDs or None). `coef` may be an array, or a shape and an
        iterable of row blocks, which are then written as they come. Arrays that are None are left out.
    settings : dict
        What JSON can hold.
    """
    path = has_suffix(fname, [SUFFIX], 'model file')
    with atomic(path) as part, h5py.File(part, 'w', track_order=True) as file:
        file.attrs['dnnbrain_model'] = 1
        file.create_dataset('json', data=json.dumps(settings, default=str), dtype=h5py.string_dtype())
        for number, (name, (arrays, own, ids)) in enumerate(parts.items()):
            group = file.create_group(f'part{number}')
            group.create_dataset('json', data=json.dumps(own | {'part': name}, default=str), dtype=h5py.string_dtype())
            for key, values in arrays.items():
                _write(group, key, values)
            write_ids(group, 'stimID', ids)


def read_model_h5(fname) -> tuple[dict[str, Part], dict]:
    """Parts and settings as `write_model_h5` took them; `coef` stays on disk as a `DiskTable`."""
    with open_h5(fname, SUFFIX, 'model file') as file:
        if 'dnnbrain_model' not in file.attrs:
            raise BadValue(f'model file {str(fname)!r} holds no model of dnnbrain; give a file that `save` of a fitted '
                           'model wrote')
        parts = {}
        for group in (item for item in file.values() if isinstance(item, h5py.Group)):
            own = json.loads(group['json'].asstr()[()])
            arrays = {key: _read(data, Path(fname).absolute()) for key, data in group.items()
                      if key not in ('json', 'stimID')}
            parts[own.pop('part')] = arrays, own, read_ids(group, 'stimID')
        return parts, json.loads(file['json'].asstr()[()])


def _write(group: h5py.Group, key: str, values) -> None:
    if values is None:
        return
    if isinstance(values, tuple):
        shape, blocks = values
        data, start = group.create_dataset(key, shape, np.float64), 0
        for block in blocks:
            data[start:start + len(block)] = block
            start += len(block)
    elif np.asarray(values).dtype.kind in 'UOT':
        write_text(group, key, values)
    else:
        group.create_dataset(key, data=np.asarray(values))


def _read(data: h5py.Dataset, path: Path) -> np.ndarray | DiskTable:
    if data.name.endswith(f'/{BIG}'):
        return DiskTable(path, data.name, data.shape)
    return np.array(data.asstr()[()], dtype=str) if h5py.check_string_dtype(data.dtype) else data[()]
