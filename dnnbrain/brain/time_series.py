"""Volumes as points in time: what of each stimulus is in each of them, and folds that time cannot cross."""

from __future__ import annotations

import numpy as np

from dnnbrain._checks import BadValue, choice
from dnnbrain.activation.hrf import hrf_matrix

RESPONSES = ('spm', 'glover')


def as_hrf(hrf, n_vol: int) -> np.ndarray:
    """How much of each event is in each volume, (n_vol, n_event).

    Parameters
    ----------
    hrf : array_like of shape (n_vol, n_event), or tuple (onsets, durations, tr) or (onsets, durations, tr, model)
        Times in seconds from the first volume on; 'spm' or 'glover'.
    """
    if isinstance(hrf, tuple):
        if len(hrf) not in (3, 4):
            raise BadValue(f'hrf must be a matrix, (onsets, durations, tr) or (onsets, durations, tr, model); it holds '
                           f'{len(hrf)} things')
        onsets, durations, tr, model = (*hrf, 'spm')[:4]
        choice('hrf model', model, RESPONSES)
        hrf = hrf_matrix(onsets, durations, n_vol, tr, model)
    hrf = np.asarray(hrf, dtype=np.float64)
    if hrf.ndim != 2 or len(hrf) != n_vol or not np.isfinite(hrf).all():
        raise BadValue(f'hrf must be a finite matrix of shape ({n_vol}, n_event), a row per volume, not {hrf.shape}; '
                       'derivatives have no place in it')
    return hrf


def of_stimuli(hrf: np.ndarray, rows: np.ndarray, n_stim: int) -> np.ndarray:
    """How much of each stimulus is in each volume, (n_vol, n_stim), from `rows` (n_event,) that say what was shown."""
    mixed = np.zeros((n_stim, len(hrf)))
    np.add.at(mixed, rows, hrf.T)
    return mixed.T


def blocks_of_time(n_vol: int, cv) -> np.ndarray:
    """Groups (n_vol,) that make each of `cv` folds a stretch of time.

    Raises
    ------
    BadValue
        `cv` is a splitter, which needs to be told the runs.
    """
    if not isinstance(cv, int | np.integer):
        raise BadValue(f'with hrf, {type(cv).__name__} needs the runs that no fold may split: give groups, or cv as a '
                       'number of folds')
    if cv > n_vol:
        raise BadValue(f'cv must not be above the number of volumes ({n_vol}), not {cv}')
    return np.arange(n_vol) * cv // n_vol
