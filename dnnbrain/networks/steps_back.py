"""One step of a forward pass, backwards: which parts of its inputs a part of its output comes from."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch.nn as nn
from torch import fx

from dnnbrain.networks.fields import _POINTWISE, _POINTWISE_NAMES, _each, _n_axes

Box = tuple[np.ndarray, ...]                # for each axis, which places, bool
Parts = list[tuple[fx.Node, Box]]

# What joins all places as a matter of course: taking everything is right.
_JOINING = frozenset('matmul bmm scaled_dot_product_attention multi_head_attention_forward einsum'.split())
_RESHAPING = frozenset('view reshape flatten unsqueeze squeeze'.split())
_REDUCING = frozenset('mean sum amax max amin'.split())


class Step(NamedTuple):
    """A step of a graph, its module if it has one, and the shapes of all tensors."""

    node: fx.Node
    module: nn.Module | None
    shapes: dict

    @property
    def source(self) -> fx.Node:
        return self.node.all_input_nodes[0]

    @property
    def before(self) -> tuple[int, ...]:
        """Shape of the first input."""
        return self.shapes[self.source]

    @property
    def after(self) -> tuple[int, ...]:
        return self.shapes[self.node]

    @property
    def name(self) -> str:
        target = self.node.target
        return target if isinstance(target, str) else getattr(target, '__name__', str(target))

    def given(self, *names: str) -> dict:
        """Arguments by name, without the first, which is the tensor."""
        return dict(zip(names, self.node.args[1:], strict=False)) | self.node.kwargs


def sources(step: Step, box: Box, unknown: set[str]) -> Parts:
    """The boxes of its inputs that a box of the output of a step comes from.

    Parameters
    ----------
    unknown : set of str
        Gets the name of an operation without a rule; all its inputs are then taken.
    """
    if step.module is not None:
        rule = next((rule for kinds, rule in _MODULES if isinstance(step.module, kinds)), None)
    else:
        rule = _FUNCTIONS.get(step.name)
    parts = rule(step, box) if rule else None
    if parts is None:
        if rule is None and step.name not in _JOINING:
            unknown.add(type(step.module).__name__ if step.module is not None else step.name)
        parts = _everything(step, box)
    return parts


def whole(shape: tuple[int, ...]) -> Box:
    return tuple(np.ones(n, bool) for n in shape)


def places(n: int, chosen) -> np.ndarray:
    """bool (n,), True at indices."""
    found = np.zeros(n, bool)
    found[chosen] = True
    return found


def _everything(step: Step, box: Box) -> Parts:
    shapes = [(node, step.shapes.get(node)) for node in step.node.all_input_nodes]
    several = [(node, shape[0] if isinstance(shape, list) else shape) for node, shape in shapes]
    return [(node, whole(shape)) for node, shape in several if shape is not None]


def _along(box: Box, *axes: int) -> Box:
    """The box with whole axes."""
    axes = [axis % len(box) for axis in axes]
    return tuple(np.ones(len(part), bool) if axis in axes else part for axis, part in enumerate(box))


def _pointwise(step: Step, box: Box) -> Parts:
    parts = []
    for node in step.node.all_input_nodes:
        shape = step.shapes.get(node)
        if isinstance(shape, tuple):
            own = box[len(box) - len(shape):]
            parts.append((node, tuple(part if len(part) == n else np.ones(n, bool)
                                      for part, n in zip(own, shape, strict=True))))
    return parts


def _reached(chosen: np.ndarray, n: int, kernel: int, stride: int, padding: tuple[int, int], dilation: int,
             mode: str = 'zeros') -> np.ndarray:
    """Places (n,) under windows."""
    reached = np.flatnonzero(chosen)[:, None] * stride + np.arange(kernel) * dilation
    if mode == 'zeros':
        reached = reached - padding[0]
        return places(n, reached[(reached >= 0) & (reached < n)])
    mode = {'replicate': 'edge', 'circular': 'wrap'}.get(mode, mode)
    return places(n, np.pad(np.arange(n), padding, mode)[reached])


def _windows(step: Step, box: Box, n_axes: int, kernel, stride, padding, dilation, mode: str = 'zeros') -> Box:
    """The last axes of a box through windows."""
    kernel, stride, dilation = (_each(value, n_axes) for value in (kernel, stride, dilation))
    if padding == 'same':
        total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        sides = [(t // 2, t - t // 2) for t in total]
    else:
        sides = [(p, p) for p in _each(0 if padding == 'valid' else padding, n_axes)]
    n_before = step.before[-n_axes:]
    return tuple(_reached(*values, mode) for values in
                 zip(box[-n_axes:], n_before, kernel, stride, sides, dilation, strict=True))


def _convolution(step: Step, box: Box) -> Parts:
    conv, n = step.module, _n_axes(step.module)
    groups = box[1].reshape(conv.groups, -1).any(1)
    channels = np.repeat(groups, conv.in_channels // conv.groups)
    return [(step.source, (box[0], channels, *_windows(step, box, n, conv.kernel_size, conv.stride, conv.padding,
                                                       conv.dilation, conv.padding_mode)))]


def _transposed(step: Step, box: Box) -> Parts:
    conv, n = step.module, _n_axes(step.module)
    groups = np.repeat(box[1].reshape(conv.groups, -1).any(1), conv.in_channels // conv.groups)
    axes = []
    for chosen, size, k, s, p, d in zip(box[2:], step.before[2:], conv.kernel_size, conv.stride,
                                        _each(conv.padding, n), conv.dilation, strict=True):
        scaled = np.flatnonzero(chosen)[:, None] + p - np.arange(k) * d
        reached = scaled // s
        axes.append(places(size, reached[(scaled % s == 0) & (reached >= 0) & (reached < size)]))
    return [(step.source, (box[0], groups, *axes))]


def _pooling(step: Step, box: Box) -> Parts:
    pool, n = step.module, _n_axes(step.module)
    return [(step.source, box[:-n] + _windows(step, box, n, pool.kernel_size, pool.stride, pool.padding,
                                              getattr(pool, 'dilation', 1)))]


def _pooling_function(step: Step, box: Box) -> Parts:
    n = int(step.name[-2])
    most = 4 if 'max' in step.name else 3                       # of averages, more follows
    given = step.given(*('kernel_size', 'stride', 'padding', 'dilation')[:most])
    stride = given.get('stride')
    return [(step.source, box[:-n] + _windows(step, box, n, given['kernel_size'],
                                              given['kernel_size'] if stride is None or stride == [] else stride,
                                              given.get('padding', 0), given.get('dilation', 1)))]


def _adaptive(step: Step, box: Box) -> Parts:
    """Window i of m over n places goes from floor(i n / m) to ceil((i + 1) n / m)."""
    axes = []
    for chosen, n in zip(box[2:], step.before[2:], strict=True):
        m, reached = len(chosen), np.zeros(n, bool)
        for i in np.flatnonzero(chosen):
            reached[i * n // m:-(-(i + 1) * n // m)] = True
        axes.append(reached)
    return [(step.source, (*box[:2], *axes))]


def _response_norm(step: Step, box: Box) -> Parts:
    size = step.module.size
    channels = _reached(box[1], len(box[1]), size, 1, (size // 2, size - 1 - size // 2), 1)
    return [(step.source, (box[0], channels, *box[2:]))]


def _group_norm(step: Step, box: Box) -> Parts:
    n = step.module.num_groups
    channels = np.repeat(box[1].reshape(n, -1).any(1), len(box[1]) // n)
    return [(step.source, _along((box[0], channels, *box[2:]), *range(2, len(box))))]


def _reshaped(step: Step, box: Box) -> Parts:
    """What differs between two shapes is reshaped; a box that is none afterwards becomes the least that holds it."""
    before, after = step.before, step.after
    first = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b),
                 min(len(before), len(after)))
    last = next((i for i, (a, b) in enumerate(zip(before[first:][::-1], after[first:][::-1], strict=False)) if a != b),
                min(len(before), len(after)) - first)
    inner, outer = before[first:len(before) - last], box[first:len(after) - last]
    if all(part.all() for part in outer):
        middle = whole(inner)
    else:
        mask = np.zeros([len(part) for part in outer], bool)
        mask[np.ix_(*outer)] = True
        mask = mask.reshape(inner)
        middle = tuple(mask.any(tuple(j for j in range(mask.ndim) if j != i)) for i in range(mask.ndim))
    return [(step.source, box[:first] + middle + box[len(box) - last:])]


def _permuted(step: Step, box: Box) -> Parts:
    dims = step.given('dims').get('dims')
    dims = step.node.args[1:] if isinstance(dims, int) else dims
    found = dict(zip((dim % len(box) for dim in dims), box, strict=True))
    return [(step.source, tuple(found[axis] for axis in range(len(box))))]


def _transpose(step: Step, box: Box) -> Parts:
    given = step.given('dim0', 'dim1')
    parts = list(box)
    parts[given['dim0']], parts[given['dim1']] = box[given['dim1']], box[given['dim0']]
    return [(step.source, tuple(parts))]


def _reduced(step: Step, box: Box) -> Parts | None:
    dims = step.given('dim').get('dim')
    if dims is None or not isinstance(step.after, tuple):
        return None
    n = len(step.before)
    dims = sorted(dim % n for dim in _each(dims, 1 if isinstance(dims, int) else len(dims)))
    kept = iter(box if len(box) < n else [part for axis, part in enumerate(box) if axis not in dims])
    return [(step.source, tuple(np.ones(size, bool) if axis in dims else next(kept)
                                for axis, size in enumerate(step.before)))]


def _concatenated(step: Step, box: Box) -> Parts:
    members, start, parts = step.node.args[0] if step.node.args else step.node.kwargs['tensors'], 0, []
    dim = step.given('dim').get('dim', 0) % len(box)
    for node in members:
        n = step.shapes[node][dim]
        parts.append((node, (*box[:dim], box[dim][start:start + n], *box[dim + 1:])))
        start += n
    return parts


def _divided(step: Step, box: Box) -> Parts:
    """Boxes of what `chunk` and `split` put out are those of what they get (see `_item`)."""
    return [(step.source, box)]


def _item(step: Step, box: Box) -> Parts | None:
    source, index = step.node.args
    shapes = step.shapes.get(source)
    if isinstance(shapes, list):
        name = Step(source, None, step.shapes).name
        if name not in ('chunk', 'split') or not isinstance(index, int):
            return [(source, box)] if index == 0 else None
        dim = Step(source, None, step.shapes).given('_', 'dim').get('dim', 0)
        sizes = [shape[dim] for shape in shapes]
        start, index = sum(sizes[:index % len(sizes)]), index % len(sizes)
        part = places(sum(sizes), slice(start, start + sizes[index]))
        part[start:start + sizes[index]] = box[dim]
        return [(source, (*box[:dim], part, *box[dim + 1:]))]
    return None if shapes is None else _picked(source, shapes, index if isinstance(index, tuple) else (index,), box)


def _picked(source: fx.Node, shape: tuple[int, ...], index: tuple, box: Box) -> Parts | None:
    """Indexing by numbers, slices, None, an ellipsis and at most one list."""
    if sum(isinstance(i, list) for i in index) > 1 or not all(
            isinstance(i, int | list | slice) or i is None or i is Ellipsis for i in index):
        return None
    missing = len(shape) - sum(i is not None and i is not Ellipsis for i in index)
    if Ellipsis not in index:
        index = (*index, Ellipsis)
    at = index.index(Ellipsis)
    index = index[:at] + (slice(None),) * missing + index[at + 1:]
    parts, left, sizes = [], iter(box), iter(shape)
    for i in index:
        if i is None:
            next(left)
        elif isinstance(i, int):
            parts.append(places(next(sizes), i))
        else:
            n = next(sizes)
            parts.append(places(n, np.arange(n)[i][next(left)]))
    return [(source, tuple(parts))]


def _padded(step: Step, box: Box) -> Parts | None:
    given = step.given('pad', 'mode')
    if given.get('mode', 'constant') != 'constant' or not all(isinstance(n, int) for n in given['pad']):
        return None
    parts = list(box)
    for k, low in enumerate(given['pad'][::2]):
        axis = len(box) - 1 - k
        n = step.before[axis]
        reached = np.flatnonzero(box[axis]) - low
        parts[axis] = places(n, reached[(reached >= 0) & (reached < n)])
    return [(step.source, tuple(parts))]


def _nothing(step: Step, box: Box) -> Parts:
    return []


def _same_but(*axes: int) -> Callable:
    return lambda step, box: [(step.source, _along(box, *axes))]


_MODULES = (
    (nn.modules.conv._ConvTransposeNd, _transposed),
    (nn.modules.conv._ConvNd, _convolution),
    ((nn.modules.pooling._MaxPoolNd, nn.modules.pooling._AvgPoolNd), _pooling),
    ((nn.modules.pooling._AdaptiveAvgPoolNd, nn.modules.pooling._AdaptiveMaxPoolNd), _adaptive),
    (nn.LocalResponseNorm, _response_norm),
    (nn.modules.instancenorm._InstanceNorm, lambda step, box: [(step.source, _along(box, *range(2, len(box))))]),
    (_POINTWISE, _pointwise),
    (nn.GroupNorm, _group_norm),
    (nn.Linear, lambda step, box: [(step.source, (*box[:-1], np.ones(step.module.in_features, bool)))]),
    (nn.LayerNorm, lambda step, box: [(step.source, _along(box, *range(-len(step.module.normalized_shape), 0)))]),
    (nn.Softmax, lambda step, box: [(step.source, _along(box, step.module.dim))]),
    ((nn.Flatten, nn.Unflatten), _reshaped),
    (nn.MultiheadAttention, _everything),
)
_FUNCTIONS = {
    **dict.fromkeys((*_POINTWISE_NAMES, 'expand', 'expand_as'), _pointwise),
    **dict.fromkeys(_RESHAPING, _reshaped),
    **dict.fromkeys(_REDUCING, _reduced),
    **dict.fromkeys(('cat', 'concat', 'concatenate'), _concatenated),
    **dict.fromkeys(('chunk', 'split'), _divided),
    **{f'{kind}_pool{n}d': _pooling_function for kind in ('max', 'avg') for n in (1, 2, 3)},
    **{f'adaptive_avg_pool{n}d': _adaptive for n in (1, 2, 3)},
    **dict.fromkeys(('getattr', 'size', 'dim', 'numel', '_assert'), _nothing),
    operator.getitem.__name__: _item,
    'permute': _permuted, 'transpose': _transpose, 'pad': _padded,
    'softmax': lambda step, box: [(step.source, _along(box, step.given('dim').get('dim', -1)))],
    'linear': lambda step, box: [(step.source, (*box[:-1], np.ones(step.before[-1], bool)))],
    'layer_norm': lambda step, box: [(step.source, _along(box, *range(
        -len(step.given('normalized_shape')['normalized_shape']), 0)))],
}
