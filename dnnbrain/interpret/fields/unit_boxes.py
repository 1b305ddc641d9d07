"""The units that a target looks at, as boxes of what layers put out."""

from __future__ import annotations

import numpy as np
import torch.nn as nn

from dnnbrain._checks import BadType, BadValue, positions
from dnnbrain.interpret.target import ChannelTarget, ModelTarget
from dnnbrain.networks.axes import channels_last
from dnnbrain.networks.boxes import Box, places


def map_axes(dnn, module: nn.Module, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Which axes of what a module puts out are (channel, row, column), as `as_maps` makes them; of fc (channel,)."""
    if not isinstance(shape, tuple) or len(shape) < 2:
        raise BadType('the layer puts out no single tensor of one answer per picture; choose a layer inside it')
    if len(shape) == 3:                                              # tokens
        return (2, 1)
    if len(shape) == 4 and channels_last(dnn, module, shape[1:]):
        return (3, 1, 2)
    return tuple(range(1, len(shape)))


def maps_shape(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """(n_chn, n_row, n_col), of clips (n_chn, n_frame, n_row, n_col)."""
    sides = tuple(shape[axis] for axis in axes)
    return sides + (1,) * (3 - len(sides))


def unit_box(target, layer: str, axes: tuple[int, ...], shape: tuple[int, ...]) -> list[Box]:
    """The boxes of a layer of shape (1, ...) that a target reads."""
    sides = maps_shape(shape, axes)
    chosen = _OF_KIND[type(target)](target, layer, sides) if type(target) in _OF_KIND else [(None,) * len(sides)]
    boxes = []
    for one in chosen:
        parts = [np.ones(n, bool) for n in shape]
        for axis, index in zip(axes, one, strict=False):
            if index is not None:
                parts[axis] = places(shape[axis], index)
        boxes.append(tuple(parts))
    return boxes


def _of_channels(target: ChannelTarget, layer: str, sides: tuple[int, ...]) -> list[tuple]:
    rows = positions(target.channels, sides[0], f'channel of layer {layer!r}')
    if target.unit is None:
        return [(rows, *(None,) * (len(sides) - 1))]
    if len(target.unit) != len(sides) - 1:
        raise BadValue(f'unit of layer {layer!r} must have {len(sides) - 1} numbers, not {target.unit}')
    return [(rows, *(positions(number, n, f'place in the maps of layer {layer!r}')
                     for number, n in zip(target.unit, sides[1:], strict=True)))]


def _of_model(target: ModelTarget, layer: str, sides: tuple[int, ...]) -> list[tuple]:
    """What the weights of a model are of; a weight of 0 counts too."""
    chosen = {} if target.dmask is None else target.dmask.indices(layer, (1, *sides))
    index = [np.asarray(chosen[axis]) if axis in chosen else np.arange(n) for axis, n in enumerate(sides, 1)]
    part = target.parts[layer]
    if part.iter_axis == 'channel':
        index[0] = index[0][[part.iteration]]
    elif part.iter_axis == 'row_col' and target.pool_method is None:
        place = np.unravel_index(part.iteration, [len(i) for i in index[1:]])
        index[1:] = [i[[at]] for i, at in zip(index[1:], place, strict=True)]
    return [tuple(index)]


_OF_KIND = {ChannelTarget: _of_channels, ModelTarget: _of_model}
