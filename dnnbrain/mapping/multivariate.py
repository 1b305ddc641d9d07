"""Predict every target from all units of a layer together, and score what was held out."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from sklearn.metrics import confusion_matrix

from dnnbrain._checks import BadValue, positive_number
from dnnbrain.activation.activation import Activation
from dnnbrain.mapping.crossval import Split, folds
from dnnbrain.mapping.estimators import (
    EstimatorSettings,
    as_estimator,
    estimator_type,
    fit_kernel,
    fit_table,
    on_kernels,
    on_tables,
    takes_many_targets,
)
from dnnbrain.mapping.kernel import LayerKernels, gather_kernels
from dnnbrain.mapping.layer_table import gather_table
from dnnbrain.mapping.scorers import known_scoring, one_each, scorer
from dnnbrain.mapping.scoring import varies
from dnnbrain.mapping.targets import labels

PRIMAL_BELOW = 0.4                          # units per row under which, as measured, the units are the cheaper side


@dataclass(frozen=True)
class Job:
    """Targets that share folds and fits: all of a regression, one of a classification."""

    columns: np.ndarray
    splits: list[Split]


class MultivariateMapping:
    """Predict targets from all units together.

    Parameters
    ----------
    estimator : str or estimator of scikit-learn
        'ridge' (an alpha per target, chosen inside the training folds), 'glm' (least squares),
        'pls', 'lasso', 'lrc' (logistic regression), 'svc' (linear support vector machine), or any
        unfitted regressor, classifier or pipeline, which is cloned and never changed.
    cv : int or sklearn splitter
        Folds are shuffled under `rng`, and stratified for classifiers.
    scoring : str or callable, optional
        A name or a function, see `known_scoring`; by default 'explained_variance' for regressors,
        'accuracy' for classifiers.
    standardise : bool
        Each unit to mean 0 and deviation 1 over the training rows of each fold. 'pls' always is.
    alphas : float or sequence of float, optional
        Absolute penalties of ridge; by default nine around the mean eigenvalue of the kernel.
    inner_cv : int
        Folds inside the training folds that choose alpha.
    alpha : float
        Penalty of lasso.
    n_components : int
        Of pls.
    C : float, optional
        Of the classifiers: by default 1 for lrc and .025 for svc.
    rng : int or None
        Seed of all folds.
    max_bytes : int
        How large a layer may be in memory, for estimators that need the units themselves.

    Attributes
    ----------
    estimator_type : {'regressor', 'classifier'}
    """

    def __init__(self, estimator=None, cv=5, scoring=None, *, standardise: bool = False, alphas=None,
                 inner_cv: int = 5, alpha: float = 1.0, n_components: int = 2, C: float | None = None,
                 rng: int | None = 0, max_bytes: int = 2 ** 31):
        self.settings = EstimatorSettings(alphas, inner_cv, alpha, n_components, C, rng)
        self.standardise, self.rng, self.max_bytes = bool(standardise), rng, positive_number(max_bytes, 'max_bytes')
        self.estimator, self.estimator_type = None, None
        self.set_cv(cv)
        if estimator is not None:
            self.set_estimator(estimator)
        self.set_scoring(scoring)

    def set_estimator(self, estimator) -> None:
        """Choose what predicts; a scoring that was given stays."""
        self.estimator = as_estimator(estimator)
        self.estimator_type = estimator_type(self.estimator)

    def set_cv(self, cv) -> None:
        """Choose the folds: their number, or an sklearn splitter."""
        self.cv = cv

    def set_scoring(self, scoring=None) -> None:
        """Choose the score; None is the default of the estimator."""
        known_scoring(scoring, self.estimator_type or 'regressor')
        self._scoring = scoring

    @property
    def scoring(self):
        """The score as it is meant: a name, or the function that was given."""
        return known_scoring(self._scoring, self.estimator_type or 'regressor')

    def map(self, X, Y, groups=None) -> dict[str, np.ndarray]:
        """Held-out scores of every target, and the models of all samples.

        Parameters
        ----------
        X : ndarray of shape (n_sample, n_feature)
        Y : array_like of shape (n_sample, n_target) or (n_sample,)
            Numbers, or labels for classifiers.
        groups : array_like of shape (n_sample,), optional
            What no fold may split.

        Returns
        -------
        result : dict
            score (n_target, n_fold), NaN for targets that are constant or not finite; model
            (n_target,), where one model of all targets sits in [0]; for classifiers conf_m
            (n_target, n_fold), confusion matrices with true classes as rows.
        """
        from dnnbrain.mapping.engine import map_layer
        X = np.asarray(X)
        if X.ndim != 2:
            raise BadValue(f'X must have shape (n_sample, n_feature), not {X.shape}')
        activ = Activation('X', X[:, :, None, None])
        found = {key: values[0] for key, values in map_layer(activ, 'X', Y, self, groups=groups).items()}
        for t, model in enumerate(found['model']):
            if getattr(model, 'dual_coef', None) is not None and 8 * X.shape[1] * len(model.intercept) < 2 ** 28:
                found['model'][t] = model.to_weights(activ)
        return found

    def jobs(self, Y: np.ndarray, groups=None) -> list[Job]:
        """Folds of the targets (n_row, n_target) that can be mapped."""
        if self.estimator is None:
            raise BadValue('this mapping has no estimator; give one, or call set_estimator')
        known_scoring(self._scoring, self.estimator_type)
        if self.estimator_type == 'classifier':
            return [Job(np.array([t]), self.splits(len(Y), groups, Y[:, t])) for t in np.flatnonzero(labels(Y))]
        if Y.dtype.kind not in 'biuf':
            raise BadValue(f'{self.name} predicts numbers, and Y holds {Y.dtype}; for labels take a classifier '
                           "('lrc', 'svc')")
        good = np.flatnonzero(varies(Y))
        columns = [good] if takes_many_targets(self.estimator) else good[:, None]
        splits = self.splits(len(Y), groups)
        for train, _ in splits if self.estimator == 'ridge' else ():
            self.settings.inner(len(train), _some(groups, train))       # a sentence before the layer is read
        return [Job(own, splits) for own in columns if len(own)]

    def splits(self, n: int, groups=None, labels=None) -> list[Split]:
        """The outer folds of n rows; where rows are correlated each holds two of them."""
        splits = folds(n, self.cv, groups, self.rng, labels)
        if labels is None and any(len(test) < 2 for _, test in splits):
            raise BadValue('a fold with one sample cannot be scored; take fewer folds')
        return splits

    def gather(self, blocks, layer: str, shape: tuple[int, int], design, jobs: list[Job]):
        """What the fits need of a layer: kernels, or its units where that is cheaper or must be.

        Parameters
        ----------
        shape : (n_row, n_unit)
        """
        standardise = self.standardise or self.estimator == 'pls'
        most = min(shape[1], *(len(train) - 1 for job in jobs for train, _ in job.splits))
        if self.estimator == 'pls' and self.settings.n_components > most:
            raise BadValue(f'n_components must be from 1 to {most}, the number of units or of training stimuli less '
                           f'one, not {self.settings.n_components}')
        if self._on_units(*shape):
            return gather_table(blocks, layer, shape, self.max_bytes, design, standardise)
        trains = [train for job in jobs for train, _ in job.splits] if standardise else None
        return gather_kernels(blocks, layer, design, trains)

    def map_job(self, source, Y: np.ndarray, job: Job, first: int, groups=None, whole: bool = True,
                held_out: np.ndarray | None = None) -> tuple:
        """Scores (n_column, n_fold), confusion matrices (n_fold,), and the fit on all rows or None.

        Parameters
        ----------
        source : LayerKernels or LayerTable
        first : int
            Number of the job's first fold among those of `source`.
        whole : bool
            Whether to fit all rows.
        held_out : ndarray of shape (n_row, n_target), optional
            Takes the predictions of a regressor.
        """
        own = Y[:, job.columns]
        if self.estimator_type == 'regressor':
            own = own.astype(np.float64, copy=False)
        measure = scorer(self.scoring, self.estimator_type)
        score, confusion = np.empty((len(job.columns), len(job.splits))), np.empty(len(job.splits), dtype=object)
        for k, (train, test) in enumerate(job.splits):
            known, new = source.split(first + k, train, test)
            predicted = self._fit(source, known, own[train], _some(groups, train)).predict(new)
            score[:, k] = one_each(measure(own[test], predicted), len(job.columns))
            if held_out is not None:
                held_out[np.ix_(test, job.columns)] = predicted
            if self.estimator_type == 'classifier':
                confusion[k] = confusion_matrix(own[test, 0], predicted[:, 0], labels=np.unique(own))
        if not whole:
            return score, confusion, None
        everything = np.arange(len(own))
        known, _ = source.split(None, everything, everything[:0])
        return score, confusion, self._fit(source, known, own, groups)

    def _fit(self, source, A: np.ndarray, Y: np.ndarray, groups):
        try:
            if isinstance(source, LayerKernels):
                return fit_kernel(self.estimator, A, Y, self.settings, groups)
            return fit_table(self.estimator, A, Y, self.settings, groups)
        except ValueError as error:
            if isinstance(error, BadValue):
                raise
            raise BadValue(f'{self.name} cannot be fitted: {error}') from None

    def _on_units(self, n_row: int, n_unit: int) -> bool:
        if not on_kernels(self.estimator):
            return True
        return on_tables(self.estimator) and n_unit <= PRIMAL_BELOW * n_row and 8 * n_row * n_unit <= self.max_bytes

    @property
    def name(self) -> str:
        """The estimator in words."""
        return self.estimator if isinstance(self.estimator, str) else type(self.estimator).__name__

    def record(self) -> dict:
        """Settings that a file can keep."""
        cv = int(self.cv) if isinstance(self.cv, int | np.integer) else type(self.cv).__name__
        scoring = self.scoring if isinstance(self.scoring, str) else getattr(self.scoring, '__name__', 'callable')
        return {'estimator': self.name, 'cv': cv, 'scoring': scoring, 'standardise': self.standardise,
                **asdict(self.settings), 'alphas': None if self.settings.alphas is None else
                np.ravel(self.settings.alphas).tolist()}


def _some(groups, rows: np.ndarray):
    return None if groups is None else np.asarray(groups)[rows]
