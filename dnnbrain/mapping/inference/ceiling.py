"""How well a perfect model could score: the part of a voxel's responses that the stimuli explain.

A response is signal (what the stimulus does each time) plus noise (what differs between
presentations). The variance of the signal over the variance of what is scored is the explainable
variance: the ceiling of r2 and explained variance. That of a correlation is its square root.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from dnnbrain._checks import BadType, BadValue, choice, n_missing
from dnnbrain.mapping.scoring import SCORINGS, varies

_BLOCK_BYTES = 2 ** 27


def on_scale(explainable: np.ndarray, scoring: str) -> np.ndarray:
    """Explainable variance as the ceiling of a score: cut to 0..1, and its root for a correlation."""
    cut = np.clip(explainable, 0, 1)
    return np.sqrt(cut) if choice('scoring', scoring, tuple(SCORINGS)) == 'correlation' else cut


@dataclass(frozen=True)
class NoiseCeiling:
    """Signal and noise of each voxel, and the ceilings that follow.

    Attributes
    ----------
    signal : ndarray of shape (n_voxel,)
        Variance of the signal, unbiased: where there is none it is as often below 0 as above.
    noise : ndarray of shape (n_voxel,)
        Variance of the noise of one presentation.
    covariance : ndarray of shape (3, n_voxel)
        Sampling variance of signal, of noise, and their covariance.
    presentations : ndarray of shape (n_stim,)
        How often each stimulus was shown.
    """

    signal: np.ndarray
    noise: np.ndarray
    covariance: np.ndarray
    presentations: np.ndarray

    @property
    def ncsnr(self) -> np.ndarray:
        """Standard deviation of the signal over that of the noise, (n_voxel,) (Allen et al. 2022)."""
        return np.sqrt(np.maximum(self.signal, 0) / self.noise)

    def explainable(self, n_trial: float | None = 1) -> np.ndarray:
        """Explainable variance, (n_voxel,), not cut at 0, so that means over voxels have no bias.

        Parameters
        ----------
        n_trial : float or None
            How many presentations each response that is scored is the mean of. None: all there are;
            with unequal numbers, what matters is the mean of 1 / number.
        """
        return self.signal / (self.signal + self.noise / self._trials(n_trial))

    def of(self, scoring: str = 'correlation', n_trial: float | None = 1) -> np.ndarray:
        """Ceiling of a score, (n_voxel,), from 0 to 1; `n_trial` as in `explainable`."""
        return on_scale(self.explainable(n_trial), scoring)

    def error(self, scoring: str = 'explained_variance', n_trial: float | None = 1) -> np.ndarray:
        """Standard error of the ceiling, (n_voxel,); of a correlation NaN where its ceiling is 0."""
        n_trial, explainable = self._trials(n_trial), self.explainable(n_trial)
        total = (self.signal + self.noise / n_trial) ** 2
        by_signal, by_noise = self.noise / n_trial / total, -self.signal / n_trial / total
        error = np.sqrt(by_signal ** 2 * self.covariance[0] + by_noise ** 2 * self.covariance[1]
                        + 2 * by_signal * by_noise * self.covariance[2])
        if choice('scoring', scoring, tuple(SCORINGS)) != 'correlation':
            return error
        return error / (2 * np.sqrt(np.where(explainable > 0, explainable, np.nan)))

    def _trials(self, n_trial: float | None) -> float:
        if n_trial is None:
            return 1 / np.mean(1 / self.presentations)
        if not n_trial > 0:
            raise BadValue(f'n_trial must be a number of presentations above 0, or None, not {n_trial}')
        return n_trial


def noise_ceiling(responses: np.ndarray, stim_ids) -> NoiseCeiling:
    """Signal and noise variance from repeated presentations, unbiased, for any numbers of repeats.

    One-way analysis of variance with random stimuli. With equal numbers of repeats the signal is the
    signal power of Sahani & Linden (2003) and Schoppe et al. (2016, doi 10.3389/fncom.2016.00010),
    whose repeats share a mean here, and the ceilings are those of the Natural Scenes Dataset (Allen et
    al. 2022, doi 10.1038/s41593-021-00962-x). Stimuli shown once count for the signal. Standard errors
    leave out one stimulus at a time (jackknife).

    Parameters
    ----------
    responses : ndarray of shape (n_trial, n_voxel)
    stim_ids : sequence of length n_trial
        The stimulus of each row.

    Returns
    -------
    ceiling : NoiseCeiling
        NaN for voxels that are constant or not finite.

    Raises
    ------
    BadValue
        No stimulus is repeated, there are fewer than three, or the lengths differ.
    """
    responses, member, counts = _presentations(responses, stim_ids)
    order, starts = np.argsort(member, kind='stable'), np.cumsum(counts) - counts
    n, n_voxel = responses.shape
    step = max(1, _BLOCK_BYTES // (8 * 4 * n))
    parts = [_components(responses[order, lo:lo + step].astype(np.float64), counts, starts)
             for lo in range(0, n_voxel, step)]
    found = np.concatenate(parts, axis=1) if parts else np.empty((5, 0))
    return NoiseCeiling(found[0], found[1], found[2:], counts)


def split_half(responses: np.ndarray, stim_ids, n_split: int = 100, n_trial: float | None = None,
               rng=0) -> tuple[np.ndarray, np.ndarray]:
    """Reliability from random halves of the presentations, stepped up by Spearman-Brown.

    The halves of a stimulus are equally large: of an odd number one presentation, drawn anew each
    time, is left out; so are stimuli shown once. The correlation over stimuli between the two means
    is averaged over splits. Reliability is an explainable variance: `on_scale` makes it a ceiling.

    Parameters
    ----------
    responses, stim_ids
        As in `noise_ceiling`.
    n_split : int
    n_trial : float, optional
        The reliability of means of how many presentations; twice a half, that is all of them, by default.
    rng : int or Generator

    Returns
    -------
    reliability, error : ndarray of shape (n_voxel,)
        The error is that of one split and thus a little too large.
    """
    responses, member, counts = _presentations(responses, stim_ids)
    if n_split < 1:
        raise BadValue(f'n_split must be at least 1, not {n_split}')
    kept = counts > 1
    n_stim, generator = int(kept.sum()), np.random.default_rng(rng)
    total, block = np.zeros(responses.shape[1]), max(1, int(_BLOCK_BYTES // (32 * n_stim * max(1, responses.shape[1]))))
    for first in range(0, n_split, block):
        n = min(block, n_split - first)
        one, two = (half @ responses for half in _halves(member, counts, n, generator))
        total += _row_correlation(one.reshape(n, n_stim, -1), two.reshape(n, n_stim, -1)).sum(axis=0)
    r = np.where(varies(responses), total / n_split, np.nan)
    half_size = 1 / np.mean(1 / (counts[kept] // 2))
    factor = 2.0 if n_trial is None else n_trial / half_size
    slope = factor / (1 + (factor - 1) * r) ** 2
    return spearman_brown(r, factor), slope * (1 - r ** 2) / np.sqrt(max(n_stim - 2, 1))


def spearman_brown(r, factor: float = 2.0):
    """Reliability of a measurement `factor` times as long as one of reliability r."""
    return factor * r / (1 + (factor - 1) * r)


def normalise(score: np.ndarray, ceiling: np.ndarray, scoring: str = 'correlation', least: float = 0.1) -> np.ndarray:
    """Score over ceiling; NaN where the ceiling is too low to divide by.

    The rule: voxels whose explainable variance (the square of a correlation's ceiling) is below
    `least` get NaN, as do those without a ceiling. Nothing is cut at 1: estimates scatter around it.

    Parameters
    ----------
    score : ndarray of shape (..., n_voxel)
    ceiling : ndarray of shape (n_voxel,)
        On the scale of the score.
    least : float
        0.1 by default: a correlation is multiplied by 3.2 at most, r2 by 10.

    Warns
    -----
    UserWarning
        Once, with the number of voxels whose ceiling is too low.
    """
    score, ceiling = np.asarray(score, dtype=np.float64), np.asarray(ceiling, dtype=np.float64)
    choice('scoring', scoring, tuple(SCORINGS))
    if ceiling.ndim != 1 or score.shape[-1:] != ceiling.shape:
        raise BadValue(f'score must have shape (..., n_voxel) and ceiling (n_voxel,), not {score.shape} and '
                       f'{ceiling.shape}')
    if not 0 < least < 1:
        raise BadValue(f'least must be an explainable variance between 0 and 1, not {least}')
    enough = (ceiling ** 2 if scoring == 'correlation' else ceiling) >= least
    low = int((np.isfinite(ceiling) & ~enough).sum())
    if low:
        warnings.warn(f'{low} of {ceiling.size} voxels have an explainable variance below {least:g}; their normalised '
                      'score is NaN', UserWarning, stacklevel=2)
    return score / np.where(enough, ceiling, np.nan)


def _presentations(responses, stim_ids) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Responses, the number of each row's stimulus, and how often each stimulus was shown."""
    responses, stim_ids = np.asarray(responses), np.asarray(stim_ids)
    if responses.ndim != 2 or responses.dtype.kind not in 'fiub':
        raise BadType(f'responses must be numbers of shape (n_trial, n_voxel), not {responses.dtype} of shape '
                      f'{responses.shape}')
    if stim_ids.shape != (len(responses),):
        raise BadValue(f'{stim_ids.size} stim_ids came for {len(responses)} trials')
    if n_missing(stim_ids):
        raise BadValue(f'stim_ids has no entry for {n_missing(stim_ids)} trials; leave these trials out')
    _, member, counts = np.unique(stim_ids, return_inverse=True, return_counts=True)
    if (counts > 1).sum() < 3:
        raise BadValue(f'{(counts > 1).sum()} of {len(counts)} stimuli were shown more than once; a noise ceiling '
                       'needs three or more, or several subjects (between_subjects)')
    return responses, member, counts


def _components(sorted_rows: np.ndarray, counts: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Signal, noise, their sampling variances and covariance, (5, n_voxel), of rows sorted by stimulus."""
    y = sorted_rows - sorted_rows.mean(axis=0)
    means = np.add.reduceat(y, starts, axis=0) / counts[:, None]
    within = np.add.reduceat((y - np.repeat(means, counts, axis=0)) ** 2, starts, axis=0)
    sums = [counts - 1.0, counts * 1.0, counts ** 2.0, within, counts[:, None] * means, counts[:, None] * means ** 2]
    whole = [part.sum(axis=0) for part in sums]
    good = varies(sorted_rows)
    with np.errstate(divide='ignore', invalid='ignore'):
        signal, noise = _mean_squares(len(counts), *whole)
        left = [np.expand_dims(total, 0) - part for total, part in zip(whole, sums, strict=True)]
        left = [part[:, None] if part.ndim == 1 else part for part in left]
        dropped = [part - part.mean(axis=0) for part in _mean_squares(len(counts) - 1, *left)]
    scale = (len(counts) - 1) / len(counts)
    spread = [scale * np.einsum('ij,ij->j', dropped[a], dropped[b]) for a, b in ((0, 0), (1, 1), (0, 1))]
    return np.where(good & (noise > 0), np.stack([signal, noise, *spread]), np.nan)


def _mean_squares(n_stim, freedom, n_trial, squares, within, total, between) -> tuple[np.ndarray, np.ndarray]:
    """Signal and noise variance from sums over stimuli (Searle et al. 1992, Variance Components, ch. 3)."""
    noise = within / freedom
    size = (n_trial - squares / n_trial) / (n_stim - 1)
    return ((between - total ** 2 / n_trial) / (n_stim - 1) - noise) / size, noise


def _halves(member: np.ndarray, counts: np.ndarray, n_split: int, generator) -> list[sparse.csr_array]:
    """Two matrices (n_split * n_stim, n_trial) that average the first and the second half of each stimulus."""
    order = np.argsort(member + generator.random((n_split, len(member))), axis=1)
    stimulus = np.sort(member)
    rank = np.arange(len(member)) - (np.cumsum(counts) - counts)[stimulus]
    half = (counts // 2)[stimulus]
    kept = np.cumsum(counts > 1) - 1                                # numbers of the stimuli shown repeatedly
    n_stim = kept[-1] + 1
    matrices = []
    for number in (0, 1):
        here = np.flatnonzero((rank >= number * half) & (rank < (number + 1) * half))
        rows = (np.arange(n_split)[:, None] * n_stim + kept[stimulus[here]]).ravel()
        values = np.tile(1 / half[here], n_split)
        matrices.append(sparse.csr_array((values, (rows, order[:, here].ravel())), (n_split * n_stim, len(member))))
    return matrices


def _row_correlation(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Correlation over the middle axis of (n_split, n_stim, n_voxel), 0 where a half is constant."""
    one, two = one - one.mean(axis=1, keepdims=True), two - two.mean(axis=1, keepdims=True)
    product, *norms = (np.einsum('sij,sij->sj', a, b) for a, b in ((one, two), (one, one), (two, two)))
    with np.errstate(divide='ignore', invalid='ignore'):
        return np.nan_to_num(product / np.sqrt(norms[0] * norms[1]))
