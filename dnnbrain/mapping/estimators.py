"""Multivariate estimators by name, on kernels and on tables, and scikit-learn's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.linear_model import Lasso, LogisticRegression
from sklearn.svm import SVC
from sklearn.utils import get_tags

from dnnbrain._checks import BadType, BadValue, choice, positive_number
from dnnbrain.mapping.crossval import inner_folds
from dnnbrain.mapping.latent import fit_classifier, fit_pls
from dnnbrain.mapping.primal import PrimalModel, fit_least_squares_primal, fit_ridge_primal
from dnnbrain.mapping.ridge import (
    DualModel,
    as_alphas,
    fit_least_squares,
    fit_ridge,
    least_squares_solver,
    ridge_solver,
)

REGRESSORS = ('ridge', 'glm', 'pls', 'lasso')
CLASSIFIERS = ('lrc', 'svc')
NAMES = (*REGRESSORS, *CLASSIFIERS)
DEFAULT_C = {'lrc': 1.0, 'svc': 0.025}


@dataclass(frozen=True)
class EstimatorSettings:
    """What the named estimators can be told; see `MultivariateMapping`."""

    alphas: object = None
    inner_cv: int = 5
    alpha: float = 1.0
    n_components: int = 2
    C: float | None = None
    rng: int | None = 0

    def __post_init__(self):
        if self.alphas is not None:
            as_alphas(self.alphas, 1.0)
        for name in ('alpha', 'C'):
            positive_number(getattr(self, name), name)
        if not isinstance(self.inner_cv, int | np.integer) or self.inner_cv < 2:
            raise BadValue(f'inner_cv must be a number of folds from 2, not {self.inner_cv!r}')
        if not isinstance(self.n_components, int | np.integer) or self.n_components < 1:
            raise BadValue(f'n_components must be a whole number from 1, not {self.n_components!r}')

    def inner(self, n: int, groups) -> list | None:
        """Folds of n training rows that choose alpha; None if there is nothing to choose."""
        if self.alphas is not None and np.size(self.alphas) == 1:
            return None
        return inner_folds(n, self.inner_cv, groups, self.rng)

    def cost(self, name: str) -> float:
        """`C` of a classifier."""
        return DEFAULT_C[name] if self.C is None else self.C


@dataclass(frozen=True)
class FittedEstimator:
    """A fitted estimator of scikit-learn whose predictions always have two axes."""

    estimator: BaseEstimator

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Predictions (n_new, n_target)."""
        predicted = np.asarray(self.estimator.predict(X))
        return predicted[:, None] if predicted.ndim == 1 else predicted


def as_estimator(estimator):
    """A name or an unfitted estimator of scikit-learn, checked.

    Raises
    ------
    BadValue, BadType
        The name is not known, or it is neither a regressor nor a classifier.
    """
    if isinstance(estimator, str):
        if estimator == 'banded':
            raise BadValue("estimator 'banded' maps several layers at once: use "
                           'dnnbrain.mapping.banded.BandedMapping')
        if estimator == 'corr':
            raise BadValue("estimator 'corr' is univariate only; for all units together choose from "
                           f'{", ".join(NAMES)}')
        return choice('estimator', estimator, NAMES)
    if isinstance(estimator, type) or not (hasattr(estimator, 'fit') and hasattr(estimator, 'predict')):
        raise BadType(f'estimator must be a name ({", ".join(NAMES)}) or an estimator of scikit-learn, '
                      f'not {estimator!r}')
    if not (is_regressor(estimator) or is_classifier(estimator)):
        raise BadType(f'estimator {type(estimator).__name__} is neither a regressor nor a classifier')
    return estimator


def estimator_type(estimator) -> str:
    """'regressor' or 'classifier'."""
    classifies = estimator in CLASSIFIERS if isinstance(estimator, str) else is_classifier(estimator)
    return 'classifier' if classifies else 'regressor'


def takes_many_targets(estimator) -> bool:
    """Whether one fit serves all targets."""
    if isinstance(estimator, str):
        return estimator in REGRESSORS
    return is_regressor(estimator) and get_tags(estimator).target_tags.multi_output


def fit_kernel(name: str, K: np.ndarray, Y: np.ndarray, settings: EstimatorSettings, groups=None):
    """A named estimator on a kernel (n_train, n_train) of the training rows."""
    return _ON_KERNELS[name](K, Y, settings, groups)


def solver(name: str, K: np.ndarray, settings: EstimatorSettings, groups=None) -> Callable[[np.ndarray], DualModel]:
    """`fit_kernel` as a function of Y, for 'ridge' and 'glm', whose targets do not know of each other."""
    return _SOLVERS[name](K, settings, groups)


def fit_table(estimator, X: np.ndarray, Y: np.ndarray, settings: EstimatorSettings, groups=None):
    """A named estimator, or a clone of scikit-learn's, on activations (n_train, n_unit)."""
    if isinstance(estimator, str):
        return _ON_TABLES[estimator](X, Y, settings, groups)
    return FittedEstimator(clone(estimator).fit(X, Y if takes_many_targets(estimator) else Y[:, 0]))


def on_kernels(estimator) -> bool:
    """Whether inner products are all it needs."""
    return isinstance(estimator, str) and estimator in _ON_KERNELS


def on_tables(estimator) -> bool:
    """Whether it can be fitted on the units themselves."""
    return not isinstance(estimator, str) or estimator in _ON_TABLES


def _ridge(K, Y, settings, groups):
    return fit_ridge(K, Y, settings.alphas, settings.inner(len(Y), groups))


def _ridge_primal(X, Y, settings, groups):
    return fit_ridge_primal(X, Y, settings.alphas, settings.inner(len(Y), groups))


def _lasso(X, Y, settings, groups):
    model = Lasso(settings.alpha).fit(X, Y)
    coef = model.coef_.reshape(Y.shape[1], -1).T
    return PrimalModel(coef, np.atleast_1d(model.intercept_), np.full(Y.shape[1], float(settings.alpha)))


def _lrc(K, Y, settings, groups):
    return fit_classifier(K, Y[:, 0], LogisticRegression(C=settings.cost('lrc'), tol=1e-6, max_iter=10_000))


def _svc(K, Y, settings, groups):
    return fit_classifier(K, Y[:, 0], SVC(kernel='linear', C=settings.cost('svc')))


_ON_KERNELS: dict[str, Callable] = {
    'ridge': _ridge,
    'glm': lambda K, Y, settings, groups: fit_least_squares(K, Y),
    'pls': lambda K, Y, settings, groups: fit_pls(K, Y, settings.n_components),
    'lrc': _lrc,
    'svc': _svc,
}
_SOLVERS: dict[str, Callable] = {
    'ridge': lambda K, settings, groups: ridge_solver(K, settings.alphas, settings.inner(len(K), groups)),
    'glm': lambda K, settings, groups: least_squares_solver(K),
}
_ON_TABLES: dict[str, Callable] = {
    'ridge': _ridge_primal,
    'glm': lambda X, Y, settings, groups: fit_least_squares_primal(X, Y),
    'lasso': _lasso,
}
