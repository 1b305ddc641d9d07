"""``.act.h5``: activations of layers, one dataset each, (n_stim, n_chn, n_row, n_col).

A group `meta` holds `stimID` and `json` (network, weights, transform, mask, pooling, versions, and
the order of layers). Files of 1.0 have no `meta` and load. Layers are stored in chunks that hold
some stimuli of some channels whole, so that writing a batch and reading a block of channels for
all stimuli both touch each chunk once. Layers with many exact zeros (after a ReLU) are compressed
by lzf, which saves two fifths; dense ones are stored plain, since compressing them saves a tenth
and costs about as much as the forward pass (`benchmarks/compression.py`).
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np

from dnnbrain._checks import BadValue, choice, has_suffix
from dnnbrain.io.atomic import atomic
from dnnbrain.io.h5 import open_h5, read_ids, safe_name, write_ids

SUFFIX = '.act.h5'
COMPRESSIONS = ('auto', 'lzf', 'gzip', 'none')
_CHUNK_BYTES = 2 ** 22
_PAGES = {'alignment_threshold': 2 ** 16, 'alignment_interval': 2 ** 14}    # halves the time of writing
_CHUNK_STIMULI = 32
_SPARSE = 0.25      # share of exact zeros from which lzf pays


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
            return _read(file[self.name], part)


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
            block = dataset[tuple(span for span, _, _ in piece)]
            out[np.ix_(*(to for _, _, to in piece))] = block[np.ix_(*(at for _, at, _ in piece))]
    return out


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
        meta = file.get('meta')
        ids = None if meta is None else read_ids(meta, 'stimID')
        info = {} if meta is None or 'json' not in meta else json.loads(meta['json'].asstr()[()])
        stored = [name for name, data in file.items() if isinstance(data, h5py.Dataset)]
        names = info.get('layers', stored)
        wrong = [n for n in names if n not in stored or file[n].ndim < 4]
        if wrong:
            raise BadValue(f'activation file {str(fname)!r} is damaged, or of another kind: layer {wrong[0]!r} is not '
                           'there with shape (n_stim, n_chn, n_row, n_col)')
        path, stamp = Path(fname).absolute(), _stamp(fname)
        layers = {n: DiskLayer(path, n, file[n].shape, file[n].dtype, file[n].chunks or file[n].shape,
                               (None,) * file[n].ndim, stamp) for n in names}
    if not layers:
        raise BadValue(f'activation file {str(fname)!r} holds no layer')
    counts = {layer.shape[0] for layer in layers.values()} | (set() if ids is None else {len(ids)})
    if len(counts) > 1:
        raise BadValue(f'layers and IDs in {str(fname)!r} disagree in the number of stimuli: {sorted(counts)}')
    return layers, ids, info


def _stamp(path) -> tuple[int, ...]:
    """Tells one version of a file from another."""
    found = os.stat(path)
    return found.st_ino, found.st_mtime_ns, found.st_size


class ActWriter:
    """Append blocks of stimuli to a new ``.act.h5``; the file appears when all have come.

    Parameters
    ----------
    fname : str or Path
    n_stim : int
    stim_ids : sequence, optional
    meta : dict, optional
        Anything JSON can hold.
    layers : sequence of str, optional
        The order in which layers are to be listed; that in which they came by default.
    compression : {'auto', 'lzf', 'gzip', 'none'}
        'auto' looks at the first block of each layer. lzf needs h5py to read; gzip does not.

    Notes
    -----
    Memory stays below one chunk row per layer beyond the block given.
    """

    def __init__(self, fname, n_stim: int, stim_ids=None, meta: dict | None = None,
                 layers: Sequence[str] | None = None, compression: str = 'auto'):
        self.path = has_suffix(fname, [SUFFIX], 'activation file')
        self.compression = choice('compression', compression, COMPRESSIONS)
        if stim_ids is not None and len(stim_ids) != n_stim:
            raise BadValue(f'{len(stim_ids)} stimulus IDs came for {n_stim} stimuli')
        self.n_stim, self.stim_ids, self.meta = n_stim, stim_ids, dict(meta or {})
        self.layers = layers
        self._rest: dict[str, np.ndarray] = {}         # rows that wait for their chunk to fill
        self._written: dict[str, int] = {}

    def __enter__(self) -> ActWriter:
        self._atomic = atomic(self.path)
        self._file = h5py.File(self._atomic.__enter__(), 'w', track_order=True, rdcc_nbytes=0, **_PAGES)
        return self

    def write(self, block: dict[str, np.ndarray]) -> None:
        """Append the next stimuli: layer -> ndarray of shape (n, n_chn, n_row, n_col).

        Full chunks are written at once, so that a compressed chunk is never opened again; the
        arrays may be reused afterwards.
        """
        for layer, values in block.items():
            if layer not in self._written:
                self._create(layer, values)
            if len(self._rest[layer]):
                values = np.concatenate([self._rest[layer], values])
            full = len(values) - len(values) % self._file[layer].chunks[0]
            self._append(layer, values[:full])
            self._rest[layer] = values[full:].copy()
        self._pass_on()

    def _create(self, layer: str, values: np.ndarray) -> None:
        if safe_name(layer, 'layer') == 'meta':
            raise BadValue("a layer cannot be called 'meta' in an activation file")
        if values.ndim < 4:
            raise BadValue(f'layer {layer!r} must have shape (n_stim, n_chn, n_row, n_col), not {values.shape}')
        shape = (self.n_stim, *values.shape[1:])
        self._file.create_dataset(layer, shape, values.dtype, chunks=chunk_shape(shape, values.dtype.itemsize),
                                  **_filter(self.compression, values))
        self._rest[layer], self._written[layer] = values[:0], 0

    def _append(self, layer: str, values: np.ndarray) -> None:
        if len(values):
            start = self._written[layer]
            self._file[layer][start:start + len(values)] = values
            self._written[layer] = start + len(values)

    def _pass_on(self) -> None:
        """Let the system start writing and forget what is written.

        A file of activations is often larger than memory: kept there until the system runs short
        of it, it pushes out the pictures that come next and stalls the network for new pages.
        """
        if hasattr(os, 'posix_fadvise'):
            os.posix_fadvise(self._file.id.get_vfd_handle(), 0, 0, os.POSIX_FADV_DONTNEED)

    def __exit__(self, kind, error, trace) -> None:
        try:
            if kind is None:
                self._finish()
            self._file.close()
        except BaseException as problem:
            self._file.close()
            self._atomic.__exit__(type(problem), problem, problem.__traceback__)
            raise
        self._atomic.__exit__(kind, error, trace)

    def _finish(self) -> None:
        for layer, values in self._rest.items():
            self._append(layer, values)
        short = {layer: n for layer, n in self._written.items() if n != self.n_stim}
        if short or not self._written:
            raise BadValue(f'{self.n_stim} stimuli were announced, but came: {short or "none"}')
        meta = self._file.create_group('meta')
        meta['json'] = json.dumps(self.meta | {'layers': list(self.layers or self._written)}, default=str)
        write_ids(meta, 'stimID', self.stim_ids)


def chunk_shape(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Some stimuli x some channels x the whole map, a few megabytes, with little waste at the edge."""
    n_stim, n_chn, *rest = shape
    one = itemsize * math.prod(rest)
    stimuli = _CHUNK_STIMULI                     # halved, so that batches of powers of two fill chunks
    while stimuli > 1 and stimuli * one > _CHUNK_BYTES:
        stimuli //= 2
    stimuli = max(1, min(n_stim, stimuli))
    most = max(1, min(n_chn, _CHUNK_BYTES // (one * stimuli)))
    channels = min(range((most + 1) // 2, most + 1), key=lambda c: (-n_chn % c, -c))
    return (stimuli, channels, *rest)


def _filter(compression: str, values: np.ndarray) -> dict:
    if compression == 'auto':
        compression = 'lzf' if np.mean(values == 0) >= _SPARSE else 'none'
    return {'none': {}, 'lzf': {'compression': 'lzf'},
            'gzip': {'compression': 'gzip', 'compression_opts': 1}}[compression]
