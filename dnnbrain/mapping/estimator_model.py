"""A fitted estimator of scikit-learn with the layer it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from dnnbrain._checks import BadValue
from dnnbrain.activation.activation import Activation
from dnnbrain.mapping.kernel import standardised
from dnnbrain.mapping.models import LayerModel, one_layer
from dnnbrain.mapping.tables import one_table


@dataclass(frozen=True)
class EstimatorModel:
    """Predictions of a fitted estimator from activations; its own attributes are at hand too.

    Attributes
    ----------
    estimator : estimator of scikit-learn
        Fitted on the targets `columns` of `n_target`.
    mean, scale : ndarray of shape (n_unit,), or None
        Standardisation of the units, done before.
    layer, iter_axis, iteration, stim_ids, design, settings
        As in `LayerModel`.
    """

    estimator: BaseEstimator
    columns: np.ndarray
    n_target: int
    layer: str
    mean: np.ndarray | None = None
    scale: np.ndarray | None = None
    design: np.ndarray | None = None
    stim_ids: np.ndarray | None = None
    iter_axis: str | None = None
    iteration: int = 0
    settings: dict = field(default_factory=dict)

    def __getattr__(self, name: str):
        """`coef_` and whatever else the estimator learned."""
        if name.startswith('__') or name == 'estimator':
            raise AttributeError(name)
        return getattr(self.estimator, name)

    def predict(self, activ, layer: str | None = None, train: Activation | None = None) -> np.ndarray:
        """Predictions for new stimuli; `train` is not needed. See `LayerModel.predict`."""
        activ, layer = one_layer(activ, layer or self.layer)
        X = np.concatenate([block for block in one_table(activ, layer, self.iter_axis, self.iteration)], axis=1)
        if X.shape[1] != self.estimator.n_features_in_:
            raise BadValue(f'the model was fitted on {self.estimator.n_features_in_} units; layer {layer!r} of the new '
                           f'activations has {X.shape[1]}')
        X = X.astype(np.float64) if self.mean is None else standardised(X, self.mean, self.scale)
        predicted = np.asarray(self.estimator.predict(X))
        if is_classifier(self.estimator):
            return predicted
        filled = np.full((len(X), self.n_target), np.nan)
        filled[:, self.columns] = predicted[:, None] if predicted.ndim == 1 else predicted
        return filled

    def save(self, fname) -> None:
        """Write the weights of a linear regressor to a ``.h5`` that `load_model` reads.

        Raises
        ------
        BadValue
            The estimator is not linear: it would have to be pickled.
        """
        self.to_layer_model().save(fname)

    def to_layer_model(self) -> LayerModel:
        """The weights of a linear regressor, NaN for targets that it was not fitted on; refused as by `save`."""
        coef, intercept = self._linear()
        filled = np.full((len(coef), self.n_target), np.nan), np.full(self.n_target, np.nan)
        filled[0][:, self.columns], filled[1][self.columns] = coef, intercept
        return LayerModel(self.layer, filled[1], coef=filled[0], mean=self.mean, scale=self.scale,
                          stim_ids=self.stim_ids, iter_axis=self.iter_axis, iteration=self.iteration,
                          settings=self.settings)

    def _linear(self) -> tuple[np.ndarray, np.ndarray]:
        """Weights (n_unit, n_column) and intercepts, through principal components and scaling."""
        steps = [step for _, step in self.estimator.steps] if isinstance(self.estimator, Pipeline) else \
            [self.estimator]
        last = steps[-1]
        known = all(type(step) in _UNDO for step in steps[:-1])
        if is_classifier(last) or not known or not hasattr(last, 'coef_') or not hasattr(last, 'intercept_'):
            names = ', '.join(type(step).__name__ for step in steps)
            raise BadValue(f'a fitted {names} cannot be saved without a pickle; linear regressors can, alone or after '
                           "StandardScaler and PCA, and so can 'ridge', 'glm', 'pls', 'lasso', 'lrc' and 'svc'")
        intercept = np.broadcast_to(np.atleast_1d(last.intercept_), len(self.columns))
        coef = np.asarray(last.coef_).reshape(len(self.columns), -1).T
        if getattr(last, '_x_mean', None) is not None:                  # partial least squares centres
            intercept = intercept - last._x_mean @ coef
        for step in reversed(steps[:-1]):
            coef, intercept = _UNDO[type(step)](step, coef, intercept)
        return coef, intercept


def _scaled(step: StandardScaler, coef, intercept):
    if step.scale_ is not None:
        coef = coef / step.scale_[:, None]
    return coef, intercept if not step.with_mean else intercept - step.mean_ @ coef


def _components(step: PCA, coef, intercept):
    if step.whiten:
        coef = coef / np.sqrt(step.explained_variance_)[:, None]
    coef = step.components_.T @ coef
    return coef, intercept - step.mean_ @ coef


_UNDO = {StandardScaler: _scaled, PCA: _components}
