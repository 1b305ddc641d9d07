"""Fitted models: predictions from new activations, streamed; files without pickles.

A model holds dual coefficients (a number per training row and target: small, but predictions
compare new stimuli with those of the training, whose activations must be at hand) or weights (a
number per unit and target: large, and sufficient). `to_weights` turns the first into the second.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from dnnbrain._checks import BadValue, listing
from dnnbrain.activation.activation import Activation
from dnnbrain.io.model_h5 import DiskTable, read_model_h5, write_model_h5
from dnnbrain.mapping.kernel import cross_kernel, standardised, training_units
from dnnbrain.mapping.latent import decided
from dnnbrain.mapping.tables import one_table

_ARRAYS = ('intercept', 'dual_coef', 'coef', 'mean', 'scale', 'alpha', 'design', 'classes')


@dataclass(frozen=True)
class LayerModel:
    """A linear model of a layer, or of one channel or position of it.

    Attributes
    ----------
    layer : str
    intercept : ndarray of shape (n_target,)
        The prediction where every unit has its mean.
    dual_coef : ndarray of shape (n_row, n_target), or None
    coef : ndarray of shape (n_unit, n_target), or None
        Weights of units without `mean`, over `scale`. In a file it is read by blocks.
    mean, scale : ndarray of shape (n_unit,), or None
    alpha : ndarray of shape (n_target,)
        Penalty of ridge; 0 for other estimators.
    design : ndarray, or None
        How training rows come from stimuli, see `gather_kernels`.
    stim_ids : ndarray, or None
        Of the training activations.
    classes : ndarray, or None
        Of a classifier; `pairwise` if its columns are pairs of classes.
    iter_axis : {None, 'channel', 'row_col'}
    iteration : int
        From 0.
    settings : dict
        How it was fitted.
    """

    layer: str
    intercept: np.ndarray
    dual_coef: np.ndarray | None = None
    coef: np.ndarray | DiskTable | None = None
    mean: np.ndarray | None = None
    scale: np.ndarray | None = None
    alpha: np.ndarray | None = None
    design: np.ndarray | None = None
    stim_ids: np.ndarray | None = None
    classes: np.ndarray | None = None
    pairwise: bool = False
    iter_axis: str | None = None
    iteration: int = 0
    settings: dict = field(default_factory=dict)

    @property
    def coef_(self) -> np.ndarray:
        """Weights as scikit-learn has them, (n_target, n_unit), of units as they are."""
        if self.coef is None:
            raise BadValue('this model holds dual coefficients; to_weights(training activations) gives its weights')
        return (np.asarray(self.coef) if self.scale is None else np.asarray(self.coef) / self.scale[:, None]).T

    def predict(self, activ, layer: str | None = None, train: Activation | None = None) -> np.ndarray:
        """Predictions for new stimuli, in one pass over the layer.

        Parameters
        ----------
        activ : Activation, or ndarray of shape (n_new, n_unit)
        layer : str, optional
            Where it has another name than in the training.
        train : Activation, optional
            Of the training; needed, with its layer under the same name, unless the model holds weights.

        Returns
        -------
        predicted : ndarray of shape (n_new, n_target)
            Numbers; (n_new,) labels from a classifier.
        """
        activ, layer = one_layer(activ, layer or self.layer)
        new = one_table(activ, layer, self.iter_axis, self.iteration)
        if self.coef is not None:
            predicted = self._from_weights(new, layer)
        else:
            theirs = one_table(self._training(train), self.layer, self.iter_axis, self.iteration)
            K = cross_kernel(new, theirs, layer, self.mean, self.scale, self.design)
            predicted = K @ self.dual_coef
        predicted = predicted + self.intercept
        return predicted if self.classes is None else decided(predicted, self.classes, self.pairwise)

    def weights(self, X: np.ndarray) -> np.ndarray:
        """Weights of the units as they are (n_unit, n_target), from training activations X (n_stim, n_unit)."""
        if self.coef is not None:
            return self.coef_.T
        return self.to_weights(X).coef_.T

    def to_weights(self, train, fname=None) -> LayerModel:
        """The same model with weights of units, which needs no training activations any more.

        Parameters
        ----------
        train : Activation, or ndarray of shape (n_stim, n_unit)
        fname : str, optional
            A ``.h5`` that takes the weights block by block, where they are too many for memory.
        """
        if self.coef is not None:
            return self if fname is None else self._saved(fname)
        train, _ = one_layer(train, self.layer)
        blocks = self._weight_blocks(self._training(train))
        lean = replace(self, dual_coef=None, design=None)
        if fname is None:
            return replace(lean, coef=np.concatenate(list(blocks)))
        return replace(lean, coef=((len(self.mean), len(self.intercept)), blocks))._saved(fname)

    def save(self, fname) -> None:
        """Write a ``.h5`` that `load_model` reads."""
        write_model_h5(fname, {self.layer: self._part()}, {'kind': 'layer'})

    def _saved(self, fname) -> LayerModel:
        self.save(fname)
        return load_model(fname)

    def _part(self) -> tuple:
        record = {key: getattr(self, key) for key in ('layer', 'pairwise', 'iter_axis', 'iteration', 'settings')}
        return {key: getattr(self, key) for key in _ARRAYS}, record, self.stim_ids

    def _from_weights(self, new: Iterator[np.ndarray], layer: str) -> np.ndarray:
        predicted, start, n_unit = 0.0, 0, self.coef.shape[0]
        for block in new:
            units = slice(start, start + block.shape[1])
            start = units.stop
            if start > n_unit:
                break
            scale = None if self.scale is None else self.scale[units]
            mean = 0.0 if self.mean is None else self.mean[units]
            predicted = predicted + standardised(block, mean, scale) @ self.coef[units]
        if start != n_unit:
            raise BadValue(f'the model has weights of {n_unit} units; layer {layer!r} of the new activations has '
                           'another number: take the same network, layer and mask')
        return predicted

    def _weight_blocks(self, train: Activation) -> Iterator[np.ndarray]:
        start = 0
        for block in one_table(train, self.layer, self.iter_axis, self.iteration):
            units = slice(start, start + block.shape[1])
            start = units.stop
            scale = None if self.scale is None else self.scale[units]
            yield training_units(block, self.layer, self.mean[units], scale, self.design).T @ self.dual_coef

    def _training(self, train: Activation | None) -> Activation:
        """The training activations, in the order of the training."""
        if train is None:
            raise BadValue('this model holds dual coefficients: give the activations it was trained on (train=...), '
                           'or turn it into weights with to_weights(...)')
        n = len(self.stim_ids) if self.stim_ids is not None else None
        if self.stim_ids is not None and train.stim_ids is not None:
            if np.array_equal(np.asarray(train.stim_ids, str), np.asarray(self.stim_ids, str)):
                return train
            held = set(np.asarray(train.stim_ids, str))
            missing = [str(name) for name in self.stim_ids if str(name) not in held]
            if missing:
                raise BadValue(f'{len(missing)} stimuli of the training are not in the activations given: '
                               f'{listing(missing, 5)}')
            place = {str(name): row for row, name in enumerate(train.stim_ids)}
            return train[[place[str(name)] for name in self.stim_ids]]
        n = n or (self.settings.get('n_stim') or len(self.dual_coef))
        if train.shape(self.layer)[0] != n:
            raise BadValue(f'the model was trained on {n} stimuli; the activations given as training hold '
                           f'{train.shape(self.layer)[0]}')
        return train


@dataclass(frozen=True)
class BandedModel:
    """A linear model of several layers, the sum of one per layer.

    Attributes
    ----------
    bands : dict
        layer -> `LayerModel`, with intercept 0.
    intercept : ndarray of shape (n_target,)
    share : ndarray of shape (n_layer, n_target)
        Weight of each layer's kernel, of mean eigenvalue 1, over the penalty.
    """

    bands: dict[str, LayerModel]
    intercept: np.ndarray
    share: np.ndarray

    def predict(self, activ: Activation, train: Activation | None = None) -> np.ndarray:
        """Predictions (n_new, n_target) from new activations of all layers; `train` as in `LayerModel.predict`."""
        return sum(band.predict(activ, train=train) for band in self.bands.values()) + self.intercept

    def to_weights(self, train: Activation) -> BandedModel:
        """The same model with weights of units."""
        return replace(self, bands={layer: band.to_weights(train) for layer, band in self.bands.items()})

    def save(self, fname) -> None:
        """Write a ``.h5`` that `load_model` reads."""
        shared = {'intercept': self.intercept, 'share': self.share}, {}, None
        write_model_h5(fname, {f'layer {layer}': band._part() for layer, band in self.bands.items()}
                       | {'banded': shared}, {'kind': 'banded'})


def load_model(fname) -> LayerModel | BandedModel:
    """A model that `save` wrote; weights stay on disk until used.

    Raises
    ------
    BadPath, BadValue
        The file is missing, damaged or of another kind.
    """
    parts, settings = read_model_h5(fname)
    if settings.get('kind') == 'banded':
        shared = parts.pop('banded')[0]
        return BandedModel({name.removeprefix('layer '): _model(*part) for name, part in parts.items()}, **shared)
    if settings.get('kind') == 'models':
        raise BadValue(f'model file {str(fname)!r} holds a model per iteration or target; load_models of '
                       'dnnbrain.mapping.model_sets reads them')
    return _model(*next(iter(parts.values())))


def _model(arrays: dict, record: dict, ids) -> LayerModel:
    return LayerModel(**arrays, **record, stim_ids=ids)


def one_layer(X, layer: str) -> tuple[Activation, str]:
    """Activations, or an array (n_stim, n_unit) as those of a layer, with its name."""
    if isinstance(X, Activation):
        return X, layer
    X = np.asarray(X)
    if X.ndim != 2:
        raise BadValue(f'X must be an Activation or have shape (n_stim, n_unit), not {X.shape}')
    return Activation(layer, X[:, :, None, None]), layer
