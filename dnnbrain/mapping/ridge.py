"""Linear regression on a kernel: ridge with an alpha per target, and least squares.

With ``c`` the dual coefficients, a prediction is ``K(new, train) c + intercept``; the weights of
the units are ``X' c``. Centring is part of the fit (Saunders et al. 1998; Dupre la Tour et al.
2022, doi 10.1016/j.neuroimage.2022.119728, with whose package himalaya the results agree). One
eigendecomposition per fold serves all targets and penalties, and the final fit of a target is
computed for its own penalty only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

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
    return as_alphas(None, np.trace(K) / len(K) - K.mean())


def as_alphas(alphas, scale: float) -> np.ndarray:
    """Penalties as an array; if None, nine over eight decades around `scale`."""
    if alphas is None:
        return RELATIVE_ALPHAS * (scale if scale > 0 else 1.0)
    try:
        alphas = np.atleast_1d(np.asarray(alphas, dtype=np.float64))
    except (TypeError, ValueError):
        raise BadValue(f'alphas must be positive numbers, not {alphas!r}') from None
    if not alphas.size or not (np.isfinite(alphas) & (alphas > 0)).all():
        raise BadValue(f"alphas must be positive numbers, not {alphas.tolist()}; estimator 'glm' is ridge without "
                       'penalty')
    return alphas


def target_batch(n_alpha: int, n: int) -> int:
    """How many targets are solved at once: predictions of all penalties stay below 256 MB."""
    return max(1, _BATCH_BYTES // (8 * n_alpha * n))


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
    alphas = as_alphas(alphas, np.trace(K) / len(K) - K.mean())
    return _ridge(alphas, decomposed(K), _inner_parts(K, alphas, inner) if len(alphas) > 1 else None, Y)


def ridge_solver(K: np.ndarray, alphas=None, inner: list[Split] | None = None) -> Callable[[np.ndarray], DualModel]:
    """`fit_ridge` as a function of Y: what depends on K alone is computed once, for many tables of targets."""
    alphas = as_alphas(alphas, np.trace(K) / len(K) - K.mean())
    return partial(_ridge, alphas, decomposed(K), list(_inner_parts(K, alphas, inner)) if len(alphas) > 1 else None)


def _ridge(alphas: np.ndarray, basis: tuple, inner: Iterable | None, Y: np.ndarray) -> DualModel:
    Y = Y.astype(np.float64, copy=False)
    alpha = np.full(Y.shape[1], alphas[0]) if inner is None else \
        alphas[_held_out_errors(inner, Y, alphas).argmin(axis=0)]
    values, vectors, column_means = basis
    mean, dual = Y.mean(axis=0), np.empty(Y.shape)
    for part in _batches(Y):
        dual[:, part] = vectors @ ((vectors.T @ (Y[:, part] - mean[part])) / (values[:, None] + alpha[part]))
    return DualModel(dual, mean - column_means @ dual, alpha)


def _inner_parts(K: np.ndarray, alphas: np.ndarray, inner: list[Split]) -> Iterator[tuple]:
    """Rows of each inner fold, and what makes its predictions from responses, (n_alpha x n_test, n_train).

    In single precision, which halves the time: the error of an alpha is then known to a millionth of the variance.
    """
    for train, test in inner:
        values, vectors, column_means = decomposed(K[np.ix_(train, train)])
        seen = (K[np.ix_(test, train)] - column_means) @ vectors
        each = [((seen / (values + alpha)) @ vectors.T).astype(np.float32) for alpha in alphas]
        yield train, test, np.concatenate(each)


def _held_out_errors(inner: Iterable, Y: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """Squared errors over inner folds in units of variance, (n_alpha, n_target); of equals the larger penalty wins."""
    errors, n_fold, scale = np.zeros((len(alphas), Y.shape[1])), 0, deviations(Y)
    for train, test, predict in inner:
        n_fold += 1
        for part in _batches(Y):
            mean = Y[train, part].mean(axis=0)
            known, truth = (((Y[rows, part] - mean) / scale[part]).astype(np.float32) for rows in (train, test))
            residual = (predict @ known).reshape(len(alphas), len(test), -1)
            residual -= truth
            errors[:, part] += np.einsum('aij,aij->aj', residual, residual) / len(test)
    return errors / n_fold - 1e-10 * np.log(alphas)[:, None]


def deviations(Y: np.ndarray) -> np.ndarray:
    """Standard deviations of targets, 1 for constant ones: in these units penalties are told apart at any scale."""
    scale = Y.std(axis=0)
    return np.where(scale > 0, scale, 1.0)


def decomposed(K: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eigenvalues above rounding and eigenvectors of the centred kernel, and the means of its columns."""
    means = K.mean(axis=0)
    values, vectors = np.linalg.eigh(K - means - means[:, None] + means.mean())
    kept = values > values.max(initial=0) * len(K) * np.finfo(np.float64).eps
    return values[kept], vectors[:, kept], means


def _batches(Y: np.ndarray) -> list[slice]:
    """Targets whose table stays below 4 MB, so that what is made of it is near the cache and memory is used again."""
    step = max(1, 2 ** 22 // (8 * len(Y)))
    return [slice(start, start + step) for start in range(0, Y.shape[1], step)]


def fit_least_squares(K: np.ndarray, Y: np.ndarray) -> DualModel:
    """Ordinary least squares with intercept; of minimum norm where there are more units than stimuli."""
    return least_squares_solver(K)(Y)


def least_squares_solver(K: np.ndarray) -> Callable[[np.ndarray], DualModel]:
    """`fit_least_squares` as a function of Y, with K decomposed once."""
    return partial(_least_squares, decomposed(K))


def _least_squares(basis: tuple, Y: np.ndarray) -> DualModel:
    values, vectors, column_means = basis
    mean = Y.mean(axis=0)
    dual = vectors @ ((vectors.T @ (Y - mean)) / values[:, None])
    return DualModel(dual, mean - column_means @ dual, np.zeros(Y.shape[1]))
