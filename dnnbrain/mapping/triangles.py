"""Dissimilarities as vectors of pairs and as symmetric squares.

Pairs are in row-major order of the upper triangle: (0, 1), (0, 2), ..., (1, 2), ...
"""

from __future__ import annotations

import numpy as np

from dnnbrain._checks import BadValue
from dnnbrain.io.rdm_h5 import n_items

__all__ = ['n_items', 'pair_numbers', 'squares', 'triangles']


def squares(vectors: np.ndarray) -> np.ndarray:
    """Symmetric squares (..., n_item, n_item) with a zero diagonal from vectors (..., n_pair)."""
    vectors = np.asarray(vectors)
    n = n_items(vectors.shape[-1])
    whole = np.zeros((*vectors.shape[:-1], n, n), dtype=np.result_type(vectors, np.float32))
    rows, columns = np.triu_indices(n, 1)
    whole[..., rows, columns] = vectors
    whole[..., columns, rows] = vectors
    return whole


def triangles(whole: np.ndarray) -> np.ndarray:
    """Vectors (..., n_pair) from squares (..., n_item, n_item); what is under the diagonal is not looked at."""
    whole = np.asarray(whole)
    if whole.ndim < 2 or whole.shape[-1] != whole.shape[-2]:
        raise BadValue(f'squares must have shape (..., n_item, n_item), not {whole.shape}')
    return whole[..., np.triu(np.ones(whole.shape[-2:], dtype=bool), 1)]


def pair_numbers(items: np.ndarray, n: int) -> np.ndarray:
    """Where in vectors of `n` items the pairs of `items` stand, in the order of these.

    Parameters
    ----------
    items : ndarray of int of shape (n_kept,)
        Different positions from 0.
    """
    rows, columns = np.triu_indices(len(items), 1)
    first, second = np.minimum(items[rows], items[columns]), np.maximum(items[rows], items[columns])
    return first * (2 * n - first - 1) // 2 + second - first - 1
