"""Is a layer similar to the brain beyond what other layers explain? Partial correlations of RDMs."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from dnnbrain._checks import BadValue, choice
from dnnbrain.mapping.inference.exchange import row_orders
from dnnbrain.mapping.inference.tally import TAILS, Tally
from dnnbrain.mapping.rsa.pairs import two_sides, vectors
from dnnbrain.mapping.rsa.permutation import Cells, RdmTest, tested
from dnnbrain.mapping.triangles import n_items, squares

PARTIAL = {'pearson': lambda rows: rows, 'spearman': lambda rows: rankdata(rows, axis=1)}


def partial_correlation(first, second, given, method: str = 'pearson') -> np.ndarray:
    """Correlation of RDMs after taking other RDMs out of both, (n_first, n_second).

    Parameters
    ----------
    first, second, given : array_like
        RDMs of the same items, as in `compare`; all of `given` are taken out by least squares.
    method : {'pearson', 'spearman'}
        'spearman' ranks all RDMs first.

    Returns
    -------
    r : ndarray of shape (n_first, n_second)
        0 for an RDM that the given ones make up entirely.
    """
    one, two, basis = _prepared(first, second, given, method)
    return np.clip(_unit(_without(one, basis), one) @ _unit(_without(two, basis), two).T, -1, 1)


def each_partial(layers, brain, method: str = 'pearson') -> np.ndarray:
    """Partial correlation of each layer with each brain RDM, all other layers taken out, (n_layer, n_brain)."""
    rows = vectors(layers, 'layers')
    if len(rows) < 2:
        raise BadValue('layers holds a single RDM; two or more are needed to take out the others')
    return np.concatenate([partial_correlation(row, brain, np.delete(rows, place, axis=0), method)
                           for place, row in enumerate(rows)])


def permute_partial(first, second, given, method: str = 'pearson', n_perm: int = 1000, tail: str = 'greater',
                    n_jobs: int = 1, rng=0) -> RdmTest:
    """p-values of partial correlations.

    What is permuted are the items of what the given RDMs leave of the first (double semi-partialing, Dekker et al.
    2007, doi 10.1007/s11336-007-9016-1), so that the relations of the given with both sides stay as they are.

    Parameters
    ----------
    first, second, given, method
        As in `partial_correlation`.
    n_perm, tail, n_jobs, rng
        As in `permute_items`.

    Returns
    -------
    test : RdmTest
    """
    one, two, basis = _prepared(first, second, given, method)
    choice('tail', tail, tuple(TAILS))
    orders = row_orders(n_items(one.shape[1]), n_perm, rng=rng)
    left, target = _without(one, basis), _unit(_without(two, basis), two)
    left[np.abs(left).max(axis=1) <= 1e-10 * np.abs(one).max(axis=1)] = 0
    full, cells = squares(left).reshape(len(left), -1), Cells(one.shape[1])

    def statistic(block: np.ndarray) -> np.ndarray:
        moved = np.take(full, cells(block), axis=1)                                 # (n_first, n_block, n_pair)
        again = _without(moved.reshape(-1, moved.shape[-1]), basis)
        r = (_unit(again, again) @ target.T).reshape(*moved.shape[:2], -1)
        return r.transpose(1, 0, 2)
    return tested(Tally(len(one) * len(two), n_perm, tail, None), statistic, orders, (len(one), len(two)),
                  2 * len(one), n_jobs)


def _prepared(first, second, given, method: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors of both sides, ranked if need be, and an orthonormal basis (n_basis, n_pair) of what to take out."""
    turn = PARTIAL[choice('method', method, tuple(PARTIAL))]
    one, two = two_sides(first, second)
    _, out = two_sides(first, given, ('first', 'given'))
    for rows, name in ((one, 'first'), (two, 'second'), (out, 'given')):
        if not np.isfinite(rows).all():
            raise BadValue(f'{name} holds NaN or infinite values; leave such RDMs out')
    if len(out) + 3 > one.shape[1]:
        raise BadValue(f'given holds {len(out)} RDMs, too many for {one.shape[1]} pairs')
    one, two, out = (turn(rows) - turn(rows).mean(axis=1, keepdims=True) for rows in (one, two, out))
    scale = np.linalg.norm(out, axis=1, keepdims=True)
    _, size, basis = np.linalg.svd(out / np.where(scale > 0, scale, 1), full_matrices=False)
    basis = basis[size > 1e-10]
    return one, two, np.concatenate([np.full((1, one.shape[1]), one.shape[1] ** -0.5), basis])


def _without(rows: np.ndarray, basis: np.ndarray) -> np.ndarray:
    return rows - (rows @ basis.T) @ basis


def _unit(rows: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Rows of length 1; 0 where nothing is left of the whole."""
    size, before = (np.linalg.norm(values, axis=1, keepdims=True) for values in (rows, whole))
    return np.where(size > 1e-10 * before, rows / np.where(size > 0, size, 1), 0)
