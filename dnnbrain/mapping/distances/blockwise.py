"""The other metrics of scipy's pdist, each from parts that add up over blocks of units."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from scipy.spatial.distance import cdist, pdist
from scipy.special import rel_entr

from dnnbrain._checks import BadValue
from dnnbrain.mapping.distances.patterns import Patterns
from dnnbrain.mapping.distances.products import product_distances


def block_distances(patterns: Patterns, metric: str, p: float = 2) -> np.ndarray:
    """Distances (n_pair,) of one of `BLOCK_METRICS`.

    Parameters
    ----------
    p : float
        Of 'minkowski'.
    """
    return BLOCK_METRICS[metric](patterns) if metric != 'minkowski' else _minkowski(patterns, p)


def _summed(patterns: Patterns, part: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    return functools.reduce(np.add, map(part, patterns.blocks()))


def _minkowski(patterns: Patterns, p: float) -> np.ndarray:
    if np.isinf(p):
        return _chebyshev(patterns)
    return _summed(patterns, lambda X: pdist(X, 'minkowski', p=p) ** p) ** (1 / p)


def _chebyshev(patterns: Patterns) -> np.ndarray:
    return functools.reduce(np.maximum, (pdist(X, 'chebyshev') for X in patterns.blocks()))


def _braycurtis(patterns: Patterns) -> np.ndarray:
    upper = np.triu(np.ones((patterns.n_item, patterns.n_item), dtype=bool), 1)
    apart, together = _summed(patterns, lambda X: np.stack([pdist(X, 'cityblock'), cdist(X, -X, 'cityblock')[upper]]))
    with np.errstate(invalid='ignore', divide='ignore'):
        return apart / together


def _hamming(patterns: Patterns) -> np.ndarray:
    return np.round(_summed(patterns, lambda X: pdist(X, 'hamming') * X.shape[1])) / patterns.n_unit


def _seuclidean(patterns: Patterns) -> np.ndarray:
    """Every unit over its standard deviation; constant units tell nothing and count nothing."""
    found = product_distances(patterns.standardised(), 'euclidean')
    return found * np.sqrt((patterns.n_item - 1) / patterns.n_item)         # scipy's deviation is that of a sample


def _mahalanobis(patterns: Patterns) -> np.ndarray:
    if patterns.n_unit >= patterns.n_item:
        raise BadValue(f"metric 'mahalanobis' needs fewer units than patterns, and {patterns.name} has "
                       f'{patterns.n_unit} units for {patterns.n_item}; give repeated measurements of each condition, '
                       'from which the noise is estimated')
    try:
        return pdist(patterns.table(), 'mahalanobis')
    except np.linalg.LinAlgError:
        raise BadValue(f"metric 'mahalanobis': units of {patterns.name} are constant or depend on each other, so "
                       'that their covariance has no inverse') from None


def _jensenshannon(patterns: Patterns) -> np.ndarray:
    """Of patterns as distributions over units; one that is zero everywhere gives NaN."""
    total = 0.0
    for X in patterns.blocks():
        if (X < 0).any():
            raise BadValue(f"metric 'jensenshannon' compares distributions, and {patterns.name} holds negative "
                           'numbers; take a layer behind a ReLU, or another metric')
        total = total + X.sum(axis=1, keepdims=True)
    total = np.where(total > 0, total, np.nan)
    return np.sqrt(np.maximum(_summed(patterns, lambda X: _divergence(X / total)), 0) / 2)


def _divergence(P: np.ndarray) -> np.ndarray:
    """What a block adds to the divergence of each pair from its mean, (n_pair,)."""
    parts = []
    for row in range(len(P) - 1):
        rest, middle = P[row + 1:], (P[row] + P[row + 1:]) / 2
        parts.append((rel_entr(P[row], middle) + rel_entr(rest, middle)).sum(axis=1))
    return np.concatenate(parts)


def _counts(patterns: Patterns) -> tuple[np.ndarray, ...]:
    """For each pair the units that are on (not 0) in both, in the first only, the second only, and in neither."""
    both, on = 0.0, 0.0
    for X in patterns.blocks():
        X = (X != 0).astype(np.float64)
        both, on = both + X @ X.T, on + X.sum(axis=1)
    rows, columns = np.triu_indices(patterns.n_item, 1)
    both = both[rows, columns]
    first, second = on[rows] - both, on[columns] - both
    return both, first, second, patterns.n_unit - both - first - second


def _dice(patterns: Patterns) -> np.ndarray:
    """scipy's for numbers: products in the place of 'both are on'; of zeros and ones the usual."""
    both, total = 0.0, 0.0
    for X in patterns.blocks():
        both, total = both + X @ X.T, total + X.sum(axis=1)
    rows, columns = np.triu_indices(patterns.n_item, 1)
    total = total[rows] + total[columns]
    with np.errstate(invalid='ignore', divide='ignore'):
        return (total - 2 * both[rows, columns]) / total


def _of_counts(formula: Callable[..., tuple[np.ndarray, np.ndarray]], empty: float = 0.0):
    """A metric over on and off as a ratio of counts; `empty` where there is nothing to count."""
    def distances(patterns: Patterns) -> np.ndarray:
        above, below = formula(*_counts(patterns))
        return np.where(below == 0, empty, above / np.where(below == 0, 1, below))
    return distances


BLOCK_METRICS = {
    'braycurtis': _braycurtis,
    'canberra': lambda patterns: _summed(patterns, lambda X: pdist(X, 'canberra')),
    'chebyshev': _chebyshev,
    'cityblock': lambda patterns: _summed(patterns, lambda X: pdist(X, 'cityblock')),
    'dice': _dice,
    'hamming': _hamming,
    'jaccard': _of_counts(lambda tt, tf, ft, ff: (tf + ft, tt + tf + ft)),
    'jensenshannon': _jensenshannon,
    'mahalanobis': _mahalanobis,
    'minkowski': _minkowski,
    'rogerstanimoto': _of_counts(lambda tt, tf, ft, ff: (2 * (tf + ft), tt + ff + 2 * (tf + ft))),
    'russellrao': _of_counts(lambda tt, tf, ft, ff: (tf + ft + ff, tt + tf + ft + ff)),
    'seuclidean': _seuclidean,
    'sokalsneath': _of_counts(lambda tt, tf, ft, ff: (2 * (tf + ft), tt + 2 * (tf + ft)), np.nan),
    'yule': _of_counts(lambda tt, tf, ft, ff: (2 * tf * ft, np.where(tf * ft == 0, 1, tt * ff + tf * ft))),
}
