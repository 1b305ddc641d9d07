"""Responses to single stimuli out of a scan."""

import nibabel as nib
import numpy as np
import pytest

from dnnbrain._checks import BadValue
from dnnbrain.activation.hrf import hrf_matrix
from dnnbrain.brain.trials import repetition_time, single_trials


def test_known_amplitudes_come_back(rng):
    onsets, durations = np.arange(20) * 6.5, np.full(20, 2.0)
    amplitudes = rng.normal(size=(20, 5))
    scan = hrf_matrix(onsets, durations, 80, 1.8) @ amplitudes + [100, 0, -5, 1, 1000]
    scan[3, 2] = np.nan
    found = single_trials(scan.astype(np.float64), onsets, durations, 1.8)
    good = [0, 1, 3, 4]
    np.testing.assert_allclose(found[:, good], amplitudes[:, good], atol=1e-8)
    assert np.isnan(found[:, 2]).all()


@pytest.mark.parametrize('onsets', [[0, 0, 12], [0, 8, 400], [0, 10, -90]])
def test_events_that_cannot_be_told_apart(onsets):
    with pytest.raises(BadValue, match='50 volumes every 2 s cannot tell 3 events apart .rank 3.'):
        single_trials(np.zeros((50, 2)), onsets, [1, 1, 1], 2.0)


@pytest.mark.parametrize(('zoom', 'unit', 'tr'), [(2.0, 'sec', 2.0), (720, 'msec', 0.72), (1.5, 'unknown', 1.5)])
def test_repetition_time(zoom, unit, tr):
    header = nib.Nifti1Image(np.zeros((2, 2, 2, 3), np.float32), np.eye(4)).header
    header.set_zooms((1, 1, 1, zoom))
    header.set_xyzt_units('mm', unit)
    assert repetition_time(header) == pytest.approx(tr)


def test_a_header_that_does_not_say():
    for shape, zooms in (((2, 2, 2), (1, 1, 1)), ((2, 2, 2, 3), (1, 1, 1, 0))):
        header = nib.Nifti1Image(np.zeros(shape, np.float32), np.eye(4)).header
        header.set_zooms(zooms)
        with pytest.raises(BadValue, match='does not say the time between volumes'):
            repetition_time(header)
