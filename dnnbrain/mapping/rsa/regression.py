"""How several layers together make up a brain RDM, and what each adds that no other has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from dnnbrain._checks import BadValue, whole_number
from dnnbrain.mapping.crossval import folds
from dnnbrain.mapping.rsa.pairs import two_sides
from dnnbrain.mapping.triangles import n_items


@dataclass(frozen=True)
class RdmRegression:
    """Weights of layers, and explained variance of brain RDMs.

    Attributes
    ----------
    weights : ndarray of shape (n_brain, n_layer)
        In units of the brain RDM per unit of the layer's.
    intercept : ndarray of shape (n_brain,)
    explained : ndarray of shape (n_brain,)
        Share of the variance over pairs that the fit explains, of the very pairs that were fitted.
    unique : ndarray of shape (n_brain, n_layer)
        What is lost of it without each layer.
    held_out : ndarray of shape (n_brain,)
        The same for pairs of stimuli that took no part in the fit; may be negative.
    held_out_unique : ndarray of shape (n_brain, n_layer)
    held_out_r : ndarray of shape (n_brain,)
        Correlation of predicted and found dissimilarities of those pairs; 0 for a constant prediction.
    """

    weights: np.ndarray
    intercept: np.ndarray
    explained: np.ndarray
    unique: np.ndarray
    held_out: np.ndarray
    held_out_unique: np.ndarray
    held_out_r: np.ndarray


def regress(layers, brain, nonneg: bool = True, n_fold: int = 2, n_repeat: int = 20, rng=0) -> RdmRegression:
    """Fit brain RDMs as sums of the RDMs of layers.

    Squared euclidean distances of layers side by side add up, with positive weights: hence non-negative least
    squares (Khaligh-Razavi & Kriegeskorte 2014, doi 10.1371/journal.pcbi.1003915). Other dissimilarities add up
    approximately. Stimuli are held out, not pairs: a fold is tested on the pairs among its own stimuli after a fit
    to the pairs among all others.

    Parameters
    ----------
    layers, brain : array_like
        RDMs of the same items, as in `compare`.
    nonneg : bool
        False: ordinary least squares.
    n_fold, n_repeat : int
        Folds of stimuli, and how often they are drawn anew; scores are means over all. A fold must hold five
        stimuli or more.
    rng : int or Generator

    Returns
    -------
    regression : RdmRegression
    """
    one, two = two_sides(layers, brain, ('layers', 'brain'))
    for rows, name in ((one, 'layers'), (two, 'brain')):
        bad = np.flatnonzero(~np.isfinite(rows).all(axis=1) | (rows == rows[:, :1]).all(axis=1))
        if bad.size:
            raise BadValue(f'{name}: the RDM at place {bad[0]} holds NaN or does not vary; leave it out')
    n, whole_repeats = n_items(one.shape[1]), whole_number(n_repeat, 'n_repeat')
    if whole_number(n_fold, 'n_fold') < 2 or whole_repeats < 1:
        raise BadValue(f'n_fold must be at least 2 and n_repeat at least 1, not {n_fold} and {n_repeat}')
    if n // n_fold < 5:
        raise BadValue(f'{n} stimuli in {n_fold} folds leave fewer than five to a fold; take fewer folds')
    solve = _nonnegative if nonneg else _least_squares
    every = np.ones(one.shape[1], dtype=bool)
    weights, intercept = _fit(one, two, every, solve)
    inside = _explained(one, two, every, every, solve)[0]
    splits, generator = [], np.random.default_rng(rng)
    for _ in range(whole_repeats):
        seed = int(generator.integers(2 ** 31))
        splits += [(among(train, n), among(test, n)) for train, test in folds(n, n_fold, rng=seed)]
    outside = np.mean([_explained(one, two, *split, solve) for split in splits], axis=0)
    return RdmRegression(weights, intercept, inside[0], (inside[0] - inside[1:]).T, outside[0, 0],
                         (outside[0, 0] - outside[0, 1:]).T, outside[1, 0])


def among(items: np.ndarray, n: int) -> np.ndarray:
    """Which pairs of n items are pairs of `items`, (n_pair,) bool."""
    inside = np.isin(np.arange(n), items)
    above, below = np.triu_indices(n, 1)
    return inside[above] & inside[below]


def _explained(layers: np.ndarray, brain: np.ndarray, train: np.ndarray, test: np.ndarray, solve: Callable) -> \
        np.ndarray:
    """Explained variance and correlation (2, 1 + n_layer, n_brain), of all layers and without each in turn."""
    found = []
    for kept in [np.arange(len(layers)), *(np.delete(np.arange(len(layers)), i) for i in range(len(layers)))]:
        weights, _ = _fit(layers[kept], brain, train, solve)
        predicted, truth = _centre(weights @ layers[kept][:, test]), _centre(brain[:, test])
        total, spread = np.square(truth).sum(axis=1), np.square(predicted).sum(axis=1)
        flat = spread <= 1e-20 * total
        r = np.where(flat, 0, (truth * predicted).sum(axis=1) / np.sqrt(total * np.where(flat, 1, spread)))
        found.append((1 - np.square(truth - predicted).sum(axis=1) / total, r))
    return np.array(found).transpose(1, 0, 2)


def _fit(layers: np.ndarray, brain: np.ndarray, pairs: np.ndarray, solve: Callable) -> tuple[np.ndarray, np.ndarray]:
    """Weights (n_brain, n_layer) and intercepts (n_brain,); layers come to the same scale for the solution."""
    X, Y = layers[:, pairs], brain[:, pairs]
    if not len(X):
        return np.zeros((len(Y), 0)), Y.mean(axis=1)
    centred = _centre(X)
    size = np.linalg.norm(centred, axis=1)
    size = np.where(size > 0, size, 1)
    # Q keeps all that the layers can say, so that solving costs nothing by the number of pairs
    Q, R = np.linalg.qr((centred / size[:, None]).T)
    weights = solve(R, _centre(Y) @ Q) / size
    return weights, Y.mean(axis=1) - weights @ X.mean(axis=1)


def _nonnegative(R: np.ndarray, targets: np.ndarray) -> np.ndarray:
    return np.stack([nnls(R, target)[0] for target in targets])


def _least_squares(R: np.ndarray, targets: np.ndarray) -> np.ndarray:
    return np.linalg.lstsq(R, targets.T)[0].T


def _centre(rows: np.ndarray) -> np.ndarray:
    return rows - rows.mean(axis=1, keepdims=True)
