"""Scores by the name or the function that a user gives, from predictions."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import get_scorer, get_scorer_names

from dnnbrain._checks import BadType, BadValue, choice
from dnnbrain.mapping.scoring import SCORINGS, correlation_score

Scorer = Callable[[np.ndarray, np.ndarray], np.ndarray]
DEFAULTS = {'regressor': 'explained_variance', 'classifier': 'accuracy'}
_TRIALS = {'regressor': ([1.0, 2.0, 3.0, 5.0], [1.0, 2.5, 3.0, 4.0]), 'classifier': ([0, 1, 0, 1], [0, 1, 1, 1])}


def correlation_scorer(regressor, X, y) -> float:
    """Pearson correlation of y and the predictions of a fitted regressor, averaged over targets.

    A scorer for functions of scikit-learn: ``scoring=correlation_scorer``.
    """
    return correlation_score(y, regressor.predict(X))


def known_scoring(scoring, kind: str):
    """The scoring as it is meant: a default for None, 'correlation' for its scorer; refused if it cannot be used.

    Parameters
    ----------
    scoring : None, str or callable
        'correlation', 'r2', 'explained_variance', a name of scikit-learn, ``f(y_true, y_pred)``, or a scorer
        ``f(estimator, X, y)`` that only needs predictions.
    kind : {'regressor', 'classifier'}
    """
    if scoring is None:
        return DEFAULTS[kind]
    if scoring is correlation_scorer or scoring is correlation_score:
        return 'correlation'
    if not isinstance(scoring, str) and not callable(scoring):
        raise BadType(f'scoring must be a name or a function, not {scoring!r}')
    if callable(scoring) and len(_needed(scoring)) not in (2, 3):
        raise BadValue('the scoring function must take (y_true, y_pred) or (estimator, X, y); it takes '
                       f'{len(_needed(scoring))} arguments')
    if isinstance(scoring, str):
        choice('scoring', scoring, (*SCORINGS, *get_scorer_names()))
    if kind == 'classifier' and scoring in SCORINGS:
        raise BadValue(f"scoring {scoring!r} is for numbers, and a classifier predicts labels; take 'accuracy' or "
                       "another score of classes")
    if isinstance(scoring, str) and scoring not in SCORINGS:
        truth, predicted = (np.array(part)[:, None] for part in _TRIALS[kind])
        try:
            scorer(scoring, kind)(truth, predicted)
        except (AttributeError, TypeError, ValueError) as error:
            raise BadValue(f'scoring {scoring!r} cannot be told from the predictions of a {kind}: '
                           f'{error.__cause__ or error}') from None
    return scoring


def scorer(scoring, kind: str) -> Scorer:
    """A function of truth and predictions (n_sample, n_target) that returns scores (n_target,)."""
    if scoring in SCORINGS:
        return SCORINGS[scoring]
    if scoring == 'accuracy' and kind == 'classifier':
        return lambda truth, predicted: (truth == predicted).mean(axis=0)
    if isinstance(scoring, str) and kind == 'regressor' and _takes_tables(get_scorer(scoring)):
        found = get_scorer(scoring)
        return _in_words(scoring, lambda truth, predicted: found._sign * found._score_func(
            truth, predicted, multioutput='raw_values', **found._kwargs))
    one = _from_predictions(get_scorer(scoring) if isinstance(scoring, str) else scoring, kind)

    def each(truth, predicted):
        return np.array([one(t, p) for t, p in zip(truth.T, predicted.T, strict=True)], float)
    return _in_words(scoring, each) if isinstance(scoring, str) else each


def one_each(values, n_target: int) -> np.ndarray:
    """`values` if they are one number per target, else a sentence."""
    if np.shape(values) != (n_target,):
        raise BadValue(f'the scoring function must give one number per target, not shape {np.shape(values)[1:]}')
    return values


def _in_words(name: str, score: Scorer) -> Scorer:
    """A score of scikit-learn's whose refusal (of negative numbers, of more than two classes) is a sentence."""
    def told(truth, predicted):
        try:
            return score(truth, predicted)
        except ValueError as error:
            raise BadValue(f'scoring {name!r} cannot score these values: {error}') from error
    return told


def _from_predictions(function: Callable, kind: str) -> Callable:
    if len(_needed(function)) < 3:
        return function
    told = {'regressor': _ToldValues, 'classifier': _ToldLabels}[kind]
    return lambda truth, predicted: function(told().fit(predicted, truth), predicted, truth)


def _takes_tables(found) -> bool:
    """Whether a scorer of scikit-learn scores all targets at once."""
    return 'multioutput' in inspect.signature(getattr(found, '_score_func', len)).parameters


def _needed(function: Callable) -> list:
    """Positional parameters without a default: scikit-learn's scorers take (estimator, X, y)."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p for p in inspect.signature(function).parameters.values() if p.kind in kinds and p.default is p.empty]


class _Told(BaseEstimator):
    """What a scorer asks for predictions, which are the X it was given."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return X


class _ToldValues(RegressorMixin, _Told):
    pass


class _ToldLabels(ClassifierMixin, _Told):
    pass
