"""Does one layer predict better than another? Paired tests on held-out predictions.

Each stimulus contributes to the difference of scores; signs of contributions are flipped at
random. Where folds train each other contributions are related, and a plain test of equal layers finds 10
to 23 % differences at 5 %; the statistic is therefore divided by the root of `training_factor`. In
simulations 1 to 5 % are left: the fewer, the more of the responses both layers explain alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from dnnbrain._checks import BadValue, choice, whole_number
from dnnbrain.mapping.inference.confidence import training_factor
from dnnbrain.mapping.inference.exchange import codes, unit_sums
from dnnbrain.mapping.inference.regions import Regions
from dnnbrain.mapping.inference.tally import TAILS, Tally
from dnnbrain.mapping.scoring import SCORINGS, varies

_BLOCK_BYTES = 2 ** 27


@dataclass(frozen=True)
class PairedTest:
    """How much better the first predicts than the second, for voxels or regions.

    Attributes
    ----------
    difference : ndarray of shape (n_target,)
        Score of the first less that of the second.
    t : ndarray of shape (n_target,)
        Difference over its standard error, corrected for shared training stimuli.
    p, p_family : ndarray of shape (n_target,)
        Of each target by itself, and family-wise over targets.
    names : list or None
        Regions, where targets are regions.
    """

    difference: np.ndarray
    t: np.ndarray
    p: np.ndarray
    p_family: np.ndarray
    names: list | None


def paired_test(Y: np.ndarray, first: np.ndarray, second: np.ndarray, scoring: str = 'correlation', folds=None,
                together=None, rois=None, tail: str = 'two-sided', n_perm: int = 1000, rng=0) -> PairedTest:
    """Test the difference of the scores of two layers, per voxel or per region.

    Parameters
    ----------
    Y, first, second : ndarray of shape (n_stim, n_voxel)
        Responses, and the held-out predictions of both layers.
    scoring : {'correlation', 'r2', 'explained_variance'}
        Within folds, averaged over folds.
    folds : array_like of shape (n_stim,), optional
        The fold in which each row was held out. Leave out where models were trained on other data.
    together : array_like of shape (n_stim,), optional
        Stimulus of each row: repeats count as one.
    rois
        Test means over regions (`Regions.make`) instead of voxels.
    tail : {'two-sided', 'greater', 'less'}
        'greater': the first is better.

    Returns
    -------
    test : PairedTest
        NaN for voxels that do not vary in some fold.
    """
    Y, first, second = np.asarray(Y), np.asarray(first), np.asarray(second)
    choice('scoring', scoring, tuple(SCORINGS))
    if Y.ndim != 2 or not Y.shape == first.shape == second.shape:
        raise BadValue(f'Y, first and second must have the same shape (n_stim, n_voxel), not {Y.shape}, {first.shape} '
                       f'and {second.shape}')
    if whole_number(n_perm, 'n_perm') < 1:
        raise BadValue(f'n_perm must be at least 1, not {n_perm}')
    choice('tail', tail, tuple(TAILS))
    number = codes(folds, len(Y), 'folds')
    regions = None if rois is None else Regions.make(rois, Y.shape[1])
    parts = _parts(Y, first, second, scoring, number, together, regions)
    n_unit, n_fold = len(parts), number.max() + 1
    if n_unit < 2 * n_fold + 3:
        raise BadValue(f'{n_unit} stimuli in {n_fold} folds are too few to compare layers; take fewer folds')
    flips = np.random.default_rng(rng).choice(np.array([-1.0, 1.0]), (n_perm, n_unit))
    # in each fold the contributions are free of a mean and a spread that were estimated there
    freedom = 1 - 2 * n_fold / n_unit
    observed = _student(np.ones((1, n_unit)), parts)[0] * np.sqrt(freedom / training_factor(folds))
    tally = Tally(parts.shape[1], n_perm, tail, None)
    tally.add(slice(None), observed, _flipped(flips, parts))
    found = tally.result()
    return PairedTest(parts.sum(axis=0) / len(Y), observed, found.p, found.p_family,
                      None if regions is None else regions.names)


def corrected_resampled_t(differences: np.ndarray, test_to_train: float, tail: str = 'two-sided') -> \
        tuple[np.ndarray, np.ndarray]:
    """t and p of differences of fold scores (Nadeau & Bengio 2003, doi 10.1023/A:1024068626366).

    For when only scores per fold are left. With five folds its level is 5 to 9 %: prefer `paired_test`.

    Parameters
    ----------
    differences : ndarray of shape (..., n_fold)
    test_to_train : float
        Size of a test set over that of its training set: 1 / (n_fold - 1) for plain folds.
    """
    differences = np.asarray(differences, dtype=np.float64)
    n_fold = differences.shape[-1]
    if n_fold < 2 or not test_to_train > 0:
        raise BadValue(f'two folds or more and a positive test_to_train are needed, not {n_fold} and {test_to_train}')
    spread = differences.std(axis=-1, ddof=1) * np.sqrt(1 / n_fold + test_to_train)
    with np.errstate(divide='ignore', invalid='ignore'):
        t = differences.mean(axis=-1) / spread
    turned = TAILS[choice('tail', tail, tuple(TAILS))](t)
    return t, stats.t.sf(turned, n_fold - 1) * (2 if tail == 'two-sided' else 1)


def contributions(y: np.ndarray, first: np.ndarray, second: np.ndarray, scoring: str, folds: np.ndarray) -> np.ndarray:
    """What each stimulus adds to the difference of scores, (n_stim, n_voxel), in the sense of the jackknife.

    Their mean over stimuli is the difference of the scores averaged over folds; their spread is that of
    the difference, to first order (influence function).
    """
    numbers, values = np.unique(folds), np.empty(y.shape)
    for fold in numbers:
        rows = folds == fold
        share = len(y) / (len(numbers) * rows.sum())
        one, two = (_PARTS[scoring](y[rows], predicted[rows]) for predicted in (first, second))
        values[rows] = (one - two) * share
    return values


def _correlation(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    y, p = _standard(y), _standard(p)
    r = (y * p).mean(axis=0)
    return y * p - r * (y ** 2 + p ** 2) / 2 + r * np.where((p != 0).any(axis=0), 1, 0.5)


def _r2(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return _residual(y, y - p)


def _explained_variance(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return _residual(y, y - p - (y - p).mean(axis=0))


_PARTS = {'correlation': _correlation, 'r2': _r2, 'explained_variance': _explained_variance}


def _residual(y: np.ndarray, residual: np.ndarray) -> np.ndarray:
    with np.errstate(divide='ignore', invalid='ignore'):
        lost = (residual / y.std(axis=0)) ** 2
        return lost.mean(axis=0) * _standard(y) ** 2 - lost + 1 - lost.mean(axis=0)


def _standard(x: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and deviation 1; 0 where a column is constant."""
    centred = x - x.mean(axis=0)
    spread = centred.std(axis=0)
    flat = spread <= 1e-12 * np.abs(x).max(axis=0, initial=0)
    return np.where(flat, 0, centred / np.where(flat, 1, spread))


def _parts(Y, first, second, scoring: str, folds: np.ndarray, together, regions: Regions | None) -> np.ndarray:
    """Contributions (n_unit, n_target), summed over the repeats of a stimulus."""
    total, count, columns = 0.0, 0.0, []
    width = max(1, _BLOCK_BYTES // (8 * 8 * len(Y)))
    for lo in range(0, Y.shape[1], width):
        y, a, b = (np.asarray(values[:, lo:lo + width], dtype=np.float64) for values in (Y, first, second))
        good = np.isfinite(a).all(axis=0) & np.isfinite(b).all(axis=0)
        for fold in np.unique(folds):
            good &= varies(y[folds == fold])
        values = np.full(y.shape, np.nan)
        values[:, good] = contributions(y[:, good], a[:, good], b[:, good], scoring, folds)
        values = unit_sums(values, together)
        if regions is None:
            columns.append(values)
            continue
        sums = regions.sums(values, slice(lo, lo + width))
        total, count = total + sums[0], count + sums[1]
    return np.concatenate(columns, axis=1) if regions is None else total / np.where(count > 0, count, np.nan)


def _student(signs: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """t of the mean of signed parts, (n_signs, n_target); the squares do not change with the signs."""
    n = len(parts)
    mean = signs @ parts / n
    variance = (np.square(parts).mean(axis=0) - mean ** 2) * n / (n - 1)
    with np.errstate(divide='ignore', invalid='ignore'):
        t = mean / np.sqrt(np.maximum(variance, 0) / n)
    return np.where((parts == 0).all(axis=0), 0, t)


def _flipped(flips: np.ndarray, parts: np.ndarray):
    depth = max(1, _BLOCK_BYTES // (8 * 4 * max(1, parts.shape[1])))
    for first in range(0, len(flips), depth):
        yield first, _student(flips[first:first + depth], parts)
