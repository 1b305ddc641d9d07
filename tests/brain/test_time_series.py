"""Folds of a single scan: stretches of time with a gap, so that slow noise does not score."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from dnnbrain._checks import BadType, BadValue
from dnnbrain.activation.hrf import hrf_matrix
from dnnbrain.brain.core import BrainEncoder
from dnnbrain.brain.time_series import TimeBlocks, as_hrf, blocks_of_time, response_span
from dnnbrain.brain.trials import single_trials
from dnnbrain.dnn.core import Activation
from dnnbrain.mapping.crossval import folds


def test_gap():
    """Every volume is tested once; none within the gap of a held-out stretch trains, all others do."""
    blocks = blocks_of_time(30, 3)
    splits = folds(30, TimeBlocks(3, 4, 0), blocks)
    assert sorted(np.concatenate([test for _, test in splits])) == list(range(30))
    for train, test in splits:
        near = np.abs(np.arange(30)[:, None] - test).min(axis=1) <= 4
        assert train.tolist() == np.flatnonzero(~near).tolist()
    same = [test.tolist() for _, test in folds(30, 3, blocks, rng=0)]
    assert [test.tolist() for _, test in splits] == same             # numbered as without a gap
    with pytest.raises(BadValue, match='a response lasts 25 volumes, which leaves no volume to train on'):
        folds(30, TimeBlocks(3, 25, 0), blocks)


def test_span_of_a_response():
    """SPM's response is above a tenth of its peak from 2 to 10 s after an impulse."""
    assert response_span(hrf_matrix([0.0, 20, 40], [0.1, 0.1, 0.1], 80, 1.0)) in (9, 10)
    assert response_span(np.eye(5)) == 1 and response_span(np.zeros((5, 2))) == 0


@pytest.mark.parametrize('estimator', ['ridge', 'glm'])
def test_slow_noise_scores_nothing(estimator):
    """Noise of 5 s in blocks of 48 s: r = .06 without the gap."""
    scores = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        activ = Activation('l', rng.standard_normal((40, 60, 1, 1)))
        Y = gaussian_filter1d(rng.standard_normal((120, 40)), 2, axis=0)
        found = BrainEncoder(Y, 'mv', estimator, scoring='correlation',
                             hrf=(np.arange(40) * 6.0, np.full(40, 2.0), 2.0)).encode_dnn(activ, models=False)
        scores.append(found['l']['score'].mean())
    assert abs(np.mean(scores)) < 3 * np.std(scores) / np.sqrt(7)    # three standard errors


@pytest.mark.parametrize('hrf, sentence', [
    ((['a'] * 3, [1] * 3, 2.0), 'onsets and durations must be numbers of seconds'),
    (([0, 4, 8], [1] * 3, 'slow'), 'tr must be above 0 s'),
])
def test_times_that_are_no_numbers(hrf, sentence, rng):
    with pytest.raises((BadType, BadValue), match=sentence):
        BrainEncoder(rng.standard_normal((20, 2)), hrf=hrf)


@pytest.mark.parametrize('onsets', [[4000, 8000, 12000], [41, 42, 43]])
def test_events_outside_the_scan(onsets, rng):
    """Onsets in milliseconds scored 0 everywhere without a word."""
    with pytest.raises(BadValue, match='no event reaches into the scan of 40 s; onsets must be seconds from its first'):
        BrainEncoder(rng.standard_normal((20, 2)), hrf=(onsets, [1] * 3, 2.0))


def test_events_of_other_runs():
    """The table of a whole session with the scan of its first run."""
    with pytest.warns(UserWarning, match='4 of 6 events begin after the scan of 100 s and count for nothing'):
        as_hrf((np.arange(6) * 60.0, np.ones(6), 2.0), 50)


def test_onsets_that_begin_anew_in_each_run():
    """Two runs of 60 s in one table: the first got all events, the second none."""
    onsets, durations = np.tile([2.0, 29, 55], 2), np.ones(6)
    with pytest.warns(UserWarning, match='the last event ends 56 s into a scan of 120 s; where runs were joined'):
        as_hrf((onsets, durations, 2.0), 60)
    with pytest.warns(UserWarning, match='where runs were joined'):
        single_trials(np.zeros((60, 1)), onsets + np.repeat([0, 3.3], 3), durations, 2.0)
    as_hrf((onsets + np.repeat([0, 60], 3), durations, 2.0), 60)          # no warning
