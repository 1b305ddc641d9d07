"""Inner products of stimuli over the units of a layer, block by block."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from dnnbrain._checks import BadValue


def inner_products(blocks: Iterable[np.ndarray], layer: str) -> tuple[np.ndarray, np.ndarray]:
    """Inner products (n_stim, n_stim) over all centred units, in float64, and the means (n_unit,) taken out.

    Parameters
    ----------
    blocks : iterable of ndarray of shape (n_stim, n_units_of_block)
    """
    kernel, means = 0.0, []
    for block in blocks:
        means.append(finite(block, layer).mean(axis=0, dtype=np.float64))
        units = centred(block)
        kernel = kernel + units @ units.T
    return kernel, np.concatenate(means)


def centred(X: np.ndarray) -> np.ndarray:
    """Columns without their mean, float64; exactly 0 where a column is constant.

    Parameters
    ----------
    X : ndarray of shape (n_stim, n_unit), or more axes of units
    """
    X = X.astype(np.float64)
    mean = X.mean(axis=0)
    X -= mean
    X[:, np.abs(X).max(axis=0, initial=0) <= 1e-12 * np.abs(mean)] = 0
    return X


def finite(block: np.ndarray, layer: str) -> np.ndarray:
    """`block` (n_stim, ...) if all of it is finite, else a sentence."""
    bad = ~np.isfinite(block).all(axis=tuple(range(1, block.ndim)))
    if bad.any():
        raise BadValue(f'layer {layer!r} holds NaN or infinite activations for {bad.sum()} stimuli')
    return block
