"""Any estimator of scikit-learn with one predictor, unit by unit: general and slow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone

from dnnbrain.mapping.crossval import Split
from dnnbrain.mapping.scorers import Scorer


@dataclass(frozen=True)
class AnyEstimator:
    """An estimator that is cloned for every unit, target and fold.

    Parameters
    ----------
    estimator : sklearn regressor or classifier
    score : callable
        ``score(truth, predicted)`` of (n_sample, 1) arrays.
    n_jobs : int, optional
        Processes, as in joblib.
    """

    estimator: object
    score: Scorer
    n_jobs: int | None = None

    def scores(self, X: np.ndarray, Y: np.ndarray, splits: list[Split]) -> np.ndarray:
        """Mean held-out score of every unit for every target, (n_unit, n_target)."""
        jobs = (delayed(self._score)(x, y, splits) for x in X.T for y in Y.T)
        return np.reshape(Parallel(self.n_jobs)(jobs), (X.shape[1], Y.shape[1]))

    def fit(self, x: np.ndarray, y: np.ndarray):
        """A fitted clone, on one unit (n_sample,) and one target."""
        return clone(self.estimator).fit(x[:, None], y)

    def _score(self, x: np.ndarray, y: np.ndarray, splits: list[Split]) -> float:
        scores = np.array([self.score(y[test][:, None], self.fit(x[train], y[train]).predict(x[test][:, None])[:, None])
                           for train, test in splits])
        return float(scores[np.isfinite(scores)].mean()) if np.isfinite(scores).any() else np.nan
