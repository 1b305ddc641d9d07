"""Responses to single stimuli out of a scan."""

from __future__ import annotations

import numpy as np

from dnnbrain._checks import BadValue
from dnnbrain.activation.hrf import hrf_matrix
from dnnbrain.brain.formats import family_of_header
from dnnbrain.brain.time_series import check_reach


def repetition_time(header) -> float:
    """Seconds between volumes, from a header of `load_brainimg`.

    Raises
    ------
    BadValue
        The header does not say.
    """
    tr = family_of_header(header).seconds_between(header)
    if not 0 < tr < 100:
        raise BadValue('the header does not say the time between volumes; give it (-tr)')
    return tr


def single_trials(values: np.ndarray, onsets, durations, tr: float) -> np.ndarray:
    """Amplitude of the response to each event: least squares with a regressor per event and a constant.

    Parameters
    ----------
    values : ndarray of shape (n_vol, n_meas)
        Preprocessed: drifts taken out.
    onsets, durations : array_like of shape (n_event,), seconds
    tr : float, seconds

    Returns
    -------
    amplitudes : ndarray of shape (n_event, n_meas), float64

    Raises
    ------
    BadValue
        The volumes cannot tell the events apart.

    Notes
    -----
    'Least squares - all' of Mumford et al. (2012, NeuroImage 59:2636), with nilearn's SPM response.
    Events that follow each other within a few seconds get noisy amplitudes.
    """
    design = np.column_stack([hrf_matrix(onsets, durations, len(values), tr), np.ones(len(values))])
    rank = np.linalg.matrix_rank(design)
    if rank < design.shape[1]:
        raise BadValue(f'{len(values)} volumes every {tr:g} s cannot tell {design.shape[1] - 1} events apart (rank '
                       f'{rank}): check that onsets are seconds within the scan, and that no two are the same')
    check_reach(design[:, :-1], onsets, durations, len(values) * tr)
    return (np.linalg.pinv(design) @ np.asarray(values, dtype=np.float64))[:-1]
