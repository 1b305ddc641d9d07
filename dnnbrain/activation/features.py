"""Features of layers: principal components, histograms, power spectra, random projections.

A layer is read in blocks and never held whole, so that it may be larger than memory.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dnnbrain._checks import BadType, BadValue, choice, whole_number
from dnnbrain.activation.blocks import stim_blocks
from dnnbrain.activation.principal import check_components, principal_scores
from dnnbrain.activation.products import finite
from dnnbrain.activation.unit_sets import AXES, N_BYTES, as_activation, set_shape, unit_sets

METHODS = ('pca', 'hist', 'psd', 'srp')
BINS = ('common', 'per_stimulus')
MOST_BINS = 2 ** 20             # of a histogram; a table of more is a slip of the keyboard


def dnn_fe(acts, method: str, n_feat: int | float, axis: str | None = None, *, bins: str = 'common',
           rng: int = 0) -> np.ndarray:
    """Features of an activation array.

    Parameters
    ----------
    acts : array_like of shape (n_stim, n_chn, n_row, n_col)
    method : {'pca', 'hist', 'psd', 'srp'}
        - 'pca': scores of the first principal components over these stimuli, exact; the largest weight
          of each component is positive.
        - 'hist': how many units fall into each of `n_feat` bins of equal width.
        - 'psd': the `n_feat` lowest frequencies, from 0 on, of the periodogram of the units in their
          order (SciPy's, one-sided, the mean taken out, so that the first is 0).
        - 'srp': sparse random projections, which keep distances (Li et al. 2006,
          doi 10.1145/1150402.1150436); with an axis the same directions in each set.
    n_feat : int, or for 'pca' a float between 0 and 1
        A float is the share of variance that the components explain at least. With an axis, sets of
        units may need different numbers for it: all have the largest, and what is beyond is NaN.
    axis : {None, 'chn', 'row_col'}
        What features are made of: all units, the channels at each position, the positions in each
        channel.
    bins : {'common', 'per_stimulus'}
        Of 'hist': edges from the smallest to the largest value of all stimuli (at a position, in a
        channel), or of each stimulus, as in DNNBrain 1.0, where counts of stimuli do not compare.
    rng : int
        Seed of 'srp'.

    Returns
    -------
    features : ndarray
        (n_stim, n_feat, 1, 1); with 'chn' (n_stim, n_feat, n_row, n_col); with 'row_col' (n_stim,
        n_chn, n_feat, 1). Counts are int64, others float32, or float64 where `acts` are.

    Raises
    ------
    BadValue
        More features than there can be, or NaN in the activations.
    """
    acts = np.asarray(acts)
    if acts.ndim < 4:
        raise BadValue(f'acts must have shape (n_stim, n_chn, n_row, n_col), not {acts.shape}')
    check_features({'acts': acts.shape}, method, n_feat, axis, bins)
    return np.concatenate(list(feature_blocks(acts, 'acts', method, n_feat, axis, bins, rng)))


def feature_blocks(source, layer: str, method: str, n_feat: int | float, axis: str | None = None,
                   bins: str = 'common', rng: int = 0) -> Iterator[np.ndarray]:
    """`dnn_fe` in blocks of stimuli, of a layer (ndarray or DiskLayer) that `check_features` let through."""
    n_feat = float(n_feat) if isinstance(n_feat, float | np.floating) else int(n_feat)
    blocks = {'pca': lambda: principal_scores(source, layer, n_feat, axis),
              'hist': lambda: _histograms(source, layer, n_feat, axis, bins),
              'psd': lambda: _spectra(source, layer, n_feat, axis),
              'srp': lambda: _projections(source, layer, n_feat, axis, rng)}[method]()
    kind = np.int64 if method == 'hist' else np.result_type(source.dtype, np.float32)
    for block in blocks:
        yield as_activation(block, axis, source.shape).astype(kind, copy=False)


def check_features(shapes: dict[str, tuple[int, ...]], method: str, n_feat, axis: str | None = None,
                   bins: str = 'common') -> None:
    """Refuse settings that do not fit all layers, of these shapes, before anything is read."""
    choice('method', method, METHODS)
    choice('axis', axis, AXES)
    choice('bins', bins, BINS)
    if isinstance(n_feat, bool) or not isinstance(n_feat, int | float | np.integer | np.floating):
        raise BadType(f'n_feat must be a number, not {n_feat!r}')
    if method == 'pca' and isinstance(n_feat, float | np.floating):
        if not 0 < n_feat < 1:
            raise BadValue(f'n_feat {n_feat} is neither a whole number of components, such as 10, nor a fraction of '
                           'variance between 0 and 1, such as 0.9')
    elif not isinstance(n_feat, int | np.integer) or n_feat < 1:
        raise BadValue(f'n_feat must be a whole number from 1 on for {method}, not {n_feat!r}')
    for layer, shape in shapes.items():
        if not shape[0]:
            raise BadValue(f'layer {layer!r} has no stimuli to make features of')
        if method == 'pca':
            check_components(shape, layer, n_feat, axis)
        elif method == 'hist' and n_feat > MOST_BINS:
            raise BadValue(f'n_feat {n_feat} is out of range for hist; give 1 to {MOST_BINS} bins')
        elif method != 'hist':
            _check_number(set_shape(shape, axis)[1], layer, method, n_feat)


def _check_number(n_unit: int, layer: str, method: str, n_feat: int) -> None:
    most, what = {'psd': (n_unit // 2 + 1, 'frequencies'),
                  'srp': (n_unit - 1, 'projections that are fewer than the units')}[method]
    if n_feat > most:
        raise BadValue(f'n_feat {n_feat} is out of range for {method} of layer {layer!r}: {n_unit} units have {most} '
                       f'{what}')


def _tables(source, layer: str, axis: str | None) -> Iterator[np.ndarray]:
    for _, block in stim_blocks(source, N_BYTES):
        yield unit_sets(finite(block, layer), axis)


def _spectra(source, layer: str, n_feat: int, axis: str | None) -> Iterator[np.ndarray]:
    from scipy.signal import periodogram
    for table in _tables(source, layer, axis):
        yield periodogram(table.astype(np.float64), axis=2)[1][:, :, :n_feat]


def _projections(source, layer: str, n_feat: int, axis: str | None, rng: int) -> Iterator[np.ndarray]:
    from dnnbrain.activation.basis import random_directions
    rng, n_unit = whole_number(rng, 'rng'), set_shape(source.shape, axis)[1]
    directions = random_directions(layer, (n_unit,), n_feat, rng).components
    kind = np.result_type(source.dtype, np.float32)
    for table in _tables(source, layer, axis):
        n, n_set, _ = table.shape
        flat = table.reshape(-1, n_unit).astype(kind, copy=False)
        yield (directions.astype(kind) @ flat.T).T.reshape(n, n_set, n_feat)


def _histograms(source, layer: str, n_feat: int, axis: str | None, bins: str) -> Iterator[np.ndarray]:
    low = high = None
    if bins == 'common':
        ends = [(table.min(axis=(0, 2)), table.max(axis=(0, 2))) for table in _tables(source, layer, axis)]
        low, high = np.min([first for first, _ in ends], axis=0), np.max([last for _, last in ends], axis=0)
    for table in _tables(source, layer, axis):
        table = table.astype(np.float64)
        if bins == 'per_stimulus':
            low, high = table.min(axis=2), table.max(axis=2)
        yield _counts(table, low, high, n_feat)


def _counts(table: np.ndarray, low: np.ndarray, high: np.ndarray, n_bin: int) -> np.ndarray:
    """Counts (n, n_set, n_bin) of units (n, n_set, n_unit) between `low` and `high`, as `numpy.histogram` has them."""
    n, n_set, _ = table.shape
    low, high = (np.broadcast_to(ends, (n, n_set)).astype(np.float64) for ends in (low, high))
    flat = 0.5 * (low == high)
    edges = np.linspace(low - flat, high + flat, n_bin + 1, axis=-1)
    place = ((table - edges[..., :1]) / (edges[..., -1:] - edges[..., :1]) * n_bin).astype(np.intp).clip(0, n_bin - 1)
    place -= table < np.take_along_axis(edges, place, axis=2)           # rounding put it beyond an edge
    place += (table >= np.take_along_axis(edges, place + 1, axis=2)) & (place < n_bin - 1)
    row = np.arange(n * n_set).reshape(n, n_set, 1)
    return np.bincount((row * n_bin + place).ravel(), minlength=n * n_set * n_bin).reshape(n, n_set, n_bin)
