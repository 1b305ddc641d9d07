"""How much a similarity of RDMs varies over draws of stimuli and of subjects, without counting noise thrice.

An RDM has noise of items and noise of single pairs. A bootstrap over stimuli multiplies the weights
of two items in each pair, and so shows the variance from pairs three times; a jackknife shows it
twice. Twice the jackknife less the bootstrap shows both once. The same thought for two factors is
the corrected bootstrap of Schuett et al. (2023, doi 10.7554/eLife.82566), whose factors are stimuli
and subjects.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import t as student


def stimulus_variance(draws: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """Variance over stimuli.

    Parameters
    ----------
    draws : ndarray of shape (n_boot, ...)
        With stimuli drawn with replacement, pairs of a stimulus with itself left out.
    left_out : ndarray of shape (n_item, ...)
        Without each stimulus in turn.

    Returns
    -------
    variance : ndarray of shape (...)
        Never above the jackknife; never below a quarter of it, to which chance can take the difference.
    """
    n = len(left_out)
    jackknife = _variance(left_out) * (n - 1) ** 2 / n
    return np.clip(2 * jackknife - _variance(draws), jackknife / 4, jackknife)


def subject_variance(each: np.ndarray) -> np.ndarray:
    """Variance of the mean over subjects, (...), of values (..., n_subject)."""
    return each.var(axis=-1, ddof=1) / each.shape[-1]


def both_variance(draws: np.ndarray, left_out: np.ndarray, each: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variance of the mean over subjects when stimuli and subjects are drawn anew.

    What depends on subject and stimulus alike is in both variances, and is taken out once: the mean over
    subjects of their own variances over stimuli holds it as many times as there are subjects.

    Parameters
    ----------
    draws : ndarray of shape (n_boot, ..., n_subject)
    left_out : ndarray of shape (n_item, ..., n_subject)
    each : ndarray of shape (..., n_subject)

    Returns
    -------
    variance : ndarray of shape (...)
    freedom : ndarray of shape (...)
        Degrees of freedom, between those of subjects and of stimuli (Satterthwaite).
    """
    n_subject = each.shape[-1]
    stimuli = stimulus_variance(draws.mean(axis=-1), left_out.mean(axis=-1))
    subjects = subject_variance(each)
    single = stimulus_variance(draws, left_out).mean(axis=-1)
    shared = np.clip((single - stimuli) / (n_subject - 1), 0, np.minimum(stimuli, subjects))
    variance, rest = stimuli + subjects - shared, stimuli - shared
    with np.errstate(divide='ignore', invalid='ignore'):
        freedom = variance ** 2 / (subjects ** 2 / (n_subject - 1) + rest ** 2 / (len(left_out) - 1))
    return variance, freedom


def bounded_interval(r: np.ndarray, error: np.ndarray, freedom, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Low and high end by Student's t on Fisher's z, so that they stay within -1 and 1 and follow the skew of r."""
    reach = student.ppf(0.5 + level / 2, freedom)
    with np.errstate(divide='ignore', invalid='ignore'):
        z, width = np.arctanh(r), reach * error / (1 - r ** 2)
        low, high = np.tanh(z - width), np.tanh(z + width)
    sure = np.abs(r) >= 1
    return np.where(sure, r, low), np.where(sure, r, high)


def _variance(values: np.ndarray) -> np.ndarray:
    """Unbiased variance over the first axis of what is finite, NaN for fewer than half."""
    finite = np.isfinite(values)
    n = np.where(finite.sum(axis=0) * 2 >= len(values), finite.sum(axis=0), np.nan)
    mean = np.where(finite, values, 0).sum(axis=0) / n
    return np.square(np.where(finite, values - mean, 0)).sum(axis=0) / (n - 1)
