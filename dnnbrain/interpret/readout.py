"""Fitted linear models as one affine map from the units of a layer, which torch can differentiate."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from dnnbrain._checks import BadType, BadValue, positions
from dnnbrain.mapping.estimator_model import EstimatorModel
from dnnbrain.mapping.models import BandedModel, LayerModel, load_model

_BYTES = 2 ** 26


@dataclass(frozen=True)
class LinearPart:
    """Predictions of voxels from one layer.

    Attributes
    ----------
    layer : str
    weights : Tensor of shape (n_unit, n_voxel), float32
        Of units as they are.
    intercept : Tensor of shape (n_voxel,)
    iter_axis, iteration
        Which units of the layer, as in `LayerModel`.
    """

    layer: str
    weights: torch.Tensor
    intercept: torch.Tensor
    iter_axis: str | None = None
    iteration: int = 0

    def __call__(self, maps: torch.Tensor) -> torch.Tensor:
        """Predictions (n, n_voxel) from maps (n, n_chn, n_row, n_col)."""
        if self.iter_axis == 'channel':
            maps = maps[:, self.iteration]
        elif self.iter_axis == 'row_col':
            maps = maps.flatten(2)[:, :, self.iteration]
        units = maps.flatten(1)
        if units.shape[1] != len(self.weights):
            raise BadValue(f'the model has weights of {len(self.weights)} units; layer {self.layer!r} of this network '
                           f'has {units.shape[1]}: take the network, mask and pooling that it was fitted with')
        return units.float() @ self.weights.to(units.device) + self.intercept.to(units.device)


def linear_parts(model, voxels=None, basis=None, train=None) -> dict[str, LinearPart]:
    """Layer -> what it adds to the prediction of voxels (numbers from 1; all by default).

    Raises
    ------
    BadType, BadValue
        What came is no linear model, or one with dual coefficients, or has no such voxel.
    """
    if isinstance(model, str) or hasattr(model, '__fspath__'):
        model = load_model(model)
    if train is not None:
        model, voxels = _with_weights(model, train, voxels), None
    if isinstance(model, BandedModel):
        parts = {layer: _part(band, voxels, basis) for layer, band in model.bands.items()}
        first, rows = next(iter(parts)), positions(voxels, len(model.intercept), 'voxel')
        shared = model.intercept if rows is None else model.intercept[rows]
        added = torch.as_tensor(np.asarray(shared), dtype=torch.float32)
        return parts | {first: replace(parts[first], intercept=parts[first].intercept + added)}
    if isinstance(model, EstimatorModel):
        model = model.to_layer_model()
    if not isinstance(model, LayerModel):
        raise BadType('model must be a fitted model of a layer (result[layer]["model"][0, 0]) or the name of its .h5, '
                      f'not {type(model).__name__}')
    return {model.layer: _part(model, voxels, basis)}


def _with_weights(model, train, voxels):
    """The model of these voxels alone, with weights of units in place of dual coefficients."""
    if isinstance(model, BandedModel):
        columns = positions(voxels, len(model.intercept), 'voxel')
        bands = {layer: _with_weights(band, train, voxels) for layer, band in model.bands.items()}
        columns = slice(None) if columns is None else columns
        return BandedModel(bands, np.asarray(model.intercept)[columns], np.asarray(model.share)[:, columns])
    if not isinstance(model, LayerModel):
        raise BadValue('train is for models with dual coefficients, which this one has not; leave it out')
    columns = positions(voxels, len(model.intercept), 'voxel')
    columns = slice(None) if columns is None else columns
    alone = {name: None if (values := getattr(model, name)) is None else np.asarray(values)[..., columns]
             for name in ('intercept', 'dual_coef', 'alpha')}
    coef = None if model.coef is None else _columns(model.coef, None if isinstance(columns, slice) else columns)
    return replace(model, **alone, coef=coef).to_weights(train)


def _part(model: LayerModel, voxels, basis) -> LinearPart:
    if model.coef is None:
        raise BadValue('this model holds dual coefficients; give the activations of its training (train=, in commands '
                       '-act), or turn it into weights with to_weights(...)')
    columns = positions(voxels, len(model.intercept), 'voxel')
    coef = _columns(model.coef, columns)
    coef = coef if model.scale is None else coef / model.scale[:, None]
    intercept = np.asarray(model.intercept if columns is None else model.intercept[columns], dtype=np.float64)
    intercept = intercept if model.mean is None else intercept - model.mean @ coef
    if not (np.isfinite(coef).all() and np.isfinite(intercept).all()):
        raise BadValue('a voxel has no model (its weights are NaN): it was constant or not finite when fitted')
    if basis is not None:
        layer_basis = basis.layers[model.layer]
        if layer_basis.kind != 'whole':
            coef = np.asarray(layer_basis.components.T @ coef)
            intercept = intercept if layer_basis.mean is None else intercept - layer_basis.mean @ coef
    return LinearPart(model.layer, torch.as_tensor(coef, dtype=torch.float32),
                      torch.as_tensor(intercept, dtype=torch.float32), model.iter_axis, model.iteration)


def _columns(coef, columns: np.ndarray | None) -> np.ndarray:
    """Columns of weights, which may be too many to be read at once."""
    if columns is None or isinstance(coef, np.ndarray):
        return np.asarray(coef)[:, slice(None) if columns is None else columns].astype(np.float64)
    step = max(1, _BYTES // (8 * coef.shape[1]))
    return np.concatenate([coef[start:start + step][:, columns] for start in range(0, coef.shape[0], step)])
