"""Windows that slide over places, backwards: what convolutions, pooling and resizing look at."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from dnnbrain.networks.boxes import Box, Parts, Step, copied, places
from dnnbrain.networks.fields import each_axis, n_axes_of


def _reached(chosen: np.ndarray, n: int, kernel: int, stride: int, padding: tuple[int, int], dilation: int,
             mode: str = 'zeros') -> np.ndarray:
    """Places (n,) under windows."""
    reached = np.flatnonzero(chosen)[:, None] * stride + np.arange(kernel) * dilation
    if mode == 'zeros':
        reached = reached - padding[0]
        return places(n, reached[(reached >= 0) & (reached < n)])
    return places(n, copied(n, padding, mode)[reached])


def _windows(step: Step, box: Box, n_axes: int, kernel, stride, padding, dilation, mode: str = 'zeros') -> Box:
    """The last axes of a box through windows."""
    kernel, stride, dilation = (each_axis(value, n_axes) for value in (kernel, stride, dilation))
    if padding == 'same':
        total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        sides = [(t // 2, t - t // 2) for t in total]
    else:
        sides = [(p, p) for p in each_axis(0 if padding == 'valid' else padding, n_axes)]
    n_before = step.before[-n_axes:]
    return tuple(_reached(*values, mode) for values in
                 zip(box[-n_axes:], n_before, kernel, stride, sides, dilation, strict=True))


def convolution(step: Step, box: Box) -> Parts:
    conv, n = step.module, n_axes_of(step.module)
    groups = box[1].reshape(conv.groups, -1).any(1)
    channels = np.repeat(groups, conv.in_channels // conv.groups)
    return [(step.source, (box[0], channels, *_windows(step, box, n, conv.kernel_size, conv.stride, conv.padding,
                                                       conv.dilation, conv.padding_mode)))]


def transposed(step: Step, box: Box) -> Parts:
    conv, n = step.module, n_axes_of(step.module)
    groups = np.repeat(box[1].reshape(conv.groups, -1).any(1), conv.in_channels // conv.groups)
    axes = []
    for chosen, size, k, s, p, d in zip(box[2:], step.before[2:], conv.kernel_size, conv.stride,
                                        each_axis(conv.padding, n), conv.dilation, strict=True):
        scaled = np.flatnonzero(chosen)[:, None] + p - np.arange(k) * d
        reached = scaled // s
        axes.append(places(size, reached[(scaled % s == 0) & (reached >= 0) & (reached < size)]))
    return [(step.source, (box[0], groups, *axes))]


def pooling(step: Step, box: Box) -> Parts:
    pool, n = step.module, n_axes_of(step.module)
    return [(step.source, box[:-n] + _windows(step, box, n, pool.kernel_size, pool.stride, pool.padding,
                                              getattr(pool, 'dilation', 1)))]


def pooling_function(step: Step, box: Box) -> Parts:
    n = int(step.name[-2])
    most = 4 if 'max' in step.name else 3                       # of averages, more follows
    given = step.given(*('kernel_size', 'stride', 'padding', 'dilation')[:most])
    stride = given.get('stride')
    return [(step.source, box[:-n] + _windows(step, box, n, given['kernel_size'],
                                              given['kernel_size'] if stride is None or stride == [] else stride,
                                              given.get('padding', 0), given.get('dilation', 1)))]


def adaptive(step: Step, box: Box) -> Parts:
    """Window i of m over n places goes from floor(i n / m) to ceil((i + 1) n / m)."""
    axes = []
    for chosen, n in zip(box[2:], step.before[2:], strict=True):
        m, reached = len(chosen), np.zeros(n, bool)
        for i in np.flatnonzero(chosen):
            reached[i * n // m:-(-(i + 1) * n // m)] = True
        axes.append(reached)
    return [(step.source, (*box[:2], *axes))]


def response_norm(step: Step, box: Box) -> Parts:
    size = step.module.size
    channels = _reached(box[1], len(box[1]), size, 1, (size // 2, size - 1 - size // 2), 1)
    return [(step.source, (box[0], channels, *box[2:]))]


def resized(step: Step, box: Box) -> Parts:
    """What interpolation takes, seen by resizing each place of an axis alone."""
    names = ('size', 'scale_factor', 'mode', 'align_corners', 'recompute_scale_factor', 'antialias')
    given = step.given(*names) if step.module is None else {name: getattr(step.module, name, None) for name in names}
    n_axes, axes = len(box) - 2, []
    mode = {'linear': 'bilinear', 'trilinear': 'bilinear'}.get(given.get('mode'), given.get('mode') or 'nearest')
    how = {name: given[name] for name in names[3:] if given.get(name)} | {'mode': mode}
    factors = each_axis(given.get('scale_factor'), n_axes)
    for chosen, n, factor in zip(box[2:], step.before[2:], factors, strict=True):
        size = {'size': (len(chosen), 1)} if factor is None else {'scale_factor': (factor, 1.)}
        weights = F.interpolate(torch.eye(n)[:, None, :, None], **size, **how)[:, 0, :, 0].numpy()
        axes.append((weights[:, chosen] != 0).any(1))
    return [(step.source, (*box[:2], *axes))]
