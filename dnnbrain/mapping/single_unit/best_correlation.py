"""The unit that correlates best with each target, and how often chance does as well."""

from __future__ import annotations

import numpy as np

from dnnbrain.mapping.inference.exchange import row_orders
from dnnbrain.mapping.scoring import correlation
from dnnbrain.mapping.single_unit.one_predictor import Standard
from dnnbrain.mapping.single_unit.unit_search import TARGETS, Search, pieces

_ELEMENTS = 2 ** 22
_ROUNDING = 1e-5                              # a permutation that changes nothing must count as equal


def best_correlation(blocks, Y: np.ndarray, n_perm: int = 0, within=None, together=None,
                     rng=0) -> dict[str, np.ndarray]:
    """The largest absolute correlation of each target with any unit.

    Parameters
    ----------
    blocks : iterable of (slice, ndarray (n_sample, n_unit)), or a callable that returns one
    Y : ndarray of shape (n_sample, n_target)
        Finite and not constant.
    n_perm : int
        Permutations of the samples; the same for all targets.
    within, together, rng
        What may be exchanged, and the seed, as in `dnnbrain.mapping.inference.exchange.row_orders`.

    Returns
    -------
    result : dict
        score (n_target,) with its sign and location (n_target,), from 0. With permutations also
        p (n_target,), against the largest absolute correlation over all units, and p_family
        (n_target,), over all units and targets (Westfall & Young 1993): (1 + b) / (1 + n_perm)
        with b the permutations that do as well; and null_max (n_perm,), over all units and targets.
    """
    n = len(Y)
    search, y = Search(np.arange(n), [], Y), Standard.of(Y).z
    orders = row_orders(n, n_perm, within, together, rng) if n_perm else np.empty((0, n), int)
    largest = np.zeros((n_perm, Y.shape[1]), np.float32)
    for first, X in pieces(blocks, n, Y.shape[1]):
        units = Standard.of(X).z
        search.see(X, first, _absolute(units, Y))
        _chance(units, y, orders, largest)
    found = search.location >= 0
    score = np.full(Y.shape[1], np.nan)
    score[found] = correlation(Y[:, found], search.x[:, found].astype(np.float64))
    result = {'score': score, 'location': search.location}
    if n_perm:
        result['null_max'] = largest.max(axis=1) + np.float64(_ROUNDING)
        for name, chance in (('p', largest), ('p_family', largest.max(axis=1, keepdims=True))):
            b = (chance >= np.abs(score) - _ROUNDING).sum(axis=0)
            result[name] = np.where(found, (1 + b) / (1 + n_perm), np.nan)
    return result


def _absolute(units: np.ndarray, Y: np.ndarray):
    """A score for `Search`: absolute correlations of standardised units, whatever the splits."""
    return lambda X, some, splits: np.abs(units.T @ Standard.of(some).z)


def _chance(units: np.ndarray, y: np.ndarray, orders: np.ndarray, largest: np.ndarray) -> None:
    """Raise `largest` (n_perm, n_target) to the absolute correlations with these units."""
    for first in range(0, y.shape[1], TARGETS):
        some, record = y[:, first:first + TARGETS], largest[:, first:first + TARGETS]
        n, n_target = some.shape
        step = max(1, _ELEMENTS // (units.shape[1] * n_target))
        for start in range(0, len(orders), step):
            shuffled = some[orders[start:start + step]]                        # (n_order, n, n_target)
            r = units.T @ shuffled.transpose(1, 0, 2).reshape(n, -1)
            here = np.maximum(r.max(axis=0), -r.min(axis=0)).reshape(-1, n_target)
            np.maximum(record[start:start + step], here, out=record[start:start + step])
