"""Permutations: level under the null, power, what moves together; false discovery rates."""

import numpy as np
import pytest
from scipy.stats import binom, false_discovery_control, kstest

from dnnbrain._checks import BadType, BadValue
from dnnbrain.mapping.crossval import folds
from dnnbrain.mapping.inference.exchange import bootstrap_weights, jackknife_weights, row_orders, unit_sums
from dnnbrain.mapping.inference.permutation import family, fdr, permutation_test, permute_encoding, permute_predictions
from dnnbrain.mapping.inference.refit import quick_scores
from dnnbrain.mapping.inference.regions import Regions
from dnnbrain.mapping.ridge import fit_least_squares, fit_ridge
from dnnbrain.mapping.scoring import SCORINGS, correlation


def at_5_percent(hits, n):
    """Within the central 99.8 % of a binomial of n at 5 %."""
    return binom.ppf(0.001, n, 0.05) <= hits <= binom.ppf(0.999, n, 0.05)


def kernel(rng, n=36, n_unit=60):
    X = rng.standard_normal((n, n_unit)) * np.arange(1, n_unit + 1) ** -0.5
    return X - X.mean(axis=0), X @ X.T


class TestNull:
    def test_cross_validated_encoding(self, rng):
        """Correlated voxels, unrelated layer, 300 experiments: 5 % uncorrected and family-wise, p uniform."""
        single, familywise, region = [], 0, 0
        for number in range(300):
            Y = rng.standard_normal((36, 8)) @ rng.standard_normal((8, 30)) + rng.standard_normal((36, 30))
            test = permute_encoding(kernel(rng)[1], Y, folds(36, 4, rng=number), n_perm=99, rng=number)
            single.append(test.p[0])
            familywise += test.p_family.min() <= 0.05
            region += test.roi_p[0] <= 0.05
        assert at_5_percent(familywise, 300) and at_5_percent(region, 300)
        assert at_5_percent(np.sum(np.array(single) <= 0.05), 300)
        assert kstest(np.array(single) - rng.random(300) / 100, 'uniform').pvalue > 0.001

    def test_fixed_predictions_of_cross_validation_are_liberal(self, rng):
        """Why they are refitted: 12 % at 5 %; refitted on the same data, 5 %."""
        fixed = refitted = 0
        for number in range(20):
            _, K = kernel(rng)
            Y, splits, predicted = rng.standard_normal((36, 60)), folds(36, 4, rng=number), np.empty((36, 60))
            for train, test in splits:
                predicted[test] = fit_ridge(K[np.ix_(train, train)], Y[train], 4.0).predict(K[np.ix_(test, train)])
            refitted += (permute_encoding(K, Y, splits, 4.0, n_perm=99, rng=number).p <= 0.05).sum()
            fold = np.zeros(36)
            for k, (_, test) in enumerate(splits):
                fold[test] = k
                for values in (predicted, Y):
                    values[test] = (values[test] - values[test].mean(axis=0)) / values[test].std(axis=0)
            fixed += (permute_predictions(Y, predicted, n_perm=99, within=fold, rng=number).p <= 0.05).sum()
        assert fixed / 1200 > 0.085
        assert 0.03 < refitted / 1200 < 0.07              # voxels share stimuli; more than binomial spread

    def test_predictions_of_other_data(self, rng):
        hits = 0
        for number in range(200):
            Y = rng.standard_normal((20, 5)) @ rng.standard_normal((5, 30)) + rng.standard_normal((20, 30))
            hits += permute_predictions(Y, rng.standard_normal((20, 30)), n_perm=59, rng=number).p_family.min() <= 0.05
        assert at_5_percent(hits, 200)

    def test_repeats_move_together(self, rng):
        """A voxel that answers reliably, and a model that has nothing to do with it: 5 %, but 20 % if torn apart."""
        ids, together, apart = np.repeat(np.arange(12), 5), 0, 0
        for number in range(60):
            Y = rng.standard_normal((12, 10))[ids] + 0.3 * rng.standard_normal((60, 10))
            predicted = rng.standard_normal((12, 10))[ids]
            together += (permute_predictions(Y, predicted, n_perm=59, together=ids, rng=number).p <= 0.05).sum()
            apart += (permute_predictions(Y, predicted, n_perm=59, rng=number).p <= 0.05).sum()
        assert at_5_percent(together, 600) and apart > 120


@pytest.mark.parametrize('scoring', SCORINGS)
@pytest.mark.parametrize('alpha', [0.0, 3.0])
def test_statistic_is_the_cross_validated_score(rng, scoring, alpha):
    """That of fitting fold by fold, to the precision of float32."""
    (_, K), splits = kernel(rng, 40, 20), folds(40, 4)
    Y = rng.standard_normal((40, 7)) * [1, 1e-3, 1e3, 1, 1, 1, 1] + [0, 0, 0, 100, 0, 0, 0]
    expected = []
    for train, test in splits:
        own = K[np.ix_(train, train)]
        model = fit_ridge(own, Y[train], alpha) if alpha else fit_least_squares(own, Y[train])
        expected.append(SCORINGS[scoring](Y[test], model.predict(K[np.ix_(test, train)])))
    found = permute_encoding(K, Y, splits, alpha, scoring, n_perm=3)
    np.testing.assert_allclose(found.statistic, np.mean(expected, axis=0), rtol=1e-3, atol=2e-4)


def test_penalty_by_generalised_cross_validation(rng):
    """One fold, by hand: the penalty whose GCV is least predicts."""
    (X, K), Y = kernel(rng, 30, 12), rng.standard_normal((30, 6))
    Y[:, 0] = X[:, 0] * 3 + 0.1 * Y[:, 0]
    alphas, (train, test) = np.array([0.01, 1.0, 100.0]), folds(30, 3)[0]
    own = X[train] - X[train].mean(axis=0)
    predicted, gcv = [], []
    for alpha in alphas:
        hat = own @ np.linalg.solve(own.T @ own + alpha * np.eye(12), own.T)
        centred = Y[train] - Y[train].mean(axis=0)
        gcv.append(((centred - hat @ centred) ** 2).sum(axis=0) / (len(train) - 1 - np.trace(hat)) ** 2)
        predicted.append(fit_ridge(K[np.ix_(train, train)], Y[train], alpha).predict(K[np.ix_(test, train)]))
    chosen = np.take_along_axis(np.array(predicted), np.argmin(gcv, axis=0)[None, None], axis=0)[0]
    found = permute_encoding(K, Y, [(train, test)], alphas, n_perm=2)
    np.testing.assert_allclose(found.statistic, correlation(Y[test], chosen), atol=2e-4)
    assert len(set(np.argmin(gcv, axis=0))) > 1


def test_refit_equals_the_generic_test(rng):
    """The same permutations, one at a time, through the models of the encoder."""
    (_, K), Y, splits = kernel(rng), rng.standard_normal((36, 5)), folds(36, 4)

    def score(order):
        y = Y[order]
        return np.mean([correlation(y[test], fit_ridge(K[np.ix_(train, train)], y[train], 2.0).predict(
            K[np.ix_(test, train)])) for train, test in splits], axis=0)
    slow = permutation_test(score, 36, 30, rois=[1, 1, 2, 2, 2])
    fast = permute_encoding(K, Y, splits, 2.0, n_perm=30, rois=[1, 1, 2, 2, 2])
    for name in ('p', 'p_family', 'roi_p'):
        np.testing.assert_allclose(getattr(fast, name), getattr(slow, name))
    np.testing.assert_allclose(fast.null_max, slow.null_max, atol=1e-4)
    assert slow.roi_names == [1, 2] and slow.roi_statistic[1] == pytest.approx(slow.statistic[2:].mean())


def test_power_and_bad_voxels(rng):
    """A planted voxel is found through the maximum over 200; constant and NaN voxels are NaN."""
    X, K = kernel(rng, 60)
    Y = rng.standard_normal((60, 200))
    Y[:, 0] += 3 * X[:, 0] / X[:, 0].std()
    Y[:, 1], Y[0, 2] = 4, np.nan
    test = permute_encoding(K, Y, folds(60, 5), n_perm=99)
    assert test.p[0] == test.p_family[0] == 0.01                       # (1 + 0) / (1 + 99), never 0
    assert np.isnan(test.p[1:3]).all() and np.isnan(test.statistic[1:3]).all() and np.isfinite(test.p[3:]).all()
    assert (test.p_family[3:] >= test.p[3:]).all() and np.isfinite(test.null_max).all()


def test_blocks_and_seeds(rng, monkeypatch):
    (_, K), Y = kernel(rng), rng.standard_normal((36, 9))
    whole = permute_encoding(K, Y, folds(36, 4), n_perm=20, rois=np.arange(9) % 2 + 1)
    monkeypatch.setattr('dnnbrain.mapping.inference.permutation._BLOCK_BYTES', 16 * 36 * 4)    # four voxels at a time
    parts = permute_encoding(K, Y, folds(36, 4), n_perm=20, rois=np.arange(9) % 2 + 1)
    for name in ('p', 'p_family', 'roi_p'):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))
    other = permute_encoding(K, Y, folds(36, 4), n_perm=20, rng=1)
    assert not np.allclose(whole.null_max, other.null_max)


def test_family_over_layers(rng):
    Y, splits = rng.standard_normal((36, 5)), folds(36, 4)
    tests = {name: permute_encoding(kernel(rng)[1], Y, splits, n_perm=50) for name in 'ab'}
    together = family(tests)
    highest = np.maximum(tests['a'].null_max, tests['b'].null_max)
    np.testing.assert_allclose(together[0], (1 + (highest[:, None] >= tests['a'].statistic).sum(axis=0)) / 51)
    with pytest.raises(BadValue, match='share their permutations'):
        family([tests['a'], permute_encoding(kernel(rng)[1], Y, splits, n_perm=49)])


def test_tails(rng):
    y = rng.standard_normal(30)

    def statistic(order):
        return np.array([1, -1]) * np.corrcoef(y[order], np.arange(30) + 20 * y)[0, 1]
    p = {tail: permutation_test(statistic, 30, 39, tail=tail).p for tail in ('greater', 'less', 'two-sided')}
    assert p['greater'].tolist() == [1 / 40, 1] and p['less'].tolist() == [1, 1 / 40]
    assert p['two-sided'].tolist() == [1 / 40, 1 / 40]


@pytest.mark.parametrize('scoring', SCORINGS)
def test_quick_scores(rng, scoring):
    y, p = rng.standard_normal((2, 12, 3, 4))
    p[:, 0, 0] = 0.3
    expected = [SCORINGS[scoring](y[:, k], p[:, k]) for k in range(3)]
    np.testing.assert_allclose(quick_scores(scoring, y, p), expected)


class TestOrders:
    def test_rows_stay_in_their_runs_and_repeats_move_as_one(self):
        """Two runs; stimuli 0-3 once in each, 4-5 twice in the first, 6 once: only like takes the place of like."""
        ids = np.array([0, 1, 2, 3, 4, 4, 5, 5, 3, 2, 1, 0, 6])
        runs = np.array([1] * 8 + [2] * 5)
        orders = row_orders(13, 200, runs, ids)
        assert (np.sort(orders, axis=1) == np.arange(13)).all() and (runs[orders] == runs).all()
        for rows in (np.flatnonzero(ids == k) for k in range(7)):
            assert (ids[orders][:, rows] == ids[orders][:, rows[:1]]).all()
        assert set(ids[orders][:, 0]) == {0, 1, 2, 3} and set(ids[orders][:, 4]) == {4, 5}
        assert (orders[:, 12] == 12).all()

    def test_every_order_is_as_likely(self):
        counts = np.unique(row_orders(3, 6000), axis=0, return_counts=True)[1]
        assert len(counts) == 6 and (np.abs(counts - 1000) < 4 * np.sqrt(1000)).all()

    def test_weights(self):
        ids, fold = np.array([0, 0, 1, 2, 3, 4, 4]), np.array([0, 0, 0, 0, 1, 1, 1])
        weights = bootstrap_weights(7, 500, fold, ids)
        assert (weights[:, 0] == weights[:, 1]).all() and (weights[:, 5] == weights[:, 6]).all()
        assert (weights[:, [0, 2, 3]].sum(axis=1) == 3).all() and (weights[:, [4, 5]].sum(axis=1) == 2).all()
        assert np.abs(weights.mean(axis=0) - 1).max() < 0.15
        np.testing.assert_array_equal(jackknife_weights(4, [0, 1, 0, 2]), [[0, 1, 0, 1], [1, 0, 1, 1], [1, 1, 1, 0]])
        np.testing.assert_array_equal(unit_sums(np.arange(4.0)[:, None], [0, 1, 0, 2]), [[2], [1], [3]])


@pytest.mark.parametrize('method', ['bh', 'by'])
def test_fdr_equals_scipy(rng, method):
    p = rng.random((4, 5)) ** 3
    p[1, 2] = np.nan
    found, known = fdr(p, method), np.isfinite(p)
    np.testing.assert_allclose(found[known], false_discovery_control(p[known], method=method))
    assert np.isnan(found[1, 2])
    assert fdr([0.01, 0.02, 0.9]) == pytest.approx([0.03, 0.03, 0.9])                # by hand


def test_regions(rng):
    values = np.array([1.0, 2, np.nan, 4])
    for rois in ({'v1': [0, 1], 'v2': np.array([False, False, True, True])}, ['v1', 'v1', 'v2', 'v2']):
        regions = Regions.make(rois, 4)
        assert regions.names == ['v1', 'v2']
        np.testing.assert_allclose(regions.means(values), [1.5, 4])
    assert Regions.make([0, 2, np.nan, 3], 4).names == [2, 3] and Regions.make(None, 4).names == ['all']
    assert np.isnan(Regions.make({'a': [2]}, 4).means(values))


@pytest.mark.parametrize('call, says', [
    (lambda Y, K: permute_encoding(K[1:], Y, folds(20, 4)), r'not \(19, 20\) and \(20, 3\)'),
    (lambda Y, K: permute_encoding(K, Y, folds(20, 4), [0, 1]), 'alphas must be positive numbers, or 0 alone'),
    (lambda Y, K: permute_encoding(K, Y, folds(20, 4), 'auto'), 'alphas must be positive numbers'),
    (lambda Y, K: permute_encoding(K, Y, 5), 'splits must be a list of'),
    (lambda Y, K: permute_encoding(K, Y, folds(21, 4)), 'splits hold row 20, but the responses have 20 rows'),
    (lambda Y, K: permute_encoding(K, Y, [(np.arange(9), np.arange(5, 20))]), 'in the training and in the test set'),
    (lambda Y, K: permute_encoding(K * np.nan, Y, folds(20, 4)), 'K holds NaN'),
    (lambda Y, K: fdr('a'), 'p must be numbers'),
    (lambda Y, K: permute_encoding(K, Y, folds(20, 4), n_perm=0), 'n_perm must be at least 1, not 0'),
    (lambda Y, K: permute_encoding(K, Y * 0, folds(20, 4)), 'no target varies'),
    (lambda Y, K: permute_encoding(K, Y, folds(20, 4), scoring='r'), "scoring 'r' is not known"),
    (lambda Y, K: permute_encoding(K, Y, folds(20, 4), within=np.arange(20)), 'no row can take the place'),
    (lambda Y, K: permute_encoding(K, Y, folds(20, 4), within=np.arange(19)), 'within must have a value for each'),
    (lambda Y, K: permute_predictions(Y, Y[1:]), r'not \(20, 3\) and \(19, 3\)'),
    (lambda Y, K: permutation_test(lambda order: 1.0, 20), r'must return an array \(n_target,\)'),
    (lambda Y, K: permutation_test(lambda order: Y[0], 20, tail='both'), "tail 'both' is not known"),
    (lambda Y, K: fdr([0.1, 1.1]), 'between 0 and 1'),
    (lambda Y, K: fdr([0.1], 'bonferroni'), "'bonferroni' is not known"),
    (lambda Y, K: bootstrap_weights(20, 1), 'n_boot must be at least 2'),
    (lambda Y, K: bootstrap_weights(4, 9, [0, 0, 1, 1], [0, 1, 1, 2]), 'lie in several folds'),
    (lambda Y, K: row_orders(0, 3), 'there are no rows'),
    (lambda Y, K: Regions.make([1, 2], 3), r'a label for each of 3 voxels, not shape \(2,\)'),
    (lambda Y, K: Regions.make([0, 0, 0], 3), 'there is no region'),
    (lambda Y, K: Regions.make({'a': []}, 3), "region 'a' must be indices"),
    (lambda Y, K: Regions.make({'a': np.zeros(3, bool)}, 3), "region 'a' holds no voxel"),
    (lambda Y, K: Regions.make({'a': [True]}, 3), "region 'a' has 1 voxels and the responses 3"),
    (lambda Y, K: Regions.make({'a': [3]}, 3), 'holds voxel 3, but indices are from 0 to 2'),
])
def test_mistakes(rng, call, says):
    with pytest.raises((BadValue, BadType), match=says):
        call(rng.standard_normal((20, 3)), kernel(rng, 20)[1])
