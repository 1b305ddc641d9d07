"""Scores against numpy, scipy and scikit-learn, and at the edges."""

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import explained_variance_score, r2_score

from dnnbrain.dnn.base import correlation_score
from dnnbrain.mapping.scoring import SCORINGS, correlation


@pytest.fixture
def pair(rng):
    y = rng.standard_normal((20, 6)) * [1, 1e-6, 1e6, 1, 1, 1] + [0, 5, 0, 100, 0, 0]
    return y, y + rng.standard_normal((20, 6)) * y.std(axis=0) + 1


def test_against_other_libraries(pair):
    y, p = pair
    r = [pearsonr(a, b)[0] for a, b in zip(y.T, p.T, strict=True)]
    np.testing.assert_allclose(correlation_score(y, p, 'raw_values'), r)
    assert correlation_score(y, p) == pytest.approx(np.mean(r))
    assert correlation_score(y[:, 0], p[:, 0]) == pytest.approx(r[0])
    np.testing.assert_allclose(SCORINGS['r2'](y, p), r2_score(y, p, multioutput='raw_values'))
    np.testing.assert_allclose(SCORINGS['explained_variance'](y, p),
                               explained_variance_score(y, p, multioutput='raw_values'))


@pytest.mark.parametrize('scoring', SCORINGS)
def test_constants_and_nan(pair, scoring):
    y, p = pair
    y[:, 1], y[3, 2], p[:, 3] = 0.1, np.nan, 0.3
    scores = SCORINGS[scoring](y, p)
    assert np.isnan(scores[[1, 2]]).all() and np.isfinite(scores[[0, 3, 4, 5]]).all()
    if scoring == 'correlation':
        assert scores[3] == 0                                     # a constant prediction explains nothing


def test_perfect_prediction_is_one(pair):
    y, _ = pair
    for score in SCORINGS.values():
        np.testing.assert_allclose(score(y, y), 1)
    assert (correlation(y, -y) == pytest.approx(-1))
