"""The time of a simulated scan: when each stimulus is shown, what of it each volume holds, and noise over time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dnnbrain._checks import BadValue, positive_number

REST = 32.0             # seconds after the last event of a run, for which a response lasts (nilearn's SPM response)
_BEFORE = 4.0           # seconds before the first
_BUDGET = 2 ** 26       # bytes of volumes made at once


@dataclass(frozen=True)
class Schedule:
    """Events of runs that follow each other, and the volumes they fall into.

    Attributes
    ----------
    rows : ndarray of shape (n_event,)
        Which stimulus, from 0.
    onset : ndarray of shape (n_event,), seconds
        From the first volume of the first run on.
    duration : float, seconds
    event_run : ndarray of shape (n_event,)
        From 1.
    run : ndarray of shape (n_vol,)
        The run of each volume, from 1.
    """

    rows: np.ndarray
    onset: np.ndarray
    duration: float
    event_run: np.ndarray
    run: np.ndarray


def schedule(n_stim: int, n_run: int, tr: float, isi: float, duration: float,
             rng: np.random.Generator) -> Schedule:
    """Runs that show every stimulus once, each in an order of its own.

    Onsets follow each other after `isi` / 2 to 3 / 2 `isi`, uniformly, and a run ends after the last response, so
    that runs can be laid end to end.
    """
    isi, duration = positive_number(isi, 'isi'), positive_number(duration, 'duration', zero=True)
    if isi is None or duration is None or duration > isi / 2:
        raise BadValue(f'isi and duration must be seconds, and duration at most half of isi, so that stimuli do not '
                       f'overlap; not {isi} and {duration}')
    onset, run, start = [], [], 0
    for number in range(1, n_run + 1):
        gaps = rng.uniform(isi / 2, 1.5 * isi, n_stim - 1)
        here = _BEFORE + np.concatenate([[0], np.cumsum(gaps)])
        onset.append(start * tr + here)
        n_vol = int(np.ceil((here[-1] + duration + REST) / tr)) + 1
        run.append(np.full(n_vol, number))
        start += n_vol
    rows = np.concatenate([rng.permutation(n_stim) for _ in range(n_run)])
    return Schedule(rows, np.round(np.concatenate(onset), 3), duration, np.repeat(np.arange(1, n_run + 1), n_stim),
                    np.concatenate(run))


def noise_blocks(run: np.ndarray, n_meas: int, autocorrelation: float,
                 rng: np.random.Generator) -> Iterator[tuple[int, np.ndarray]]:
    """Noise of unit variance in blocks of volumes that fit in memory: the first volume and (n, n_meas).

    It remembers, of first order, within a run.
    """
    step, fresh, before = max(1, _BUDGET // (8 * n_meas)), np.sqrt(1 - autocorrelation ** 2), None
    begins = np.diff(run, prepend=0) != 0
    for start in range(0, len(run), step):
        block = rng.standard_normal((min(step, len(run) - start), n_meas))
        for volume, begin in zip(block if autocorrelation else (), begins[start:], strict=False):
            if not begin:
                volume[:] = autocorrelation * before + fresh * volume
            before = volume
        yield start, block
