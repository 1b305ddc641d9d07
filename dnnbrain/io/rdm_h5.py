"""``.rdm.h5``: representational dissimilarity matrices as upper triangles.

Attribute `type`: 'bRDM' (brain: ROI label -> (n_pair,)) or 'dRDM' (network: layer -> (n_iter, n_pair)).
Pairs are in row-major order of the upper triangle. Item IDs, where known, are in `meta/itemID`, more about
the items in `meta/descriptors`, settings as JSON in `meta/json`; 1.0 wrote none of them and its files load.
"""

from __future__ import annotations

import json
from math import isqrt

import h5py
import numpy as np

from dnnbrain._checks import BadValue, choice, has_suffix
from dnnbrain.io.atomic import atomic
from dnnbrain.io.h5 import open_h5, read_ids, safe_name, write_ids, write_text

SUFFIX = '.rdm.h5'
TYPES = ('bRDM', 'dRDM')


def n_items(n_pair: int) -> int:
    """Number of items whose upper triangle has `n_pair` entries."""
    n = (1 + isqrt(1 + 8 * n_pair)) // 2
    if n * (n - 1) // 2 != n_pair:
        raise BadValue(f'{n_pair} pairs are not the upper triangle of a square matrix')
    return n


def read_rdm_h5(fname) -> tuple[str, dict[str, np.ndarray], np.ndarray | None]:
    """Type, triangles by key in the order written, and item IDs or None."""
    with open_h5(fname, SUFFIX, 'RDM file') as file:
        if 'type' not in file.attrs:
            raise BadValue(f"RDM file {str(fname)!r} has no attribute 'type'; it must be bRDM or dRDM")
        kind = file.attrs['type']
        kind = choice('RDM type', kind.decode() if isinstance(kind, bytes) else str(kind), TYPES)
        rdms = {key: data[()] for key, data in file.items() if isinstance(data, h5py.Dataset)}
        meta = file.get('meta')
        return kind, rdms, read_ids(meta, 'itemID') if isinstance(meta, h5py.Group) else None


def read_rdm_notes(fname) -> tuple[dict[str, np.ndarray], dict]:
    """Descriptors of the items, name -> (n_item,), and settings; both empty where the file has none."""
    with open_h5(fname, SUFFIX, 'RDM file') as file:
        meta = file.get('meta')
        if not isinstance(meta, h5py.Group):
            return {}, {}
        told = {name: data.asstr()[()].astype(str) if h5py.check_string_dtype(data.dtype) else data[()]
                for name, data in meta.get('descriptors', {}).items()}
        return told, json.loads(meta['json'].asstr()[()]) if 'json' in meta else {}


def write_rdm_h5(fname, rdm_type: str, rdms: dict, item_ids=None, descriptors: dict | None = None,
                 meta: dict | None = None) -> None:
    """Write upper triangles: (n_pair,) per ROI for bRDM, (n_iter, n_pair) per layer for dRDM.

    Parameters
    ----------
    item_ids : sequence of shape (n_item,), optional
    descriptors : dict, optional
        More about the items: name -> (n_item,) of numbers or text.
    meta : dict, optional
        Settings, kept as JSON.
    """
    path = has_suffix(fname, [SUFFIX], 'RDM file')
    choice('RDM type', rdm_type, TYPES)
    n_dim = TYPES.index(rdm_type) + 1
    for key, triangle in rdms.items():
        if safe_name(str(key), 'RDM key') == 'meta':
            raise BadValue("RDM key 'meta' cannot be written: the file keeps item IDs under this name; rename it")
        if np.ndim(triangle) != n_dim:
            shape = '(n_pair,)' if n_dim == 1 else '(n_iter, n_pair)'
            raise BadValue(f'{rdm_type} {key!r} must have shape {shape}, not {np.shape(triangle)}')
        if item_ids is not None and n_items(np.shape(triangle)[-1]) != len(item_ids):
            raise BadValue(f'{rdm_type} {key!r} has {n_items(np.shape(triangle)[-1])} items, '
                           f'but {len(item_ids)} IDs came')
    for name in descriptors or {}:
        safe_name(str(name), 'descriptor')
    with atomic(path) as part, h5py.File(part, 'w', track_order=True) as file:
        file.attrs['type'] = rdm_type
        for key, triangle in rdms.items():
            file.create_dataset(str(key), data=np.asarray(triangle))
        if item_ids is None and not descriptors and not meta:
            return
        notes = file.create_group('meta')
        write_ids(notes, 'itemID', item_ids)
        if meta:
            notes.create_dataset('json', data=json.dumps(meta, default=str), dtype=h5py.string_dtype())
        for name, values in (descriptors or {}).items():
            _write_descriptor(notes.require_group('descriptors'), name, np.asarray(values))


def _write_descriptor(group: h5py.Group, name: str, values: np.ndarray) -> None:
    if values.dtype.kind in 'iufb':
        group.create_dataset(name, data=values)
    else:
        write_text(group, name, values)
