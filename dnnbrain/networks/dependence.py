"""What single units depend on, exactly: from a unit down to the picture, step by step over the graph of a network.

A part of a tensor is a box: for each of its axes, which of its places belong to it. A step of the graph tells which
boxes of its inputs a box of its output comes from (`steps_back`); where branches meet, boxes are kept side by side.
Padding, borders, ceil mode, dilation, strides and which channel comes from which branch are thus all heeded.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

import numpy as np
import torch
import torch.nn as nn
from torch import fx

from dnnbrain._checks import BadValue
from dnnbrain.networks.boxes import Box, Step
from dnnbrain.networks.fields import Tracer
from dnnbrain.networks.steps_back import sources

_MOST_BOXES = 32        # of a tensor; more are replaced by the least box that holds them


class Dependence:
    """The graph of a network, to be asked what units depend on.

    Parameters
    ----------
    model : Module
        Not touched: what is traced is a copy without memory for its parameters.

    Attributes
    ----------
    unknown : set of str
        Operations without a rule that were met: what they put out is taken to depend on all that they get.

    Raises
    ------
    BadValue
        The forward pass cannot be traced.
    """

    def __init__(self, model: nn.Module):
        self.model, self.unknown = _hollow(model), set()
        self._tracer = Tracer()
        try:
            self.graph = self._tracer.trace(self.model)
        except Exception as error:                       # whatever the code of a model does with a proxy
            raise BadValue(f'the forward pass of {type(model).__name__} cannot be traced '
                           f'({str(error).splitlines()[0]:.80}), so that no receptive field can be told; '
                           'EmpiricalReceptiveField measures one') from None

    @property
    def calls(self) -> dict[str, list]:
        """Module path -> the steps that its calls end with."""
        return self._tracer.outputs

    def node(self, path: str, call: int = 1) -> fx.Node:
        """The step that a call of a module ends with."""
        nodes = self.calls.get(path, [])
        if call > len(nodes) or nodes[call - 1] is None:
            raise BadValue(f'{path!r} puts out no single tensor; choose a layer inside it' if call <= len(nodes) else
                           f'{path!r} is used {len(nodes)} times in a forward pass')
        return nodes[call - 1]

    def shapes(self, nodes: Iterable[fx.Node], input_shape: tuple[int, ...]) -> dict:
        """Shapes of all that some steps need, for one input of a shape; of several tensors a list, of others None."""
        walk = _Shapes(self.model, self.graph, nodes)
        kind = next((p.dtype for p in self.model.parameters() if p.is_floating_point()), torch.float32)
        with torch.no_grad():
            walk.run(torch.empty(1, *input_shape, dtype=kind, device='meta'))
        return walk.shapes

    def boxes(self, wanted: dict[fx.Node, list[Box]], shapes: dict) -> list[Box]:
        """The boxes of the input that boxes of some steps come from."""
        states = {node: list(boxes) for node, boxes in wanted.items()}
        for node in reversed(self.graph.nodes):
            if node.op == 'placeholder':
                return states.get(node, [])
            module = self.model.get_submodule(node.target) if node.op == 'call_module' else None
            for box in states.pop(node, ()) if node.op != 'get_attr' else ():
                for source, part in sources(Step(node, module, shapes), box, self.unknown):
                    _join(states.setdefault(source, []), part)
        raise AssertionError('a graph begins with its input')


def painted(boxes: list[Box], shape: tuple[int, ...]) -> np.ndarray:
    """Which places, bool of this shape, are in any of some boxes (whose first axes, such as channels, do not count)."""
    found = np.zeros(shape, bool)
    for box in boxes:
        found[np.ix_(*box[-len(shape):])] = True
    return found


def _join(boxes: list[Box], new: Box) -> None:
    """Add a box to a list of them, in place."""
    if not all(part.any() for part in new):
        return
    for i, box in enumerate(boxes):
        differing = [axis for axis, (a, b) in enumerate(zip(box, new, strict=True)) if not np.array_equal(a, b)]
        if all((new[axis] <= box[axis]).all() for axis in differing):
            return
        if len(differing) == 1 or all((box[axis] <= new[axis]).all() for axis in differing):
            del boxes[i]
            _join(boxes, tuple(a | b for a, b in zip(box, new, strict=True)))
            return
    boxes.append(new)
    if len(boxes) > _MOST_BOXES:
        boxes[:] = [tuple(np.logical_or.reduce(parts) for parts in zip(*boxes, strict=True))]


class _Shapes(fx.Interpreter):
    """Runs the steps that others need, with tensors that have shapes only."""

    def __init__(self, model: nn.Module, graph: fx.Graph, nodes: Iterable[fx.Node]):
        super().__init__(model, graph=graph)
        self.shapes: dict[fx.Node, tuple | list | None] = {}
        self._needed, waiting = set(), list(nodes)
        while waiting:
            node = waiting.pop()
            if node not in self._needed:
                self._needed.add(node)
                waiting.extend(node.all_input_nodes)

    def run_node(self, node: fx.Node):
        if node not in self._needed and node.op != 'placeholder':
            return None
        value = super().run_node(node)
        self.shapes[node] = _shape(value)
        return value


def _shape(value):
    if isinstance(value, tuple | list) and any(isinstance(one, torch.Tensor) for one in value):
        return [_shape(one) for one in value]
    return tuple(value.shape) if isinstance(value, torch.Tensor) else None


def _hollow(model: nn.Module) -> nn.Module:
    """A copy in eval mode, without hooks, whose parameters and buffers are shapes only."""
    known = {id(p): nn.Parameter(p.detach().to('meta'), requires_grad=False) for p in model.parameters()}
    known |= {id(b): b.to('meta') for b in model.buffers()}
    hollow = copy.deepcopy(model, known).eval()
    for module in hollow.modules():
        for hooks in (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks):
            hooks.clear()
    return hollow
