"""What an algorithm looks at: numbers that a network computes of a picture, all of them differentiable.

A target names the layers it reads and turns what they put out into one number per picture and wish: the mean of a
channel, a single unit, or what a fitted encoding model predicts for a voxel. Algorithms know nothing else of it, so
that whatever can be asked of a channel can be asked of a voxel.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from dnnbrain._checks import BadType, BadValue, choice, integers, listing, positions
from dnnbrain.activation.mask import as_mask
from dnnbrain.activation.pool import POOLINGS
from dnnbrain.networks.recording import POOL, picked, pooled

METRICS = {name: POOL[name] for name in ('mean', 'max', 'L1', 'L2')}


class ChannelTarget:
    """Channels of a layer, or units of them.

    Parameters
    ----------
    layer : str
        A name or module path; 'relu#2' is the second use of a shared module.
    channels : int or sequence of int
        Numbers from 1.
    unit : tuple of int, optional
        (row, column) from 1, of clips (frame, row, column): this unit of each channel, not the whole map.
    metric : {'mean', 'max', 'L1', 'L2'}
        What is made of the map of a channel.

    Attributes
    ----------
    layers : tuple of str
    names : list of str
        What each number is.
    """

    def __init__(self, layer: str, channels, unit=None, metric: str = 'mean'):
        if not isinstance(layer, str):
            raise BadType(f'layer must be a name, not {layer!r}')
        self.layer, self.metric = layer, choice('metric', metric, tuple(METRICS))
        self.channels = integers(channels, 'channel').tolist()
        self.unit = None if unit is None else tuple(integers(unit, 'unit').tolist())
        if min(self.channels) < 1 or self.unit and min(self.unit) < 1:
            raise BadValue('channels, rows and columns count from 1')
        self.layers = (layer,)
        place = '' if self.unit is None else f' {self.unit}'
        self.names = [f'{layer} channel {channel}{place}' for channel in self.channels]

    def __call__(self, answers: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Numbers (n, n_target) from what layers put out, {layer: (n, n_chn, n_row, n_col)}."""
        maps = self.maps(answers)
        if self.unit is None:
            return METRICS[self.metric](maps.flatten(2))
        if len(self.unit) != maps.ndim - 2:
            raise BadValue(f'unit of layer {self.layer!r} must have {maps.ndim - 2} numbers, not {self.unit}')
        place = tuple(int(positions(number, n, f'{word} of unit')[0]) for number, n, word in
                      zip(self.unit, maps.shape[2:], ('frame', 'row', 'column')[-len(self.unit):], strict=True))
        return maps[(slice(None), slice(None), *place)]

    def maps(self, answers: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """The whole maps of the channels, (n, n_target, n_row, n_col)."""
        maps = answers[self.layer]
        rows = positions(self.channels, maps.shape[1], f'channel of layer {self.layer!r}')
        return maps[:, torch.as_tensor(rows, device=maps.device)]


class ModelTarget:
    """What a fitted linear model predicts for voxels, or for the mean of a region.

    Parameters
    ----------
    model : LayerModel, BandedModel, EstimatorModel, or the name of its ``.h5``
        With weights of units (`to_weights`), or with `train`; such as
        ``BrainEncoder.encode_dnn(...)[layer]['model'][0, 0]``.
    voxels : int or sequence of int, optional
        Numbers of targets of the model, from 1; all by default.
    mean : bool
        One number: the mean over the voxels.
    dmask : Mask, or what `as_mask` takes, optional
        The units that the model was fitted on, where they are not whole layers.
    pool_method : {'max', 'mean', 'median', 'L1', 'L2'}, optional
        How activations were pooled before.
    basis : Basis, optional
        What activations were projected on before (`reduce`).
    train : Activation, optional
        Of the training, for a model with dual coefficients, as `db_encode` writes it.
    """

    def __init__(self, model, voxels=None, *, mean: bool = False, dmask=None, pool_method: str | None = None,
                 basis=None, train=None):
        from dnnbrain.interpret.readout import linear_parts
        if pool_method is not None:
            choice('pool_method', pool_method, POOLINGS)
        self.parts = linear_parts(model, voxels, basis, train)
        self.layers = tuple(self.parts)
        n_voxel = len(next(iter(self.parts.values())).intercept)
        numbers = range(1, n_voxel + 1) if voxels is None else integers(voxels, 'voxel').tolist()
        self.mean, self.pool_method = mean, pool_method
        self.dmask = None if dmask is None else as_mask(dmask)
        self.names = [f'mean of {n_voxel} voxels'] if mean else [f'voxel {number}' for number in numbers]
        missing = [] if self.dmask is None else [layer for layer in self.layers if layer not in self.dmask.layers]
        if missing:
            raise BadValue(f'the mask names no units of {listing(missing)}, which the model reads')

    def __call__(self, answers: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Predictions (n, n_voxel), or (n, 1), from what layers put out."""
        predicted = sum(part(self._units(layer, answers[layer])) for layer, part in self.parts.items())
        return predicted.mean(1, keepdim=True) if self.mean else predicted

    def _units(self, layer: str, maps: torch.Tensor) -> torch.Tensor:
        if self.dmask is not None:
            maps = picked(maps, {axis: torch.as_tensor(np.asarray(index), device=maps.device)
                                 for axis, index in self.dmask.indices(layer, tuple(maps.shape)).items()})
        return maps if self.pool_method is None else pooled(maps, self.pool_method)
