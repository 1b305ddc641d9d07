"""Principal components of layers that may be larger than memory, exact.

What is decomposed is the smaller of two matrices, gathered block by block: inner products of stimuli
(n_stim, n_stim) or covariances of units (n_unit, n_unit).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dnnbrain._checks import BadValue
from dnnbrain.activation.blocks import stim_blocks, unit_blocks
from dnnbrain.activation.products import centred, finite, inner_products
from dnnbrain.activation.unit_sets import N_BYTES, set_shape, set_spans, unit_sets

MOST = 30_000                   # rows of a matrix of 7 GB, which takes hours to decompose
_BUDGET = 2 ** 27               # bytes of tables or covariances decomposed at once


def principal_scores(source, layer: str, n_feat: int | float, axis: str | None) -> Iterator[np.ndarray]:
    """Scores (n, n_set, n_feat) of each set of units, stimuli in blocks.

    Parameters
    ----------
    source : ndarray or DiskLayer of shape (n_stim, n_chn, n_row, n_col)
    layer : str
        Its name, for sentences.
    n_feat : int, or float between 0 and 1
        Number of components, or the share of variance they explain at least. Where sets need
        different numbers for that, scores beyond are NaN.
    axis : {None, 'chn', 'row_col'}
        Sets as in `unit_sets`.
    """
    n_set, n_unit = set_shape(source.shape, axis)
    if n_set == 1 and n_unit > source.shape[0]:
        yield _scores_by_stimuli(source, layer, n_feat)[:, None, :]
        return
    fits = [_fit(source, span, layer, n_feat, axis) for span in set_spans(source, axis, _BUDGET)]
    n_most = max(directions.shape[2] for _, directions in fits)
    mean = np.concatenate([mean for mean, _ in fits])
    directions = np.concatenate([np.pad(found, ((0, 0), (0, 0), (0, n_most - found.shape[2])), constant_values=np.nan)
                                 for _, found in fits])
    for _, block in stim_blocks(source, N_BYTES):
        yield ((unit_sets(block, axis) - mean).transpose(1, 0, 2) @ directions).transpose(1, 0, 2)


def check_components(shape: tuple[int, ...], layer: str, n_feat, axis: str | None) -> None:
    """Refuse what a layer of this shape cannot give."""
    n_stim, n_unit = shape[0], set_shape(shape, axis)[1]
    fraction = isinstance(n_feat, float | np.floating)
    most = min(n_stim, n_unit)
    where = {None: '', 'chn': ' at each position', 'row_col': ' in each channel'}[axis]
    if n_stim < 2:
        raise BadValue(f'principal components need at least 2 stimuli, not {n_stim}')
    if fraction and not 0 < n_feat < 1 or not fraction and n_feat > most:
        raise BadValue(f'n_feat {n_feat} is out of range for pca of layer {layer!r}, {n_stim} stimuli and {n_unit} '
                       f'units{where}; give 1 to {most} components, or a fraction of variance below 1')
    if most > MOST:
        raise BadValue(f'pca of layer {layer!r} needs a matrix of {most} x {most} numbers{where}, and {MOST} are '
                       'feasible; mask or pool the layer first, learn components from fewer stimuli '
                       '(dnnbrain.activation.basis), or take srp')


def _scores_by_stimuli(source, layer: str, n_feat) -> np.ndarray:
    """(n_stim, n_feat) from inner products; a second reading finds the signs."""
    K, _ = inner_products((block for _, block in unit_blocks(source, N_BYTES)), layer)
    values, vectors = _leading(K, n_feat)
    n_kept = _count(values[None], n_feat)[0]
    values, vectors = values[:n_kept], vectors[:, :n_kept]
    peak = np.zeros(len(values))
    for _, block in unit_blocks(source, N_BYTES):
        peak = _larger(peak, centred(block).T @ vectors, axis=0)
    return vectors * np.where(peak < 0, -1, 1) * np.sqrt(values)


def _leading(K: np.ndarray, n_feat) -> tuple[np.ndarray, np.ndarray]:
    """The largest eigenvalues and their vectors, all for a share; 0 where only rounding is left."""
    from scipy import linalg
    n = len(K)
    part = None if isinstance(n_feat, float) else [n - n_feat, n - 1]
    values, vectors = linalg.eigh(K, subset_by_index=part)
    return _cleaned(values[::-1], n), vectors[:, ::-1]


def _fit(source, span: tuple[slice, ...], layer: str, n_feat, axis: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Means (n_set, n_unit) and directions (n_set, n_unit, n_feat) of the sets in a span."""
    n_stim, (n_set, n_unit) = source.shape[0], set_shape(source.shape, axis)
    if n_unit <= n_stim:
        mean, products = _covariances(source, span, layer, axis)
        if n_set == 1:
            values, vectors = (found[None] for found in _leading(products[0], n_feat))
        else:
            values, vectors = _all(products)
    else:
        table = unit_sets(finite(source[(slice(None), *span)], layer), axis)
        mean, table = table.mean(axis=0, dtype=np.float64), centred(table).transpose(1, 0, 2)
        values, vectors = _all(table @ table.transpose(0, 2, 1))
        vectors = table.transpose(0, 2, 1) @ vectors / np.sqrt(np.where(values > 0, values, np.inf))[:, None, :]
    counts = _count(values, n_feat)
    vectors = vectors[:, :, :counts.max()] * (values[:, None, :counts.max()] > 0)
    peak = _larger(np.zeros((len(vectors), vectors.shape[2])), vectors, axis=1)
    vectors *= np.where(peak < 0, -1, 1)[:, None, :]
    beyond = np.arange(vectors.shape[2]) >= counts[:, None]
    return mean, np.where(beyond[:, None, :], np.nan, vectors)          # NaN in the direction, NaN in the scores


def _covariances(source, span: tuple[slice, ...], layer: str, axis: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Means (n_set, n_unit) and centred products (n_set, n_unit, n_unit), in one reading.

    Deviations are taken from the mean of the first block, near enough to the mean of all that
    nothing is lost by the difference.
    """
    shift, total, products = None, 0.0, 0.0
    for _, block in stim_blocks(source, N_BYTES, span):
        table = unit_sets(finite(block, layer), axis)
        shift = table.mean(axis=0, dtype=np.float64) if shift is None else shift
        table = (table - shift).transpose(1, 0, 2)
        total = total + table.sum(axis=1)
        products = products + table.transpose(0, 2, 1) @ table
    n = source.shape[0]
    products -= total[:, :, None] * total[:, None, :] / n
    mean = shift + total / n
    flat = np.einsum('kii->ki', products) <= n * np.square(1e-12 * mean)
    products[flat[:, :, None] | flat[:, None, :]] = 0
    return mean, products


def _all(products: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues (n_set, n) and vectors (n_set, n, n) of many matrices, largest first."""
    values, vectors = np.linalg.eigh(products)
    return _cleaned(values[:, ::-1], products.shape[1]), vectors[:, :, ::-1]


def _cleaned(values: np.ndarray, n: int) -> np.ndarray:
    return np.where(values > values[..., :1] * n * np.finfo(np.float64).eps, values, 0.0)


def _count(values: np.ndarray, n_feat) -> np.ndarray:
    """Components of each set (n_set,): the number itself, or the fewest that explain more than a share."""
    if not isinstance(n_feat, float):
        return np.full(len(values), n_feat)
    total = values.sum(axis=1, keepdims=True)
    share = np.cumsum(values, axis=1) / np.where(total > 0, total, 1)
    return np.where(total[:, 0] > 0, (share <= n_feat).sum(axis=1) + 1, 1).clip(1, values.shape[1])


def _larger(peak: np.ndarray, weights: np.ndarray, axis: int) -> np.ndarray:
    """Of each component the weight of largest size so far."""
    at = np.abs(weights).argmax(axis=axis, keepdims=True)
    found = np.take_along_axis(weights, at, axis=axis).squeeze(axis)
    return np.where(np.abs(found) > np.abs(peak), found, peak)
