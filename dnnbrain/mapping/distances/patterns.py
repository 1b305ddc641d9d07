"""Patterns of items over units that can be read again, block by block, and never need to fit in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
from scipy.sparse import csr_array

from dnnbrain._checks import BadValue
from dnnbrain.activation.activation import Activation
from dnnbrain.mapping.kernel import spread
from dnnbrain.mapping.tables import N_BYTES, unit_tables

_CACHE_BYTES = 2 ** 22          # blocks of this size stay in the cache of a processor between two steps


@dataclass(frozen=True)
class Patterns:
    """A table (n_item, n_unit) in blocks of units.

    Attributes
    ----------
    read : callable
        Starts anew at each call: blocks (n_item, n_units_of_block) from the first unit to the last.
    name : str
        What error sentences call it, such as "layer 'conv5'".
    n_item, n_unit : int
    """

    read: Callable[[], Iterable[np.ndarray]]
    name: str
    n_item: int
    n_unit: int

    def blocks(self) -> Iterator[np.ndarray]:
        """Blocks (n_item, n_unit) of float64, which the caller may change in place."""
        reader = iter(self.read())
        while (block := next(reader, None)) is not None:
            step = max(512, _CACHE_BYTES // (8 * max(1, len(block))))
            for start in range(0, block.shape[1], step):
                yield self._finite(block[:, start:start + step]).astype(np.float64)
            del block                                # before the next is read: it may be half a gigabyte

    def _finite(self, block: np.ndarray) -> np.ndarray:
        bad = ~np.isfinite(block).all(axis=1)
        if bad.any():
            raise BadValue(f'{self.name} holds NaN or infinite values in {bad.sum()} rows; leave these rows or units '
                           'out')
        return block

    def table(self) -> np.ndarray:
        """All of it, (n_item, n_unit) of float64."""
        return np.concatenate(list(self.blocks()), axis=1)

    def standardised(self) -> Patterns:
        """Each unit over its deviation, without its mean; 0 where it is constant."""
        return Patterns(lambda: map(_standardised, self.blocks()), self.name, self.n_item, self.n_unit)

    def averaged(self, groups: np.ndarray) -> Patterns:
        """The mean pattern of each group, in the order of their numbers.

        Parameters
        ----------
        groups : ndarray of int of shape (n_item,)
            Numbers from 0, each of which occurs.
        """
        matrix = averaging(groups)
        return Patterns(lambda: (matrix @ block for block in self.blocks()), self.name, matrix.shape[0], self.n_unit)


def of_table(X: np.ndarray, name: str) -> Patterns:
    """Patterns in memory, (n_item, n_unit)."""
    return Patterns(lambda: iter([X]), name, *X.shape)


def of_layer(activ: Activation, layer: str, iter_axis: str | None) -> Iterator[Patterns]:
    """Patterns of a layer: one over all units, one per channel, or one per position."""
    n, name = activ.shape(layer)[0], f'layer {layer!r}'
    if iter_axis is None:
        yield Patterns(lambda: map(itemgetter(1), activ.blocks(layer, 'unit', N_BYTES)), name, n,
                       math.prod(activ.shape(layer)[1:]))
        return
    for blocks in unit_tables(activ, layer, iter_axis):
        yield of_table(np.concatenate(list(blocks), axis=1), name)


def averaging(groups: np.ndarray, chosen: np.ndarray | None = None) -> csr_array:
    """The matrix (n_group, n_item) that makes means of groups from rows, all or those chosen; zeros for empty ones."""
    rows = np.arange(len(groups)) if chosen is None else np.flatnonzero(chosen)
    count = np.bincount(groups[rows], minlength=groups.max() + 1)
    return csr_array((1 / count[groups[rows]], (groups[rows], rows)), shape=(len(count), len(groups)))


def _standardised(block: np.ndarray) -> np.ndarray:
    mean, scale = spread(block)
    flat = np.abs(block - mean).max(axis=0, initial=0) <= 1e-12 * np.abs(mean)
    block = (block - mean) / scale
    block[:, flat] = 0
    return block
