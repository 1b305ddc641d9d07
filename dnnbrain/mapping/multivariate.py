"""Predict every target from all units of a layer together, and score what was held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dnnbrain._checks import BadValue, choice
from dnnbrain.mapping.crossval import Split, folds
from dnnbrain.mapping.ridge import DualModel, fit_least_squares, fit_ridge
from dnnbrain.mapping.scoring import SCORINGS, varies

ESTIMATORS = ('ridge', 'glm')


@dataclass(frozen=True)
class KernelMapping:
    """How to fit, fold and score; `map` does it.

    Parameters
    ----------
    estimator : {'ridge', 'glm'}
        Ridge with an alpha per target chosen inside the training folds, or least squares.
    cv : int or sklearn splitter
    scoring : {'explained_variance', 'correlation', 'r2'}
    alphas : float or sequence of float, optional
        Absolute ridge penalties.
    inner_cv : int
        Folds inside the training folds that choose alpha.
    rng : int or None
        Seed of all folds.
    """

    estimator: str = 'ridge'
    cv: object = 5
    scoring: str = 'explained_variance'
    alphas: object = None
    inner_cv: int = 5
    rng: int | None = 0

    def __post_init__(self):
        choice('estimator', self.estimator, ESTIMATORS)
        choice('scoring', self.scoring, tuple(SCORINGS))

    def splits(self, n: int, groups=None) -> list[Split]:
        """The outer folds of n samples; each must hold two of them, or there is nothing to score."""
        splits = folds(n, self.cv, groups, self.rng)
        if any(len(test) < 2 for _, test in splits):
            raise BadValue('a fold with one sample cannot be scored; take fewer folds')
        return splits

    def map(self, K: np.ndarray, Y: np.ndarray, groups=None) -> tuple[np.ndarray, DualModel]:
        """Held-out scores and the model of all samples.

        Parameters
        ----------
        K : ndarray of shape (n_sample, n_sample)
            Inner products of the predictors.
        Y : ndarray of shape (n_sample, n_target)
        groups : array_like of shape (n_sample,), optional

        Returns
        -------
        score : ndarray of shape (n_target, n_fold)
            NaN for targets that are constant or not finite.
        model : DualModel
            NaN coefficients for those targets.
        """
        if len(K) != len(Y):
            raise BadValue(f'{len(K)} stimuli came with {len(Y)} responses')
        Y = np.asarray(Y, dtype=np.float64)
        good = varies(Y)
        splits = self.splits(len(Y), groups)
        score = np.full((Y.shape[1], len(splits)), np.nan)
        if good.any():
            for k, (train, test) in enumerate(splits):
                model = self._fit(K, Y[:, good], train, groups)
                predicted = model.predict(K[np.ix_(test, train)])
                score[good, k] = SCORINGS[self.scoring](Y[np.ix_(test, good)], predicted)
        return score, self._whole(K, Y, good, groups)

    def _fit(self, K: np.ndarray, Y: np.ndarray, train: np.ndarray, groups) -> DualModel:
        own = K[np.ix_(train, train)]
        if self.estimator == 'glm':
            return fit_least_squares(own, Y[train])
        inner_groups = None if groups is None else np.asarray(groups)[train]
        return fit_ridge(own, Y[train], self.alphas, self._inner(len(train), inner_groups))

    def _inner(self, n: int, groups) -> list[Split] | None:
        if self.alphas is not None and np.size(self.alphas) == 1:
            return None
        n_unit = n if groups is None else len(np.unique(groups))
        if n_unit < 2:
            raise BadValue('alpha is chosen inside the training folds, which hold a single group; take more folds, '
                           'or give one alpha')
        return folds(n, min(self.inner_cv, n_unit), groups, self.rng)

    def _whole(self, K: np.ndarray, Y: np.ndarray, good: np.ndarray, groups) -> DualModel:
        dual, intercept, alpha = (np.full(shape, np.nan) for shape in (Y.shape, Y.shape[1], Y.shape[1]))
        if good.any():
            model = self._fit(K, Y[:, good], np.arange(len(Y)), groups)
            dual[:, good], intercept[good], alpha[good] = model.dual_coef, model.intercept, model.alpha
        return DualModel(dual, intercept, alpha)
