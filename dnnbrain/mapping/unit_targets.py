"""The units of a layer as targets of a table: any number of them, in blocks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from dnnbrain._checks import BadValue
from dnnbrain.activation.activation import Activation
from dnnbrain.mapping.engine import map_layer
from dnnbrain.mapping.estimators import solver
from dnnbrain.mapping.kernel import LayerKernels, finite, gather_kernels
from dnnbrain.mapping.models import LayerModel
from dnnbrain.mapping.multivariate import MultivariateMapping
from dnnbrain.mapping.ridge import DualModel
from dnnbrain.mapping.scorers import one_each, scorer
from dnnbrain.mapping.scoring import varies
from dnnbrain.mapping.single_unit.univariate import UnivariateMapping

SOURCE = 'brain'                                # the name of the predicting table, where models want a layer
BLOCK_BYTES = 2 ** 26
MODEL_BYTES = 2 ** 28
Targets = Iterator[tuple[slice, np.ndarray]]


def map_to_units(X: np.ndarray, activ: Activation, layer: str, mapping: MultivariateMapping | UnivariateMapping,
                 rows: np.ndarray, groups=None, models: bool | None = None, stim_ids=None,
                 report: Callable[[str], None] = len) -> dict[str, np.ndarray]:
    """Predict every unit of a layer from a table, in blocks of units.

    Estimators whose targets know of each other ('pls', scikit-learn's) take all units at once.

    Parameters
    ----------
    X : ndarray of shape (n_row, n_feature)
        Finite.
    mapping : UnivariateMapping, or MultivariateMapping of numbers
    rows : ndarray of int of shape (n_row,)
        Which stimulus (from 0) each row of X answers.
    models : bool, optional
        Whether to keep the models; by default while they take less than 256 MB.
    report : callable
        Is told in words where this is.

    Returns
    -------
    result : dict
        score (n_unit, n_fold) or, for 'corr', (n_unit,), NaN for units that are constant; model (n_unit,), where
        one model of all units sits in [0] if `mapping` is multivariate; univariate: location and
        fold_location, features from 1, 0 for none.
    """
    n_unit = math.prod(activ.shape(layer)[1:])
    if models is None:
        models = 8 * n_unit * min(X.shape) <= MODEL_BYTES

    def targets(n_bytes: int | None = None) -> Targets:
        share = len(activ) / (2 * len(rows))                    # of the block as it is read: fewer rows, float32
        for units, block in activ.blocks(layer, 'unit', max(1, int((n_bytes or BLOCK_BYTES) * share))):
            yield units, finite(block, layer)[rows].astype(np.float64)
            report(f'unit {units.stop} of {n_unit}')
    if isinstance(mapping, UnivariateMapping):
        return _by_one_feature(X, mapping, targets, groups)
    if mapping.estimator in ('ridge', 'glm'):
        return _by_kernel(X, mapping, targets, n_unit, groups, models, stim_ids)
    if mapping.estimator != 'lasso' and 8 * len(X) * n_unit > mapping.max_bytes:
        raise BadValue(f'layer {layer!r} with {n_unit} units needs {8 * len(X) * n_unit / 2 ** 30:.2g} GB, more than '
                       f"max_bytes ({mapping.max_bytes / 2 ** 30:.2g} GB), for {mapping.name} fits all targets "
                       "together; mask or pool the layer, raise max_bytes, or take 'ridge' or 'glm'")
    blocks = targets() if mapping.estimator == 'lasso' else targets(2 ** 62)          # all at once
    return _by_table(X, mapping, blocks, groups, models, stim_ids)


def _by_kernel(X: np.ndarray, mapping: MultivariateMapping, targets: Callable[[], Targets], n_unit: int, groups,
               models: bool, stim_ids) -> dict:
    """Ridge and least squares: a kernel is decomposed once per fold, and the targets pass by."""
    splits = mapping.splits(len(X), groups)
    source = gather_kernels([X], SOURCE, None, [train for train, _ in splits] if mapping.standardise else None)
    measure, score = scorer(mapping.scoring, 'regressor'), np.full((n_unit, len(splits)), np.nan)
    for k, (train, test) in enumerate(splits):
        known, new = source.split(k, train, test)
        fit = solver(mapping.estimator, known, mapping.settings, None if groups is None else np.asarray(groups)[train])
        for units, Y in targets():
            good = varies(Y)
            if good.any():
                Y, found = Y[:, good], units.start + np.flatnonzero(good)
                score[found, k] = one_each(measure(Y[test], fit(Y[train]).predict(new)), len(found))
    model = np.full(n_unit, None, dtype=object)
    if models and np.isfinite(score).any():
        model[0] = _whole(X, source, mapping, targets, n_unit, groups, stim_ids)
    return {'score': score, 'model': model}


def _whole(X: np.ndarray, source: LayerKernels, mapping: MultivariateMapping, targets, n_unit: int, groups,
           stim_ids) -> LayerModel:
    """The model of all rows; with weights of the features where these fit in memory."""
    fit = solver(mapping.estimator, source.whole, mapping.settings, groups)
    dual, intercept, alpha = (np.full(shape, np.nan) for shape in ((len(X), n_unit), n_unit, n_unit))
    for units, Y in targets():
        good = varies(Y)
        if good.any():
            fitted: DualModel = fit(Y[:, good])
            found = units.start + np.flatnonzero(good)
            dual[:, found], intercept[found], alpha[found] = fitted.dual_coef, fitted.intercept, fitted.alpha
    model = LayerModel(SOURCE, intercept, dual, None, source.mean, source.scale, alpha, stim_ids=stim_ids,
                       settings=mapping.record() | {'n_stim': len(X)})
    return model.to_weights(X) if 8 * X.shape[1] * n_unit <= MODEL_BYTES else model


def _by_table(X: np.ndarray, mapping: MultivariateMapping, blocks: Targets, groups, models: bool, stim_ids) -> dict:
    brain, found = _activation(X, stim_ids), []
    for _, Y in blocks:
        one = map_layer(brain, SOURCE, Y, mapping, groups=groups, models=models)
        found.append({key: values[0] for key, values in one.items()})
    result = {key: np.concatenate([one[key] for one in found]) for key in found[0]}
    kept = [one['model'][0] for one in found]
    if len(found) > 1:
        result['model'] = np.full(len(result['score']), None, dtype=object)
        result['model'][0] = _side_by_side(kept, [one['model'] for one in found])
    first = result['model'][0]
    if isinstance(first, LayerModel) and 8 * X.shape[1] * len(result['model']) <= MODEL_BYTES:
        result['model'][0] = first.to_weights(brain)
    return result


def _side_by_side(models: list[LayerModel | None], columns: list) -> LayerModel | None:
    """One model of blocks of targets; NaN for a block where no target varies."""
    some = next((model for model in models if model is not None), None)
    if some is None:
        return None
    parts = {key: np.concatenate([
        np.full((*getattr(some, key).shape[:-1], len(own)), np.nan) if model is None else getattr(model, key)
        for model, own in zip(models, columns, strict=True)], axis=-1) for key in ('coef', 'intercept', 'alpha')}
    return replace(some, **parts)


def _by_one_feature(X: np.ndarray, mapping: UnivariateMapping, targets: Callable[..., Targets], groups) -> dict:
    found = []
    # a search keeps the feature that is best so far for each target, of each fold
    for _, Y in targets(BLOCK_BYTES // 4):
        found.append(mapping.map_blocks([X], Y, groups))
    result = {key: np.concatenate([one[key] for one in found]) for key in found[0]}
    return result | {key: result[key] + 1 for key in ('location', 'fold_location') if key in result}


def _activation(X: np.ndarray, stim_ids) -> Activation:
    activ = Activation(SOURCE, X[:, :, None, None])
    activ.stim_ids = stim_ids
    return activ
