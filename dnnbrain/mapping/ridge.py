"""Linear regression on a kernel: ridge with an alpha per target, and least squares.

With ``c`` the dual coefficients, a prediction is ``K(new, train) c + intercept``; the weights of
the units are ``X' c``. Centring is part of the fit (Saunders et al. 1998; Dupre la Tour et al.
2022, doi 10.1016/j.neuroimage.2022.119728, whose package himalaya solves the ridge).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from himalaya.backend import set_backend
from himalaya.kernel_ridge import solve_kernel_ridge_cv_eigenvalues, solve_kernel_ridge_eigenvalues
from sklearn.model_selection import check_cv

from dnnbrain._checks import BadValue
from dnnbrain.mapping.crossval import Split

RELATIVE_ALPHAS = np.logspace(-4, 4, 9)
_BATCH_BYTES = 2 ** 28


@dataclass(frozen=True)
class DualModel:
    """A fitted linear model of many targets.

    Kernels are those of `dnnbrain.mapping.kernel`, of units whose mean over the stimuli was
    subtracted: the intercept is the prediction where every unit has that mean.

    Attributes
    ----------
    dual_coef : ndarray of shape (n_train, n_target)
    intercept : ndarray of shape (n_target,)
    alpha : ndarray of shape (n_target,)
        Ridge penalty chosen for each target; 0 for least squares.
    """

    dual_coef: np.ndarray
    intercept: np.ndarray
    alpha: np.ndarray

    def predict(self, K: np.ndarray) -> np.ndarray:
        """Predictions (n_new, n_target) from inner products with the training stimuli (n_new, n_train)."""
        return K @ self.dual_coef + self.intercept

    def weights(self, X: np.ndarray) -> np.ndarray:
        """Weights of the units (n_unit, n_target) from their training activations (n_train, n_unit)."""
        return (X - X.mean(axis=0)).T @ self.dual_coef


def default_alphas(K: np.ndarray) -> np.ndarray:
    """Nine penalties over eight decades around the mean eigenvalue of the centred kernel."""
    scale = np.trace(K) / len(K) - K.mean()
    return RELATIVE_ALPHAS * (scale if scale > 0 else 1.0)


def fit_ridge(K: np.ndarray, Y: np.ndarray, alphas=None, inner: list[Split] | None = None) -> DualModel:
    """Ridge with, for each target, the alpha that predicts held-out inner folds best.

    Parameters
    ----------
    K : ndarray of shape (n_train, n_train)
    Y : ndarray of shape (n_train, n_target)
    alphas : float or sequence of float, optional
        Absolute penalties; `default_alphas` of this kernel if None. A single one is not searched.
    inner : list of (train, test)
        Folds of the training rows.
    """
    alphas = default_alphas(K) if alphas is None else np.atleast_1d(np.asarray(alphas, dtype=np.float64))
    if not alphas.size or not (np.isfinite(alphas) & (alphas > 0)).all():
        raise BadValue(f"alphas must be positive numbers, not {alphas.tolist()}; estimator 'glm' is ridge without "
                       'penalty')
    batch = max(1, _BATCH_BYTES // (8 * len(alphas) * len(K)))
    set_backend('numpy')
    if len(alphas) == 1:
        dual, intercept = solve_kernel_ridge_eigenvalues(K, Y, alpha=alphas[0], fit_intercept=True)
        return DualModel(dual, intercept, np.full(Y.shape[1], alphas[0]))
    alpha, dual, _, intercept = solve_kernel_ridge_cv_eigenvalues(
        K, Y, alphas=alphas, cv=check_cv(inner), fit_intercept=True, n_targets_batch=batch)
    return DualModel(dual, intercept, alpha)


def fit_least_squares(K: np.ndarray, Y: np.ndarray) -> DualModel:
    """Ordinary least squares with intercept; of minimum norm where there are more units than stimuli."""
    column_means = K.mean(axis=0)
    centred = K - column_means - column_means[:, None] + column_means.mean()
    values, vectors = np.linalg.eigh(centred)
    kept = values > values.max(initial=0) * len(K) * np.finfo(np.float64).eps
    vectors, values = vectors[:, kept], values[kept]
    mean = Y.mean(axis=0)
    dual = vectors @ ((vectors.T @ (Y - mean)) / values[:, None])
    return DualModel(dual, mean - column_means @ dual, np.zeros(Y.shape[1]))
