"""Writing ``.act.h5`` batch by batch.

Layers are stored in chunks that hold some stimuli of some channels whole, so that writing a batch
and reading a block of channels for all stimuli both touch each chunk once. Layers with many exact
zeros (after a ReLU) are compressed by lzf, which saves two fifths; dense ones are stored plain,
since compressing them saves a tenth and costs about as much as the forward pass
(`benchmarks/compression.py`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

import h5py
import numpy as np

from dnnbrain._checks import BadValue, choice, has_suffix
from dnnbrain.io.act_h5 import SUFFIX
from dnnbrain.io.atomic import atomic
from dnnbrain.io.chunks import chunk_shape
from dnnbrain.io.h5 import safe_name, write_ids

COMPRESSIONS = ('auto', 'lzf', 'gzip', 'none')
PAGES = {'alignment_threshold': 2 ** 16, 'alignment_interval': 2 ** 14}     # halves the time of writing
_SPARSE = 0.25      # share of exact zeros from which lzf pays


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
        if n_stim < 1:
            raise BadValue(f'there are no stimuli to write to {str(self.path)!r}')
        if stim_ids is not None and len(stim_ids) != n_stim:
            raise BadValue(f'{len(stim_ids)} stimulus IDs came for {n_stim} stimuli')
        self.n_stim, self.stim_ids, self.meta = n_stim, stim_ids, dict(meta or {})
        self.layers = layers
        self._rest: dict[str, np.ndarray] = {}         # rows that wait for their chunk to fill
        self._written: dict[str, int] = {}

    def __enter__(self) -> ActWriter:
        self._atomic = atomic(self.path)
        self._file = h5py.File(self._atomic.__enter__(), 'w', track_order=True, rdcc_nbytes=0, **PAGES)
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

    def batch_done(self) -> None:
        """Say that all layers have answered to the same stimuli."""

    def go_back(self, rows: int) -> None:
        """Forget what came after the first `rows` stimuli, which all layers have."""
        for layer, written in self._written.items():
            if rows >= written:
                self._rest[layer] = self._rest[layer][:rows - written]
            else:
                start = rows - rows % self._file[layer].chunks[0]
                self._rest[layer], self._written[layer] = self._file[layer][start:rows], start

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

    def _append_rests(self) -> None:
        """Write what waits for its chunk to fill; nothing may be missing then."""
        for layer, values in self._rest.items():
            self._append(layer, values)
        short = {layer: n for layer, n in self._written.items() if n != self.n_stim}
        if short or not self._written:
            raise BadValue(f'{self.n_stim} stimuli were announced, but came: {short or "none"}')

    def _finish(self) -> None:
        self._append_rests()
        write_meta(self._file, self.meta, self.layers or list(self._written), self.stim_ids)


def write_meta(file: h5py.File, meta: dict, layers: Sequence[str], ids) -> h5py.Group:
    """The group `meta`: what is known of the activations, the order of layers, and stimulus IDs."""
    group = file.create_group('meta')
    group['json'] = json.dumps(meta | {'layers': list(layers)}, default=str)
    write_ids(group, 'stimID', ids)
    return group


def _filter(compression: str, values: np.ndarray) -> dict:
    if compression == 'auto':
        compression = 'lzf' if np.mean(values == 0) >= _SPARSE else 'none'
    return {'none': {}, 'lzf': {'compression': 'lzf'},
            'gzip': {'compression': 'gzip', 'compression_opts': 1}}[compression]
