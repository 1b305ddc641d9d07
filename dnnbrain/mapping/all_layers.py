"""Map every layer of an activation to the same targets, with permutations that layers share."""

from __future__ import annotations

import copy
import logging

import numpy as np

from dnnbrain._checks import BadValue, choice, whole_number
from dnnbrain._progress import progress
from dnnbrain.activation.activation import Activation
from dnnbrain.mapping.banded import BandedMapping
from dnnbrain.mapping.engine import as_design, as_targets, map_layer
from dnnbrain.mapping.inference.confidence import fold_numbers
from dnnbrain.mapping.inference.exchange import row_orders
from dnnbrain.mapping.inference.permutation import permute_encoding
from dnnbrain.mapping.inference.tally import p_of_max
from dnnbrain.mapping.kernel import LayerKernels, centred
from dnnbrain.mapping.mapper import Mapping
from dnnbrain.mapping.multivariate import MultivariateMapping
from dnnbrain.mapping.scoring import SCORINGS, varies
from dnnbrain.mapping.tables import ITER_AXES, n_iterations, n_units
from dnnbrain.mapping.targets import prediction_type

log = logging.getLogger(__name__)
PREDICTION_BYTES = 2 ** 33
MODEL_BYTES = 2 ** 33


def map_layers(activ: Activation, Y, mapping: Mapping, iter_axis: str | None = None, *, rows=None, groups=None,
               hrf=None, n_perm: int = 0, within=None, together=None, predictions: bool = False, models: bool = True,
               verb: str = 'mapping') -> dict[str, dict]:
    """`map_layer` for every layer, with p-values and held-out predictions on request.

    Parameters
    ----------
    activ : Activation
        In memory or on disk; each layer is read once, in blocks.
    Y : array_like of shape (n_row, n_target)
    mapping : UnivariateMapping, MultivariateMapping or BandedMapping
    iter_axis, rows, groups, hrf, models
        As in `map_layer`.
    n_perm : int
        Permutations of the rows, the same for all layers. The models of cross-validation are fitted anew to each.
    within, together : array_like of shape (n_row,), optional
        Runs that rows stay in; stimuli whose repeats move as one.
    predictions : bool
        Whether to return what was predicted for each row while it was held out, by regressors.
    verb : str
        Of the progress bar.

    Returns
    -------
    result : dict
        layer -> what `map_layer` returns. With `n_perm` also p and p_family (n_iter, n_target), the second
        family-wise over targets, iterations and layers. With `predictions` also prediction (n_iter, n_row,
        n_target), and fold (n_row,), from 0. Of 'banded', see `banded_layers`.

    Raises
    ------
    BadValue
        What was asked for cannot be had from this mapping. Nothing is read before.
    """
    choice('iter_axis', iter_axis, ITER_AXES)
    if whole_number(n_perm, 'n_perm') < 0:
        raise BadValue(f'n_perm must not be negative, not {n_perm}')
    if n_perm:
        check_permutable(mapping, hrf)
    elif within is not None:
        raise BadValue('within says what permutations may exchange; give n_perm too')
    design = as_design(len(activ), rows, hrf)
    Y = as_targets(Y, len(activ) if design is None else len(design))
    if n_perm:
        row_orders(len(Y), 1, within, together)             # a sentence if nothing may be exchanged
    extra = _fold_numbers(activ, Y, mapping, iter_axis, groups) if predictions else {}
    if models and iter_axis is not None and isinstance(mapping, MultivariateMapping):
        _check_models(activ, Y, iter_axis)
    if isinstance(mapping, BandedMapping):
        return banded_layers(activ, Y, mapping, iter_axis, rows, groups, hrf)
    if mapping.estimator_type == 'correlation':
        mapping, groups = copy.copy(mapping), None          # it has no folds, and permutations go by `within`
        mapping.n_perm = n_perm
    total, result = sum(n_iterations(activ.shape(layer), iter_axis) for layer in activ.layers), {}
    with progress(None, verb, total=total, unit='model') as bar:
        for layer in activ.layers:
            bar.set_description(f'{verb} {layer}')
            tests = []

            def after(source, tests=tests):
                if n_perm and source is not None:
                    tests.append(_test(source, Y, mapping, groups, n_perm, within, together))
                bar.update()
            try:
                found = map_layer(activ, layer, Y, mapping, iter_axis, rows, groups, hrf, after, models, predictions,
                                  within, together)
            except BadValue as error:
                if repr(layer) in str(error):
                    raise
                raise BadValue(f'layer {layer!r}: {error}') from error
            result[layer] = found | extra | _stacked(tests)
            log.info('%s %s: mean score %.4f', verb, layer, _mean(found['score']))
    return _family(result) if n_perm else result


def banded_layers(activ: Activation, Y: np.ndarray, mapping: BandedMapping, iter_axis=None, rows=None, groups=None,
                  hrf=None) -> dict[str, dict]:
    """What `BandedMapping.map` finds, by layer.

    Returns
    -------
    result : dict
        layer -> dict of score and product (1, n_target, n_fold), the same array: the layer's share of explained
        variance; joint (1, n_target, n_fold), the score of all layers together, and model (1, n_target) with the
        `BandedModel` in [0, 0], the same for every layer; and unique (1, n_target, n_fold).
    """
    if iter_axis is not None:
        raise BadValue(f"estimator 'banded' maps whole layers; leave iter_axis out (it is {iter_axis!r})")
    found = mapping.map(activ, Y, rows=rows, groups=groups, hrf=hrf)
    model = np.full((1, Y.shape[1]), None, dtype=object)
    model[0, 0] = found['model']
    return {layer: {'score': found['product'][layer][None], 'model': model, 'joint': found['score'][None],
                    'product': found['product'][layer][None],
                    **({'unique': found['unique'][layer][None]} if 'unique' in found else {})}
            for layer in activ.layers}


def check_permutable(mapping: Mapping, hrf=None) -> None:
    """Refuse permutations whose null distribution would be wrong or that nobody could wait for."""
    if hrf is not None:
        raise BadValue('n_perm: volumes of a time series are not exchangeable; estimate an amplitude per trial, and '
                       'leave hrf out')
    if mapping.estimator_type == 'correlation':
        return
    if not isinstance(mapping, MultivariateMapping) or mapping.estimator not in ('ridge', 'glm'):
        raise BadValue('n_perm (-perm): models are fitted anew to every permutation, which ridge and glm (mv) and corr '
                       '(uv) allow; take one of these, or no permutations')
    if mapping.standardise:
        raise BadValue('n_perm: permutations do not know standardise=True; standardise the activations, or leave it '
                       'out')
    if mapping.scoring not in SCORINGS:
        raise BadValue(f'n_perm: permutations know the scorings {", ".join(SCORINGS)}, not {mapping.scoring!r}')


def _test(source, Y: np.ndarray, mapping: MultivariateMapping, groups, n_perm: int, within, together):
    if not varies(Y).any():
        return None
    units = None if isinstance(source, LayerKernels) else centred(source.X)
    K = source.whole if units is None else units @ units.T
    alphas = 0 if mapping.estimator == 'glm' else mapping.settings.alphas
    return permute_encoding(K, Y, mapping.splits(len(Y), groups), alphas, mapping.scoring, n_perm, within, together,
                            rng=mapping.rng)


def _stacked(tests: list) -> dict[str, np.ndarray]:
    tests = [test for test in tests if test is not None]
    return {key: np.stack([getattr(test, key) for test in tests]) for key in ('p', 'null_max', 'statistic')
            if tests}


def _family(result: dict[str, dict]) -> dict[str, dict]:
    """p_family over all targets, iterations and layers, from the largest statistic of each permutation."""
    chance = [found.pop('null_max') for found in result.values() if 'null_max' in found]
    highest = np.concatenate(chance).max(axis=0) if chance else None
    for found in result.values():
        statistic = found.pop('statistic', np.abs(found['score']))
        nothing = np.full(found['score'].shape[:2], np.nan)
        found['p'] = found.get('p', nothing)
        found['p_family'] = nothing if highest is None else \
            p_of_max(statistic.ravel(), highest).reshape(statistic.shape)
    return result


def _fold_numbers(activ: Activation, Y: np.ndarray, mapping: Mapping, iter_axis, groups) -> dict:
    """The fold that holds out each row, or a sentence if there are no predictions to be had."""
    if mapping.estimator_type != 'regressor' or isinstance(mapping, BandedMapping):
        raise BadValue("predictions come from cross-validated regressors, 'ridge' or 'glm' say; not from 'corr', "
                       "'banded' or classifiers")
    n_model = sum(n_iterations(activ.shape(layer), iter_axis) for layer in activ.layers)
    need = prediction_type(Y).itemsize * Y.size * n_model
    if need > PREDICTION_BYTES:
        raise BadValue(f'predictions of all models need {need / 2 ** 30:.0f} GB; leave iter_axis out, or take fewer '
                       'layers or targets at a time')
    splits = MultivariateMapping('glm', mapping.cv, rng=mapping.rng).splits(len(Y), groups)
    return {'fold': fold_numbers(splits, len(Y))}


def _check_models(activ: Activation, Y: np.ndarray, iter_axis: str) -> None:
    """Refuse models of so many iterations that they would fill the memory."""
    shapes = [activ.shape(layer) for layer in activ.layers]
    need = 8 * Y.shape[1] * sum(n_iterations(shape, iter_axis) * min(len(Y), n_units(shape, iter_axis))
                                for shape in shapes)
    if need > MODEL_BYTES:
        raise BadValue(f'models of all iterations need {need / 2 ** 30:.0f} GB; give models=False, or take fewer '
                       'layers or targets at a time')


def _mean(score: np.ndarray) -> float:
    return float(np.nanmean(score)) if np.isfinite(score).any() else float('nan')
