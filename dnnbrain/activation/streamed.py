"""Activations made from others block by block, for memory or for a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dnnbrain._checks import choice, has_suffix, writable_file
from dnnbrain._progress import progress
from dnnbrain.activation.exchange.design import event_rows
from dnnbrain.activation.features import check_features, feature_blocks
from dnnbrain.activation.hrf import convolved_blocks, seconds_matrix
from dnnbrain.activation.pool import POOLINGS, pool_maps
from dnnbrain.io.act_h5 import SUFFIX
from dnnbrain.io.act_writer import ActWriter


@dataclass(frozen=True)
class Streamed:
    """An activation to be: its layers come in blocks of rows when asked for.

    Attributes
    ----------
    source : Activation
    blocks : callable
        Layer -> iterator of ndarray of shape (n, n_chn, n_row, n_col).
    n_row : int
    stim_ids : ndarray of shape (n_row,) or None
    meta : dict
    """

    source: object
    blocks: Callable[[str], Iterator[np.ndarray]]
    n_row: int
    stim_ids: np.ndarray | None
    meta: dict

    def gather(self):
        """The Activation, in memory."""
        new = type(self.source)()
        for layer in self.source.layers:
            new.set(layer, np.concatenate(list(self.blocks(layer))))
        new.stim_ids, new.meta = self.stim_ids, self.meta
        return new

    def save(self, fname) -> None:
        """Write a ``.act.h5`` in bounded memory; `fname` may be the file that is read."""
        writable_file(has_suffix(fname, [SUFFIX], 'activation file'), 'activation file')
        with ActWriter(fname, self.n_row, self.stim_ids, self.meta) as writer:
            for layer in progress(self.source.layers, 'layers'):
                for block in self.blocks(layer):
                    writer.write({layer: block})


def pooled(activ, method: str) -> Streamed:
    """Each map as one number; see `Activation.pool`."""
    choice('method', method, POOLINGS)
    return Streamed(activ, lambda layer: (pool_maps(block, method) for _, block in activ.blocks(layer)),
                    len(activ), activ.stim_ids, activ.meta | {'pool': method})


def featured(activ, method: str, n_feat: int | float, axis: str | None = None, bins: str = 'common',
             rng: int = 0) -> Streamed:
    """Features of all layers; see `fe`."""
    check_features({layer: activ.shape(layer) for layer in activ.layers}, method, n_feat, axis, bins)
    number = float(n_feat) if isinstance(n_feat, float | np.floating) else int(n_feat)
    settings = {'method': method, 'n_feat': number, 'axis': axis}
    settings |= {'hist': {'bins': bins}, 'srp': {'seed': rng}}.get(method, {})
    return Streamed(activ, lambda layer: feature_blocks(activ._source(layer), layer, method, n_feat, axis, bins, rng),
                    len(activ), activ.stim_ids, _other_units(activ.meta, 'fe', settings))


def convolved(activ, onsets, durations, n_vol: int, tr: float, ops: int = 100, model: str = 'spm',
              delays: Sequence[int] | None = None, stim_ids=None) -> Streamed:
    """Volumes instead of stimuli; see `convolve_hrf`."""
    matrix = seconds_matrix(onsets, durations, n_vol, tr, ops, model, delays)
    events = activ[event_rows(activ, stim_ids, matrix.shape[2])]
    settings = {'model': model, 'tr': tr, 'n_vol': n_vol, 'ops': ops, 'n_event': len(events), 'rows': 'volumes'}
    settings |= {'delays': [int(delay) for delay in delays]} if model == 'fir' else {}
    meta = activ.meta | {'hrf': settings} if len(matrix) == 1 else _other_units(activ.meta, 'hrf', settings)
    return Streamed(events, lambda layer: convolved_blocks(events._source(layer), layer, matrix), n_vol, None, meta)


def _other_units(meta: dict, step: str, settings: dict) -> dict:
    """`meta` after a step whose channels are no longer those that a mask named."""
    kept = {key: value for key, value in meta.items() if key != 'dmask'}
    return kept | {step: settings | ({'dmask': meta['dmask']} if 'dmask' in meta else {})}


def fe(self, method: str, n_feat: int | float, axis: str | None = None, *, bins: str = 'common', rng: int = 0):
    """Features of each layer, read in blocks; the result is in memory.

    Parameters
    ----------
    method : {'pca', 'hist', 'psd', 'srp'}
    n_feat : int, or for 'pca' a share of variance
    axis : {None, 'chn', 'row_col'}
    bins, rng
        All as in `dnnbrain.dnn.base.dnn_fe`.

    Returns
    -------
    features : Activation
        Layers (n_stim, n_feat, 1, 1), or with 'chn' (n_stim, n_feat, n_row, n_col), with 'row_col'
        (n_stim, n_chn, n_feat, 1).
    """
    return featured(self, method, n_feat, axis, bins, rng).gather()


def convolve_hrf(self, onsets, durations, n_vol: int, tr: float, ops: int = 100, *, model: str = 'spm',
                 delays: Sequence[int] | None = None, stim_ids=None):
    """What the layers predict of a scan: a row per volume instead of one per stimulus.

    Parameters
    ----------
    onsets, durations : array_like of shape (n_event,), seconds
    n_vol, tr, ops, model, delays
        All as in `dnnbrain.brain.algo.convolve_hrf`.
    stim_ids : sequence, optional
        The stimulus of each event, which may come again. By default row i is event i.

    Returns
    -------
    volumes : Activation
        Layers (n_vol, n_chn, n_row, n_col), without stimulus IDs; with derivatives and 'fir' (n_vol,
        n_regressor * n_chn, n_row, n_col), all channels for the first regressor, then for the next.
    """
    return convolved(self, onsets, durations, n_vol, tr, ops, model, delays, stim_ids).gather()
