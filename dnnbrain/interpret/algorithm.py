"""What all algorithms share: a network, and what of it is looked at."""

from __future__ import annotations

import numpy as np

from dnnbrain._checks import BadType, BadValue
from dnnbrain.activation.mask import Mask
from dnnbrain.interpret.target import ChannelTarget


class Algorithm:
    """A network and a target: channels of a layer, units, or voxels of a fitted encoding model.

    Parameters
    ----------
    dnn : DNN
        Left as it is found: modes, devices, gradient flags and hooks.
    layer : str, optional
    channel : int or sequence of int, optional
        Numbers from 1.
    unit : tuple of int, optional
        (row, column) from 1: one unit of each channel in place of its whole map.
    target : ChannelTarget or ModelTarget, optional
        In place of layer and channel.
    device : str or torch.device, optional
        Where to compute; by default where the network is.

    Attributes
    ----------
    mask : Mask
        Layer and channels, as in 1.0.
    """

    def __init__(self, dnn, layer: str | None = None, channel=None, *, unit=None, target=None, device=None):
        if not hasattr(dnn, 'layer2module'):
            raise BadType(f'dnn must be a DNN, not {type(dnn).__name__}; DNN(model, ...) makes one of a module')
        self.dnn, self.device, self.mask = dnn, device, Mask()
        self.layer, self.channel, self.unit, self._given = None, None, None, None
        if target is not None:
            if layer is not None or channel is not None or unit is not None:
                raise BadValue('give either target, or layer and channel')
            self.set_target(target)
        elif layer is not None:
            self.set_layer(layer, channel, unit)
        elif channel is not None or unit is not None:
            raise BadValue('a channel needs its layer')

    def set_layer(self, layer: str, channel=None, unit=None) -> None:
        """Look at channels (numbers from 1) of a layer, or at their unit at (row, column), from 1."""
        if channel is None:
            raise BadValue(f'which channel of layer {layer!r}? give channel, a number from 1')
        ChannelTarget(layer, channel, unit)                       # says what is wrong
        self.dnn.layer2path(layer)
        self.layer, self.channel, self.unit, self._given = layer, channel, unit, None
        self.mask = Mask(layer, channel if np.ndim(channel) else [channel])

    def get_layer(self) -> tuple:
        """(layer, channel)."""
        if self.layer is None:
            raise BadValue('no layer is set; set_layer(layer, channel) does it')
        return self.layer, self.channel

    def set_target(self, target) -> None:
        """Look at any target, such as ``ModelTarget(model, voxels)``."""
        if not callable(target) or not hasattr(target, 'layers'):
            raise BadType(f'target must be a ChannelTarget or ModelTarget, not {type(target).__name__}')
        for layer in target.layers:
            self.dnn.layer2path(layer)
        self.layer = self.channel = self.unit = None
        self._given, self.mask = target, Mask()

    def target(self, metric: str = 'mean'):
        """What is looked at; `metric` says what is made of the map of a channel."""
        if self._given is not None:
            return self._given
        layer, channel = self.get_layer()
        return ChannelTarget(layer, channel, self.unit, metric)

    @property
    def single(self) -> bool:
        """Whether one number is looked at, so that results need no axis for several."""
        return np.ndim(self.channel) == 0 if self._given is None else len(self._given.names) == 1
