"""Theoretical receptive fields: the part of the picture that a unit can depend on, over the real graph of a network.

A unit at position u of an axis sees the pixels from ``jump * u + low`` to ``jump * u + high``. A convolution or pooling
of kernel k, stride s, padding p and dilation d makes of these (Araujo, Norris and Sim 2019, Distill, doi
10.23915/distill.00021)::

    low - p * jump,    high + ((k - 1) * d - p) * jump,    jump * s

Where branches meet, a unit sees what any of them sees.
"""

from __future__ import annotations

import operator
from typing import NamedTuple

import torch.nn as nn
import torch.nn.functional as F
from torch import fx

from dnnbrain.networks.state import home_of, visiting
from dnnbrain.networks.tracing import OneInput, unmarked

POINTWISE = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish,
              nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh, nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Softsign, nn.Identity,
              nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm, nn.LocalResponseNorm)
_WINDOWS = (nn.modules.conv._ConvNd, nn.modules.pooling._MaxPoolNd, nn.modules.pooling._AvgPoolNd)
POINTWISE_NAMES = frozenset('''add sub mul truediv div neg iadd isub imul relu relu6 leaky_relu elu gelu silu mish
    hardswish hardsigmoid hardtanh sigmoid tanh dropout dropout2d stochastic_depth clone contiguous detach float half to
    clamp batch_norm add_ sub_ mul_ relu_ pow sqrt exp square abs maximum minimum where'''.split())
_WINDOW_FUNCTIONS = {F.max_pool1d: 1, F.max_pool2d: 2, F.max_pool3d: 3, F.avg_pool1d: 1, F.avg_pool2d: 2,
                     F.avg_pool3d: 3}
# What looks at all places as a matter of course (a Linear, at what was flattened).
_JOINING = (nn.Linear, nn.Flatten, nn.MultiheadAttention, nn.modules.pooling._AdaptiveAvgPoolNd,
            nn.modules.pooling._AdaptiveMaxPoolNd)
_JOINING_NAMES = frozenset('''flatten mean matmul bmm scaled_dot_product_attention adaptive_avg_pool1d
    adaptive_avg_pool2d adaptive_avg_pool3d'''.split())
_ABOUT_SHAPES = ('size', 'dim', 'numel')


class Axis(NamedTuple):
    """What a unit sees along an axis, in pixels (or frames)."""

    low: int = 0
    high: int = 0
    jump: int = 1


class Field(NamedTuple):
    """What a unit sees; a field without axes is that of a pixel."""

    axes: tuple[Axis, ...] = ()
    last: bool = False          # whether channels are the last axis, as in ConvNeXt

    @property
    def size(self) -> tuple[int, ...]:
        return tuple(axis.high - axis.low + 1 for axis in self.axes)

    @property
    def jump(self) -> tuple[int, ...]:
        return tuple(axis.jump for axis in self.axes)


EVERYWHERE = 'everywhere'
UNKNOWN = 'unknown'             # an operation without a rule; `dnnbrain.networks.dependence` knows more


def receptive_fields(model: nn.Module) -> dict[str, list[Field | None]]:
    """Module path -> receptive field of each call of it in a forward pass.

    None behind what joins all places (Linear, adaptive pooling, attention, squeeze and excitation)
    or has no known rule; no modules at all if the forward pass cannot be traced.
    """
    return {path: [state if isinstance(state, Field) else None for state in states]
            for path, states in field_states(model).items()}


def field_states(model: nn.Module) -> dict[str, list[Field | str | None]]:
    """Module path -> for each call of it a field, or why there is none: `EVERYWHERE` or `UNKNOWN`."""
    tracer = Tracer()
    try:
        with visiting(model, home_of(model)), unmarked(model):
            graph = tracer.trace(model.eval())
    except Exception:                                    # whatever the code of a model does with a proxy
        return {}
    states: dict[fx.Node, Field | str | None] = {}       # None: does not depend on the picture
    for node in graph.nodes:
        states[node] = Field() if node.op == 'placeholder' else _state(node, model, states)
    return {path: [_told(states.get(node)) for node in nodes] for path, nodes in tracer.outputs.items()}


class Tracer(OneInput):
    """Keeps which node each call of a module ends with, and runs no hooks."""

    def __init__(self):
        super().__init__()
        self.outputs: dict[str, list[fx.Node | None]] = {}

    def is_leaf_module(self, module: nn.Module, path: str) -> bool:
        inherited = isinstance(module, _WINDOWS + POINTWISE) and type(module).forward.__module__.startswith('torch.nn')
        return inherited or super().is_leaf_module(module, path)

    def call_module(self, module: nn.Module, forward, args, kwargs):
        path = self.path_of_module(module)
        leaf = self.is_leaf_module(module, path)
        output = super().call_module(module, forward, args, kwargs) if leaf else module.forward(*args, **kwargs)
        self.outputs.setdefault(path, []).append(getattr(output, 'node', None))
        return output


def _told(state) -> Field | str | None:
    return None if isinstance(state, Field) and not state.axes else state


def _state(node: fx.Node, model: nn.Module, states: dict) -> Field | str | None:
    """What a step of the graph sees."""
    seen = _union([states[source] for source in node.all_input_nodes])
    if not isinstance(seen, Field):
        return seen
    if node.op == 'output':
        return seen
    if node.op == 'call_module':
        return _module(model.get_submodule(node.target), seen)
    return _function(node, seen)


def _module(module: nn.Module, seen: Field) -> Field | str:
    if isinstance(module, nn.modules.conv._ConvTransposeNd):
        return UNKNOWN
    if isinstance(module, _WINDOWS):
        return _window(seen, n_axes_of(module), module.kernel_size, module.stride, module.padding,
                       getattr(module, 'dilation', 1))
    local = seen.last and (isinstance(module, nn.Linear)
                           or isinstance(module, nn.LayerNorm) and len(module.normalized_shape) == 1)
    if local or isinstance(module, POINTWISE):
        return seen
    return EVERYWHERE if isinstance(module, _JOINING) else UNKNOWN


def _function(node: fx.Node, seen: Field) -> Field | str | None:
    if node.target is getattr or node.target in _ABOUT_SHAPES:
        return None
    if node.target in _WINDOW_FUNCTIONS:
        names = ('kernel_size', 'stride', 'padding', 'dilation')
        most = 4 if node.target.__name__.startswith(('max', '_max')) else 3     # of averages, more follows
        given = dict(zip(names[:most], node.args[1:], strict=False)) | node.kwargs
        stride = given.get('stride')
        return _window(seen, _WINDOW_FUNCTIONS[node.target], given['kernel_size'],
                       given['kernel_size'] if stride is None or stride == [] else stride, given.get('padding', 0),
                       given.get('dilation', 1))
    if node.target is operator.getitem:
        index = node.args[1] if isinstance(node.args[1], tuple) else (node.args[1],)
        local = Ellipsis not in index and all(i == slice(None) for i in index[2:])
        return seen if local else UNKNOWN
    name = node.target if isinstance(node.target, str) else getattr(node.target, '__name__', '')
    if name in ('cat', 'concat', 'unsqueeze', 'chunk'):                         # along channels
        place = 2 if name == 'chunk' else 1
        dim = node.args[place] if len(node.args) > place else node.kwargs.get('dim')
        return seen if dim == 1 else UNKNOWN
    if name == 'permute' and len(seen.axes) == 2:
        return _permuted(node, seen)
    if name == 'layer_norm' and seen.last:
        shape = node.args[1] if len(node.args) > 1 else node.kwargs['normalized_shape']
        return seen if len(shape) == 1 else UNKNOWN
    if name in POINTWISE_NAMES or name == 'linear' and seen.last:
        return seen
    dims = node.args[1] if len(node.args) > 1 else node.kwargs.get('dim', node.kwargs.get('start_dim'))
    partly = name == 'mean' and dims in (1, [1], (1,)) or name == 'flatten' and dims == 2      # no place is joined
    return EVERYWHERE if name in _JOINING_NAMES and not partly else UNKNOWN


def _permuted(node: fx.Node, seen: Field) -> Field | str:
    """Channels moved to the end, or back."""
    dims = node.kwargs.get('dims', node.args[1] if len(node.args) == 2 else node.args[1:])
    there, back = (0, 2, 3, 1), (0, 3, 1, 2)
    return seen._replace(last=not seen.last) if tuple(dims) == (back if seen.last else there) else UNKNOWN


def _window(seen: Field, n: int, kernel, stride, padding, dilation) -> Field | str:
    """The field behind a convolution or pooling over n axes."""
    axes = seen.axes or (Axis(),) * n
    if len(axes) != n or seen.last:
        return UNKNOWN
    sides = [each_axis(value, n) for value in (kernel, stride, dilation)]
    if padding == 'same':
        sides.append(tuple((k - 1) * d // 2 for k, d in zip(sides[0], sides[2], strict=True)))
    else:
        sides.append(each_axis(0 if padding == 'valid' else padding, n))
    return Field(tuple(Axis(a.low - p * a.jump, a.high + ((k - 1) * d - p) * a.jump, a.jump * s)
                       for a, k, s, d, p in zip(axes, *sides, strict=True)))


def each_axis(value, n: int) -> tuple[int, ...]:
    values = tuple(value) if isinstance(value, tuple | list) else (value,)
    return values if len(values) == n else values * n


def n_axes_of(module: nn.Module) -> int:
    names = [kind.__name__ for kind in type(module).__mro__ if kind.__module__.startswith('torch.nn')]
    return next(n for n in (1, 2, 3) if any(name.endswith(f'{n}d') for name in names))


def _union(states: list) -> Field | str | None:
    """What several steps see together."""
    fields = [state for state in states if state is not None]
    if not fields:
        return None
    for sticky in (EVERYWHERE, UNKNOWN):
        if sticky in fields:
            return sticky
    n = max(len(field.axes) for field in fields)
    axes = [field.axes or (Axis(),) * n for field in fields]
    if any(len(a) != n for a in axes) or any(len({a.jump for a in along}) > 1 for along in zip(*axes, strict=True)) \
            or len({field.last for field in fields}) > 1:
        return UNKNOWN
    return Field(tuple(Axis(min(a.low for a in along), max(a.high for a in along), along[0].jump)
                       for along in zip(*axes, strict=True)), fields[0].last)
