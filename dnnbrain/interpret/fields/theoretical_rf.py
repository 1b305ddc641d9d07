"""Theoretical receptive fields: the part of the picture that a unit, a channel or a voxel's model can depend on.

The rule of sizes (Araujo, Norris and Sim 2019, Distill, doi 10.23915/distill.00021) over the real graph of any
network that can be traced; what borders, padding and branches leave of it for single units comes from
`dnnbrain.networks.dependence`, step by step.
"""

from __future__ import annotations

import logging
from collections import OrderedDict

import numpy as np
import pandas as pd

from dnnbrain._checks import BadType, BadValue, integers, listing, positions
from dnnbrain.interpret.algorithm import Algorithm
from dnnbrain.interpret.fields.unit_boxes import map_axes, maps_shape, unit_box
from dnnbrain.networks.dependence import Dependence, painted
from dnnbrain.networks.fields import EVERYWHERE, UNKNOWN, Field, field_states
from dnnbrain.networks.layers import split_call
from dnnbrain.networks.state import pick_device

log = logging.getLogger(__name__)

_LARGER = (1, 2, 4, 8, 16)      # pictures on which a unit is looked for that no border touches


class Layers(OrderedDict):
    """Layer number -> its receptive field, as `TheoreticalReceptiveField.compute` tells.

    Keys are '0' (the picture), '1', '2', ... and 'input_size'; numbers and names of layers are understood too.
    """

    def __missing__(self, key):
        for number, entry in self.items():
            if number == str(key) or number != 'input_size' and key in (entry['layer'], entry['name']):
                return entry
        raise KeyError(key)


class TheoreticalReceptiveField(Algorithm):
    """The pixels that a unit can depend on.

    Parameters
    ----------
    dnn, layer, channel, unit, target, device
        As of `Algorithm`; `unit` counts from 1, what `set_parameters` takes from 0. Without a unit, a region is that
        of all units of the channel. Of several channels it is the least that holds all of theirs.

    Examples
    --------
    >>> field = TheoreticalReceptiveField(dnn, 'conv5', 1, unit=(7, 7))
    >>> field.compute_size()                                    # of AlexNet
    163
    >>> (top, bottom), (left, right) = field.find_region()      # picture[top:bottom, left:right]
    """

    _said: frozenset[str] = frozenset()         # operations without a rule that the log knows of

    def set_parameters(self, unit) -> None:
        """Look at the unit at (row, column), counted from 0 as in 1.0 (everything else here counts from 1)."""
        if self.layer is None:
            raise BadValue('set a layer first; set_layer(layer, channel) does it')
        place = integers(unit, 'unit')
        if place.min() < 0:
            raise BadValue(f'unit {tuple(place.tolist())} is out of range; set_parameters counts from 0')
        self.set_layer(self.layer, self.channel, tuple((place + 1).tolist()))

    def compute_size(self) -> int:
        """Side of the field of one unit in pixels, beyond the borders of the picture too; the longer if they differ.

        Of what joins all places (fc, attention, adaptive pooling) the side of the picture; of a voxel's model that of
        `find_region`.
        """
        if self._given is not None:
            return max(high - low for low, high in self.find_region())
        return max(size for _, size, _ in self._steps(self.layer, self._channels()))

    def compute(self, batch_size: int = -1, device=None, display: bool | None = None) -> Layers:
        """Receptive fields of all modules without parts on the way to the layer, in the order of the forward pass.

        Parameters
        ----------
        batch_size : int
            First number of every `output_shape`.
        device : str or torch.device, optional
            As in 1.0; only checked, for nothing is computed on it.
        display : bool, optional
            Write the table (`table`) to the log, at level INFO.

        Returns
        -------
        layers : Layers
            Layer number '0' (the picture), '1', ... -> dict of layer (module path), name, j (jump: pixels between the
            fields of neighbouring units), r (size in pixels), start (centre of the field of the first unit, where
            pixel i goes from i to i + 1: the first pixel is 0.5) and output_shape. Unit u (from 0) sees from
            ``start + u * j - r / 2`` to ``start + u * j + r / 2``, cut off at the borders. j, r and start are one
            number if it is the same for all axes, else one per axis. Where all units see the whole picture, r is its
            side and j is 0. The last is the layer asked for and is of the channel asked for, which may see less than
            others where branches are joined. Also 'input_size' -> (n_channel, height, width).

        Raises
        ------
        BadValue
            The forward pass cannot be traced.
        """
        if self._given is not None:
            raise BadValue('a table is of a layer; of a voxel\'s model, find_region() tells the region')
        layer, _ = self.get_layer()
        pick_device(self.dnn._network(), device)
        graph, shape = self._graph(), self.dnn.input_shape
        end = self._node(graph, layer)
        calls = self._calls_before(graph, end)
        shapes = graph.shapes([end, *calls], shape)
        calls = {node: call for node, call in calls.items() if isinstance(shapes[node], tuple) or node is end}
        states, names = field_states(self.dnn.model), _names(self.dnn)
        layers = Layers({'0': {'j': 1, 'r': 1, 'start': .5, 'output_shape': [batch_size, *shape], 'layer': '',
                               'name': 'picture'}})
        for node, (path, call) in calls.items():
            told = self._steps(layer, self._channels()) if node is end else \
                self._told(states[path][call - 1], graph, node, path, shapes[node])
            j, r, start = (_one(values) for values in zip(*told, strict=True))
            layers[str(len(layers))] = {'j': j, 'r': r, 'start': start, 'output_shape': [batch_size, *shapes[node][1:]],
                                        'layer': path, 'name': names.get((path, call), path)}
        layers['input_size'] = tuple(shape)
        if display:
            log.info('%s', table_of(layers).to_string(index=False))
        return layers

    def table(self) -> pd.DataFrame:
        """What `compute` finds, as a row per layer: number, layer, name, j, r, start, output_shape."""
        return table_of(self.compute())

    def find_region(self, receptive_field=None) -> list[tuple[int, int]]:
        """The region of the picture that the unit depends on, [(row0, row1), (column0, column1)], from 0, ends beyond.

        So ``picture[row0:row1, column0:column1]`` is what it sees of a picture (height, width) as the network gets it.

        Parameters
        ----------
        receptive_field : dict, optional
            What `compute` returned; taken as in 1.0, not needed.
        """
        if receptive_field is not None and 'input_size' not in receptive_field:
            raise BadType('find_region takes what compute() returned, or nothing')
        seen = self.support()
        if not seen.any():
            raise BadValue('the target depends on no pixel')
        axes = range(seen.ndim)
        spans = [np.flatnonzero(seen.any(tuple(b for b in axes if b != a))) for a in axes]
        return [(int(span[0]), int(span[-1]) + 1) for span in spans]

    def support(self) -> np.ndarray:
        """Exactly which pixels the target can depend on, bool of shape (height, width); of clips with frames before.

        It fills its region except where branches leave corners out, or strides and dilation leave gaps.
        """
        graph, shape, target = self._graph(), self.dnn.input_shape, self.target()
        nodes = {layer: self._node(graph, layer) for layer in target.layers}
        shapes = graph.shapes(nodes.values(), shape)
        wanted: dict = {}
        for layer, node in nodes.items():
            wanted.setdefault(node, []).extend(unit_box(target, layer, self._axes(layer, shapes[node]), shapes[node]))
        return painted(self._traced(graph, wanted, shapes), shape[1:])

    def _channels(self) -> np.ndarray:
        return np.atleast_1d(self.channel)

    def _graph(self) -> Dependence:
        return Dependence(self.dnn._network())

    def _node(self, graph: Dependence, layer: str):
        return graph.node(self.dnn.layer2path(layer), split_call(layer)[1])

    def _axes(self, layer: str, shape) -> tuple[int, ...]:
        return map_axes(self.dnn, self.dnn.layer2module(layer), shape)

    def _traced(self, graph: Dependence, wanted: dict, shapes: dict) -> list:
        boxes = graph.boxes(wanted, shapes)
        new = graph.unknown - self._said
        if new:
            log.warning('no rule for %s: taken to depend on all that it gets, so the field may be too large',
                        listing(sorted(new)))
            self._said = self._said | new
        return boxes

    def _calls_before(self, graph: Dependence, end) -> dict:
        """Steps that end a call of a module without parts, which a step needs -> (path, call)."""
        needed, waiting = set(), [end]
        while waiting:
            node = waiting.pop()
            if node not in needed:
                needed.add(node)
                waiting.extend(node.all_input_nodes)
        path, call = self.dnn.layer2path(self.layer), split_call(self.layer)[1]
        found = {node: (name, k) for name, nodes in graph.calls.items() for k, node in enumerate(nodes, 1)
                 if node in needed and node.op == 'call_module'} | {end: (path, call)}
        return {node: found[node] for node in graph.graph.nodes if node in found}

    def _told(self, state, graph: Dependence, node, path: str, shape) -> list[tuple]:
        """(jump, size, start) for each axis of the picture, of any unit of a step."""
        if isinstance(state, Field):
            return [(a.jump, a.high - a.low + 1, .5 + (a.low + a.high) / 2) for a in state.axes]
        if state == UNKNOWN:
            return self._measured(graph, node, self._axes(path, shape), None)
        return [(0, n, n / 2) for n in self.dnn.input_shape[1:]]

    def _steps(self, layer: str, channels: np.ndarray) -> list[tuple]:
        """(jump, size, start) for each axis of the picture, of units of some channels of a layer."""
        graph = self._graph()
        node = self._node(graph, layer)
        shape = graph.shapes([node], self.dnn.input_shape)[node]
        axes = self._axes(layer, shape)
        index = positions(channels, shape[axes[0]], f'channel of layer {layer!r}')
        place = self.unit or ()
        for number, n in zip(place, maps_shape(shape, axes)[1:], strict=False):
            positions(number, n, f'place of layer {layer!r}')
        if field_states(self.dnn.model)[self.dnn.layer2path(layer)][split_call(layer)[1] - 1] == EVERYWHERE:
            return self._told(EVERYWHERE, graph, node, '', shape)
        return self._measured(graph, node, axes, index)

    def _measured(self, graph: Dependence, node, axes, channels) -> list[tuple]:
        """The same, by looking back from two neighbouring units on pictures so large that no border is met."""
        n_channel, *sides = self.dnn.input_shape
        told: list = [None] * len(sides)
        for factor in _LARGER if len(axes) == len(sides) + 1 else ():
            large = [n * factor for n in sides]
            try:
                shapes = graph.shapes([node], (n_channel, *large))
            except Exception:                            # a network may insist on its own size
                break
            first, second = (self._spans(graph, node, axes, channels, shapes, step) for step in (0, 1))
            for axis, (n, one, other) in enumerate(zip(large, first, second, strict=True)):
                if told[axis] is None and one is not None and other is not None and one[0] > 0 and other[1] < n - 1:
                    jump, unit = other[0] - one[0], shapes[node][axes[axis + 1]] // 2
                    told[axis] = (jump, one[1] - one[0] + 1, .5 + (one[0] + one[1]) / 2 - jump * unit)
            if None not in told:
                break
        return [(0, n, n / 2) if one is None else one for one, n in zip(told, sides, strict=True)]

    def _spans(self, graph: Dependence, node, axes, channels, shapes: dict, step: int) -> list:
        """First and last pixel of each axis that the middle unit, or the next one on all axes, depends on."""
        shape = shapes[node]
        places = [shape[axis] // 2 + step for axis in axes[1:]]
        if any(place >= shape[axis] for place, axis in zip(places, axes[1:], strict=True)):
            return [None] * len(places)
        parts: list = [np.ones(n, bool) for n in shape]
        for axis, chosen in zip(axes, [channels, *places], strict=True):
            if chosen is not None:
                parts[axis] = np.isin(np.arange(shape[axis]), chosen)
        boxes = self._traced(graph, {node: [tuple(parts)]}, shapes)
        along = [np.flatnonzero(np.logical_or.reduce(parts)) for parts in zip(*boxes, strict=True)][2:]
        return [(int(span[0]), int(span[-1])) for span in along]


def table_of(layers: Layers) -> pd.DataFrame:
    """What `TheoreticalReceptiveField.compute` returns as a row per layer."""
    rows = [{'number': number, **entry} for number, entry in layers.items() if number != 'input_size']
    columns = ['number', 'layer', 'name', 'j', 'r', 'start', 'output_shape']
    return pd.DataFrame(rows, columns=columns)


def _one(values: tuple):
    return values[0] if len(set(values)) == 1 else tuple(values)


def _names(dnn) -> dict[tuple[str, int], str]:
    return {(dnn.layer2path(layer), split_call(layer)[1]): layer for layer in dnn.layers}
