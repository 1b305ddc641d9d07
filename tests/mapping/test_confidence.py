"""Intervals: coverage of a known truth, closed forms, other libraries."""

import numpy as np
import pytest
from scipy import stats

from dnnbrain._checks import BadType, BadValue
from dnnbrain.mapping.inference.confidence import interval, profile_bootstrap, subject_interval, weighted_scores
from dnnbrain.mapping.inference.exchange import bootstrap_weights, jackknife_weights
from dnnbrain.mapping.scoring import SCORINGS


@pytest.mark.parametrize('scoring', SCORINGS)
def test_weights_are_rows_drawn_again(rng, scoring):
    """Scores of the rows themselves, taken as often as their weight says, fold by fold."""
    y, p = rng.standard_normal((2, 30, 4)) + 100
    p[:, 3] = 5
    fold = np.arange(30) % 2
    weights = bootstrap_weights(30, 6, fold)
    for k, found in enumerate(weighted_scores(weights, y, p, fold, scoring)):
        expected = []
        for number in (0, 1):
            rows = np.repeat(np.arange(30), weights[k] * (fold == number))
            expected.append(SCORINGS[scoring](y[rows], p[rows]))
        np.testing.assert_allclose(found, np.mean(expected, axis=0), atol=1e-9)


@pytest.mark.parametrize('method', ['bca', 'percentile'])
def test_coverage_of_a_known_correlation(rng, method):
    """r = 0.6, 60 stimuli, 400 experiments (each a voxel and region of its own): 90 to 98 % of 95 % intervals."""
    y = rng.standard_normal((60, 400))
    p = 0.6 * y + 0.8 * rng.standard_normal((60, 400))
    boot = profile_bootstrap(y, {'fc': p}, np.arange(1, 401), n_boot=400)
    low, high = boot.interval(method=method)
    assert 0.90 <= ((low < 0.6) & (high > 0.6)).mean() <= 0.98


def test_intervals_equal_scipy(rng):
    """The same draws: percentile exactly, BCa to the interpolation between 2,000 draws."""
    y, p = rng.standard_normal((2, 40))
    p += y

    def r(rows):
        return np.corrcoef(y[rows], p[rows])[0, 1]
    result = stats.bootstrap((np.arange(40),), r, vectorized=False, n_resamples=2000, method='BCa', rng=rng)
    draws = result.bootstrap_distribution[:, None]
    left = np.array([[r(np.delete(np.arange(40), i))] for i in range(40)])
    low, high = interval(np.array([r(np.arange(40))]), draws, left)
    assert (low[0], high[0]) == pytest.approx(tuple(result.confidence_interval), abs=0.005)
    np.testing.assert_allclose(np.ravel(interval(low, draws, method='percentile')), np.quantile(draws, [0.025, 0.975]))


def test_profile(rng):
    """Means over regions of the scores of folds; wider with folds; blocks and seeds; files stay on disk."""
    Y = rng.standard_normal((60, 6))
    predictions = {'conv': Y + rng.standard_normal((60, 6)), 'fc': rng.standard_normal((60, 6))}
    Y[:, 5] = 1
    fold, rois = np.arange(60) % 3, {'v1': [0, 1], 'it': [1, 2, 5]}
    boot = profile_bootstrap(Y, predictions, rois, 'r2', fold, n_boot=50)
    score = np.mean([SCORINGS['r2'](Y[fold == k], predictions['conv'][fold == k]) for k in range(3)], axis=0)
    np.testing.assert_allclose(boot.observed[0], [score[:2].mean(), score[1:3].mean()])
    assert boot.draws.shape == (50, 2, 2) and boot.left_out.shape == (60, 2, 2) and boot.layers == ['conv', 'fc']
    apart = boot.__class__(**vars(boot) | {'factor': 1.0})
    widths = [np.subtract(*b.interval(method='percentile')) for b in (boot, apart)]
    np.testing.assert_allclose(widths[0], widths[1] * np.sqrt(1 + 60 / 40))


def test_profile_in_blocks_of_voxels(rng, monkeypatch):
    Y, predicted = rng.standard_normal((2, 20, 9))
    whole = profile_bootstrap(Y, {'fc': predicted}, n_boot=10)
    monkeypatch.setattr('dnnbrain.mapping.inference.confidence._BLOCK_BYTES', 64 * 31 * 2)
    np.testing.assert_allclose(profile_bootstrap(Y, {'fc': predicted}, n_boot=10).draws, whole.draws)
    assert not np.allclose(profile_bootstrap(Y, {'fc': predicted}, n_boot=10, rng=1).draws, whole.draws)


def test_repeats_are_drawn_as_one(rng):
    """Every row twice: intervals as wide as with every row once."""
    Y, predicted = rng.standard_normal((2, 40, 3))
    once = profile_bootstrap(Y, {'fc': predicted}, n_boot=300).draws.std()
    ids = np.repeat(np.arange(40), 2)
    twice = profile_bootstrap(Y[ids], {'fc': predicted[ids]}, together=ids, n_boot=300).draws.std()
    assert twice == pytest.approx(once, rel=0.01)


@pytest.mark.parametrize('method', ['t', 'bca', 'percentile'])
def test_subjects(rng, method):
    """Coverage over 500 experiments of 8 subjects (t) or 25 (bootstraps): 90 to 98 %."""
    values = rng.standard_normal((8 if method == 't' else 25, 500)) + 0.3
    low, high = subject_interval(values, method=method, n_boot=500)
    assert 0.90 <= ((low < 0.3) & (high > 0.3)).mean() <= 0.98
    if method == 't':
        expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        np.testing.assert_allclose((low, high), expected)


def test_jackknife_of_a_mean_has_its_error(rng):
    x = rng.standard_normal((30, 1))
    left = jackknife_weights(30) @ x / 29
    assert np.sqrt(29 * left.var()) == pytest.approx(x.std(ddof=1) / np.sqrt(30))


@pytest.mark.parametrize('call, says', [
    (lambda y: profile_bootstrap(y, {'fc': y[1:]}), r'shape of Y, \(20, 2\), but have fc \(19, 2\)'),
    (lambda y: profile_bootstrap(y, {}), 'at least one layer'),
    (lambda y: profile_bootstrap(y, [y]), 'must be a dict, layer -> .*, not list'),
    (lambda y: profile_bootstrap(y, {'fc': y}, folds=[0, 1]), 'folds must have a value for each of 20 rows'),
    (lambda y: profile_bootstrap(y, {'fc': y}, folds=np.zeros(20)), 'folds holds a single fold'),
    (lambda y: profile_bootstrap(y, {'fc': y}, n_boot=3).interval(1.5), 'level must be between 0 and 1'),
    (lambda y: profile_bootstrap(y, {'fc': y}, n_boot=3).interval(method='t'), "method 't' is not known"),
    (lambda y: interval(y[0], y), "'bca' needs left_out"),
    (lambda y: subject_interval(y[:2]), 'three or more, not 2'),
])
def test_mistakes(rng, call, says):
    with pytest.raises((BadValue, BadType), match=says):
        call(rng.standard_normal((20, 2)))
