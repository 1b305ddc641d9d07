"""The haemodynamic response as a matrix: from stimuli to volumes."""

from __future__ import annotations

import numpy as np

from dnnbrain._checks import BadValue


def hrf_matrix(onsets, durations, n_vol: int, tr: float, model: str = 'spm', ops: int = 50) -> np.ndarray:
    """What each event adds to each volume.

    Parameters
    ----------
    onsets, durations : array_like of shape (n_event,), seconds
        From the first volume on; events before it count with what is left of them. A duration of 0
        is an impulse.
    n_vol : int
    tr : float, seconds
        Between volumes.
    model : str
        A response of nilearn with one regressor: 'spm', 'glover'.
    ops : int
        Points per `tr` at which the response is sampled.

    Returns
    -------
    matrix : ndarray of shape (n_vol, n_event)
        Events add up: responses to a column of amplitudes ``a`` are ``matrix @ a``.
    """
    from nilearn.glm.first_level import compute_regressor
    onsets, durations = np.asarray(onsets, dtype=float), np.asarray(durations, dtype=float)
    if onsets.shape != durations.shape or onsets.ndim != 1:
        raise BadValue(f'each event needs an onset and a duration, not {onsets.shape} and {durations.shape}')
    if not (np.isfinite(onsets).all() and np.isfinite(durations).all() and (durations >= 0).all()):
        raise BadValue('onsets and durations must be finite numbers of seconds, durations not negative')
    if not tr > 0 or n_vol < 2:
        raise BadValue(f'tr must be above 0 s and n_vol at least 2, not {tr} and {n_vol}')
    if not len(onsets):
        return np.zeros((n_vol, 0))
    times = np.arange(n_vol) * tr
    earliest = -max(24.0, -onsets.min(initial=0.0) + tr)
    return np.column_stack([
        compute_regressor(np.array([[onset], [duration], [1.0]]), model, times, oversampling=ops,
                          min_onset=earliest)[0][:, 0]
        for onset, duration in zip(onsets, durations, strict=True)])
