"""Regression with one predictor, for all units and targets at once.

With one predictor everything is a correlation. Let r be the correlation of a unit and a target in
the training rows, s that in the test rows, and |x|, |y| the norms of centred columns. Least squares
has the slope r |y| / |x|; the lasso of scikit-learn's objective puts sign(r) max(|r| - t, 0) in the
place of r, with t = alpha n / (|x| |y|). Held-out scores follow from r, s, norms and means, so that
a fold costs two products of matrices.

The products are float32, of columns that were centred and scaled to norm 1 in double precision
within the rows concerned: nothing is subtracted afterwards, and a correlation is off by some 1e-7.
It decides which unit is best and is never reported; models and scores are computed in double
precision from the chosen units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dnnbrain.activation.products import centred
from dnnbrain.mapping.crossval import Split


@dataclass(frozen=True)
class LineModel:
    """A fitted line: ``predict(x) = intercept + slope * x``.

    Attributes
    ----------
    slope, intercept : float, or ndarray of shape (n_target,) for a line per target
        NaN where the target was constant or not finite.
    """

    slope: float | np.ndarray
    intercept: float | np.ndarray

    def predict(self, x) -> np.ndarray:
        """Predictions (n_sample,) from one unit, (n_sample,) or (n_sample, 1).

        Lines of many targets take a unit for each, (n_sample, n_target).
        """
        x = np.asarray(x, dtype=np.float64)
        return self.intercept + self.slope * (x if np.ndim(self.slope) else x.reshape(-1))

    def each(self) -> list[LineModel]:
        """One model per target."""
        return [LineModel(float(s), float(i)) for s, i in zip(self.slope, self.intercept, strict=True)]


@dataclass(frozen=True)
class Standard:
    """Columns centred and of norm 1, float32 (n_row, n_column), with what was taken out.

    A constant column is exactly 0 and has norm 0.
    """

    z: np.ndarray
    mean: np.ndarray
    norm: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> Standard:
        """The columns of a table (n_row, n_column)."""
        without = centred(values)
        norm = np.sqrt(np.einsum('ij,ij->j', without, without))
        without /= np.where(norm > 0, norm, 1)
        return cls(without.astype(np.float32), values.mean(axis=0, dtype=np.float64), norm)


def _correlation(r, s, train, test):
    return np.sign(r) * s


def _explained_variance(r, s, train, test):
    (xa, ya), (xb, yb) = train, test
    gain = r * _single(_ratio(xb.norm, xa.norm)[:, None]) * _single(_ratio(ya.norm, yb.norm))
    return gain * (2 * s - gain)


def _r2(r, s, train, test):
    (xa, ya), (xb, yb) = train, test
    root = np.sqrt(len(xb.z))
    by_unit = _single(root * _ratio(xb.mean - xa.mean, xa.norm)[:, None])
    by_target = _single(root * _ratio(yb.mean - ya.mean, yb.norm))
    offset = by_target - r * by_unit * _single(_ratio(ya.norm, yb.norm))
    return _explained_variance(r, s, train, test) - offset * offset


HELD_OUT = {'correlation': _correlation, 'explained_variance': _explained_variance, 'r2': _r2}


@dataclass(frozen=True)
class Line:
    """Least squares (alpha 0) or lasso with one predictor and an intercept.

    Parameters
    ----------
    alpha : float
        Penalty of scikit-learn's ``Lasso``: squared error / (2 n) + alpha * abs(slope).
    scoring : {'explained_variance', 'correlation', 'r2'}
        By which units are compared.
    """

    alpha: float = 0.0
    scoring: str = 'explained_variance'

    def scores(self, X: np.ndarray, Y: np.ndarray, splits: list[Split]) -> np.ndarray:
        """Mean held-out score of every unit for every target, (n_unit, n_target).

        Parameters
        ----------
        X : ndarray of shape (n_sample, n_unit)
        Y : ndarray of shape (n_sample, n_target)
        splits : list of (train, test)
            A fold in whose test rows a target is constant does not count for it; NaN if none counts.
        """
        total = np.zeros((X.shape[1], Y.shape[1]), np.float32)
        count = np.zeros(Y.shape[1], np.float32)
        with np.errstate(over='ignore', divide='ignore', invalid='ignore'):
            for rows, held_out in splits:
                train, test = ([Standard.of(table[part]) for table in (X, Y)] for part in (rows, held_out))
                r, s = (x.z.T @ y.z for x, y in (train, test))
                score = HELD_OUT[self.scoring](self._shrunk(r, train, len(rows)), s, train, test)
                counts = test[1].norm > 0
                total += score if counts.all() else np.where(counts, score, 0)
                count += counts
            return total / count

    def fit(self, x: np.ndarray, Y: np.ndarray) -> LineModel:
        """The line of each target on its own unit, in double precision.

        Parameters
        ----------
        x, Y : ndarray of shape (n_sample, n_target)
        """
        a, b = centred(x), centred(Y)
        c, square = np.einsum('ij,ij->j', a, b), np.einsum('ij,ij->j', a, a)
        c = np.sign(c) * np.maximum(np.abs(c) - self.alpha * len(x), 0)
        slope = c / np.where(square > 0, square, np.inf)
        return LineModel(slope, Y.mean(axis=0) - slope * x.mean(axis=0, dtype=np.float64))

    def _shrunk(self, r: np.ndarray, train: list[Standard], n: int) -> np.ndarray:
        if not self.alpha:
            return r
        x, y = train
        threshold = _single(self.alpha * n / x.norm)[:, None] * _single(1 / y.norm)
        return np.sign(r) * np.maximum(np.abs(r) - threshold, 0)


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / b, and 0 where b is: what has no spread predicts the mean."""
    return a / np.where(b > 0, b, np.inf)


def _single(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.float32)
