"""One way from a layer and targets to scores and models, for encoding, decoding and probing."""

from __future__ import annotations

import numpy as np

from dnnbrain._checks import BadValue, choice
from dnnbrain.activation.activation import Activation
from dnnbrain.mapping.estimator_model import EstimatorModel
from dnnbrain.mapping.estimators import FittedEstimator, takes_many_targets
from dnnbrain.mapping.kernel import designed, finite
from dnnbrain.mapping.latent import ClassModel
from dnnbrain.mapping.models import LayerModel
from dnnbrain.mapping.multivariate import MultivariateMapping
from dnnbrain.mapping.primal import PrimalModel
from dnnbrain.mapping.tables import ITER_AXES, n_iterations, n_units, unit_tables
from dnnbrain.mapping.targets import prediction_type


def map_layer(activ: Activation, layer: str, Y, mapping, iter_axis: str | None = None,
              rows=None, groups=None, hrf=None, report=None, models: bool = True, predictions: bool = False,
              within=None, together=None) -> dict[str, np.ndarray]:
    """Map a layer to targets: one mapping, or one per channel or position.

    Parameters
    ----------
    activ : Activation
        In memory or on disk; the layer is read once, in blocks.
    Y : array_like of shape (n_row, n_target) or (n_row,)
    mapping : MultivariateMapping or UnivariateMapping
    iter_axis : {None, 'channel', 'row_col'}
        One mapping of the layer, one per channel (over positions), or one per position (over channels).
    rows : array_like of int of shape (n_row,), optional
        Which stimulus (from 0) each row of Y answers; by default each stimulus once, in order.
    groups : array_like of shape (n_row,), optional
        What no fold may split.
    hrf : ndarray of shape (n_row, n_stim), optional
        Instead of `rows`: rows are mixtures of stimuli, see `hrf_matrix`.
    report : callable, optional
        Called after each iteration, with its `LayerKernels` or `LayerTable` (None for a univariate mapping).
    models : bool
        Whether to fit all rows and keep the models of a multivariate mapping, n_row x n_target numbers
        per iteration; without, model holds None.
    predictions : bool
        Whether to return what each row was predicted to be when it was held out, for regressors.
    within, together : array_like of shape (n_row,), optional
        What permutations of a univariate correlation may exchange, see `UnivariateMapping.map`.

    Returns
    -------
    result : dict
        score (n_iter, n_target, n_fold), held out, NaN for targets that are constant or not finite;
        model (n_iter, n_target), where one model of all targets sits in [i, 0]; for classifiers
        conf_m (n_iter, n_target, n_fold). A univariate mapping: what its `map` returns, with a first
        axis n_iter, and location (n_iter, n_target, 3): channel, row and column from 1, 0 for none.
        With predictions, prediction (n_iter, n_row, n_target), see `prediction_type`.
    """
    shape = activ.shape(layer)
    choice('iter_axis', iter_axis, ITER_AXES)
    design = as_design(shape[0], rows, hrf)
    Y = as_targets(Y, shape[0] if design is None else len(design))
    if groups is not None and len(groups) != len(Y):
        raise BadValue(f'{len(groups)} groups came for {len(Y)} rows')
    if hasattr(mapping, 'map_blocks'):
        options = {'within': within, 'together': together, 'predictions': predictions}
        return _best_units(activ, layer, Y, mapping, iter_axis, design, groups, report, options)
    return _all_units(activ, layer, Y, mapping, iter_axis, design, groups, report, models, predictions)


def _all_units(activ, layer, Y, mapping: MultivariateMapping, iter_axis, design, groups, report,
               models, predictions) -> dict:
    shape, jobs = activ.shape(layer), mapping.jobs(Y, groups)
    n_fold = len(jobs[0].splits) if jobs else len(mapping.splits(len(Y), groups))
    n_iter = n_iterations(shape, iter_axis)
    result = {'score': np.full((n_iter, Y.shape[1], n_fold), np.nan),
              'model': np.full((n_iter, Y.shape[1]), None, dtype=object)}
    if mapping.estimator_type == 'classifier':
        result['conf_m'] = np.full((n_iter, Y.shape[1], n_fold), None, dtype=object)
    if predictions:
        result['prediction'] = np.full((n_iter, *Y.shape), np.nan, dtype=prediction_type(Y))
    place = {'layer': layer, 'design': design, 'stim_ids': activ.stim_ids, 'iter_axis': iter_axis,
             'settings': mapping.record() | {'n_stim': shape[0]}}
    table = len(Y), n_units(shape, iter_axis)
    for i, blocks in enumerate(unit_tables(activ, layer, iter_axis) if jobs else ()):
        source = mapping.gather(blocks, layer, table, design, jobs)
        for number, job in enumerate(jobs):
            held_out = result['prediction'][i] if predictions else None
            score, confusion, fitted = mapping.map_job(source, Y, job, number * n_fold, groups, models, held_out)
            result['score'][i, job.columns] = score
            if 'conf_m' in result:
                result['conf_m'][i, job.columns[0]] = confusion
            if fitted is None:
                continue
            all_at_once = takes_many_targets(mapping.estimator)
            to = 0 if all_at_once else job.columns[0]
            columns = (job.columns, Y.shape[1]) if all_at_once else (np.array([0]), 1)
            result['model'][i, to] = _model(fitted, source, columns, place | {'iteration': i})
        if report is not None:
            report(source)
    return result


def _best_units(activ, layer, Y, mapping, iter_axis, design, groups, report, options) -> dict:
    found = []
    for blocks in unit_tables(activ, layer, iter_axis):
        found.append(mapping.map_blocks(_numbered(blocks, layer, design), Y, groups, **options))
        if report is not None:
            report(None)
    result = {key: np.stack([one[key] for one in found]) for key in found[0]}
    for key in ('location', 'fold_location'):
        if key in result:
            result[key] = unit_positions(result[key], activ.shape(layer), iter_axis)
    return result


def unit_positions(units: np.ndarray, shape: tuple[int, ...], iter_axis: str | None) -> np.ndarray:
    """Channel, row and column (from 1) of units of tables.

    Parameters
    ----------
    units : ndarray of int of shape (n_iter, ...)
        Columns (from 0) of each iteration's table; negative means none.
    shape : tuple of int
        Of the layer, with its stimuli.

    Returns
    -------
    positions : ndarray of int of shape (n_iter, ..., n_axis)
        Channel, then the axes of a map (row and column); 0 for none.
    """
    iteration = np.arange(len(units)).reshape(-1, *(1,) * (units.ndim - 1))
    inside = np.maximum(units, 0)
    flat = {None: inside, 'channel': iteration * n_units(shape, 'channel') + inside,
            'row_col': inside * n_iterations(shape, 'row_col') + iteration}[iter_axis]
    positions = np.stack(np.unravel_index(flat, shape[1:]), axis=-1) + 1
    positions[units < 0] = 0
    return positions


def _numbered(blocks, layer: str, design: np.ndarray | None):
    start = 0
    for block in blocks:
        yield slice(start, start + block.shape[1]), designed(finite(block, layer), design)
        start += block.shape[1]


def as_design(n_stim: int, rows=None, hrf=None) -> np.ndarray | None:
    """Which stimulus each row shows, or the matrix that makes rows of stimuli; None if they are the stimuli.

    Raises
    ------
    BadValue
        Both came, a row is out of range, or the matrix has another number of stimuli.
    """
    if rows is not None and hrf is not None:
        raise BadValue('give rows or hrf, not both')
    if hrf is not None:
        hrf = np.asarray(hrf, dtype=np.float64)
        if hrf.ndim != 2 or hrf.shape[1] != n_stim or not np.isfinite(hrf).all():
            raise BadValue(f'hrf must be a finite matrix of shape (n_row, {n_stim}), not {hrf.shape}')
        return hrf
    if rows is None:
        return None
    rows = np.asarray(rows)
    if rows.ndim != 1 or rows.dtype.kind not in 'iu' or (len(rows) and not 0 <= rows.min() <= rows.max() < n_stim):
        raise BadValue(f'rows must be whole numbers from 0 to {n_stim - 1}, one per row of Y')
    return rows


def as_targets(Y, n_row: int) -> np.ndarray:
    """Targets with two axes, as many rows as predictors."""
    Y = np.asarray(Y)
    Y = Y[:, None] if Y.ndim == 1 else Y
    if Y.ndim != 2:
        raise BadValue(f'Y must have shape (n_sample, n_target), not {Y.shape}')
    if len(Y) != n_row:
        raise BadValue(f'{n_row} stimuli came with {len(Y)} responses')
    return Y


def _model(fitted, source, columns: tuple, place: dict):
    """What was fitted, with all that predictions from new activations need."""
    scaling = {'mean': source.mean, 'scale': source.scale}
    if isinstance(fitted, FittedEstimator):
        return EstimatorModel(fitted.estimator, *columns, **scaling, **place)
    if isinstance(fitted, ClassModel):
        return LayerModel(**_numbers(fitted.decision, None), classes=fitted.classes, pairwise=fitted.pairwise,
                          **scaling, **place)
    return LayerModel(**_numbers(fitted, columns), **scaling, **place)


def _numbers(fitted, columns: tuple | None) -> dict[str, np.ndarray]:
    """Coefficients, with NaN for the targets that were left out."""
    key = 'coef' if isinstance(fitted, PrimalModel) else 'dual_coef'
    found = {key: getattr(fitted, key), 'intercept': fitted.intercept, 'alpha': fitted.alpha}
    if columns is None or len(columns[0]) == columns[1]:
        return found
    filled = {name: np.full((*values.shape[:-1], columns[1]), np.nan) for name, values in found.items()}
    for name, values in found.items():
        filled[name][..., columns[0]] = values
    return filled
