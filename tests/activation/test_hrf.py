"""From events to volumes: linear, exact in time, for any onset."""

import numpy as np
import pytest
from nilearn.glm.first_level import compute_regressor, spm_hrf

from dnnbrain._checks import BadValue
from dnnbrain.activation.hrf import MODELS, convolved_blocks, hrf_matrix, seconds_matrix
from dnnbrain.brain.algo import convolve_hrf
from dnnbrain.dnn.core import Activation


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


ONSETS, DURATIONS = np.array([-6.3, 0, 1.7, 3.1, 20.45, 20.45]), np.array([2, 0.5, 4, 0, 1.0, 0])
DELAYS = [0, 2, 5]


def nilearns(amplitudes, model, n_vol, tr, ops):
    """A regressor per column of `amplitudes`, (n_regressor, n_vol, n_column)."""
    return np.stack([compute_regressor(np.array([ONSETS, DURATIONS, column]), model, np.arange(n_vol) * tr,
                                       oversampling=ops, fir_delays=DELAYS)[0].T for column in amplitudes.T], axis=2)


@pytest.mark.parametrize('tr', [0.72, 1.37, 2.0])
@pytest.mark.parametrize('model', MODELS)
def test_every_model_is_nilearns(rng, model, tr):
    """To rounding; nilearn then makes derivatives orthogonal to what precedes them, column by column."""
    amplitudes = rng.normal(size=(6, 2))
    n_points = int(np.ceil(100 * tr))
    expected = nilearns(amplitudes, model, 30, tr, n_points)
    found = convolve_hrf(amplitudes, ONSETS, DURATIONS, 30, tr, model=model, delays=DELAYS)
    assert found.shape == (30, len(expected) * 2)
    found = found.reshape(30, -1, 2).transpose(1, 0, 2)
    if model != 'fir':
        for k in range(1, len(found)):
            for column in range(2):
                before = found[:k, :, column].T
                found[k, :, column] -= before @ np.linalg.lstsq(before, found[k, :, column])[0]
    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize('tr', [0.8, 2.5])
def test_against_a_slow_reference(tr):
    """The integral of the response over each event, step by step in time, at times that fall on the steps."""
    onsets, durations, amplitudes = np.array([-3.0, 0.5, 2.0, 11.25]), np.array([4.0, 2.0, 0.5, 1.0]), [1, -2, 3, 0.5]
    dt = 0.01
    response = spm_hrf(dt, 1)
    expected = np.zeros(20)
    for volume in range(20):
        for onset, duration, amplitude in zip(onsets, durations, amplitudes, strict=True):
            for step in range(round(duration / dt)):
                since = round((volume * tr - onset) / dt) - step
                if 0 <= since < len(response):
                    expected[volume] += amplitude * response[since]
    found = convolve_hrf(np.array(amplitudes)[:, None], onsets, durations, 20, tr, ops=100)[:, 0]
    np.testing.assert_allclose(found, expected, atol=0.01 * np.abs(expected).max())      # a step of 0.01 s either way


def test_1_0s_failures(rng):
    """Onsets before the scan do not wrap to its end, overlaps add, times are not rounded, scans may be long."""
    X = rng.normal(size=(2, 3)).astype(np.float32)
    assert not convolve_hrf(X, [-5, -3], [1, 1], 60, 1.0)[40:].any()
    both, first, second = (convolve_hrf(part, [4, 4.5], [3, 3], 30, 1.0)
                           for part in (X, X * [[1], [0]], X * [[0], [1]]))
    np.testing.assert_allclose(both, first + second, atol=1e-6)
    late = convolve_hrf(X[:1], [0.4], [1], 30, 1.0) - convolve_hrf(X[:1], [0], [1], 30, 1.0)
    assert np.abs(late).max() > 0.05 * np.abs(X[0]).max() * 0.1
    assert convolve_hrf(X, [0, 5], [1, 1], 500, 2.0).shape == (500, 3) and both.dtype == np.float32


def test_what_was_long_ago_leaves_nothing():
    """And costs nothing: a grid from there to the scan would not fit in memory."""
    late = hrf_matrix([0, 5], [1, 1], 30, 1.5)
    matrix = hrf_matrix([-1e12, 0, -36, 5], [1, 1, 1, 1], 30, 1.5)
    np.testing.assert_array_equal(matrix[:, [1, 3]], late)
    assert not matrix[:, [0, 2]].any()


def test_blocks_give_the_same(rng, monkeypatch):
    X = rng.normal(size=(40, 5, 3, 2))
    matrix = seconds_matrix(np.arange(40) * 2.5, np.ones(40), 70, 1.5, 20, 'spm + derivative', None)
    whole = np.concatenate(list(convolved_blocks(X, 'x', matrix)))
    monkeypatch.setattr('dnnbrain.activation.hrf._BUDGET', 2 ** 12)
    blocks = list(convolved_blocks(X, 'x', matrix))
    assert len(blocks) > 5
    np.testing.assert_allclose(np.concatenate(blocks), whole, atol=1e-12)
    expected = np.einsum('rve,ecij->vrcij', matrix, X).reshape(70, 10, 3, 2)
    np.testing.assert_allclose(whole, expected, atol=1e-12)


class TestActivation:
    @pytest.fixture
    def activ(self, rng, tmp_path):
        activation = Activation('conv', rng.normal(size=(4, 3, 2, 2)).astype(np.float32))
        activation.stim_ids = np.array(['a', 'b', 'c', 'd'])
        activation.save(tmp_path / 'x.act.h5')
        activation.load(tmp_path / 'x.act.h5')
        return activation

    def test_rows_are_volumes(self, activ):
        made = activ.convolve_hrf([0, 5, 9, 14], [1, 1, 1, 1], 25, 1.3)
        expected = convolve_hrf(activ.get('conv').reshape(4, -1), [0, 5, 9, 14], [1] * 4, 25, 1.3)
        np.testing.assert_allclose(made.get('conv').reshape(25, -1), expected, rtol=1e-6)
        assert made.stim_ids is None and len(made) == 25 and made.meta['hrf']['rows'] == 'volumes'

    def test_events_of_one_stimulus_come_again(self, activ):
        shown = ['c', 'a', 'c', 'd', 'b', 'c']
        made = activ.convolve_hrf(np.arange(6) * 4, np.ones(6), 20, 2, stim_ids=shown)
        expected = activ[shown].convolve_hrf(np.arange(6) * 4, np.ones(6), 20, 2)
        np.testing.assert_array_equal(made.get('conv'), expected.get('conv'))

    def test_several_regressors_multiply_channels(self, activ):
        one = activ.convolve_hrf([0, 5, 9, 14], [1] * 4, 25, 1.3).get('conv')
        made = activ.mask({'conv': {'chn': [3, 1, 2]}}).convolve_hrf([0, 5, 9, 14], [1] * 4, 25, 1.3,
                                                                     model='spm + derivative')
        assert made.shape('conv') == (25, 6, 2, 2)
        np.testing.assert_allclose(made.get('conv')[:, :3], one[:, [2, 0, 1]], rtol=1e-6)
        assert 'dmask' not in made.meta and made.meta['hrf']['dmask']['conv']['chn'] == [3, 1, 2]
        assert made.mask({'conv': {'chn': [6]}}).shape('conv') == (25, 1, 2, 2)

    def test_wrong_rows(self, activ):
        with pytest.raises(BadValue, match='3 events need as many rows, but the activation has 4'):
            activ.convolve_hrf([0, 1, 2], [1, 1, 1], 20, 2)
        with pytest.raises(BadValue, match='in the activation.* z'):
            activ.convolve_hrf([0], [1], 20, 2, stim_ids=['z'])
        values = activ.get('conv')
        values[1] = np.nan
        with pytest.raises(BadValue, match="layer 'conv' holds NaN or infinite activations for 1 stimuli"):
            activ.convolve_hrf([0, 1, 2, 3], [1] * 4, 20, 2)


@pytest.mark.parametrize(('change', 'said'), [
    ({'X': np.ones(2)}, r'X must hold numbers, \(n_event, n_sample\), not float64 of shape \(2,\)'),
    ({'X': np.ones((3, 2))}, 'X has 3 rows and there are 2 onsets'),
    ({'ops': 0}, 'ops must be above 0 points per second, not 0'),
    ({'tr': np.inf}, 'tr must be above 0 s, not inf'),
    ({'model': 'spm+derivative'}, "did you mean 'spm \\+ derivative'"),
    ({'model': 'fir'}, r"model 'fir' needs delays, .* not \[\]"),
    ({'model': 'fir', 'delays': [-1]}, r'from 0 on such as \[1, 2, 3, 4\], not \[-1\]'),
    ({'onsets': [900, 901]}, 'no event reaches into the scan of 20 s'),
])
def test_wrong_settings(change, said):
    good = {'X': np.ones((2, 2)), 'onsets': [0, 1], 'durations': [1, 1], 'n_vol': 10, 'tr': 2}
    with pytest.raises(BadValue, match=said):
        convolve_hrf(**good | change)


def test_ops_of_the_matrix():
    with pytest.raises(BadValue, match='ops must be at least 1 point, not 0'):
        hrf_matrix([0], [1], 5, 2, ops=0)
