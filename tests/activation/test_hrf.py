"""From events to volumes: linear, exact in time, for any onset."""

import numpy as np
import pytest
from nilearn.glm.first_level import compute_regressor

from dnnbrain._checks import BadValue
from dnnbrain.activation.hrf import hrf_matrix


def test_overlapping_events_add_up(rng):
    """One regressor of all events, as nilearn makes it, is the sum of ours weighted by their amplitudes."""
    onsets, amplitudes = np.array([-6.3, 0, 1.7, 3.1, 20.45]), rng.normal(size=5)
    durations = np.array([2, 0.5, 4, 0, 1.0])
    times = np.arange(40) * 0.72
    expected = compute_regressor(np.array([onsets, durations, amplitudes]), 'spm', times, oversampling=50,
                                 min_onset=-24)[0][:, 0]
    np.testing.assert_allclose(hrf_matrix(onsets, durations, 40, 0.72) @ amplitudes, expected, atol=1e-10)


def test_an_event_comes_when_it_comes():
    matrix = hrf_matrix([0, 10, 500], [1, 1, 1], 60, 2.0)
    assert matrix.shape == (60, 3)
    np.testing.assert_allclose(matrix[5:, 1], matrix[:-5, 0], atol=1e-6)      # five volumes later, the same
    assert not matrix[:, 2].any()                                             # after the scan
    assert 2 <= matrix[:, 0].argmax() <= 3                                    # peak after 4 to 6 s
    before = hrf_matrix([-40, -4], [1, 1], 10, 2.0)
    np.testing.assert_allclose(before[:, 1], matrix[2:12, 0], atol=1e-6)
    np.testing.assert_allclose(before[:, 0], matrix[20:30, 0], atol=1e-6)


@pytest.mark.parametrize(('args', 'said'), [
    (([0, 1], [1], 5, 2), 'each event needs an onset and a duration'),
    (([0, np.nan], [1, 1], 5, 2), 'must be finite numbers of seconds'),
    (([0], [-1], 5, 2), 'durations not negative'),
    (([0], [1], 5, 0), 'tr must be above 0 s'),
    (([0], [1], 1, 2), 'n_vol at least 2'),
])
def test_wrong_times(args, said):
    with pytest.raises(BadValue, match=said):
        hrf_matrix(*args)
