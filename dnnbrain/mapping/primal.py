"""Linear regression on a table with fewer units than stimuli, where that is the cheaper side.

Same models as `dnnbrain.mapping.ridge` finds on kernels: squares of n_unit instead of n_stim.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from himalaya.backend import set_backend
from himalaya.ridge import solve_ridge_cv_svd
from sklearn.model_selection import check_cv

from dnnbrain.mapping.crossval import Split
from dnnbrain.mapping.ridge import as_alphas, deviations, target_batch


@dataclass(frozen=True)
class PrimalModel:
    """A fitted linear model of many targets.

    Attributes
    ----------
    coef : ndarray of shape (n_unit, n_target)
    intercept : ndarray of shape (n_target,)
        The prediction where every unit is 0.
    alpha : ndarray of shape (n_target,)
    """

    coef: np.ndarray
    intercept: np.ndarray
    alpha: np.ndarray

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Predictions (n_new, n_target) from activations (n_new, n_unit)."""
        return X @ self.coef + self.intercept


def fit_ridge_primal(X: np.ndarray, Y: np.ndarray, alphas=None, inner: list[Split] | None = None) -> PrimalModel:
    """As `fit_ridge`, from activations X (n_train, n_unit)."""
    mean = X.mean(axis=0)
    X = X - mean
    alphas = as_alphas(alphas, np.square(X).sum() / len(X))
    if len(alphas) == 1:
        coef, alpha = _solved(X, Y, alphas[0]), np.full(Y.shape[1], alphas[0])
    else:
        set_backend('numpy')
        scale = deviations(Y)
        alpha, coef, _, _ = solve_ridge_cv_svd(X, Y / scale, alphas=alphas, cv=check_cv(inner), fit_intercept=True,
                                               warn=False, n_targets_batch=target_batch(len(alphas), len(X)))
        coef = coef * scale
    return PrimalModel(coef, Y.mean(axis=0) - mean @ coef, alpha)


def fit_least_squares_primal(X: np.ndarray, Y: np.ndarray) -> PrimalModel:
    """As `fit_least_squares`, from activations X (n_train, n_unit)."""
    mean = X.mean(axis=0)
    coef = _solved(X - mean, Y, 0.0)
    return PrimalModel(coef, Y.mean(axis=0) - mean @ coef, np.zeros(Y.shape[1]))


def _solved(X: np.ndarray, Y: np.ndarray, alpha: float) -> np.ndarray:
    U, s, V = np.linalg.svd(X, full_matrices=False)
    kept = s > s.max(initial=0) * max(X.shape) * np.finfo(np.float64).eps
    U, s, V = U[:, kept], s[kept], V[kept]
    return V.T @ ((s / (s ** 2 + alpha))[:, None] * (U.T @ (Y - Y.mean(axis=0))))
