"""Confidence intervals of layer profiles: stimuli drawn again, or subjects.

An interval from stimuli says how well these fitted models would do on other stimuli. Predictions
of cross-validation share training stimuli, so that errors of different stimuli are related; the
interval is then widened by the correction of Nadeau & Bengio (2003, doi 10.1023/A:1024068626366).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from dnnbrain._checks import BadType, BadValue, choice, listing
from dnnbrain.mapping.crossval import Split
from dnnbrain.mapping.inference.exchange import bootstrap_weights, codes, jackknife_weights
from dnnbrain.mapping.inference.regions import Regions
from dnnbrain.mapping.scoring import SCORINGS, varies

_BLOCK_BYTES = 2 ** 27


def fold_numbers(splits: Sequence[Split], n: int) -> np.ndarray:
    """The fold in which each of n rows is tested, (n,), which must be one."""
    tested = np.concatenate([test for _, test in splits])
    if not np.array_equal(np.sort(tested), np.arange(n)):
        raise BadValue(f'the folds must test each of {n} rows once; {len(tested)} rows are tested')
    number = np.empty(n, dtype=np.intp)
    for fold, (_, test) in enumerate(splits):
        number[test] = fold
    return number


def training_factor(folds) -> float:
    """By how much variances over held-out stimuli are too small where folds train each other; 1 without folds.

    1 + n / n_train: about 2, for the responses of two stimuli meet twice, once in each other's training set.
    """
    if folds is None:
        return 1.0
    _, sizes = np.unique(folds, return_counts=True)
    if len(sizes) < 2:
        raise BadValue('folds holds a single fold; leave it out where models were trained on other data')
    return 1 + sizes.sum() / np.mean(sizes.sum() - sizes)


@dataclass(frozen=True)
class ProfileBootstrap:
    """Mean score of each layer in each region, and how it varies over draws of stimuli.

    Attributes
    ----------
    observed : ndarray of shape (n_layer, n_roi)
    draws : ndarray of shape (n_boot, n_layer, n_roi)
    left_out : ndarray of shape (n_stim, n_layer, n_roi)
        With one stimulus left out, for BCa.
    layers, roi_names : list
    factor : float
        `training_factor` of the folds.
    """

    observed: np.ndarray
    draws: np.ndarray
    left_out: np.ndarray
    layers: list
    roi_names: list
    factor: float

    def interval(self, level: float = 0.95, method: str = 'bca') -> tuple[np.ndarray, np.ndarray]:
        """Low and high end, each (n_layer, n_roi); see `interval`."""
        low, high = interval(self.observed, self.draws, self.left_out, level, method)
        width = np.sqrt(self.factor)
        return self.observed + width * (low - self.observed), self.observed + width * (high - self.observed)


def profile_bootstrap(Y: np.ndarray, predictions: Mapping[str, np.ndarray], rois=None, scoring: str = 'correlation',
                      folds=None, together=None, n_boot: int = 1000, rng=0) -> ProfileBootstrap:
    """Draw stimuli with replacement and score the held-out predictions again, by matrix products.

    Parameters
    ----------
    Y : ndarray of shape (n_stim, n_voxel)
    predictions : mapping
        Layer -> (n_stim, n_voxel), one after another: they may lie on disk (memory-mapped).
    rois
        See `Regions.make`; one region of all voxels by default.
    scoring : {'correlation', 'r2', 'explained_variance'}
        Within folds, averaged over folds and then over voxels. A fold should hold 15 stimuli or more.
    folds : array_like of shape (n_stim,), optional
        The fold in which each row was held out. Leave out where models were trained on other data.
    together : array_like of shape (n_stim,), optional
        Stimulus of each row: repeats are drawn as one.

    Returns
    -------
    bootstrap : ProfileBootstrap
    """
    Y = np.asarray(Y)
    choice('scoring', scoring, tuple(SCORINGS))
    if Y.ndim != 2 or not len(predictions):
        raise BadValue(f'Y must have shape (n_stim, n_voxel), not {Y.shape}, and predictions at least one layer')
    if not isinstance(predictions, Mapping):
        raise BadType(f'predictions must be a dict, layer -> (n_stim, n_voxel), not {type(predictions).__name__}')
    wrong = [f'{layer} {np.shape(values)}' for layer, values in predictions.items() if np.shape(values) != Y.shape]
    if wrong:
        raise BadValue(f'predictions must have the shape of Y, {Y.shape}, but have {listing(wrong)}')
    n, regions = len(Y), Regions.make(rois, Y.shape[1])
    groups = codes(folds, n, 'folds')
    weights = np.concatenate([np.ones((1, n)), bootstrap_weights(n, n_boot, folds, together, rng),
                              jackknife_weights(n, together)])
    found = np.stack([_region_scores(weights, Y, values, groups, regions, scoring)
                      for values in predictions.values()], axis=1)
    return ProfileBootstrap(found[0], found[1:n_boot + 1], found[n_boot + 1:], list(predictions), regions.names,
                            training_factor(folds))


def weighted_scores(weights: np.ndarray, y: np.ndarray, p: np.ndarray, folds: np.ndarray, scoring: str) -> np.ndarray:
    """Mean over folds of the scores of weighted rows, (n_weights, n_voxel).

    Parameters
    ----------
    weights : ndarray of shape (n_weights, n_stim)
    y, p : ndarray of shape (n_stim, n_voxel)
    folds : ndarray of shape (n_stim,)
    """
    numbers = np.unique(folds)
    total = np.zeros((len(weights), y.shape[1]))
    for number in numbers:
        rows = folds == number
        w = weights[:, rows] / np.maximum(weights[:, rows].sum(axis=1, keepdims=True), 1e-300)
        # small numbers before they are squared
        shift = y[rows].mean(axis=0)
        total += _SCORES[scoring](w, y[rows] - shift, p[rows] - shift)
    return total / len(numbers)


def subject_interval(values: np.ndarray, level: float = 0.95, method: str = 't', n_boot: int = 2000,
                     rng=0) -> tuple[np.ndarray, np.ndarray]:
    """Low and high end of the mean over subjects.

    Parameters
    ----------
    values : ndarray of shape (n_subject, ...)
        Say, (n_subject, n_layer, n_roi): the profile of each subject.
    method : {'t', 'bca', 'percentile'}
        Student's t by default: with fewer than twenty subjects bootstraps are too narrow.
    """
    values = np.atleast_1d(np.asarray(values, dtype=np.float64))
    n = len(values)
    choice('method', method, ('t', 'bca', 'percentile'))
    if n < 3:
        raise BadValue(f'an interval over subjects needs three or more, not {n}')
    mean = values.mean(axis=0)
    if method == 't':
        reach = stats.t.ppf(0.5 + _checked(level) / 2, n - 1) * values.std(axis=0, ddof=1) / np.sqrt(n)
        return mean - reach, mean + reach
    draws = np.tensordot(bootstrap_weights(n, n_boot, rng=rng) / n, values, axes=1)
    left_out = np.tensordot(jackknife_weights(n) / (n - 1), values, axes=1)
    return interval(mean, draws, left_out, level, method)


def interval(observed: np.ndarray, draws: np.ndarray, left_out: np.ndarray | None = None, level: float = 0.95,
             method: str = 'bca') -> tuple[np.ndarray, np.ndarray]:
    """Low and high end of a bootstrap interval of each statistic.

    Parameters
    ----------
    observed : ndarray of shape (...)
    draws : ndarray of shape (n_boot, ...)
    left_out : ndarray of shape (n_unit, ...)
        Needed for BCa.
    method : {'bca', 'percentile'}
        BCa corrects bias and skew (Efron 1987, doi 10.1080/01621459.1987.10478410).
    """
    tails = np.array([(1 - _checked(level)) / 2, (1 + level) / 2])
    if choice('method', method, ('bca', 'percentile')) == 'percentile':
        return tuple(np.quantile(draws, tails, axis=0))
    if left_out is None:
        raise BadValue("method 'bca' needs left_out, the statistic without each unit in turn")
    below = ((draws < observed).sum(axis=0) + (draws == observed).sum(axis=0) / 2) / len(draws)
    bias = stats.norm.ppf(np.clip(below, 0.5 / len(draws), 1 - 0.5 / len(draws)))
    apart = left_out.mean(axis=0) - left_out
    cubes, squares = (apart ** 3).sum(axis=0), (apart ** 2).sum(axis=0)
    skew = cubes / np.where(squares > 0, 6 * squares ** 1.5, 1)
    ends = []
    for z in stats.norm.ppf(tails):
        rank = stats.norm.cdf(bias + (bias + z) / (1 - skew * (bias + z)))
        ends.append(_quantiles(draws, np.where(np.isfinite(observed), rank, 0.5)))
    return ends[0], ends[1]


def _region_scores(weights: np.ndarray, Y: np.ndarray, predicted, folds: np.ndarray, regions: Regions,
                   scoring: str) -> np.ndarray:
    total, count = np.zeros((2, len(weights), len(regions.names)))
    width = max(1, _BLOCK_BYTES // (8 * 8 * len(weights)))
    for lo in range(0, Y.shape[1], width):
        voxels = np.arange(lo, min(lo + width, Y.shape[1]))
        y, p = (np.asarray(values[:, lo:lo + width], dtype=np.float64) for values in (Y, predicted))
        good = varies(y) & np.isfinite(p).all(axis=0)
        sums = regions.sums(weighted_scores(weights, y[:, good], p[:, good], folds, scoring), voxels[good])
        total, count = total + sums[0], count + sums[1]
    return total / np.where(count > 0, count, np.nan)


def _correlation(w: np.ndarray, y: np.ndarray, p: np.ndarray) -> np.ndarray:
    largest, p = np.abs(p).max(axis=0, initial=0), p - p.mean(axis=0)
    y_mean, p_mean = w @ y, w @ p
    spread = w @ p ** 2 - p_mean ** 2
    flat = spread <= (1e-12 * largest) ** 2
    with np.errstate(divide='ignore', invalid='ignore'):
        r = (w @ (y * p) - y_mean * p_mean) / np.sqrt(np.maximum(spread, 0) * _variance(w, y))
    return np.where(flat, 0.0, r)


def _r2(w: np.ndarray, y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return _one_minus(w @ (y - p) ** 2, _variance(w, y))


def _explained_variance(w: np.ndarray, y: np.ndarray, p: np.ndarray) -> np.ndarray:
    residual = y - p
    return _one_minus(_variance(w, residual - residual.mean(axis=0)), _variance(w, y))


_SCORES = {'correlation': _correlation, 'r2': _r2, 'explained_variance': _explained_variance}


def _variance(w: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Variance of weighted rows, NaN where none is left."""
    variance = w @ y ** 2 - (w @ y) ** 2
    return np.where(variance > 1e-12 * np.square(y).max(axis=0, initial=0), variance, np.nan)


def _one_minus(residual: np.ndarray, total: np.ndarray) -> np.ndarray:
    return 1 - residual / total


def _quantiles(draws: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """The quantile of its own rank of each statistic."""
    ordered = np.sort(draws, axis=0)
    place = rank * (len(draws) - 1)
    low = np.floor(place).astype(np.intp)
    below, above = (np.take_along_axis(ordered, np.minimum(low + step, len(draws) - 1)[None], axis=0)[0]
                    for step in (0, 1))
    return below + (place - low) * (above - below)


def _checked(level: float) -> float:
    if not 0 < level < 1:
        raise BadValue(f'level must be between 0 and 1, such as 0.95, not {level}')
    return level
