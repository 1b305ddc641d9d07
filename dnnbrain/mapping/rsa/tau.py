"""Kendall's tau for many RDMs and many draws at once, in time n log n of the pairs."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata


def codes(rows: np.ndarray) -> np.ndarray:
    """Numbers from 0 in the order of size, equal for ties, (n_rdm, n_pair) int64; all 0 for RDMs with NaN."""
    finite = np.isfinite(rows).all(axis=1, keepdims=True)
    return rankdata(np.where(finite, rows, 0), method='dense', axis=1).astype(np.int64) - 1


def taus(x: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None, ties: str = 'b') -> np.ndarray:
    """Kendall's tau of row against row, (n_row,); NaN where one does not vary.

    Parameters
    ----------
    x, y : ndarray of int of shape (n_row, n_pair)
        `codes`.
    weights : ndarray of int of shape (n_row, n_pair), optional
        How often each pair was drawn; copies of a pair are ties in both.
    ties : {'a', 'b'}
        tau-a divides by all comparisons, tau-b by those that are no ties.
    """
    total = float(x.shape[1]) if weights is None else weights.sum(axis=1).astype(np.float64)
    # in the order of x, ties of x in the order of y: what is left in disorder is discordant
    joint = x * (y.max(initial=0) + 1) + y
    order = np.argsort(joint, axis=1)
    x, y, joint, weights = (None if values is None else np.take_along_axis(values, order, axis=1)
                            for values in (x, y, joint, weights))
    joint = np.cumsum(np.diff(joint, axis=1, prepend=joint[:, :1]) > 0, axis=1)
    same_x, same_y, same = (_squared_groups(code, weights) for code in (x, y, joint))
    ordered = (total ** 2 - same_x - same_y + same) / 2
    difference = ordered - 2 * (_disorder(y) if weights is None else _weighted_disorder(y, weights))
    with np.errstate(divide='ignore', invalid='ignore'):
        scale = {'a': total * (total - 1) / 2,
                 'b': np.sqrt((total ** 2 - same_x) * (total ** 2 - same_y)) / 2}[ties]
        return np.where((same_x < total ** 2) & (same_y < total ** 2), difference / scale, np.nan)


def _squared_groups(code: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Sum over groups of equal codes of their squared weights, (n_row,)."""
    width = int(code.max(initial=0)) + 1
    flat = (code + width * np.arange(len(code))[:, None]).ravel()
    sizes = np.bincount(flat, None if weights is None else weights.ravel(), len(code) * width)
    return np.square(sizes.astype(np.float64)).reshape(-1, width).sum(axis=1)


def _disorder(y: np.ndarray) -> np.ndarray:
    """Number of places i < j with y_i > y_j, (n_row,), counted while merging sorted halves.

    In a merged block the places of what came from the left half add up to 0 + 1 + ... where nothing is in
    disorder, and to one more for each value of the right half that went before one of the left.
    """
    n_row, n = y.shape
    key = np.full((n_row, 2 ** _depth(n)), 2 * n, dtype=np.int16 if 2 * n < 2 ** 15 else np.int64)
    key[:, :n] = 2 * y                                              # the last bit marks the right half
    found = np.zeros(n_row)
    for half in 2 ** np.arange(_depth(n)):
        block = _merged(key, half, 1)
        left = (~block & 1).astype(np.float32 if half < 1024 else np.float64)            # exact in both
        found += (left @ np.arange(2 * half).astype(left.dtype)).sum(axis=1, dtype=np.float64)
        found -= block.shape[1] * half * (half - 1) / 2
        block &= ~np.array(1, key.dtype)
    return found


def _weighted_disorder(y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The same with every two places counted as often as the product of their weights, (n_row,)."""
    n_row, n = y.shape
    mark = 2 ** 20                                                  # the weight below this bit, the value above
    key = np.full((n_row, 2 ** _depth(n)), 2 * n * mark, dtype=np.int64)
    key[:, :n] = 2 * mark * y + weights
    found = np.zeros(n_row)
    for half in 2 ** np.arange(_depth(n)):
        block = _merged(key, half, mark)
        weight = (block & mark - 1).astype(np.float64)
        right = np.where(block & mark, weight, 0)
        found += np.einsum('rbp,rbp->r', np.cumsum(right, axis=2), weight - right)
        block &= ~mark
    return found


def _merged(key: np.ndarray, half: int, mark: int) -> np.ndarray:
    """Blocks (n_row, n_block, 2 half), a view of `key`, after marking their right halves and sorting them in place."""
    key.reshape(len(key), -1, 2, half)[:, :, 1] |= key.dtype.type(mark)
    block = key.reshape(len(key), -1, 2 * half)
    block.sort(axis=2)
    return block


def _depth(n: int) -> int:
    return max(1, int(n - 1).bit_length())
