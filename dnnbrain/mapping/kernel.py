"""The linear kernel of a layer, ``K = X X'`` (n_stim, n_stim), streamed from disk.

The mean of each unit over all stimuli is subtracted before the product. Every use has an intercept,
so nothing changes but precision: the means of real layers are far larger than what varies.

Ridge, least squares, folds and predictions for any number of voxels need only K, so that cost and
memory depend on the number of stimuli, not on the units of a layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from dnnbrain.activation.activation import Activation
from dnnbrain.activation.products import centred, finite, inner_products
from dnnbrain.mapping.tables import ITER_AXES, N_BYTES, n_iterations, side_by_side, unit_tables

__all__ = ['ITER_AXES', 'LayerKernels', 'centred', 'cross_kernel', 'gather_kernels', 'kernels', 'linear_kernel',
           'n_iterations']


def linear_kernel(activ: Activation, layer: str, n_bytes: int = N_BYTES) -> np.ndarray:
    """Inner products of the stimuli over all centred units of a layer, accumulated in float64.

    Parameters
    ----------
    n_bytes : int
        Size of the blocks of units that are read.

    Returns
    -------
    K : ndarray of shape (n_stim, n_stim)

    Raises
    ------
    BadValue
        The layer holds NaN or infinite values.
    """
    return gather_kernels(next(unit_tables(activ, layer, None, n_bytes)), layer).whole


def kernels(activ: Activation, layer: str, iter_axis: str | None = None) -> Iterator[np.ndarray]:
    """One kernel for the layer, one per channel (over positions), or one per position (over channels).

    Parameters
    ----------
    iter_axis : {None, 'channel', 'row_col'}
    """
    for blocks in unit_tables(activ, layer, iter_axis):
        yield gather_kernels(blocks, layer).whole


@dataclass(frozen=True)
class LayerKernels:
    """Kernels of the rows to fit: one, or with standardised units one more per training fold.

    Attributes
    ----------
    whole : ndarray of shape (n_row, n_row)
    folds : list of ndarray of shape (n_row, n_row), or None
        Units standardised by the mean and deviation of the training rows of each fold.
    mean : ndarray of shape (n_unit,)
        What `whole` subtracts.
    scale : ndarray of shape (n_unit,), or None
        What `whole` divides by.
    """

    whole: np.ndarray
    folds: list[np.ndarray] | None
    mean: np.ndarray
    scale: np.ndarray | None = None

    def split(self, k: int | None, train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n_train, n_train) and (n_test, n_train) of fold k; None is the fit on all rows."""
        K = self.whole if k is None or self.folds is None else self.folds[k]
        return K[np.ix_(train, train)], K[np.ix_(test, train)]


def gather_kernels(blocks: Iterable[np.ndarray], layer: str, design: np.ndarray | None = None,
                   trains: list[np.ndarray] | None = None) -> LayerKernels:
    """All kernels a mapping needs, in one pass over the units.

    Parameters
    ----------
    blocks : iterable of ndarray of shape (n_stim, n_units_of_block)
    design : ndarray of int of shape (n_row,) or of float of shape (n_row, n_stim), optional
        Which stimulus each row shows, or a matrix H (`hrf_matrix`) that makes rows of stimuli; the
        kernel is then ``H K H'``.
    trains : list of ndarray of int, optional
        Standardise the units by these training rows, one kernel each, and by all rows for `whole`.
    """
    if trains is not None:
        return _standardised(blocks, layer, design, trains)
    if design is not None and design.ndim == 2:
        return _mixed(blocks, layer, design)
    gathered = _plain(blocks, layer)
    return gathered if design is None else LayerKernels(gathered.whole[np.ix_(design, design)], None, gathered.mean)


def cross_kernel(new: Iterable[np.ndarray], train: Iterable[np.ndarray], layer: str, mean: np.ndarray,
                 scale: np.ndarray | None = None, design: np.ndarray | None = None) -> np.ndarray:
    """Inner products of new stimuli with training rows, under the means and scales of the training.

    Parameters
    ----------
    new, train : iterable of ndarray of shape (n_stim, n_units_of_block)
        `unit_tables` of two activations of a layer; their blocks may be cut differently.
    mean, scale : ndarray of shape (n_unit,)
        Of `LayerKernels`.
    design : ndarray, optional
        As in `gather_kernels`, of the training rows.

    Returns
    -------
    K : ndarray of shape (n_new, n_row)
    """
    kernel, start = 0.0, 0
    for ours, theirs in side_by_side(new, train, layer):
        units = slice(start, start + ours.shape[1])
        start = units.stop
        spread = None if scale is None else scale[units]
        kernel = kernel + standardised(finite(ours, layer), mean[units], spread) @ \
            training_units(theirs, layer, mean[units], spread, design).T
    return kernel


def training_units(block: np.ndarray, layer: str, mean: np.ndarray, scale: np.ndarray | None,
                   design: np.ndarray | None) -> np.ndarray:
    """A block of training units as its kernel saw it, (n_row, n_unit); 0 where a unit is constant."""
    return _without_constants(standardised(designed(finite(block, layer), design), mean, scale), mean, scale)


def standardised(X: np.ndarray, mean: np.ndarray, scale: np.ndarray | None) -> np.ndarray:
    """Columns without `mean`, over `scale` if there is one, float64."""
    X = X.astype(np.float64) - mean
    if scale is not None:
        X /= scale
    return X


def spread(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the columns; 1 for constant ones, as scikit-learn has it."""
    mean = X.mean(axis=0)
    deviation = X - mean
    flat = np.abs(deviation).max(axis=0, initial=0) <= 1e-12 * np.abs(mean)
    return mean, np.where(flat, 1.0, np.sqrt(np.square(deviation).mean(axis=0)))


def designed(X: np.ndarray, design: np.ndarray | None) -> np.ndarray:
    """Rows (n_row, n_unit) of stimuli (n_stim, n_unit): picked, or mixed by a matrix."""
    if design is None:
        return X
    return X[design] if design.ndim == 1 else design @ X.astype(np.float64)


def _plain(blocks: Iterable[np.ndarray], layer: str) -> LayerKernels:
    kernel, mean = inner_products(blocks, layer)
    return LayerKernels(kernel, None, mean)


def _mixed(blocks: Iterable[np.ndarray], layer: str, H: np.ndarray) -> LayerKernels:
    """``H K H'`` without the mean of the rows, from units centred over stimuli: ``X = Xc + 1 m'``."""
    kernel, lean, size, means = 0.0, 0.0, 0.0, []
    for block in blocks:
        mean = finite(block, layer).mean(axis=0, dtype=np.float64)
        units = centred(block)
        kernel, lean, size = kernel + units @ units.T, lean + units @ mean, size + mean @ mean
        means.append(H.mean(axis=0) @ units + H.sum(axis=1).mean() * mean)
    H = H - H.mean(axis=0)
    of_mean = H.sum(axis=1)
    cross = np.outer(H @ lean, of_mean)
    return LayerKernels(H @ kernel @ H.T + cross + cross.T + size * np.outer(of_mean, of_mean), None,
                        np.concatenate(means))


def _standardised(blocks: Iterable[np.ndarray], layer: str, design: np.ndarray | None,
                  trains: list[np.ndarray]) -> LayerKernels:
    sums, means, scales = [0.0] * (len(trains) + 1), [], []
    for block in blocks:
        X = designed(finite(block, layer).astype(np.float64), design)
        for k, train in enumerate([*trains, slice(None)]):
            mean, scale = spread(X[train])
            units = _without_constants(standardised(X, mean, scale), mean, scale, train)
            sums[k] = sums[k] + units @ units.T
        means.append(mean)
        scales.append(scale)
    return LayerKernels(sums[-1], sums[:-1], np.concatenate(means), np.concatenate(scales))


def _without_constants(units: np.ndarray, mean: np.ndarray, scale: np.ndarray | None,
                       train=slice(None)) -> np.ndarray:
    """0 wherever a unit never varied in training, and so predicts nothing."""
    size = np.abs(mean) if scale is None else np.abs(mean / scale)
    units[:, np.abs(units[train]).max(axis=0, initial=0) <= 1e-12 * size] = 0
    return units
