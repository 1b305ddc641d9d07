"""Logistic regression with one predictor, for many units at once by Newton's method.

The model of k classes is softmax(x w + b) with w and b of length k and the penalty |w|^2 / (2 C) of
scikit-learn's ``LogisticRegression``. Two classes are the same thing with twice the penalty: there
scikit-learn has a single w, the difference of these two. The objective is convex, smooth, and has one
minimum once the sum of b, which changes nothing, is held at 0; Newton's steps are halved until they
descend, so that they arrive there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dnnbrain.activation.products import centred
from dnnbrain.mapping.crossval import Split

_ELEMENTS = 2 ** 21
_STEPS = 100
_DONE = 1e-5                                  # of the gradient before a last step, which squares the error


@dataclass(frozen=True)
class LogisticModel:
    """A fitted logistic regression.

    Attributes
    ----------
    classes : ndarray of shape (n_class,)
        Sorted.
    slope, intercept : ndarray of shape (n_class,)
        Each sums to 0. For two classes scikit-learn's ``coef_`` is ``slope[1] - slope[0]``.
    """

    classes: np.ndarray
    slope: np.ndarray
    intercept: np.ndarray

    def predict_proba(self, x) -> np.ndarray:
        """Probability of each class, (n_sample, n_class), from one unit."""
        x = np.asarray(x, dtype=np.float64).reshape(-1, 1)
        return _softmax(x * self.slope + self.intercept)

    def predict(self, x) -> np.ndarray:
        """Labels (n_sample,) from one unit, (n_sample,) or (n_sample, 1)."""
        return self.classes[self.predict_proba(x).argmax(axis=1)]


@dataclass(frozen=True)
class Logistic:
    """Logistic regression with one predictor, as ``LogisticRegression(C=C)`` solved to the end."""

    C: float = 1.0

    def scores(self, X: np.ndarray, Y: np.ndarray, splits: list[Split]) -> np.ndarray:
        """Mean accuracy of every unit, (n_unit, 1), for labels (n_sample, 1)."""
        n_class = len(np.unique(Y))
        step = max(1, _ELEMENTS // (len(X) * n_class))
        return np.concatenate([self._scores(X[:, start:start + step], Y[:, 0], splits)
                               for start in range(0, X.shape[1], step)])

    def _scores(self, X: np.ndarray, y: np.ndarray, splits: list[Split]) -> np.ndarray:
        total = np.zeros(X.shape[1])
        for train, test in splits:
            classes = np.unique(y[train])
            slope, intercept = fit_logistic(X[train], y[train], classes, self.C)
            winners = _evidence(X[test].T, slope, intercept).argmax(axis=1)
            total += (classes[winners] == y[test]).mean(axis=1)
        return total[:, None] / len(splits)

    def fit(self, x: np.ndarray, y: np.ndarray) -> LogisticModel:
        """The classifier on one unit, (n_sample,)."""
        classes = np.unique(y)
        slope, intercept = fit_logistic(np.asarray(x)[:, None], y, classes, self.C)
        return LogisticModel(classes, slope[0], intercept[0])


def fit_logistic(X: np.ndarray, y: np.ndarray, classes: np.ndarray, C: float) -> tuple[np.ndarray, np.ndarray]:
    """Slope and intercept (n_unit, n_class) of each unit of (n_sample, n_unit)."""
    mean, scaled = X.mean(axis=0, dtype=np.float64), centred(X)
    scale = np.sqrt(np.square(scaled).mean(axis=0))
    scale[scale == 0] = 1
    penalty = (2 if len(classes) == 2 else 1) / (C * scale ** 2)
    found = _newton(np.ascontiguousarray((scaled / scale).T), (y == classes[:, None]).astype(np.float64), penalty)
    slope, intercept = np.split(found, 2, axis=1)
    slope = slope / scale[:, None]
    return slope, intercept - slope * mean[:, None]


def _newton(x: np.ndarray, truth: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    """Minimum [w, b] (n_unit, 2 n_class) for units (n_unit, n), classes (n_class, n), penalties (n_unit,)."""
    answer = np.zeros((len(x), 2 * len(truth)))
    left = np.arange(len(x))
    theta, loss = answer.copy(), _loss(answer, x, truth, penalty)
    for _ in range(_STEPS):
        gradient, hessian = _derivatives(theta, x, truth, penalty)
        step = -np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0]
        fall = np.einsum('up,up->u', gradient, step)
        theta, loss, stuck = _descend(theta, loss, step, fall, x, truth, penalty)
        answer[left] = theta
        on = (np.abs(gradient).max(axis=1) > _DONE) & ~stuck
        if not on.any():
            break
        left, x, penalty, theta, loss = left[on], x[on], penalty[on], theta[on], loss[on]
    return answer


def _descend(theta, loss, step, fall, x, truth, penalty):
    """Theta after a step that lowers the loss, the loss there, and where no step did."""
    length = np.ones(len(theta))
    for _ in range(30):
        new = theta + length[:, None] * step
        reached = _loss(new, x, truth, penalty)
        short = reached > loss + 1e-4 * length * fall + 1e-12 * np.abs(loss)
        if not short.any():
            break
        length[short] /= 2
    new[short], reached[short] = theta[short], loss[short]
    return new, reached, short


def _loss(theta, x, truth, penalty):
    w, b = np.split(theta, 2, axis=1)
    evidence = _evidence(x, w, b)
    top = evidence.max(axis=1)
    spread = np.log(np.exp(evidence - top[:, None]).sum(axis=1)) + top
    fit = np.einsum('ukn,kn->u', evidence, truth)
    return spread.sum(axis=1) - fit + penalty * np.square(w).sum(axis=1) / 2 + np.square(b.sum(axis=1)) / 2


def _derivatives(theta, x, truth, penalty):
    """Gradient (n_unit, 2 n_class) and Hessian (n_unit, 2 n_class, 2 n_class) of `_loss`."""
    w, b = np.split(theta, 2, axis=1)
    k = w.shape[1]
    p = _softmax(_evidence(x, w, b))
    by_x = p * x[:, None]
    error = p - truth
    gradient = np.hstack([np.einsum('ukn,un->uk', error, x) + penalty[:, None] * w,
                          error.sum(axis=2) + b.sum(axis=1, keepdims=True)])
    both = np.concatenate([by_x, p], axis=1)
    hessian = -(both @ both.transpose(0, 2, 1))
    i = np.arange(k)
    hessian[:, i, i] += np.einsum('ukn,un->uk', by_x, x) + penalty[:, None]
    cross = by_x.sum(axis=2)
    hessian[:, i, k + i] += cross
    hessian[:, k + i, i] += cross
    hessian[:, k + i, k + i] += p.sum(axis=2)
    hessian[:, k:, k:] += 1
    return gradient, hessian


def _evidence(x: np.ndarray, slope: np.ndarray, intercept: np.ndarray) -> np.ndarray:
    """(n_unit, n_class, n_sample), in which numpy is quick with few classes."""
    return x[:, None] * slope[:, :, None] + intercept[:, :, None]


def _softmax(evidence: np.ndarray) -> np.ndarray:
    """Shares of the classes, along the second axis."""
    share = np.exp(evidence - evidence.max(axis=1, keepdims=True))
    return share / share.sum(axis=1, keepdims=True)
