"""From scores per layer to a table and a map: how well each layer does, and which does best where."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd

from dnnbrain._checks import BadValue
from dnnbrain.mapping.inference.confidence import profile_bootstrap
from dnnbrain.mapping.inference.permutation import PermutationTest
from dnnbrain.mapping.inference.regions import Regions
from dnnbrain.mapping.scoring import varies


def fold_means(result: dict[str, dict]) -> dict[str, np.ndarray]:
    """Layer -> score of each voxel, (n_meas,), the mean over folds, of an encoding without iterations."""
    return {layer: nan_mean(np.atleast_3d(found['score'])[0], axis=-1) for layer, found in result.items()}


def nan_mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean over an axis leaving out NaN; NaN where nothing is left, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', RuntimeWarning)
        return np.nanmean(values, axis=axis)


def preferred_layer(scores: dict[str, np.ndarray], threshold: float = -np.inf) -> np.ndarray:
    """Number (from 1) of the layer that predicts each voxel best.

    Parameters
    ----------
    scores : dict
        Layer -> (n_meas,), in the order of the network.
    threshold : float
        Voxels whose best score is not above it get NaN, as do those without any score.

    Returns
    -------
    preferred : ndarray of shape (n_meas,), float32
    """
    table = np.stack(list(scores.values()))
    filled = np.where(np.isnan(table), -np.inf, table)
    return np.where(filled.max(axis=0) > threshold, filled.argmax(axis=0) + 1, np.nan).astype(np.float32)


def chosen_score(choosing: Mapping[str, np.ndarray],
                 held_out: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The layer that is best by one set of scores, and its score in another.

    The best of several noisy scores is too high. Its score elsewhere is honest if the two sets share no
    responses, not even as training data. The folds of one cross-validation do: choosing on some and
    scoring on the others still finds r = 0.1 in pure noise (60 stimuli, 6 layers). Right are encodings of
    two halves of the stimuli (`preferred_on_halves`), or, per outer fold, scores of inner folds for choosing.

    Parameters
    ----------
    choosing, held_out : dict
        Layer -> scores of any one shape, say (n_meas,), or (n_meas, n_fold) with scores of inner folds
        for choosing and of the outer fold.

    Returns
    -------
    preferred, score : ndarray of that shape
        Number (from 1) of the layer, and its held-out score; NaN where there is no score to choose by.
    """
    if list(choosing) != list(held_out):
        raise BadValue(f'both sets of scores must hold the same layers in the same order, not {list(choosing)} and '
                       f'{list(held_out)}')
    chosen, scores = (np.stack([np.asarray(values, dtype=np.float64) for values in table.values()])
                      for table in (choosing, held_out))
    if chosen.shape != scores.shape:
        raise BadValue(f'both sets of scores must have one shape, not {chosen.shape[1:]} and {scores.shape[1:]}')
    filled = np.where(np.isnan(chosen), -np.inf, chosen)
    best, known = filled.argmax(axis=0), np.isfinite(filled).any(axis=0)
    score = np.take_along_axis(scores, best[None], axis=0)[0]
    return np.where(known, best + 1.0, np.nan), np.where(known, score, np.nan)


def preferred_on_halves(first: Mapping[str, np.ndarray],
                        second: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Preferred layer chosen on one half of the stimuli and scored on the other, both ways.

    Parameters
    ----------
    first, second : dict
        Layer -> scores (n_meas,) of an encoding of either half by itself: `mapping.crossval.folds(n, 2,
        groups)` gives their rows.

    Returns
    -------
    preferred : ndarray of shape (2, n_meas)
        Number (from 1) of the layer chosen on either half. Where they agree the preference is reliable.
    score : ndarray of shape (n_meas,)
        Mean of the scores that the chosen layers have in the other half.
    """
    (one, score_one), (two, score_two) = chosen_score(first, second), chosen_score(second, first)
    return np.stack([one, two]), (score_one + score_two) / 2


def roi_profile(Y: np.ndarray, predictions: Mapping[str, np.ndarray], rois=None, scoring: str = 'correlation',
                folds=None, together=None, ceiling: np.ndarray | None = None,
                tests: Mapping[str, PermutationTest] | None = None, level: float = 0.95, method: str = 'bca',
                n_boot: int = 1000, rng=0) -> pd.DataFrame:
    """How well each layer predicts each region, with confidence and ceiling: a row per region and layer.

    Parameters
    ----------
    Y, predictions, rois, scoring, folds, together, n_boot, rng
        As in `mapping.confidence.profile_bootstrap`.
    ceiling : ndarray of shape (n_voxel,), optional
        On the scale of the score (`NoiseCeiling.of`).
    tests : dict, optional
        Layer -> permutation test with the same regions (`permute_encoding(..., rois=rois)`).
    level : float
    method : {'bca', 'percentile'}

    Returns
    -------
    table : DataFrame
        roi, layer, mean (over voxels), low, high, ceiling (mean over the voxels scored), n_voxel (scored), p.
    """
    regions = Regions.make(rois, np.shape(Y)[1])
    if ceiling is not None and np.shape(ceiling) != (len(regions.member),):
        raise BadValue(f'ceiling must have shape ({len(regions.member)},), one for each voxel, not {np.shape(ceiling)}')
    p = np.full((len(predictions), len(regions.names)), np.nan)
    for number, layer in enumerate(predictions if tests else ()):
        if layer not in tests or tests[layer].roi_names != regions.names:
            raise BadValue(f'tests must hold layer {layer!r} with the regions {regions.names}; make it with the same '
                           'rois')
        p[number] = tests[layer].roi_p
    boot = profile_bootstrap(Y, predictions, regions, scoring, folds, together, n_boot, rng)
    low, high = boot.interval(level, method)
    rows = []
    for number, (layer, predicted) in enumerate(predictions.items()):
        good = varies(np.asarray(Y)) & np.isfinite(predicted).all(axis=0)
        top = np.full(p.shape[1], np.nan) if ceiling is None else regions.means(np.where(good, ceiling, np.nan))
        sizes = (regions.member & good[:, None]).sum(axis=0)
        rows += [{'roi': name, 'layer': layer, 'mean': boot.observed[number, k], 'low': low[number, k],
                  'high': high[number, k], 'ceiling': top[k], 'n_voxel': int(sizes[k]), 'p': p[number, k]}
                 for k, name in enumerate(regions.names)]
    return pd.DataFrame(rows).sort_values('roi', key=lambda c: c.map(regions.names.index), kind='stable',
                                          ignore_index=True)


def layer_table(scores: dict[str, np.ndarray]) -> pd.DataFrame:
    """One row per layer: mean, median and maximum score, voxels scored, voxels that prefer it."""
    preferred = preferred_layer(scores)
    return pd.DataFrame([{
        'layer': layer, 'mean': _or_nan(np.nanmean, values), 'median': _or_nan(np.nanmedian, values),
        'max': _or_nan(np.nanmax, values), 'n_voxel': int(np.isfinite(values).sum()),
        'n_preferred': int((preferred == number).sum()),
    } for number, (layer, values) in enumerate(scores.items(), 1)])


def _or_nan(statistic, values: np.ndarray) -> float:
    return float(statistic(values)) if np.isfinite(values).any() else float('nan')
