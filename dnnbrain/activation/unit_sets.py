"""The sets of units that features are made of: the whole layer, each position, or each channel."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

AXES = (None, 'chn', 'row_col')
N_BYTES = 2 ** 24               # of the blocks read; what is made of them takes several times that


def unit_sets(block: np.ndarray, axis: str | None) -> np.ndarray:
    """A table (n_stim, n_set, n_unit) of activations (n_stim, n_chn, n_row, n_col).

    Parameters
    ----------
    axis : {None, 'chn', 'row_col'}
        One set of all units, one per position of its channels, or one per channel of its positions.
    """
    n, n_chn = block.shape[:2]
    return {None: lambda: block.reshape(n, 1, -1),
            'chn': lambda: block.reshape(n, n_chn, -1).transpose(0, 2, 1),
            'row_col': lambda: block.reshape(n, n_chn, -1)}[axis]()


def as_activation(features: np.ndarray, axis: str | None, shape: tuple[int, ...]) -> np.ndarray:
    """Features (n, n_set, n_feat) in the shape of an activation, of a layer of this shape."""
    n, _, n_feat = features.shape
    return {None: lambda: features.reshape(n, n_feat, 1, 1),
            'chn': lambda: features.transpose(0, 2, 1).reshape(n, n_feat, *shape[2:]),
            'row_col': lambda: features[..., None]}[axis]()


def set_shape(shape: tuple[int, ...], axis: str | None) -> tuple[int, int]:
    """Number of sets, and of units in each."""
    n_chn, n_place = shape[1], math.prod(shape[2:])
    return {None: (1, n_chn * n_place), 'chn': (n_place, n_chn), 'row_col': (n_chn, n_place)}[axis]


def set_spans(source, axis: str | None, n_bytes: int) -> Iterator[tuple[slice, ...]]:
    """Parts of a layer, in slices of channels, rows, ..., that hold some sets whole.

    As many sets at once as keep the smaller of their tables (n_stim, n_unit) and products
    (n_unit, n_unit) below `n_bytes` of float64, but at least one.
    """
    n_unit = set_shape(source.shape, axis)[1]
    most = max(1, n_bytes // (8 * n_unit * min(n_unit, source.shape[0])))
    if axis is None:
        yield ()
    elif axis == 'row_col':
        for start in range(0, source.shape[1], most):
            yield (slice(start, start + most),)
    else:
        n_line, *rest = source.shape[2:]
        per_line = math.prod(rest)
        if most >= per_line:
            for start in range(0, n_line, most // per_line):
                yield slice(None), slice(start, start + most // per_line)
            return
        for line in range(n_line):
            step = max(1, most // math.prod(rest[1:]))
            for start in range(0, rest[0], step):
                yield slice(None), slice(line, line + 1), slice(start, start + step)
