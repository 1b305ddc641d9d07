"""Layers compared on held-out predictions: level where they are equally good, power, closed forms."""

import numpy as np
import pytest
from scipy import stats

from dnnbrain._checks import BadValue
from dnnbrain.mapping.crossval import folds
from dnnbrain.mapping.inference.confidence import fold_numbers, training_factor
from dnnbrain.mapping.inference.paired import contributions, corrected_resampled_t, paired_test
from dnnbrain.mapping.ridge import fit_ridge
from dnnbrain.mapping.scoring import SCORINGS


def cross_predicted(X, Y, splits, alpha=5.0):
    predicted, K = np.empty_like(Y), X @ X.T
    for train, test in splits:
        predicted[test] = fit_ridge(K[np.ix_(train, train)], Y[train], alpha).predict(K[np.ix_(test, train)])
    return predicted


def features(rng, n, n_unit=60):
    return rng.standard_normal((n, n_unit)) * np.arange(1, n_unit + 1) ** -0.5


@pytest.fixture(scope='module')
def experiments():
    rng, made = np.random.default_rng(1), []
    for number in range(40):
        shared, splits = features(rng, 60), folds(60, 5, rng=number)
        layers = [np.concatenate([shared, features(rng, 60)], axis=1) for _ in range(2)]
        for strength in (0, 0.7, 2):
            signal = shared @ rng.standard_normal((60, 30))
            Y = strength * signal / signal.std(axis=0) + rng.standard_normal((60, 30))
            made.append((Y, *(cross_predicted(X, Y, splits) for X in layers), fold_numbers(splits, 60)))
    return made


class TestLevel:
    """At most 5 % (7 % with the spread of 40 experiments) for layers that are equally good: what drives the
    voxels is in both, beside units of their own that do not matter."""

    @pytest.mark.parametrize('scoring', SCORINGS)
    def test_folds_that_train_each_other(self, experiments, scoring):
        rates = np.array([[(paired_test(Y, a, b, scoring, which, n_perm=99).p <= 0.05).mean()
                           for which in (fold, None)] for Y, a, b, fold in experiments]).reshape(40, 3, 2).mean(axis=0)
        assert (rates[:, 0] < 0.07).all() and rates[0, 0] > 0.01
        assert rates[:2, 1].min() > 0.1                      # what it would be without the correction

    def test_regions_and_family(self, experiments):
        rois = np.arange(30) % 2 + 1
        found = [paired_test(*parts[:3], 'r2', parts[3], n_perm=99, rois=rois) for parts in experiments]
        assert np.mean([test.p for test in found]) > 0.4 and np.mean([(t.p <= 0.05).mean() for t in found]) < 0.07
        assert np.mean([(paired_test(*parts[:3], 'r2', parts[3], n_perm=99).p_family <= 0.05).any()
                        for parts in experiments]) <= 0.1

    @pytest.mark.parametrize('scoring', SCORINGS)
    def test_models_trained_on_other_data(self, rng, scoring):
        """Correlated voxels, both predictions equally near the truth: 5 %, family-wise too (binomial, 99.8 %)."""
        single = family = 0
        for _ in range(200):
            truth, shared = rng.standard_normal((40, 5)), rng.standard_normal((40, 1))
            a, b = truth + rng.standard_normal((2, 40, 5))
            test = paired_test(truth + shared + rng.standard_normal((40, 5)), a, b, scoring, n_perm=59)
            single, family = single + (test.p[0] <= 0.05), family + (test.p_family.min() <= 0.05)
        low, high = stats.binom.ppf([0.001, 0.999], 200, 0.05)
        assert low <= single <= high and low <= family <= high


def test_power(rng):
    """The right layer against another: found in every voxel, and in the region, with its sign."""
    X, other = features(rng, 120), features(rng, 120)
    Y, splits = X @ rng.standard_normal((60, 8)) + rng.standard_normal((120, 8)), folds(120, 5)
    fold, pair = fold_numbers(splits, 120), [cross_predicted(layer, Y, splits) for layer in (X, other)]
    test = paired_test(Y, *pair, folds=fold)
    assert (test.p_family < 0.01).all() and (test.difference > 0).all()
    assert paired_test(Y, *pair[::-1], folds=fold, rois={'v1': np.arange(8)}).t[0] < -4
    assert (paired_test(Y, *pair, folds=fold, tail='less').p > 0.9).all()


@pytest.mark.parametrize('scoring', SCORINGS)
def test_contributions(rng, scoring):
    """Their mean is the difference of the scores; their spread that of the jackknife (5 % for 200 stimuli)."""
    y, a, b = rng.standard_normal((3, 200, 4))
    a, b = a + y, b + 0.5 * y + 1
    fold = np.arange(200) % 3
    expected = np.mean([SCORINGS[scoring](y[fold == k], a[fold == k]) - SCORINGS[scoring](y[fold == k], b[fold == k])
                        for k in range(3)], axis=0)
    np.testing.assert_allclose(contributions(y, a, b, scoring, fold).mean(axis=0), expected)
    np.testing.assert_allclose(paired_test(y, a, b, scoring, fold, n_perm=9).difference, expected)
    whole = contributions(y, a, b, scoring, np.zeros(200))
    left = np.stack([SCORINGS[scoring](*np.delete([y, a], i, 1)) - SCORINGS[scoring](*np.delete([y, b], i, 1))
                     for i in range(200)])
    np.testing.assert_allclose(whole.std(axis=0), 199 * left.std(axis=0), rtol=0.05)


def test_t_is_that_of_scipy_with_its_corrections(rng):
    y, a, b = rng.standard_normal((3, 50, 4))
    fold = np.arange(50) % 5
    parts = contributions(y, a, b, 'r2', fold)
    plain = stats.ttest_1samp(parts, 0).statistic
    np.testing.assert_allclose(paired_test(y, a, b, 'r2', fold, n_perm=9).t, plain * np.sqrt((1 - 10 / 50) / 2.25))
    assert training_factor(fold) == pytest.approx(1 + 50 / 40) and training_factor(None) == 1


def test_repeats_count_as_one(rng):
    """Every stimulus twice with the same noise is no more evidence than once."""
    y, a, b = rng.standard_normal((3, 40, 3))
    twice = [np.repeat(values, 2, axis=0) for values in (y, a, b)]
    once = paired_test(y, a, b, n_perm=99)
    np.testing.assert_allclose(paired_test(*twice, together=np.repeat(np.arange(40), 2), n_perm=99).t, once.t)
    assert (np.abs(paired_test(*twice, n_perm=99).t) > 1.3 * np.abs(once.t)).all()


def test_nan_and_equal_layers(rng):
    y, a, b = rng.standard_normal((3, 30, 4))
    y[:, 0], a[2, 1], b[:, 2] = 3, np.nan, a[:, 2]
    test = paired_test(y, a, b, n_perm=19)
    assert np.isnan(test.p).tolist() == [True, True, False, False] and test.p[2] == 1 and test.difference[2] == 0


def test_corrected_resampled_t(rng):
    """By hand: mean 0.2, deviation 0.1, five folds."""
    t, p = corrected_resampled_t([0.1, 0.2, 0.3, 0.1, 0.3], 0.25)
    assert t == pytest.approx(0.2 / (0.1 * np.sqrt(0.45))) and p == pytest.approx(2 * stats.t.sf(t, 4))
    assert corrected_resampled_t([[0.1, 0.2, 0.3, 0.1, 0.3]], 0.25, 'less')[1] == pytest.approx([1 - p / 2])


@pytest.mark.parametrize('call, says', [
    (lambda y: paired_test(y, y, y[1:]), 'must have the same shape'),
    (lambda y: paired_test(y, y, y, folds=np.arange(20) % 10), '20 stimuli in 10 folds are too few'),
    (lambda y: paired_test(y, y, y, tail='up'), "tail 'up' is not known"),
    (lambda y: paired_test(y, y, y, n_perm=0), 'n_perm must be at least 1'),
    (lambda y: paired_test(y, y, y, 'rmse'), "scoring 'rmse' is not known"),
    (lambda y: paired_test(y, y, -y, folds=np.zeros(20)), 'single fold'),
    (lambda y: corrected_resampled_t([0.1], 0.2), 'two folds or more'),
    (lambda y: fold_numbers([(np.arange(10), np.arange(10, 20))], 20), 'must test each of 20 rows once; 10 rows'),
])
def test_mistakes(rng, call, says):
    with pytest.raises(BadValue, match=says):
        call(rng.standard_normal((20, 2)))
