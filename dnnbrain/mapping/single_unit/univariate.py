"""The single unit of a layer that predicts each target best, and how well it does on held-out samples."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.metrics import confusion_matrix

from dnnbrain._checks import BadType, BadValue, choice, positive_number, whole_number
from dnnbrain.mapping.crossval import Split, folds
from dnnbrain.mapping.scorers import DEFAULTS, known_scoring, scorer
from dnnbrain.mapping.single_unit.any_estimator import AnyEstimator
from dnnbrain.mapping.single_unit.best_correlation import best_correlation
from dnnbrain.mapping.single_unit.linear_svc import PairwiseSVC
from dnnbrain.mapping.single_unit.logistic import Logistic
from dnnbrain.mapping.single_unit.one_predictor import HELD_OUT, Line, LineModel
from dnnbrain.mapping.single_unit.unit_search import Blocks, Search, fit_chosen, inner_folds, run
from dnnbrain.mapping.targets import among_all, labels, measures, prediction_type, scored

TYPES = {'corr': 'correlation', 'glm': 'regressor', 'lasso': 'regressor', 'lrc': 'classifier', 'svc': 'classifier'}
SELECTIONS = ('nested', 'in_sample')


class UnivariateMapping:
    """For each target the one unit that predicts it best.

    Parameters
    ----------
    estimator : {'corr', 'glm', 'lasso', 'lrc', 'svc'}, or an estimator of scikit-learn
        Correlation; least squares or lasso with one predictor; logistic regression or linear support vector
        classification of labels. An object is fitted unit by unit, which is slow, and never changed.
    cv : int or sklearn splitter
        Folds are shuffled under `rng`, and stratified for classifiers.
    scoring : str or callable, optional
        'explained_variance' (default for regressors), 'correlation', 'r2', 'accuracy' (default for classifiers),
        a name of scikit-learn, ``f(y_true, y_pred)`` or a scorer ``f(estimator, X, y)`` that needs predictions only.
        Units are compared by the first three, or by accuracy; with any other score they are compared by the
        default, and the other one judges the predictions of the unit chosen.
    selection : {'nested', 'in_sample'}
        'nested': the unit is chosen inside the training samples of each fold, and scored on the held-out ones.
        'in_sample': chosen by the mean of the very scores that are returned, as in DNNBrain 1.0; of many units one
        is good by chance, so that these scores are too high: .48 for noise, 50 samples and 300 units.
    inner_cv : int
        Folds inside the training samples.
    alpha : float
        Penalty of 'lasso', in scikit-learn's unit.
    C : float, optional
        Inverse penalty of 'lrc' (1) and 'svc' (.025).
    n_perm : int
        Permutations of the samples for 'corr'; none by default.
    rng : int or None
        Seed of folds and permutations.
    n_jobs : int, optional
        Processes for estimators of scikit-learn.

    Attributes
    ----------
    estimator_type : {'correlation', 'regressor', 'classifier'}, or None before there is an estimator
    """

    def __init__(self, estimator=None, cv=5, scoring=None, *, selection: str = 'nested', inner_cv: int = 5,
                 alpha: float = 1.0, C: float | None = None, n_perm: int = 0, rng: int | None = 0,
                 n_jobs: int | None = None):
        self.selection = choice('selection', selection, SELECTIONS)
        self.inner_cv, self.n_perm = whole_number(inner_cv, 'inner_cv'), whole_number(n_perm, 'n_perm')
        if self.inner_cv < 2 or self.n_perm < 0:
            raise BadValue(f'inner_cv must be at least 2 and n_perm not negative, not {inner_cv} and {n_perm}')
        self.alpha, self.C = positive_number(alpha, 'alpha', zero=True), positive_number(C, 'C')
        self.rng, self.n_jobs = rng, whole_number(n_jobs, 'n_jobs')
        self.estimator = self.estimator_type = self.scoring = None
        self.set_cv(cv)
        self.set_scoring(scoring)
        if estimator is not None:
            self.set_estimator(estimator)

    def set_estimator(self, estimator) -> None:
        """Choose by what a target is predicted."""
        if isinstance(estimator, str):
            kind = TYPES[choice('estimator', estimator, tuple(TYPES))]
        elif hasattr(estimator, 'fit') and (is_regressor(estimator) or is_classifier(estimator)):
            kind = 'classifier' if is_classifier(estimator) else 'regressor'
        else:
            raise BadType(f'estimator must be one of {", ".join(TYPES)}, or a regressor or classifier of '
                          f'scikit-learn, not {estimator!r}')
        if kind != 'correlation':
            known_scoring(self.scoring, kind)
        self.estimator, self.estimator_type = estimator, kind

    def set_cv(self, cv) -> None:
        """Choose the folds: a number or an sklearn splitter."""
        if isinstance(cv, str) or not (isinstance(cv, int | np.integer) or hasattr(cv, 'split')):
            raise BadValue(f'cv must be a number of folds or an sklearn splitter, not {cv!r}')
        self.cv = cv

    def set_scoring(self, scoring) -> None:
        """Choose the score of held-out predictions."""
        if self.estimator_type in DEFAULTS:
            known_scoring(scoring, self.estimator_type)
        self.scoring = scoring

    def map(self, X, Y, groups=None, *, within=None, together=None) -> dict[str, np.ndarray]:
        """Find, fit and score the best unit of each target.

        Parameters
        ----------
        X : array_like of shape (n_sample, n_unit), or blocks as in `map_blocks`
        Y : array_like of shape (n_sample, n_target)
        groups : array_like of shape (n_sample,), optional
            Runs or repeated stimuli, which neither outer nor inner folds divide.
        within, together : array_like of shape (n_sample,), optional
            Permutations exchange samples within the first (runs) and move those of one stimulus as one (the
            second); within `groups` if neither is given.

        Returns
        -------
        result : dict
            score : (n_target,) for 'corr', else (n_target, n_fold), held out with nested selection. NaN for a
            target that is constant or not finite, there or within a fold.
            location : (n_target,) unit chosen on all samples, from 0; -1 where there is none, or the lasso uses none.
            model : (n_target,) objects fitted on all samples, with ``predict(x)``; not for 'corr'. None for
            targets without location.
            conf_m : (n_target, n_fold) confusion matrices of held-out labels, true classes in rows, sorted;
            classifiers only.
            fold_location : (n_target, n_fold) unit chosen for each fold; not for 'corr'.
            p, p_family : (n_target,) with `n_perm`, as in `best_correlation`.
            null_max : (n_perm,) largest correlation over units and targets of each permutation.
        """
        listed = isinstance(X, list | tuple) and not (len(X) and isinstance(X[0], np.ndarray | tuple))
        if not hasattr(X, 'shape') and not listed:
            return self.map_blocks(X, Y, groups, within=within, together=together)
        X = np.asarray(X)
        if X.ndim != 2:
            raise BadValue(f'X must have shape (n_sample, n_unit), not {X.shape}')
        if len(X) != len(Y):
            raise BadValue(f'{len(X)} stimuli came with {len(Y)} responses')
        return self.map_blocks([X], Y, groups, within=within, together=together)

    def map_blocks(self, blocks: Blocks | Callable[[], Blocks], Y, groups=None, *, within=None, together=None,
                   predictions: bool = False) -> dict[str, np.ndarray]:
        """As `map`, for units that come in blocks; they are read once.

        Parameters
        ----------
        blocks : iterable of ndarray (n_sample, n_unit) or (slice, ndarray), or a callable that returns one
            As ``activation.blocks(layer, 'unit')`` yields them, in the order of the units. Memory holds one block, and
            the units chosen, n_sample x n_target x (n_fold + 1).
        predictions : bool
            Regressors: return prediction (n_sample, n_target) too, of samples held out.
        """
        if self.estimator is None:
            raise BadValue(f'no estimator is set; call set_estimator with one of {", ".join(TYPES)}')
        Y = np.asarray(Y)
        Y = Y[:, None] if Y.ndim == 1 else Y
        if Y.ndim != 2 or not Y.size:
            raise BadValue(f'Y must have shape (n_sample, n_target), not {Y.shape}')
        if self.estimator_type == 'correlation':
            within = groups if within is None and together is None else within
            return self._correlate(blocks, Y, within, together)
        if self.estimator_type == 'classifier':
            return self._classify(blocks, Y, groups)
        return self._regress(blocks, Y, groups, predictions)

    def _correlate(self, blocks, Y: np.ndarray, within, together) -> dict:
        Y, good = measures(Y)
        part = dict.fromkeys(('score', 'location', *(('p', 'p_family') if self.n_perm else ())), np.nan)
        if good.any():
            part = best_correlation(blocks, Y[:, good], self.n_perm, within, together, self.rng)
        chance = part.pop('null_max', np.zeros(self.n_perm))
        result = {key: among_all(value, good, -1 if key == 'location' else np.nan) for key, value in part.items()}
        return result | {'null_max': chance} if self.n_perm else result

    def _regress(self, blocks, Y: np.ndarray, groups, predictions: bool = False) -> dict:
        Y, good = measures(Y)
        splits = folds(len(Y), self.cv, groups, self.rng)
        if any(len(test) < 2 for _, test in splits):
            raise BadValue('a fold with one sample cannot be scored; take fewer folds')
        learner, score = self._learner(), scorer(known_scoring(self.scoring, 'regressor'), 'regressor')
        searches = self._searches(Y[:, good], splits, groups)
        if good.any():
            run(searches, blocks, len(Y), learner.scores)
        scores, models = np.full((good.sum(), len(splits)), np.nan), []
        held_out = np.full(Y.shape, np.nan, dtype=prediction_type(Y)) if predictions else None
        for k, (search, (train, test)) in enumerate(zip(self._of_folds(searches, splits), splits, strict=True)):
            if good.any():
                predicted = fit_chosen(learner, search, train).predict(search.x[test])
                scores[:, k] = scored(search.location >= 0, score, search.Y[test], predicted)
                if predictions:
                    held_out[np.ix_(test, good)] = np.where(search.location >= 0, predicted, np.nan)
        if good.any():
            models = self._whole(learner, searches[-1])
        result = self._result(searches, splits, good, scores, models)
        return result | {'prediction': held_out} if predictions else result

    def _classify(self, blocks, Y: np.ndarray, groups) -> dict:
        good = labels(Y)
        score = scorer(known_scoring(self.scoring, 'classifier'), 'classifier')
        learner, per_target = self._learner(), {}
        for t in np.flatnonzero(good):
            codes = np.unique(Y[:, t], return_inverse=True)[1]
            splits = folds(len(Y), self.cv, groups, self.rng, codes)
            per_target[t] = splits, self._searches(codes[:, None], splits, groups, codes)
        everyone = [search for _, searches in per_target.values() for search in searches]
        if everyone:
            run(everyone, blocks, len(Y), learner.scores)
        parts = [self._classified(learner, score, Y[:, t], *per_target[t]) for t in per_target]
        n_fold = parts[0]['score'].shape[1] if parts else len(folds(len(Y), self.cv, groups, self.rng))
        shapes = {'score': (np.nan, n_fold), 'location': (-1,), 'model': (None,), 'conf_m': (None, n_fold),
                  'fold_location': (-1, n_fold)}
        return {key: among_all(np.concatenate([part[key] for part in parts] or [[]]), good, *shape)
                for key, shape in shapes.items()}

    def _classified(self, learner, score, y: np.ndarray, splits: list[Split], searches: list[Search]) -> dict:
        """The result of one target."""
        classes, last, one = np.unique(y), searches[-1], np.array([True])
        scores, matrices = np.full((1, len(splits)), np.nan), np.full((1, len(splits)), None, object)
        for k, (search, (train, test)) in enumerate(zip(self._of_folds(searches, splits), splits, strict=True)):
            if search.location[0] >= 0:
                predicted = learner.fit(search.x[train, 0], y[train]).predict(search.x[test, :1])
                scores[0, k] = score(y[test][:, None], predicted[:, None])[0]
                matrices[0, k] = confusion_matrix(y[test], predicted, labels=classes)
        models = [learner.fit(last.x[:, 0], y) if last.location[0] >= 0 else None]
        return self._result(searches, splits, one, scores, models) | {'conf_m': matrices}

    def _result(self, searches, splits, good, scores, models) -> dict:
        chosen = np.stack([search.location for search in self._of_folds(searches, splits)], axis=1)
        last = searches[-1].location
        models = np.fromiter((model if unit >= 0 else None for model, unit in zip(models, last, strict=True)), object)
        return {'score': among_all(scores, good, np.nan, len(splits)), 'location': among_all(last, good, -1),
                'model': among_all(models, good, None), 'fold_location': among_all(chosen, good, -1, len(splits))}

    def _whole(self, learner, search: Search) -> list:
        """The models of all samples; a unit that the lasso does not use was not found."""
        fitted = fit_chosen(learner, search, search.rows)
        if isinstance(fitted, LineModel):
            search.location[fitted.slope == 0] = -1
        return fitted.each()

    def _searches(self, Y: np.ndarray, splits: list[Split], groups, labels=None) -> list[Search]:
        """One search in the training rows of each fold (nested selection), and one in all rows."""
        nested = [] if self.selection == 'in_sample' else [
            Search(train, inner_folds(train, self.inner_cv, groups, self.rng, labels), Y) for train, _ in splits]
        return [*nested, Search(np.arange(len(Y)), splits, Y)]

    def _of_folds(self, searches: list[Search], splits: list[Split]) -> list[Search]:
        return searches * len(splits) if self.selection == 'in_sample' else searches[:-1]

    def _learner(self):
        kind = self.estimator_type
        scoring = known_scoring(self.scoring, kind)
        by = scoring if isinstance(scoring, str) and scoring in HELD_OUT else DEFAULTS[kind]
        made = {'glm': partial(Line, 0.0, by), 'lasso': partial(Line, self.alpha, by),
                'lrc': partial(Logistic, self.C or 1.0), 'svc': partial(PairwiseSVC, self.C or 0.025)}
        if isinstance(self.estimator, str):
            return made[self.estimator]()
        return AnyEstimator(self.estimator, scorer(by, kind), self.n_jobs)
