"""How much units prefer one category of stimuli, and how few stimuli drive them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import pandas as pd

from dnnbrain._checks import BadType, BadValue, choice
from dnnbrain.activation.activation import Activation
from dnnbrain.activation.blocks import unit_blocks
from dnnbrain.activation.pool import POOLINGS, pool_maps
from dnnbrain.activation.products import centred, finite
from dnnbrain.interpret.preference.units import unit_columns
from dnnbrain.mapping.conditions import category_column, values_of

_BYTES = 2 ** 24            # of a block; what is made of it takes a few times that


def selectivity(activ, categories, category=None, *, column: str | None = None, metric: str = 'max',
                unit: bool = False) -> pd.DataFrame:
    """Best category, category selectivity index, d' and sparseness of each channel.

    Parameters
    ----------
    activ : Activation or the name of a ``.act.h5``
        Read in blocks.
    categories : Stimulus, or sequence of shape (n_stim,)
        A table is joined by stimID.
    category : optional
        The category that index and d' are of. By default the best of each channel; one per row of the table gives each
        its own.
    column : str, optional
        Of the table; 'label', else 'condition', by default.
    metric : {'max', 'mean', 'median', 'L1', 'L2'}
        What is made of the map of a channel.
    unit : bool
        Every unit by itself, not the map of a channel.

    Returns
    -------
    table : DataFrame
        A row per channel: layer, channel (its number in the network), with `unit` also row and column; then

        best
            The category with the largest mean, the first of equals.
        category
            The one that follows.
        index
            ``(m - r) / (|m| + |r|)`` of its mean m and the mean r of the means of all other categories; from -1 to 1
            (Morcos et al. 2018, arXiv:1803.06959, for responses that are not negative).
        d_prime
            (m - r) / sqrt((s^2 + t^2) / 2) of means m, r and variances s^2, t^2 (with n - 1) of stimuli in the
            category and of all others: the sensitivity of signal detection (Green and Swets 1966) with the root mean
            square of both deviations.
        sparseness
            (1 - a) / (1 - 1 / n) with a = (sum x / n)^2 / (sum x^2 / n) over the n stimuli (Rolls and Tovee 1995,
            doi 10.1152/jn.1995.73.2.713; Vinje and Gallant 2000, doi 10.1126/science.287.5456.1273): 0 where all
            drive it alike, 1 where one does. What is below 0 counts as 0, as if behind a ReLU.

        NaN where a number is not defined: a unit that never answers, d' of a category with one stimulus.

    Notes
    -----
    The best category of a unit, chosen and measured on the same stimuli, has an index and a d' above 0 by chance alone.
    To measure it without that bias, choose on some stimuli and measure on others:
    ``selectivity(activ[second], categories[second], selectivity(activ[first], categories[first])['best'])``.
    """
    choice('metric', metric, POOLINGS)
    if isinstance(activ, str | os.PathLike):
        activ, fname = Activation(), activ
        activ.load(fname)
    if not isinstance(activ, Activation):
        raise BadType(f'activ must be an Activation or the name of its .act.h5, not {type(activ).__name__}')
    names, of = np.unique(_categories(activ, categories, column), return_inverse=True)
    if len(names) < 2:
        raise BadValue(f'selectivity needs two categories or more, and all stimuli are of {names[0].item()!r}')
    wanted, done, tables = _wanted(category, names), 0, []
    for layer in activ.layers:
        columns = unit_columns(layer, activ.shape(layer)[1:], activ.meta.get('dmask', {}).get(layer, {}), unit)
        n_unit = len(columns['layer'])
        if wanted is not None and wanted.size > 1 and wanted.size < done + n_unit:
            raise BadValue(f'category has {wanted.size} entries, too few for the rows of the table')
        chosen = None if wanted is None else np.broadcast_to(wanted, n_unit) if wanted.size == 1 else \
            wanted[done:done + n_unit]
        found = [_measured(block, of, None if chosen is None else chosen[units])
                 for units, block in _blocks(activ, layer, metric, unit)]
        best, chosen, *numbers = (np.concatenate(parts) for parts in zip(*found, strict=True))
        tables.append(pd.DataFrame(columns | {'best': names[best], 'category': names[chosen]}
                                   | dict(zip(('index', 'd_prime', 'sparseness'), numbers, strict=True))))
        done += n_unit
    if wanted is not None and wanted.size not in (1, done):
        raise BadValue(f'category has {wanted.size} entries for {done} rows; give one, or one per row of the table')
    return pd.concat(tables, ignore_index=True)


def sparseness(X: np.ndarray) -> np.ndarray:
    """Lifetime sparseness (n_unit,) of responses (n_stim, n_unit), as `selectivity` defines it."""
    X = np.maximum(X, 0, dtype=np.float64)
    n, most = len(X), X.max(axis=0)
    X = X / np.where(most > 0, most, 1)                                 # no square over- or underflows
    with np.errstate(invalid='ignore', divide='ignore'):
        return (1 - X.mean(axis=0) ** 2 / np.square(X).mean(axis=0)) / (1 - 1 / n)


def _measured(X: np.ndarray, of: np.ndarray, chosen: np.ndarray | None) -> tuple[np.ndarray, ...]:
    """Best and chosen category, index, d' and sparseness of units (n_stim, n_unit)."""
    order, counts = np.argsort(of, kind='stable'), np.bincount(of)
    starts, counts = np.cumsum(counts) - counts, counts[:, None].astype(float)
    middle = X.mean(axis=0, dtype=np.float64)
    deviations = centred(X)[order]                                      # from the mean, so that squares keep digits
    sums = np.add.reduceat(deviations, starts)
    squares = np.add.reduceat(np.square(deviations), starts)
    means = sums / counts
    best = means.argmax(axis=0)
    chosen = best if chosen is None else chosen
    n, total, square, mean = (np.take_along_axis(np.broadcast_to(table, means.shape), chosen[None], 0)[0]
                              for table in (counts, sums, squares, means))
    m, r = mean + middle, (means.sum(axis=0) - mean) / (len(means) - 1) + middle
    rest, others = len(X) - n, sums.sum(axis=0) - total
    with np.errstate(invalid='ignore', divide='ignore'):
        variance = (square - total ** 2 / n) / (n - 1)
        other = (squares.sum(axis=0) - square - others ** 2 / rest) / (rest - 1)
        d_prime = (mean - others / rest) / np.sqrt((_known(variance, square) + _known(other, squares.sum(axis=0))) / 2)
        return best, chosen, (m - r) / (np.abs(m) + np.abs(r)), d_prime, sparseness(X)


def _known(variance: np.ndarray, square: np.ndarray) -> np.ndarray:
    """Variances without what rounding leaves where there is none."""
    return np.where(variance > 1e-14 * square, variance, np.where(np.isnan(variance), np.nan, 0))


def _blocks(activ: Activation, layer: str, metric: str, unit: bool) -> Iterator[tuple[slice, np.ndarray]]:
    """(units, (n_stim, n_unit)): of single units from the file, of channels from their pooled maps."""
    if unit:
        for units, block in activ.blocks(layer, 'unit', _BYTES):
            yield units, finite(block, layer)
        return
    maps = np.concatenate([pool_maps(finite(block, layer), metric) for _, block in activ.blocks(layer)])
    yield from unit_blocks(maps, _BYTES)


def _categories(activ: Activation, categories, column: str | None) -> np.ndarray:
    if hasattr(categories, 'items') and hasattr(categories, 'get'):
        values = values_of(categories, category_column(categories, column), activ.stim_ids)
    elif column is not None:
        raise BadValue('column names a column of a stimulus table; categories has none')
    else:
        values = np.asarray(categories)
    if values.shape != (len(activ),):
        raise BadValue(f'categories must be one per stimulus, ({len(activ)},), not {values.shape}')
    if (without := int(pd.isna(values).sum())):
        raise BadValue(f'{without} stimuli have no category (NaN); leave them out of activ and categories')
    return values


def _wanted(category, names: np.ndarray) -> np.ndarray | None:
    """Numbers (from 0) of the categories asked for."""
    if category is None:
        return None
    asked = np.array(np.atleast_1d(np.asarray(category)).tolist())          # a column of a table holds objects
    for name in np.unique(asked).tolist():
        choice('category', name, names.tolist(), owner='the categories')
    return np.searchsorted(names, asked)
