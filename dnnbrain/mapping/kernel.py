"""The linear kernel of a layer, ``K = X X'`` (n_stim, n_stim), streamed from disk.

The mean of each unit over all stimuli is subtracted before the product. Every use has an intercept,
so nothing changes but precision: the means of real layers are far larger than what varies.

Ridge, least squares, folds and predictions for any number of voxels need only K, so that cost and
memory depend on the number of stimuli, not on the units of a layer.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dnnbrain._checks import BadValue, choice
from dnnbrain.activation.activation import Activation

ITER_AXES = (None, 'channel', 'row_col')


def linear_kernel(activ: Activation, layer: str, n_bytes: int = 2 ** 26) -> np.ndarray:
    """Inner products of the stimuli over all centred units of a layer, accumulated in float64.

    Parameters
    ----------
    n_bytes : int
        Size of the blocks of units that are read.

    Returns
    -------
    K : ndarray of shape (n_stim, n_stim)

    Raises
    ------
    BadValue
        The layer holds NaN or infinite values.
    """
    n = activ.shape(layer)[0]
    kernel = np.zeros((n, n))
    for _, block in activ.blocks(layer, 'unit', n_bytes):
        units = _centred(block, layer)
        kernel += units @ units.T
    return kernel


def kernels(activ: Activation, layer: str, iter_axis: str | None = None) -> Iterator[np.ndarray]:
    """One kernel for the layer, one per channel (over positions), or one per position (over channels).

    Parameters
    ----------
    iter_axis : {None, 'channel', 'row_col'}
    """
    if choice('iter_axis', iter_axis, ITER_AXES) is None:
        yield linear_kernel(activ, layer)
        return
    n, n_chn, *rest = activ.shape(layer)
    if iter_axis == 'channel':
        per_channel = int(np.prod(rest))
        waiting = np.empty((n, 0))
        for _, block in activ.blocks(layer, 'unit'):
            waiting = np.concatenate([waiting, block.astype(np.float64)], axis=1)
            while waiting.shape[1] >= per_channel:
                units = _centred(waiting[:, :per_channel], layer)
                yield units @ units.T
                waiting = waiting[:, per_channel:]
        return
    values = activ.get(layer).reshape(n, n_chn, -1)
    for position in range(values.shape[2]):
        units = _centred(values[:, :, position], layer)
        yield units @ units.T


def centred(X: np.ndarray) -> np.ndarray:
    """Columns without their mean, float64; exactly 0 where a column is constant.

    Parameters
    ----------
    X : ndarray of shape (n_stim, n_unit)
    """
    X = X.astype(np.float64)
    mean = X.mean(axis=0)
    X -= mean
    X[:, np.abs(X).max(axis=0, initial=0) <= 1e-12 * np.abs(mean)] = 0
    return X


def n_iterations(shape: tuple[int, ...], iter_axis: str | None) -> int:
    """How many kernels `kernels` yields for a layer of this shape."""
    return {None: 1, 'channel': shape[1], 'row_col': int(np.prod(shape[2:]))}[iter_axis]


def _centred(block: np.ndarray, layer: str) -> np.ndarray:
    bad = ~np.isfinite(block).all(axis=1)
    if bad.any():
        raise BadValue(f'layer {layer!r} holds NaN or infinite activations for {bad.sum()} stimuli')
    return centred(block)
