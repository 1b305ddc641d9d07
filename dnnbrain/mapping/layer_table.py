"""The activations of a layer in memory, for estimators that need the units themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from dnnbrain._checks import BadValue
from dnnbrain.mapping.kernel import designed, finite, spread, standardised


@dataclass(frozen=True)
class LayerTable:
    """Rows to fit x units; the counterpart of `LayerKernels`.

    Attributes
    ----------
    X : ndarray of shape (n_row, n_unit), float64
    standardise : bool
        Over the training rows of each fold.
    """

    X: np.ndarray
    standardise: bool = False

    def split(self, k: int | None, train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n_train, n_unit) and (n_test, n_unit) of fold k; None is the fit on all rows."""
        if not self.standardise:
            return self.X[train], self.X[test]
        mean, scale = spread(self.X[train])
        return standardised(self.X[train], mean, scale), standardised(self.X[test], mean, scale)

    @property
    def mean(self) -> np.ndarray | None:
        """What the fit on all rows subtracts; None is nothing."""
        return spread(self.X)[0] if self.standardise else None

    @property
    def scale(self) -> np.ndarray | None:
        return spread(self.X)[1] if self.standardise else None


def gather_table(blocks: Iterable[np.ndarray], layer: str, shape: tuple[int, int], max_bytes: int,
                 design: np.ndarray | None = None, standardise: bool = False) -> LayerTable:
    """A layer in memory, refused before it is read if it is too large.

    Parameters
    ----------
    shape : (n_row, n_unit)
    max_bytes : int

    Raises
    ------
    BadValue
        rows x units take more than `max_bytes`.
    """
    need = 8 * shape[0] * shape[1]
    if need > max_bytes:
        raise BadValue(f'layer {layer!r} with {shape[0]} rows x {shape[1]} units needs {need / 2 ** 30:.2g} GB in '
                       f'memory for this estimator, more than max_bytes ({max_bytes / 2 ** 30:.2g} GB); mask, pool or '
                       "reduce the layer, raise max_bytes, or take 'ridge', 'glm' or 'pls', which stream it")
    X = np.empty(shape)
    start = 0
    for block in blocks:
        X[:, start:start + block.shape[1]] = designed(finite(block, layer), design)
        start += block.shape[1]
    return LayerTable(X, standardise)
