"""The linear support vector classifier on one predictor, exactly and for many units at once.

For two classes it minimises w^2 / 2 + C sum max(0, 1 - y (w x + b)). For a given w > 0 the best b
leaves as many samples of one class as of the other inside the margin: the smallest of the upper class
and the largest of the lower. With both sorted that way, and d_m the m-th of the one minus the m-th of
the other, what is left is w^2 / 2 + C sum max(0, 2 - w d_m), in which d_m ascends: a parabola between
neighbouring 2 / d_m, whose lowest point is found by cumulative sums. A negative w is the same with the
sign of x turned. (The dual of libsvm, Chang & Lin 2011, for a single feature.)
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from dnnbrain.mapping.crossval import Split


@dataclass(frozen=True)
class PairwiseModel:
    """A fitted linear support vector classifier, one against one.

    Attributes
    ----------
    classes : ndarray of shape (n_class,)
        Sorted.
    slope, intercept : ndarray of shape (n_pair,)
        Per pair of classes, in the order 01, 02, ..., 12, ...; above 0 speaks for the first.
    """

    classes: np.ndarray
    slope: np.ndarray
    intercept: np.ndarray

    def predict(self, x) -> np.ndarray:
        """Labels (n_sample,) from one unit, (n_sample,) or (n_sample, 1)."""
        x = np.asarray(x, dtype=np.float64).reshape(1, -1)
        return self.classes[_vote(x, self.slope[None], self.intercept[None], len(self.classes))[0]]


@dataclass(frozen=True)
class PairwiseSVC:
    """Linear support vector classification with one predictor, as ``SVC(kernel='linear', C=C)``."""

    C: float = 0.025

    def scores(self, X: np.ndarray, Y: np.ndarray, splits: list[Split]) -> np.ndarray:
        """Mean accuracy of every unit, (n_unit, 1), for labels (n_sample, 1)."""
        X, y = X.T.astype(np.float64), Y[:, 0]
        total = np.zeros(len(X))
        for train, test in splits:
            classes = np.unique(y[train])
            slope, intercept = _fit(X[:, train], y[train], classes, self.C)
            total += (classes[_vote(X[:, test], slope, intercept, len(classes))] == y[test]).mean(axis=1)
        return total[:, None] / len(splits)

    def fit(self, x: np.ndarray, y: np.ndarray) -> PairwiseModel:
        """The classifier on one unit, (n_sample,)."""
        classes = np.unique(y)
        slope, intercept = _fit(np.asarray(x, np.float64)[None], y, classes, self.C)
        return PairwiseModel(classes, slope[0], intercept[0])


def _fit(X: np.ndarray, y: np.ndarray, classes: np.ndarray, C: float) -> tuple[np.ndarray, np.ndarray]:
    """Slope and intercept (n_unit, n_pair) of units (n_unit, n_sample)."""
    ordered = [np.sort(X[:, y == label], axis=1) for label in classes]
    pairs = [_two_classes(a, b, C) for a, b in combinations(ordered, 2)]
    if not pairs:
        return np.zeros((len(X), 0)), np.zeros((len(X), 0))
    slope, intercept = (np.stack(part, axis=1) for part in zip(*pairs, strict=True))
    return slope, intercept


def _two_classes(positive: np.ndarray, negative: np.ndarray, C: float) -> tuple[np.ndarray, np.ndarray]:
    """Slope and intercept (n_unit,); samples (n_unit, n) of either class ascend."""
    m = min(positive.shape[1], negative.shape[1])
    rises = positive[:, :m].sum(axis=1) > negative[:, ::-1][:, :m].sum(axis=1)
    sign = np.where(rises, 1.0, -1.0)[:, None]
    low = sign * np.where(rises[:, None], positive, positive[:, ::-1])
    high = sign * np.where(rises[:, None], negative[:, ::-1], negative)
    gap = low[:, :m] - high[:, :m]
    reach = np.cumsum(gap, axis=1)
    with np.errstate(divide='ignore', over='ignore', invalid='ignore'):
        upper = np.where(gap > 0, 2 / gap, np.inf)
        lower = np.column_stack([upper[:, 1:], np.zeros(len(gap))])
        w = np.minimum(np.maximum(C * reach, lower), upper)
        loss = w ** 2 / 2 + C * (2 * np.arange(1, m + 1) - w * reach)
    loss[np.isinf(lower)] = np.inf                         # the next sample is inside the margin at any slope
    best = loss.argmin(axis=1)[:, None]
    w = np.take_along_axis(w, best, axis=1)
    return (sign * w)[:, 0], _intercept(w, low, high, best)


def _intercept(w: np.ndarray, low: np.ndarray, high: np.ndarray, last: np.ndarray) -> np.ndarray:
    """The middle of the intercepts that keep samples up to `last` inside the margin and the others out."""
    edge = np.full((len(w), 1), np.inf)
    low, high = np.hstack([low, edge]), np.hstack([high, -edge])
    low_in, low_out = (np.take_along_axis(low, last + i, axis=1) for i in (0, 1))
    high_in, high_out = (np.take_along_axis(high, last + i, axis=1) for i in (0, 1))
    with np.errstate(invalid='ignore'):                    # 0 * inf where w is 0: no bound
        most = np.fmin(1 - w * low_in, np.where(np.isinf(high_out), np.inf, -1 - w * high_out))
        least = np.fmax(-1 - w * high_in, np.where(np.isinf(low_out), -np.inf, 1 - w * low_out))
    return (most + least)[:, 0] / 2


def _vote(X: np.ndarray, slope: np.ndarray, intercept: np.ndarray, n_class: int) -> np.ndarray:
    """The class (n_unit, n_sample) that wins most pairs, the first of those that tie."""
    votes = np.zeros((*X.shape, n_class), np.int16)
    for pair, (i, j) in enumerate(combinations(range(n_class), 2)):
        first = X * slope[:, pair, None] + intercept[:, pair, None] > 0
        votes[..., i] += first
        votes[..., j] += ~first
    return votes.argmax(axis=-1)
