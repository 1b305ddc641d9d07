"""Correlations and cosines of RDMs as inner products, with any weights on the items.

Every measure here is ``dual(x) @ values(y)``, where both are found for each RDM by itself. Weights
say how often an item was drawn: a pair of different items then counts as often as the product of
the two, and pairs of an item with itself do not count. Weights of 1 are the plain measure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.stats import rankdata

from dnnbrain.mapping.triangles import n_items


@dataclass(frozen=True)
class Draws:
    """Items drawn, in several draws.

    Attributes
    ----------
    items : ndarray of shape (n_draw, n_item)
        How often each item was drawn.
    pairs : ndarray of shape (n_draw, n_pair)
        How often each pair of different items occurs.
    """

    items: np.ndarray
    pairs: np.ndarray

    @classmethod
    def make(cls, items: np.ndarray) -> Draws:
        above, below = np.triu_indices(items.shape[1], 1)
        items = items.astype(np.float64)
        return cls(items, items[:, above] * items[:, below])

    @classmethod
    def all_once(cls, n_pair: int) -> Draws:
        return cls(np.ones((1, n_items(n_pair))), np.ones((1, n_pair)))


def sides(rows: np.ndarray, draws: Draws, method: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What to multiply and to divide by: ``dual(first) @ values(second).T / (size(first) size(second))``.

    Parameters
    ----------
    rows : ndarray of shape (n_rdm, n_pair)
    draws : Draws
    method : str
        One of `PRODUCTS`.

    Returns
    -------
    dual, values : ndarray of shape (n_draw, n_rdm, n_pair)
    size : ndarray of shape (n_draw, n_rdm)
        NaN for an RDM that does not vary among what was drawn.
    """
    kind = PRODUCTS[method]
    values = kind.values(rows, draws)
    dual = kind.dual(values, draws)
    square = kind.square(dual, values, draws)
    least = 1e-20 * np.square(np.abs(values).max(axis=-1))          # rounding, where all that was drawn is alike
    return dual, values, np.sqrt(np.where(square > least, square, np.nan))


def unit_sides(rows: np.ndarray, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Both factors (n_rdm, n_pair) of the plain measure, already divided."""
    dual, values, size = sides(rows, Draws.all_once(rows.shape[1]), method)
    return dual[0] / size[0, :, None], values[0] / size[0, :, None]


@dataclass(frozen=True)
class _Product:
    """How a measure centres its RDMs, what metric its inner product has, and what it divides by."""

    values: Callable
    dual: Callable
    square: Callable


def _as_they_are(rows: np.ndarray, draws: Draws) -> np.ndarray:
    return np.broadcast_to(rows, (len(draws.pairs), *rows.shape))


def _centred(rows: np.ndarray, draws: Draws) -> np.ndarray:
    """Without the mean of what was drawn, exactly 0 where nothing varies."""
    size = np.abs(rows).max(axis=1, keepdims=True)
    rows = rows - rows.mean(axis=1, keepdims=True)                  # a large offset would cost precision
    flat = np.abs(rows).max(axis=1, keepdims=True) <= 1e-12 * size
    rows, total = _as_they_are(np.where(flat, 0, rows), draws), draws.pairs.sum(axis=1)[:, None, None]
    with np.errstate(invalid='ignore'):
        return rows - (rows @ draws.pairs[:, :, None]) / total


def _ranks(rows: np.ndarray, draws: Draws) -> np.ndarray:
    """Average ranks among all copies that were drawn, less their mean."""
    return np.stack([_weighted_ranks(row, draws.pairs) for row in rows], axis=1)


def _weighted_ranks(row: np.ndarray, weights: np.ndarray) -> np.ndarray:
    if not np.isfinite(row).all():
        return np.full(weights.shape, np.nan)
    code = rankdata(row, method='dense').astype(np.intp) - 1
    order = np.argsort(code, kind='stable')
    starts = np.flatnonzero(np.diff(code[order], prepend=-1))
    counts = weights[:, order] if len(starts) == len(row) else np.add.reduceat(weights[:, order], starts, axis=1)
    place = np.cumsum(counts, axis=1) - counts / 2 - counts.sum(axis=1, keepdims=True) / 2
    return place[:, code]


def _plain(values: np.ndarray, draws: Draws) -> np.ndarray:
    return values * draws.pairs[:, None]


def _whitened(values: np.ndarray, draws: Draws) -> np.ndarray:
    """Values times the inverse covariance of dissimilarities under independent noise of equal variance.

    That covariance is 4 for a pair with itself, 1 for pairs that share an item, else 0: V = 2 I + B B' with
    the incidence B of pairs and items, and its inverse follows from a system of n_item numbers.
    """
    pairs, items = draws.pairs[:, None], draws.items[:, None]                 # (n_draw, 1, ...)
    n_item = items.shape[-1]
    above, below = np.triu_indices(n_item, 1)
    number = np.arange(len(above))
    incidence = sparse.csr_matrix((np.ones(2 * len(above)), (np.r_[number, number], np.r_[above, below])))
    with np.errstate(divide='ignore', invalid='ignore'):
        sums = ((values * pairs).reshape(-1, len(above)) @ incidence).reshape(*values.shape[:-1], n_item)
        sums = np.where(items > 0, sums / items, 0)
        diagonal = 2 + items.sum(axis=-1, keepdims=True) - 2 * items
        level = (items * sums / diagonal).sum(axis=-1, keepdims=True) / \
            (1 + (items / diagonal).sum(axis=-1, keepdims=True))
        effects = (sums - level) / diagonal
    return pairs * (values - effects[..., above] - effects[..., below]) / 2


def _own_square(dual: np.ndarray, values: np.ndarray, draws: Draws) -> np.ndarray:
    return np.einsum('bnp,bnp->bn', dual, values)


def _without_ties(dual: np.ndarray, values: np.ndarray, draws: Draws) -> np.ndarray:
    """Sum of squares of ranks if there were no ties, so that a model with ties gains nothing."""
    n = draws.pairs.sum(axis=1)[:, None]
    varies = np.einsum('bnp,bnp->bn', dual, values) > 0
    return np.where(varies, (n ** 3 - n) / 12, np.nan)


PRODUCTS = {
    'pearson': _Product(_centred, _plain, _own_square),
    'spearman': _Product(_ranks, _plain, _own_square),
    'rho-a': _Product(_ranks, _plain, _without_ties),
    'cosine': _Product(_as_they_are, _plain, _own_square),
    'corr_cov': _Product(_centred, _whitened, _own_square),
    'cosine_cov': _Product(_as_they_are, _whitened, _own_square),
}
