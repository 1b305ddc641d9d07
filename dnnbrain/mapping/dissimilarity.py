"""Dissimilarities between patterns: of a table, of the layers of a network, in bounded memory.

Euclidean, correlation and cosine distances come from one pass over the units, all others of scipy's
`pdist` from parts that add up over blocks of units; 'mahalanobis' and 'crossnobis' from repeated
measurements.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from dnnbrain._checks import BadType, BadValue, choice, n_missing
from dnnbrain.activation.activation import Activation
from dnnbrain.mapping.distances.blockwise import BLOCK_METRICS, block_distances
from dnnbrain.mapping.distances.noise import SHRINKAGES, noise_distances, repetitions
from dnnbrain.mapping.distances.patterns import Patterns, of_layer, of_table
from dnnbrain.mapping.distances.products import PRODUCT_METRICS, product_distances
from dnnbrain.mapping.rdm import RDM
from dnnbrain.mapping.tables import ITER_AXES

METRICS = (*PRODUCT_METRICS, *sorted(BLOCK_METRICS), 'crossnobis')
NOISE_METRICS = ('mahalanobis', 'crossnobis')


def dissimilarity(X, metric: str = 'euclidean', conditions=None, zscore: bool = False, runs=None, p: float = 2,
                  shrinkage: str = 'shrinkage_diag') -> np.ndarray:
    """Dissimilarities of the rows of a table, or of its conditions.

    Parameters
    ----------
    X : array_like of shape (n_item, n_unit)
    metric : str
        One of `METRICS`: those of `scipy.spatial.distance.pdist`, and 'crossnobis'.
    conditions : array_like of shape (n_item,), optional
        What each row shows: the mean pattern of each is an item, in sorted order.
    zscore : bool
        Each unit over its deviation over all rows, without its mean; before rows are averaged.
    runs : array_like of shape (n_item,), optional
        For 'crossnobis'; by default the first presentation of each condition is run 1, and so on.
    p : float
        Of 'minkowski'.
    shrinkage : {'shrinkage_diag', 'shrinkage_eye', 'diag'}
        How the covariance of the noise is estimated from repetitions, for 'crossnobis' and 'mahalanobis'.

    Returns
    -------
    distances : ndarray of shape (n_pair,)
        Pairs in row-major order of the upper triangle; NaN where a metric is not defined, such as the
        correlation with a constant pattern.

    Notes
    -----
    'mahalanobis' without repeated conditions is that of scipy, under the covariance of the items. With
    repetitions, it and 'crossnobis' are squared distances per unit under the covariance of the noise, as
    in rsatoolbox.
    """
    X = np.asarray(X)
    if X.ndim != 2 or X.dtype.kind not in 'iufb':
        raise BadValue(f'X must be numbers of shape (n_item, n_unit), not {X.dtype} of shape {X.shape}')
    if not X.shape[1]:
        raise BadValue('X has no unit (column) to compare')
    return planned(of_table(X, 'X'), checked(len(X), metric, conditions, runs, p, shrinkage), zscore)


def layer_rdms(activ: Activation, layer: str, metric: str = 'euclidean', iter_axis: str | None = None,
               conditions=None, zscore: bool = False, runs=None, p: float = 2,
               shrinkage: str = 'shrinkage_diag') -> np.ndarray:
    """Dissimilarities of the stimuli in a layer, read in blocks.

    Parameters
    ----------
    iter_axis : {None, 'channel', 'row_col'}
        Over all units together, for each channel over its positions, or for each position over its
        channels.
    metric, conditions, zscore, runs, p, shrinkage
        As in `dissimilarity`.

    Returns
    -------
    distances : ndarray of shape (n_iter, n_pair)
    """
    choice('iter_axis', iter_axis, ITER_AXES)
    plan = checked(activ.shape(layer)[0], metric, conditions, runs, p, shrinkage)
    return np.stack([planned(patterns, plan, zscore) for patterns in of_layer(activ, layer, iter_axis)])


def dnn_rdm(activ: Activation, metric: str = 'euclidean', iter_axis: str | None = None, cate=None,
            zscore: bool = False, layers: Sequence[str] | None = None, runs=None, p: float = 2,
            shrinkage: str = 'shrinkage_diag') -> RDM:
    """RDMs of the layers of a network.

    Parameters
    ----------
    cate : array_like of shape (n_stim,), optional
        Category of each stimulus: mean patterns of categories are compared, in sorted order. For
        'crossnobis' the condition that is repeated; by default stimuli with the same ID.
    layers : sequence of str, optional
        All by default.
    metric, iter_axis, zscore, runs, p, shrinkage
        As in `layer_rdms`.

    Returns
    -------
    rdm : RDM
        'dRDM'; items are stimuli or categories.

    Warns
    -----
    Dissimilarities that are not defined, such as the correlation with a constant pattern, are NaN.
    """
    if cate is None and metric == 'crossnobis':
        cate = activ.stim_ids
    layers = list(activ.layers if layers is None else layers)
    if not layers:
        raise BadValue('the activation holds no layer')
    checked(len(activ), metric, cate, runs, p, shrinkage)
    meta = {'metric': metric, 'iter_axis': iter_axis, 'zscore': bool(zscore)} | settings_of(metric, p, shrinkage)
    rdm = RDM('dRDM', activ.stim_ids if cate is None else np.unique(np.asarray(cate)), meta=meta)
    for layer in layers:
        rdm.set(layer, layer_rdms(activ, layer, metric, iter_axis, cate, zscore, runs, p, shrinkage), triu=True)
    warn_undefined(rdm)
    return rdm


def settings_of(metric: str, p: float, shrinkage: str) -> dict:
    """What else a metric depends on."""
    return {'minkowski': {'p': p}, 'crossnobis': {'shrinkage': shrinkage},
            'mahalanobis': {'shrinkage': shrinkage}}.get(metric, {})


def warn_undefined(rdm: RDM) -> None:
    """One counted warning for dissimilarities that are NaN."""
    bad = sum(int(np.isnan(rdm.get(key, triu=True)).sum()) for key in rdm.keys)
    if bad:
        total = sum(rdm.get(key, triu=True).size for key in rdm.keys)
        warnings.warn(f'{bad} of {total} dissimilarities are not defined and NaN: patterns are zero or constant',
                      stacklevel=3)


def checked(n: int, metric: str, conditions, runs, p: float, shrinkage: str) -> dict:
    """The settings of a metric as `planned` takes them.

    Raises
    ------
    BadValue
        One of them is not allowed, or does not go with `n` rows.
    """
    choice('metric', metric, METRICS)
    choice('shrinkage', shrinkage, SHRINKAGES)
    if isinstance(p, bool) or not isinstance(p, int | float | np.integer | np.floating):
        raise BadType(f'p must be a number above 0, not {p!r}')
    if not p > 0:
        raise BadValue(f'p must be a number above 0, not {p!r}')
    groups = None if conditions is None else codes(conditions, n, 'conditions')
    if groups is None and metric == 'crossnobis':
        raise BadValue("metric 'crossnobis' needs the condition of each row, which must be repeated")
    if runs is not None and (groups is None or metric != 'crossnobis'):
        raise BadValue("runs go with metric 'crossnobis' and the condition of each row")
    if (n if groups is None else groups.max() + 1) < 2:
        raise BadValue('dissimilarities need two items or more')
    noisy = metric == 'crossnobis' or (metric == 'mahalanobis' and groups is not None and groups.max() + 1 < n)
    if metric == 'crossnobis':
        runs = repetitions(groups) if runs is None else codes(runs, n, 'runs')
    return {'metric': metric, 'groups': groups, 'runs': runs, 'p': p, 'shrinkage': shrinkage, 'noisy': noisy}


def codes(values, n: int, argument: str) -> np.ndarray:
    """Values (n,) as numbers from 0, in sorted order."""
    values = np.asarray(values)
    if values.shape != (n,):
        raise BadValue(f'{argument} must have a value for each of the {n} rows, not shape {values.shape}')
    if n_missing(values):
        raise BadValue(f'{argument} has no entry for {n_missing(values)} rows; leave these rows out')
    try:
        return np.unique(values, return_inverse=True)[1].reshape(-1)
    except TypeError:                                   # objects without an order, such as text and None
        raise BadType(f'{argument} must be all text or all numbers') from None


def planned(patterns: Patterns, plan: dict, zscore: bool) -> np.ndarray:
    """Distances (n_pair,) under settings that `checked` gave."""
    patterns = patterns.standardised() if zscore else patterns
    if plan['noisy']:
        return noise_distances(patterns, plan['metric'], plan['groups'], plan['runs'], plan['shrinkage'])
    patterns = patterns if plan['groups'] is None else patterns.averaged(plan['groups'])
    if plan['metric'] in PRODUCT_METRICS:
        return product_distances(patterns, plan['metric'])
    return block_distances(patterns, plan['metric'], plan['p'])
