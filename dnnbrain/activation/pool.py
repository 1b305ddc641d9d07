"""Summaries of arrays along axes, and the pooling of feature maps they make."""

from __future__ import annotations

import numpy as np

from dnnbrain._checks import choice


def _roomy(arr: np.ndarray) -> np.ndarray:
    """Numbers whose sums and squares do not overflow: integers as float64, float16 as float32."""
    if arr.dtype.kind in 'biu':
        return arr.astype(np.float64)
    return arr.astype(np.float32) if arr.dtype == np.float16 else arr


def _l1(arr: np.ndarray, axis, keepdims: bool):
    return np.abs(_roomy(arr)).sum(axis=axis, keepdims=keepdims)


def _l2(arr: np.ndarray, axis, keepdims: bool):
    return np.sqrt(np.square(_roomy(arr)).sum(axis=axis, keepdims=keepdims))


_STATISTICS = {
    'max': np.max,
    'mean': np.mean,
    'median': np.median,
    'L1': _l1,
    'L2': _l2,
}
POOLINGS = tuple(_STATISTICS)


def array_statistic(arr, method: str, axis=None, keepdims: bool = False):
    """One statistic of an array along axes.

    Parameters
    ----------
    arr : array_like
    method : {'max', 'mean', 'median', 'L1', 'L2'}
        L1 is ``sum |x|``, L2 is ``sqrt(sum x^2)``, over the elements, for any number of axes. Both give
        float64 for integers and float32 for float16, in which they could overflow.
    axis : int or tuple of int, optional
        All axes by default.
    keepdims : bool
    """
    statistic = _STATISTICS[choice('method', method, POOLINGS)]
    return statistic(np.asarray(arr), axis=axis, keepdims=keepdims)


def pool_maps(activ: np.ndarray, method: str) -> np.ndarray:
    """Pool each map (for clips: each volume) to one number.

    Parameters
    ----------
    activ : ndarray of shape (n_stim, n_chn, ..., n_row, n_col)
    method : {'max', 'mean', 'median', 'L1', 'L2'}

    Returns
    -------
    pooled : ndarray of shape (n_stim, n_chn, 1, 1) (clips: (n_stim, n_chn, 1, 1, 1))
    """
    return array_statistic(activ, method, axis=tuple(range(2, activ.ndim)), keepdims=True)
