"""Is a unit decoded better than chance? Permutations of the stimuli, with the maximum over units of all layers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from dnnbrain.activation.activation import Activation
from dnnbrain.mapping.all_layers import check_permutable
from dnnbrain.mapping.inference.permutation import permute_encoding
from dnnbrain.mapping.inference.tally import p_of_max
from dnnbrain.mapping.kernel import finite, gather_kernels
from dnnbrain.mapping.multivariate import MultivariateMapping
from dnnbrain.mapping.scoring import varies
from dnnbrain.mapping.single_unit.best_correlation import best_correlation
from dnnbrain.mapping.single_unit.univariate import UnivariateMapping
from dnnbrain.mapping.unit_targets import SOURCE

_BLOCK_BYTES = 2 ** 25


def units_by_chance(X: np.ndarray, activ: Activation, mapping: MultivariateMapping | UnivariateMapping,
                    rows: np.ndarray, groups=None, *, n_perm: int, within=None,
                    together=None) -> dict[str, dict[str, np.ndarray]]:
    """p-values of every unit of every layer, predicted from a table; layers share their permutations.

    Parameters
    ----------
    X : ndarray of shape (n_row, n_feature)
        Responses, say; a feature that is constant or not finite predicts nothing.
    mapping : MultivariateMapping of 'ridge' or 'glm', or UnivariateMapping of 'corr'
        The first is fitted anew to each permutation, the second takes the best feature of each.
    rows : ndarray of int of shape (n_row,)
        Which stimulus (from 0) each row of X answers.
    groups, n_perm, within, together
        As in `map_layers`.

    Returns
    -------
    result : dict
        Layer -> p and p_family, of the shape of the layer without stimuli; p_family is family-wise over the units
        of all layers. NaN for units that are constant.

    Raises
    ------
    BadValue
        The mapping cannot be permuted, or no row can take another's place.
    """
    check_permutable(mapping)
    X = np.where(varies(X), X, 0)
    exchange = {'n_perm': n_perm, 'within': within, 'together': together, 'rng': mapping.rng}
    make = _by_correlation if mapping.estimator_type == 'correlation' else _by_refit
    test, tables, highest = make(X, mapping, groups, exchange), {}, np.full(n_perm, -np.inf)
    for layer in activ.layers:
        tables[layer] = table = np.full((2, math.prod(activ.shape(layer)[1:])), np.nan)
        for units, block in activ.blocks(layer, 'unit', _BLOCK_BYTES):
            Y = finite(block, layer)[rows].astype(np.float64)
            good = varies(Y)
            if good.any():
                statistic, p, largest = test(Y[:, good])
                table[:, units.start + np.flatnonzero(good)] = statistic, p
                highest = np.maximum(highest, largest)
    return {layer: {'p': p.reshape(activ.shape(layer)[1:]),
                    'p_family': p_of_max(statistic, highest).reshape(activ.shape(layer)[1:])}
            for layer, (statistic, p) in tables.items()}


def _by_refit(X: np.ndarray, mapping: MultivariateMapping, groups, exchange: dict) -> Callable:
    """A function from targets to their statistics, p-values, and the largest statistic of each permutation."""
    K, splits = gather_kernels([X], SOURCE).whole, mapping.splits(len(X), groups)
    alphas = 0 if mapping.estimator == 'glm' else mapping.settings.alphas

    def test(Y: np.ndarray) -> tuple:
        found = permute_encoding(K, Y, splits, alphas, mapping.scoring, **exchange)
        return found.statistic, found.p, found.null_max
    return test


def _by_correlation(X: np.ndarray, mapping: UnivariateMapping, groups, exchange: dict) -> Callable:
    def test(Y: np.ndarray) -> tuple:
        found = best_correlation([(slice(0, X.shape[1]), X)], Y, **exchange)
        return np.abs(found['score']), found['p'], found['null_max']
    return test
