"""Estimators of scikit-learn by 1.0's names, and their cross-validation."""

from __future__ import annotations

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.svm import SVC

from dnnbrain._checks import BadValue, choice
from dnnbrain.mapping.crossval import folds
from dnnbrain.mapping.scorers import known_scoring, scorer

MAKERS = {'lrc': LogisticRegression, 'svc': lambda: SVC(kernel='linear', C=0.025), 'glm': LinearRegression,
          'lasso': Lasso}


def gen_estimator_from_name(name: str):
    """A new estimator of scikit-learn.

    Parameters
    ----------
    name : {'lrc', 'svc', 'glm', 'lasso'}
        Logistic regression, linear support vector classification (C=.025), linear regression, lasso.
    """
    return MAKERS[choice('estimator', name, tuple(MAKERS))]()


def cross_val_confusion(classifier, X, y, cv=None, *, groups=None, rng=0) -> tuple[list[np.ndarray], list[float]]:
    """Confusion matrices and accuracies of held-out stratified folds.

    Parameters
    ----------
    classifier : sklearn classifier
        It is cloned for each fold.
    X : array_like of shape (n_sample, n_feature)
    y : array_like of shape (n_sample,)
    cv : int or sklearn splitter, optional
        5 by default.
    groups, rng
        As in `dnnbrain.mapping.crossval.folds`.

    Returns
    -------
    conf_ms : list of ndarray of shape (n_class, n_class)
        True classes in rows, predicted ones in columns, both sorted.
    accuracies : list of float
    """
    X, y = _pair(X, y)
    classes, matrices = np.unique(y), []
    for train, test in folds(len(y), 5 if cv is None else cv, groups, rng, y):
        predicted = clone(classifier).fit(X[train], y[train]).predict(X[test])
        matrices.append(confusion_matrix(y[test], predicted, labels=classes))
    return matrices, [float(matrix.trace() / matrix.sum()) for matrix in matrices]


def cross_val_scores(regressor, X, Y, scoring=None, cv=None, multi_trg_flag: bool = True, *, groups=None,
                     rng=0) -> np.ndarray:
    """Held-out scores of each target.

    Parameters
    ----------
    regressor : sklearn regressor
        It is cloned for each fold.
    X : array_like of shape (n_sample, n_feature)
    Y : array_like of shape (n_sample, n_target)
    scoring : None, str or callable
        As in `UnivariateMapping`.
    cv : int or sklearn splitter, optional
        5 by default.
    multi_trg_flag : bool
        Fit all targets together; False: each on its own, for regressors that take a single one.
    groups, rng
        As in `dnnbrain.mapping.crossval.folds`.

    Returns
    -------
    scores : ndarray of shape (n_fold, n_target)
    """
    X, Y = _pair(X, Y)
    Y = Y[:, None] if Y.ndim == 1 else Y
    score = scorer(known_scoring(scoring, 'regressor'), 'regressor')
    scores = []
    for train, test in folds(len(Y), 5 if cv is None else cv, groups, rng):
        parts = [slice(None)] if multi_trg_flag else range(Y.shape[1])
        predicted = [clone(regressor).fit(X[train], Y[train, part]).predict(X[test]) for part in parts]
        scores.append(score(Y[test], np.column_stack(predicted)))
    return np.array(scores)


def _pair(X, y) -> tuple[np.ndarray, np.ndarray]:
    X, y = np.asarray(X), np.asarray(y)
    if X.ndim != 2 or len(X) != len(y):
        raise BadValue(f'X must have shape ({len(y)}, n_feature) for {len(y)} samples, not {X.shape}')
    return X, y
