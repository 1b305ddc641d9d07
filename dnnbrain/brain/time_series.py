"""Volumes as points in time: what of each stimulus is in each of them, and folds that time cannot cross."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.model_selection import GroupKFold

from dnnbrain._checks import BadValue, choice
from dnnbrain.activation.hrf import hrf_matrix

RESPONSES = ('spm', 'glover')
FELT = 0.1                      # of its peak, above which a response counts as going on


def as_hrf(hrf, n_vol: int) -> np.ndarray:
    """How much of each event is in each volume, (n_vol, n_event).

    Parameters
    ----------
    hrf : array_like of shape (n_vol, n_event), or tuple (onsets, durations, tr) or (onsets, durations, tr, model)
        Times in seconds from the first volume on; 'spm' or 'glover'.

    Raises
    ------
    BadValue
        No event reaches into the scan, or the shape is another.

    Warns
    -----
    Events begin after the scan, or none lies in its second half, as where each of several runs counts from 0.
    """
    if isinstance(hrf, tuple):
        if len(hrf) not in (3, 4):
            raise BadValue(f'hrf must be a matrix, (onsets, durations, tr) or (onsets, durations, tr, model); it holds '
                           f'{len(hrf)} things')
        onsets, durations, tr, model = (*hrf, 'spm')[:4]
        choice('hrf model', model, RESPONSES)
        hrf = hrf_matrix(onsets, durations, n_vol, tr, model)
        check_reach(hrf, onsets, durations, n_vol * tr)
    hrf = np.asarray(hrf, dtype=np.float64)
    if hrf.ndim != 2 or len(hrf) != n_vol or not np.isfinite(hrf).all():
        raise BadValue(f'hrf must be a finite matrix of shape ({n_vol}, n_event), a row per volume, not {hrf.shape}; '
                       'derivatives have no place in it')
    return hrf


def check_reach(hrf: np.ndarray, onsets, durations, seconds: float) -> None:
    """Refuse events that are nowhere in a scan; warn of those behind it, and of a second half without any."""
    if not hrf.any():
        raise BadValue(f'no event reaches into the scan of {seconds:g} s; onsets must be seconds from its first volume '
                       'on')
    late = int((np.asarray(onsets) >= seconds).sum())
    if late:
        warnings.warn(f'{late} of {len(onsets)} events begin after the scan of {seconds:g} s and count for nothing; '
                      'give the events of this scan alone, in seconds', stacklevel=4)
    last = np.add(onsets, durations).max()
    if 2 * last < seconds:
        warnings.warn(f'the last event ends {last:g} s into a scan of {seconds:g} s; where runs were joined, onsets '
                      'must be seconds from the first volume of the first run', stacklevel=4)


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


def response_span(hrf: np.ndarray) -> int:
    """For how many volumes the response to an event lasts above a tenth of its peak, the median of all events."""
    felt = np.abs(hrf) > FELT * np.abs(hrf).max(axis=0, initial=0)
    first, last = felt.argmax(axis=0), len(felt) - 1 - felt[::-1].argmax(axis=0)
    there = felt.any(axis=0)
    return int(np.median((last - first + 1)[there])) if there.any() else 0


class TimeBlocks:
    """Folds that are stretches of time, without the training volumes next to the one held out.

    Neighbouring volumes hold the same responses and the same slow noise: a model trained on one predicts the noise of
    the other.

    Parameters
    ----------
    n_fold : int
    gap : int
        Volumes on either side of a held-out stretch that train no model.
    rng : int
        Seed of the order of folds.
    """

    def __init__(self, n_fold: int, gap: int, rng: int):
        self.gap, self._folds = gap, GroupKFold(n_fold, shuffle=True, random_state=rng)

    def split(self, X, y, groups):
        """(train rows, test rows) of each fold; `groups` are `blocks_of_time`."""
        for train, test in self._folds.split(X, y, groups):
            distance = np.abs(train - np.clip(train, test.min(), test.max()))
            kept = train[distance > self.gap]
            if not len(kept):
                raise ValueError(f'a response lasts {self.gap} volumes, which leaves no volume to train on; take fewer '
                                 'folds, or give runs as groups')
            yield kept, test
