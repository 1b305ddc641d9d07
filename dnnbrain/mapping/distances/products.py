"""Euclidean, correlation and cosine distances from inner products, in one pass over the units.

Every distance comes from the kernel of units without their mean over the items, because what all items
share cancels in ``d2 = |x_i - x_j|^2`` and would only cost digits. With ``s`` the length of a pattern,
``1 - cos = (d2 - (s_i - s_j)^2) / (2 s_i s_j)``; correlation is the same for patterns without their own
mean. Pairs that are so close that the kernel cannot tell their distance are computed once more, from the
differences themselves; so are angles of patterns that are short beside another, at length 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import squareform

from dnnbrain.mapping.distances.patterns import Patterns

CLOSE = 1e-6                  # of the squared length of both: a kernel then gives d2 to 1e-9
LOSS = 1e5                    # rounding of d2 may be this many times that of the angle, which keeps ten digits
_PAIR_BYTES = 2 ** 24


@dataclass(frozen=True)
class Products:
    """What one pass over patterns leaves.

    Attributes
    ----------
    kernel : ndarray of shape (n_item, n_item)
        Inner products, without the mean of each unit over the items.
    length : ndarray of shape (n_item,)
        Of the patterns themselves.
    shift : ndarray of shape (n_block, n_item)
        The mean of each within each block, without its mean over all units; 0 where patterns are not centred.
    """

    kernel: np.ndarray
    length: np.ndarray
    shift: np.ndarray


def product_distances(patterns: Patterns, metric: str) -> np.ndarray:
    """Distances (n_pair,) of one of `PRODUCT_METRICS`; NaN where a pattern has no direction."""
    centre = metric == 'correlation'
    found = gathered(patterns, centre)
    distances = PRODUCT_METRICS[metric](_squared(patterns, found, centre), found.length)
    own, length = np.diagonal(found.kernel), np.where(found.length > 0, found.length, np.nan)
    shortest = found.length[found.length > 0].min(initial=np.inf)
    if PRODUCT_METRICS[metric] is not _of_angle or 2 * own.max() <= LOSS * shortest ** 2:
        return distances
    rows, columns = np.triu_indices(len(own), 1)
    lost = np.flatnonzero(own[rows] + own[columns] > LOSS * length[rows] * length[columns])
    if len(lost):
        distances[lost] = _of_differences(patterns, found, centre, rows[lost], columns[lost], 1 / length) / 2
    return distances


def gathered(patterns: Patterns, centre: bool) -> Products:
    """One pass over the units.

    Parameters
    ----------
    centre : bool
        Take from each pattern its mean over units.

    Notes
    -----
    A mean over all units is not known until the last block. So a block is centred by its own, and what the
    means of blocks add is put in afterwards, as sums of squares are split within and between groups.
    """
    kernel = np.zeros((patterns.n_item, patterns.n_item))
    size, means, width = 0.0, [], []
    for X in patterns.blocks():
        width.append(X.shape[1])
        if centre:
            means.append(X.mean(axis=1))
            X -= means[-1][:, None]
        size = size + np.einsum('ij,ij->i', X, X)
        X -= X.mean(axis=0)
        kernel += X @ X.T
    width = np.array(width, dtype=np.float64)
    if not centre:
        return Products(kernel, np.sqrt(size), np.zeros((len(width), patterns.n_item)))
    means = np.array(means)
    mean = width @ means / width.sum()
    shift = means - mean
    size = size + width @ shift ** 2
    between = (shift - shift.mean(axis=1, keepdims=True)) * np.sqrt(width)[:, None]
    size[size <= width.sum() * (1e-12 * mean) ** 2] = 0            # constant but for rounding
    kernel += between.T @ between
    return Products(kernel, np.sqrt(size), shift)


def squared_distances(kernel: np.ndarray) -> np.ndarray:
    """Squared distances (..., n_item, n_item) from inner products of the same shape."""
    own = np.einsum('...ii->...i', kernel)
    squared = own[..., :, None] + own[..., None, :]
    squared -= 2 * kernel
    return np.maximum(squared, 0, out=squared)


def _squared(patterns: Patterns, found: Products, centre: bool) -> np.ndarray:
    """Squared distances (n_pair,), the closest from the differences."""
    own = np.diagonal(found.kernel)
    whole = squared_distances(found.kernel)
    near = np.triu(whole < CLOSE * (own[:, None] + own), 1)
    first, second = np.nonzero(near)
    if len(first):
        whole[first, second] = _of_differences(patterns, found, centre, first, second)
    return squareform(whole, checks=False)          # reads the upper triangle only


def _of_differences(patterns: Patterns, found: Products, centre: bool, first: np.ndarray, second: np.ndarray,
                    scale: np.ndarray | None = None) -> np.ndarray:
    """Squared distances of some pairs, from another pass; of patterns times `scale`, (n_item,)."""
    total = np.zeros(len(first))
    for X, shift in zip(patterns.blocks(), found.shift, strict=True):
        if centre:
            X -= X.mean(axis=1, keepdims=True)
        if scale is not None:
            X *= scale[:, None]
            shift = shift * scale
        step = max(1, _PAIR_BYTES // (8 * X.shape[1]))
        for start in range(0, len(first), step):
            one, other = first[start:start + step], second[start:start + step]
            apart = X[one] - X[other]
            total[start:start + step] += np.einsum('ij,ij->i', apart, apart)
            total[start:start + step] += X.shape[1] * (shift[one] - shift[other]) ** 2
    return total


def _of_angle(squared: np.ndarray, length: np.ndarray) -> np.ndarray:
    """1 - cosine from squared distances (..., n_pair) and lengths (..., n_item)."""
    rows, columns = np.triu_indices(length.shape[-1], 1)
    length = np.where(length > 0, length, np.nan)
    first, second = length[..., rows], length[..., columns]
    return np.clip((squared - (first - second) ** 2) / (2 * first * second), 0, 2)


PRODUCT_METRICS = {
    'euclidean': lambda squared, length: np.sqrt(squared),
    'sqeuclidean': lambda squared, length: squared,
    'correlation': _of_angle,
    'cosine': _of_angle,
}
