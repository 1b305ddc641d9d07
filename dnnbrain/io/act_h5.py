"""``.act.h5``: activations of layers, one dataset each, (n_stim, n_chn, n_row, n_col).

A group `meta` holds `stimID` and `json` (network, weights, transform, mask, pooling, versions, and
the order of layers). Files of 1.0 have no `meta` and load. This is reading; writing is in
`act_writer` and `act_resume`.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np

from dnnbrain._checks import BadPath, BadValue
from dnnbrain.io.chunks import chunk_shape
from dnnbrain.io.h5 import open_h5, read_ids

SUFFIX = '.act.h5'


@dataclass(frozen=True)
class DiskLayer:
    """A layer in a file, read when indexed; `select` picks rows or units without reading.

    Attributes
    ----------
    path : Path
    name : str
    full_shape : tuple of int
        As stored.
    dtype : dtype
    chunks : tuple of int
    index : tuple of (ndarray of int or None)
        Per axis what is selected, in any order, repeats allowed; None is everything.
    stamp : tuple of int
        Which version of the file was opened.
    """

    path: Path
    name: str
    full_shape: tuple[int, ...]
    dtype: np.dtype
    chunks: tuple[int, ...]
    index: tuple[np.ndarray | None, ...]
    stamp: tuple[int, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(n if i is None else len(i) for n, i in zip(self.full_shape, self.index, strict=True))

    @property
    def ndim(self) -> int:
        return len(self.full_shape)

    def select(self, axis: int, index: np.ndarray) -> DiskLayer:
        """The same layer with `index` (from 0) applied along `axis`, still unread."""
        axis %= self.ndim
        held = self.index[axis]
        chosen = np.arange(self.full_shape[axis])[index] if held is None else held[index]
        return replace(self, index=(*self.index[:axis], chosen, *self.index[axis + 1:]))

    def __getitem__(self, slices) -> np.ndarray:
        """Read; `slices` is a slice or a tuple of slices over the leading axes."""
        part = self
        for axis, s in enumerate(slices if isinstance(slices, tuple) else (slices,)):
            if s != slice(None):
                part = part.select(axis, s)
        with open_h5(self.path, SUFFIX, 'activation file') as file:
            if self.stamp and self.stamp != _stamp(self.path):
                raise BadValue(f'activation file {str(self.path)!r} has changed since it was loaded; load it again')
            try:
                return _read(file[self.name], part)
            except OSError as error:
                raise BadValue(f'layer {self.name!r} of activation file {str(self.path)!r} cannot be read, which is '
                               f'damaged or refers to a file that is ({error}); write it anew') from None


def _read(dataset: h5py.Dataset, layer: DiskLayer) -> np.ndarray:
    """Read piece by piece along stimuli and channels: each stored chunk is touched once."""
    if all(i is None for i in layer.index):
        return dataset[()]
    out = np.empty(layer.shape, layer.dtype)
    axes = [_pieces(i, n, c) if axis < 2 else _pieces(i, n, n)
            for axis, (i, n, c) in enumerate(zip(layer.index, layer.full_shape, layer.chunks, strict=True))]
    for stimuli in axes[0]:
        for channels in axes[1]:
            piece = (stimuli, channels, *(pieces[0] for pieces in axes[2:]))
            spans, goal = tuple(span for span, _, _ in piece), _straight(piece)
            if goal is not None:                     # no second and third copy of what may be half a gigabyte
                dataset.read_direct(out, spans, goal)
                continue
            block = dataset[spans]
            out[np.ix_(*(to for _, _, to in piece))] = block[np.ix_(*(at for _, at, _ in piece))]
    return out


def _straight(piece: tuple) -> tuple[slice, ...] | None:
    """Where in the result a piece goes, if it goes there whole and in order."""
    in_order = all(len(to) and np.array_equal(at, np.arange(len(at)))
                   and np.array_equal(to, np.arange(to[0], to[0] + len(to))) for _, at, to in piece)
    return tuple(slice(int(to[0]), int(to[-1]) + 1) for _, _, to in piece) if in_order else None


def _pieces(index: np.ndarray | None, n: int, chunk: int) -> list[tuple[slice, np.ndarray, np.ndarray]]:
    """Split a selection by stored chunk: (span on disk, places inside the span, places in the result)."""
    if index is None:
        everything = np.arange(n)
        return [(slice(0, n), everything, everything)]
    if len(index) == 0:
        return []
    order = np.argsort(index, kind='stable')
    cuts = np.flatnonzero(np.diff(index[order] // chunk)) + 1
    pieces = []
    for to in np.split(order, cuts):
        low, high = index[to].min(), index[to].max() + 1
        pieces.append((slice(int(low), int(high)), index[to] - low, to))
    return pieces


def read_act_h5(fname) -> tuple[dict[str, DiskLayer], np.ndarray | None, dict]:
    """Unread layers in the order extracted, stimulus IDs (or None) and the meta dict.

    Raises
    ------
    BadValue
        The file is truncated, not HDF5, or its layers disagree in the number of stimuli.
    """
    with open_h5(fname, SUFFIX, 'activation file') as file:
        ids, info = _beside(file, fname)
        stored = [name for name, data in file.items() if isinstance(data, h5py.Dataset)]
        names = info.get('layers', stored)
        wrong = [n for n in names if n not in stored or file[n].ndim < 4 or file[n].dtype.kind not in 'biuf']
        if wrong:
            raise BadValue(f'activation file {str(fname)!r} is damaged, or of another kind: layer {wrong[0]!r} is not '
                           'there as numbers of shape (n_stim, n_chn, n_row, n_col)')
        path, stamp = Path(fname).absolute(), _stamp(fname)
        layers = {n: DiskLayer(path, n, file[n].shape, file[n].dtype, _chunks(file[n], path),
                               (None,) * file[n].ndim, stamp) for n in names}
    if not layers:
        raise BadValue(f'activation file {str(fname)!r} holds no layer')
    counts = {layer.shape[0] for layer in layers.values()} | (set() if ids is None else {len(ids)})
    if len(counts) > 1:
        raise BadValue(f'layers and IDs in {str(fname)!r} disagree in the number of stimuli: {sorted(counts)}')
    return layers, ids, info


def _beside(file: h5py.File, fname) -> tuple[np.ndarray | None, dict]:
    """IDs and the dict of the group `meta`, which files of 1.0 have not."""
    meta = file.get('meta')
    if meta is None:
        return None, {}
    try:
        info = json.loads(meta['json'].asstr()[()]) if 'json' in meta else {}
        ids, names = read_ids(meta, 'stimID'), info.get('layers', [])
        if isinstance(names, list):
            return ids, info
    except (TypeError, ValueError, AttributeError, OSError):
        pass
    raise BadValue(f"activation file {str(fname)!r} is damaged, or of another kind: its group 'meta' cannot be read; "
                   'write it anew')


def _chunks(dataset: h5py.Dataset, path: Path) -> tuple[int, ...]:
    """Pieces in which a dataset is best read. What a virtual one refers to must be there: HDF5 would give zeros."""
    if not dataset.is_virtual:
        return dataset.chunks or dataset.shape
    for source in dataset.virtual_sources():
        name, layer = (text.replace('%%', '%') for text in (source.file_name, source.dset_name))
        first, last = source.vspace.get_select_bounds()
        shape = tuple(int(b) - int(a) + 1 for a, b in zip(first, last, strict=True))
        if not (path.parent / name).exists():
            raise BadPath(f'activation file {str(path)!r} refers to {name!r}, which does not exist; put it back, or '
                          'merge the parts anew')
        with open_h5(path.parent / name, '', 'part') as part:
            if layer not in part or part[layer].shape != shape:
                raise BadValue(f'activation file {str(path)!r} refers to {name!r}, which holds something else by now; '
                               'put the part back, or merge anew')
    return chunk_shape(dataset.shape, dataset.dtype.itemsize)


def _stamp(path) -> tuple[int, ...]:
    """Tells one version of a file from another."""
    found = os.stat(path)
    return found.st_ino, found.st_mtime_ns, found.st_size
