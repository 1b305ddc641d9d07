"""The units of a layer as tables (n_stim, n_unit): whole, per channel, or per position; streamed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from dnnbrain._checks import BadValue, choice
from dnnbrain.activation.activation import Activation

ITER_AXES = (None, 'channel', 'row_col')
N_BYTES = 2 ** 26
Blocks = Iterator[np.ndarray]


def n_iterations(shape: tuple[int, ...], iter_axis: str | None) -> int:
    """How many tables `unit_tables` yields for a layer of this shape."""
    return {None: 1, 'channel': shape[1], 'row_col': math.prod(shape[2:])}[iter_axis]


def n_units(shape: tuple[int, ...], iter_axis: str | None) -> int:
    """How many columns each of them has."""
    return math.prod(shape[1:]) // max(1, n_iterations(shape, iter_axis))


def unit_tables(activ: Activation, layer: str, iter_axis: str | None = None,
                n_bytes: int = N_BYTES) -> Iterator[Blocks]:
    """For each iteration its units, in blocks (n_stim, n_units_of_block) of float as stored.

    Parameters
    ----------
    iter_axis : {None, 'channel', 'row_col'}
        One table of all units, one per channel (over positions), or one per position (over
        channels). Only tables of a whole layer come in several blocks.
    """
    choice('iter_axis', iter_axis, ITER_AXES)
    yield from {None: _whole, 'channel': _channels, 'row_col': _positions}[iter_axis](activ, layer, n_bytes)


def one_table(activ: Activation, layer: str, iter_axis: str | None, iteration: int) -> Blocks:
    """The table of one iteration (from 0), reading no other."""
    if iter_axis is None:
        return next(_whole(activ, layer, N_BYTES))
    source = activ._source(layer)
    if iter_axis == 'channel':
        block = source[:, iteration:iteration + 1]
    else:
        place = np.unravel_index(iteration, source.shape[2:])
        block = source[(slice(None), slice(None), *(slice(i, i + 1) for i in place))]
    return iter([block.reshape(len(block), -1)])


def side_by_side(first: Iterable[np.ndarray], second: Iterable[np.ndarray],
                 layer: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of two activations of a layer, cut at the same units."""
    first, second = iter(first), iter(second)
    a = b = np.empty((0, 0))
    while True:
        a = a if a.shape[1] else next(first, None)
        b = b if b.shape[1] else next(second, None)
        if a is None and b is None:
            return
        if a is None or b is None:
            raise BadValue(f'layer {layer!r} has another number of units in the new activations than in those of '
                           'the training; take the same network, layer and mask')
        n = min(a.shape[1], b.shape[1])
        yield a[:, :n], b[:, :n]
        a, b = a[:, n:], b[:, n:]


def _whole(activ: Activation, layer: str, n_bytes: int) -> Iterator[Blocks]:
    yield (block for _, block in activ.blocks(layer, 'unit', n_bytes))


def _channels(activ: Activation, layer: str, n_bytes: int) -> Iterator[Blocks]:
    n, _, *rest = activ.shape(layer)
    per_channel, waiting = math.prod(rest), []
    for _, block in activ.blocks(layer, 'unit', n_bytes):
        if block.shape[1] >= per_channel:                              # whole channels
            for start in range(0, block.shape[1], per_channel):
                yield iter([block[:, start:start + per_channel]])
            continue
        waiting.append(block)                                          # rows of one channel
        if sum(part.shape[1] for part in waiting) == per_channel:
            yield iter([np.concatenate(waiting, axis=1)])
            waiting = []


def _positions(activ: Activation, layer: str, n_bytes: int) -> Iterator[Blocks]:
    source = activ._source(layer)
    n, n_chn, n_row, *rest = source.shape
    line = n * n_chn * math.prod(rest) * source.dtype.itemsize
    step = max(1, 4 * n_bytes // max(1, line))                         # each reading goes through the file
    for start in range(0, n_row, step):
        lines = source[:, :, start:start + step].reshape(n, n_chn, -1)
        for position in range(lines.shape[2]):
            yield iter([lines[:, :, position]])
