"""Places that move and stay what they are, backwards: reshaped, with other axes, joined, divided, indexed, padded."""

from __future__ import annotations

import numpy as np
import torch.nn as nn
from torch import fx

from dnnbrain.networks.boxes import Box, Parts, Step, copied, places, whole

PADDING = {nn.modules.padding._ConstantPadNd: 'constant', nn.modules.padding._ReflectionPadNd: 'reflect',
          nn.modules.padding._ReplicationPadNd: 'replicate', nn.modules.padding._CircularPadNd: 'circular'}


def reshaped(step: Step, box: Box) -> Parts:
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


def permuted(step: Step, box: Box) -> Parts:
    dims = step.given('dims').get('dims')
    dims = step.node.args[1:] if isinstance(dims, int) else dims
    found = dict(zip((dim % len(box) for dim in dims), box, strict=True))
    return [(step.source, tuple(found[axis] for axis in range(len(box))))]


def transpose(step: Step, box: Box) -> Parts:
    given = step.given('dim0', 'dim1')
    parts = list(box)
    parts[given['dim0']], parts[given['dim1']] = box[given['dim1']], box[given['dim0']]
    return [(step.source, tuple(parts))]


def concatenated(step: Step, box: Box) -> Parts:
    members, start, parts = step.node.args[0] if step.node.args else step.node.kwargs['tensors'], 0, []
    dim = step.given('dim').get('dim', 0) % len(box)
    for node in members:
        n = step.shapes[node][dim]
        parts.append((node, (*box[:dim], box[dim][start:start + n], *box[dim + 1:])))
        start += n
    return parts


def divided(step: Step, box: Box) -> Parts:
    """Boxes of what `chunk` and `split` put out are those of what they get (see `item`)."""
    return [(step.source, box)]


def item(step: Step, box: Box) -> Parts | None:
    source, index = step.node.args
    shapes = step.shapes.get(source)
    if isinstance(shapes, list):
        name = Step(source, None, step.shapes).name
        if name not in ('chunk', 'split') or not isinstance(index, int):
            return [(source, box)] if index == 0 else None
        dim = Step(source, None, step.shapes).given('_', 'dim').get('dim', 0) % len(box)
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


def padded(step: Step, box: Box) -> Parts | None:
    """Padding by a function or a module; what is put there comes from nowhere, or is a copy of places."""
    module = step.module
    given = step.given('pad', 'mode')
    if module is not None:
        mode = next(mode for kind, mode in PADDING.items() if isinstance(module, kind))
        given = {'pad': module.padding, 'mode': mode}
    if not all(isinstance(n, int) for n in given['pad']):
        return None
    mode, parts = given.get('mode', 'constant'), list(box)
    for k, (low, high) in enumerate(zip(given['pad'][::2], given['pad'][1::2], strict=True)):
        axis = len(box) - 1 - k
        n = step.before[axis]
        reached = np.arange(-low, n + high) if mode == 'constant' else copied(n, (low, high), mode)
        reached = reached[box[axis]]
        parts[axis] = places(n, reached[(reached >= 0) & (reached < n)])
    return [(step.source, tuple(parts))]
