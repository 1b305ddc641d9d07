"""Mahalanobis and cross-validated Mahalanobis ('crossnobis') distances, with the noise of repeated measurements.

Walther et al. (2016, doi 10.1016/j.neuroimage.2015.12.012). The covariance of the noise is that of the
repetitions around the mean of their condition, shrunk towards its diagonal (Schaefer & Strimmer 2005) or
towards a multiple of the identity (Ledoit & Wolf 2004). It would be n_unit x n_unit, but its inverse is
needed between rows only: with ``C = D + U U'``, of the few rows of U, Woodbury's identity gives it from
inner products of rows, one pass over the units of a layer. Of fewer units than rows the covariance itself is small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from dnnbrain._checks import BadValue
from dnnbrain.mapping.distances.patterns import Patterns, averaging
from dnnbrain.mapping.distances.products import squared_distances
from dnnbrain.mapping.triangles import triangles

SHRINKAGES = ('shrinkage_diag', 'shrinkage_eye', 'diag')


def noise_distances(patterns: Patterns, metric: str, groups: np.ndarray, runs: np.ndarray,
                    shrinkage: str = 'shrinkage_diag') -> np.ndarray:
    """Squared distances of conditions per unit, (n_pair,).

    Parameters
    ----------
    patterns : Patterns
        A row per measurement.
    metric : {'mahalanobis', 'crossnobis'}
        Of the mean patterns; or of the mean patterns of a run with those of all others, so that noise adds
        nothing on average and a distance may be negative.
    groups, runs : ndarray of int of shape (n_item,)
        Condition and run of each row, from 0.
    shrinkage : {'shrinkage_diag', 'shrinkage_eye', 'diag'}

    Raises
    ------
    BadValue
        No condition is repeated, or with 'crossnobis' two conditions are together in no two runs.
    """
    products, n_unit = whitened(patterns, groups, shrinkage)
    if metric == 'mahalanobis':
        means = averaging(groups)
        return triangles(squared_distances(products(means, means))) / n_unit
    return _crossed(products, groups, runs, patterns.name) / n_unit


def whitened(patterns: Patterns, groups: np.ndarray, shrinkage: str = 'shrinkage_diag') -> tuple[Callable, int]:
    """Inner products under the inverse covariance of the noise, and how many units made them.

    Units whose repetitions never differ have no noise to divide by and are left out; the mean of each unit
    over the rows is left out too.

    Returns
    -------
    products : callable
        Of two matrices (n_a, n_item) and (n_b, n_item) that mix rows, the inner products (n_a, n_b) of these.
    n_unit : int
    """
    if groups.max() + 1 == len(groups):
        raise BadValue(f'the noise of {patterns.name} is estimated from repetitions, but each of the '
                       f'{len(groups)} conditions was measured once; give the condition of each row')
    scaled = shrinkage != 'shrinkage_eye'
    solve = _of_covariance if patterns.n_unit <= len(groups) else _of_products
    return solve(_noisy(patterns, groups, scaled), groups, _SHARES[shrinkage], patterns.name)


def _noisy(patterns: Patterns, groups: np.ndarray, scaled: bool) -> Iterator[np.ndarray]:
    """Blocks of the units that have noise, over its deviation if `scaled`."""
    dof, seen = len(groups) - groups.max() - 1, False
    means = averaging(groups)
    for X in patterns.blocks():
        size = np.abs(X).max(axis=0)
        X -= X.mean(axis=0)
        noise = X - (means @ X)[groups]
        kept = np.abs(noise).max(axis=0) > 1e-12 * size
        if kept.any():
            seen = True
            X = X[:, kept]
            yield X / np.sqrt(np.square(noise[:, kept]).sum(axis=0) / dof) if scaled else X
    if not seen:
        raise BadValue(f'the repetitions of a condition are all the same in {patterns.name}, so that there is no '
                       'noise to estimate; choose another metric, such as sqeuclidean')


def _of_covariance(blocks: Iterator[np.ndarray], groups: np.ndarray, shares: Callable, name: str):
    """Of few units: from the covariance."""
    X = np.concatenate(list(blocks), axis=1)
    noise = X - (averaging(groups) @ X)[groups]
    covariance = noise.T @ noise
    diagonal, rest = shares(np.square(noise).sum(axis=1), np.square(covariance).sum(), (noise ** 4).sum(), X.shape[1],
                            len(X) - groups.max() - 1)
    try:
        root = cholesky(diagonal * np.eye(X.shape[1]) + rest * covariance, lower=True)
    except np.linalg.LinAlgError:
        raise BadValue(_no_inverse(name)) from None
    X = solve_triangular(root, X.T, lower=True).T
    return (lambda A, B: (A @ X) @ (B @ X).T), X.shape[1]


def _of_products(blocks: Iterator[np.ndarray], groups: np.ndarray, shares: Callable, name: str):
    """Of many units: from inner products of rows."""
    means, n_unit, fourth = averaging(groups), 0, 0.0
    kernel = np.zeros((len(groups), len(groups)))
    for X in blocks:
        kernel += X @ X.T
        fourth += ((X - (means @ X)[groups]) ** 4).sum()
        n_unit += X.shape[1]
    cross = kernel - (means @ kernel)[groups]                  # noise with rows
    noise = cross - (means @ cross.T)[groups].T                # noise with noise
    diagonal, rest = shares(np.diagonal(noise), np.square(noise).sum(), fourth, n_unit,
                            len(groups) - groups.max() - 1)
    if diagonal <= 0:
        raise BadValue(_no_inverse(name))
    inner = np.eye(len(noise)) + rest / diagonal * noise
    kernel = kernel / diagonal - rest / diagonal ** 2 * cross.T @ np.linalg.solve(inner, cross)
    return (lambda A, B: A @ (B @ kernel.T).T), n_unit


def _no_inverse(name: str) -> str:
    return f'the covariance of the noise of {name} has no inverse; choose another shrinkage: {", ".join(SHRINKAGES)}'


def _towards_diagonal(own: np.ndarray, squares: float, fourth: float, n_unit: int, dof: int) -> tuple[float, float]:
    """Shares of the diagonal and of the sum of products, for units with unit variance.

    Parameters
    ----------
    own : ndarray of shape (n_item,)
        Sum of squares of the noise of each row.
    squares : float
        Sum of squares of its inner products, over rows or over units.
    fourth : float
        Sum of its fourth powers.
    """
    n = len(own)
    squares = (squares - n_unit * dof ** 2) / (n - 1) ** 2
    fourths = (np.square(own).sum() - fourth) / (n - 1)
    shrunk = 1.0 if squares <= 0 else min(max(n / dof ** 2 * (fourths - squares) / squares, 0), 1)
    return shrunk, (1 - shrunk) / dof


def _towards_identity(own: np.ndarray, squares: float, fourth: float, n_unit: int, dof: int) -> tuple[float, float]:
    n = len(own)
    mean, squares = own.sum() / n / n_unit, squares / n ** 2
    apart = squares - mean ** 2 * n_unit
    spread = min(apart, (np.square(own).sum() / n - squares) / n)
    if apart <= 0:
        return mean * n / dof, 0.0
    return spread / apart * mean * n / dof, (apart - spread) / apart / dof


_SHARES = {'shrinkage_diag': _towards_diagonal, 'shrinkage_eye': _towards_identity, 'diag': lambda *_: (1.0, 0.0)}


def _crossed(products: Callable, groups: np.ndarray, runs: np.ndarray, name: str) -> np.ndarray:
    """Squared distances (n_pair,) between mean patterns of each run and of the others, averaged over runs."""
    n_group = groups.max() + 1
    total = np.zeros((n_group, n_group))
    count = np.zeros((n_group, n_group), dtype=int)
    for run in np.unique(runs):
        here, there = (averaging(groups, chosen) for chosen in (runs == run, runs != run))
        both = (np.diff(here.indptr) > 0) & (np.diff(there.indptr) > 0)
        known = both[:, None] & both
        found = products(there, here)
        own = np.diagonal(found)
        total += np.where(known, own[:, None] + own - found - found.T, 0)
        count += known
    alone = np.argwhere(np.triu(count == 0, 1))
    if len(alone):
        raise BadValue(f"metric 'crossnobis' compares conditions across runs, but {len(alone)} pairs of conditions of "
                       f'{name} are together in no run that has both of them elsewhere too; the first are '
                       f'conditions {alone[0, 0] + 1} and {alone[0, 1] + 1}')
    return triangles(total / np.maximum(count, 1))


def repetitions(groups: np.ndarray) -> np.ndarray:
    """Which presentation of its condition each row is, from 0: runs where none were told."""
    order = np.argsort(groups, kind='stable')
    starts = np.searchsorted(groups[order], groups[order])
    number = np.empty(len(groups), dtype=int)
    number[order] = np.arange(len(groups)) - starts
    return number
