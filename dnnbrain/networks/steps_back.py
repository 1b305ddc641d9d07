"""One step of a forward pass, backwards: which parts of its inputs a part of its output comes from."""

from __future__ import annotations

import operator

import numpy as np
import torch.nn as nn

from dnnbrain.networks import moves, windows
from dnnbrain.networks.boxes import Box, Parts, Step, along, whole
from dnnbrain.networks.fields import POINTWISE, POINTWISE_NAMES, each_axis

# What joins all places as a matter of course: taking everything is right.
_JOINING = frozenset('matmul bmm scaled_dot_product_attention multi_head_attention_forward einsum'.split())
_RESHAPING = frozenset('view reshape flatten unsqueeze squeeze'.split())
_REDUCING = frozenset('mean sum amax max amin'.split())


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


def _everything(step: Step, box: Box) -> Parts:
    shapes = [(node, step.shapes.get(node)) for node in step.node.all_input_nodes]
    several = [(node, shape[0] if isinstance(shape, list) else shape) for node, shape in shapes]
    return [(node, whole(shape)) for node, shape in several if shape is not None]


def _pointwise(step: Step, box: Box) -> Parts:
    parts = []
    for node in step.node.all_input_nodes:
        shape = step.shapes.get(node)
        if isinstance(shape, tuple):
            own = box[len(box) - len(shape):]
            parts.append((node, tuple(part if len(part) == n else np.ones(n, bool)
                                      for part, n in zip(own, shape, strict=True))))
    return parts


def _group_norm(step: Step, box: Box) -> Parts:
    n = step.module.num_groups
    channels = np.repeat(box[1].reshape(n, -1).any(1), len(box[1]) // n)
    return [(step.source, along((box[0], channels, *box[2:]), *range(2, len(box))))]


def _reduced(step: Step, box: Box) -> Parts | None:
    dims = step.given('dim').get('dim')
    if dims is None or not isinstance(step.after, tuple):
        return None
    n = len(step.before)
    dims = sorted(dim % n for dim in each_axis(dims, 1 if isinstance(dims, int) else len(dims)))
    kept = iter(box if len(box) < n else [part for axis, part in enumerate(box) if axis not in dims])
    return [(step.source, tuple(np.ones(size, bool) if axis in dims else next(kept)
                                for axis, size in enumerate(step.before)))]


def _nothing(step: Step, box: Box) -> Parts:
    return []


_MODULES = (
    (nn.modules.conv._ConvTransposeNd, windows.transposed),
    (nn.modules.conv._ConvNd, windows.convolution),
    ((nn.modules.pooling._MaxPoolNd, nn.modules.pooling._AvgPoolNd), windows.pooling),
    ((nn.modules.pooling._AdaptiveAvgPoolNd, nn.modules.pooling._AdaptiveMaxPoolNd), windows.adaptive),
    (nn.LocalResponseNorm, windows.response_norm),
    (nn.Upsample, windows.resized),
    (tuple(moves.PADDING), moves.padded),
    (nn.modules.instancenorm._InstanceNorm, lambda step, box: [(step.source, along(box, *range(2, len(box))))]),
    (POINTWISE, _pointwise),
    (nn.GroupNorm, _group_norm),
    (nn.Linear, lambda step, box: [(step.source, (*box[:-1], np.ones(step.module.in_features, bool)))]),
    (nn.LayerNorm, lambda step, box: [(step.source, along(box, *range(-len(step.module.normalized_shape), 0)))]),
    (nn.Softmax, lambda step, box: [(step.source, along(box, step.module.dim))]),
    ((nn.Flatten, nn.Unflatten), moves.reshaped),
    (nn.MultiheadAttention, _everything),
)
_FUNCTIONS = {
    **dict.fromkeys((*POINTWISE_NAMES, 'expand', 'expand_as'), _pointwise),
    **dict.fromkeys(_RESHAPING, moves.reshaped),
    **dict.fromkeys(_REDUCING, _reduced),
    **dict.fromkeys(('cat', 'concat', 'concatenate'), moves.concatenated),
    **dict.fromkeys(('chunk', 'split'), moves.divided),
    **{f'{kind}_pool{n}d': windows.pooling_function for kind in ('max', 'avg') for n in (1, 2, 3)},
    **{f'adaptive_avg_pool{n}d': windows.adaptive for n in (1, 2, 3)},
    **dict.fromkeys(('getattr', 'size', 'dim', 'numel', '_assert'), _nothing),
    operator.getitem.__name__: moves.item,
    'permute': moves.permuted, 'transpose': moves.transpose, 'pad': moves.padded,
    'interpolate': windows.resized,
    'softmax': lambda step, box: [(step.source, along(box, step.given('dim').get('dim', -1)))],
    'linear': lambda step, box: [(step.source, (*box[:-1], np.ones(step.before[-1], bool)))],
    'layer_norm': lambda step, box: [(step.source, along(box, *range(
        -len(step.given('normalized_shape')['normalized_shape']), 0)))],
}
