"""Inference on RDMs: permutations, bootstraps, ceilings, contrasts, seeds; the calls of DNNBrain 1.0."""

import warnings

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import pdist, squareform

from dnnbrain._checks import BadType, BadValue
from dnnbrain.brain.rsa import RSA
from dnnbrain.mapping.rsa.bootstrap import bootstrap
from dnnbrain.mapping.rsa.ceiling import rdm_ceiling
from dnnbrain.mapping.rsa.compare import METHODS, compare
from dnnbrain.mapping.rsa.contrast import contrast, sign_flips
from dnnbrain.mapping.rsa.partial import partial_correlation, permute_partial
from dnnbrain.mapping.rsa.permutation import permute_items
from dnnbrain.utils.util import ceiling_RSA, permutation_RSA


def distances(rng, n_item=20, n_feature=3):
    return pdist(rng.standard_normal((n_item, n_feature)))


def of_subjects(rng, table, n_subject, noise=1.0):
    return np.stack([pdist(table + noise * rng.standard_normal(table.shape)) for _ in range(n_subject)])


class TestBootstrap:
    def test_draws_leave_out_pairs_of_a_stimulus_with_itself(self, rng):
        """By hand: the stimuli drawn, and the pairs of different ones among them."""
        from dnnbrain.mapping.inference.exchange import bootstrap_weights
        x, y = distances(rng, 12), distances(rng, 12)
        found, counts = bootstrap(x, y, n_boot=5), bootstrap_weights(12, 5, rng=np.random.default_rng(0))
        for draw, count in zip(found.draws[:, 0, 0], counts, strict=True):
            items = np.repeat(np.arange(12), count)
            apart = np.triu(items[:, None] != items)
            one, two = (squareform(v)[np.ix_(items, items)][apart] for v in (x, y))
            assert draw == pytest.approx(np.corrcoef(one, two)[0, 1], abs=1e-12)
        assert not np.isnan(found.draws).any()

    def test_over_subjects_is_student(self, rng):
        table = rng.standard_normal((12, 3))
        subjects = of_subjects(rng, table, 5)
        found, each = bootstrap(pdist(table), subjects, over='subjects'), compare(pdist(table), subjects)[0]
        assert found.r[0] == pytest.approx(each.mean()) and found.error[0] == pytest.approx(stats.sem(each))
        assert found.draws.std() == pytest.approx(each.std() / np.sqrt(5), rel=0.1)
        low, high = found.interval()
        reach = stats.t.ppf(0.975, 4) * stats.sem(each) / (1 - each.mean() ** 2)
        np.testing.assert_allclose(np.arctanh([low[0], high[0]]), np.arctanh(each.mean()) + np.array([-reach, reach]))

    def test_perfect_and_unusable(self, rng):
        x = distances(rng, 12)
        with pytest.warns(RuntimeWarning, match='1 of 2 RDMs of first'):
            found = bootstrap([x, 0 * x], 3 * x, n_boot=20)
        for method in ('corrected', 'percentile'):
            np.testing.assert_allclose(found.interval(method=method), [[[1], [np.nan]]] * 2, atol=1e-9)

    def test_sentences(self, rng):
        x = of_subjects(rng, rng.standard_normal((8, 3)), 3)
        with pytest.raises(BadValue, match="over 'both' needs the RDMs of three subjects or more, not 2"):
            bootstrap(x[0], x[:2], over='both')
        with pytest.raises(BadValue, match="did you mean 'subjects'"):
            bootstrap(x[0], x, over='subject')
        with pytest.raises(BadValue, match='n_boot must be at least 2'):
            bootstrap(x[0], x, n_boot=1)
        with pytest.raises(BadValue, match='level must be between'):
            bootstrap(x[0], x[1], n_boot=5).interval(95)
        x[1] = 0
        with pytest.warns(RuntimeWarning), pytest.raises(BadValue, match='RDM of subject 2 holds NaN'):
            bootstrap(x[0], x, over='subjects')


class TestPermutation:
    @pytest.mark.parametrize('method', METHODS)
    def test_equals_permuting_one_at_a_time(self, rng, method):
        """Rows and columns together, by indexing squares; families over all comparisons; means over subjects."""
        from dnnbrain.mapping.inference.exchange import row_orders
        table = rng.standard_normal((7, 3))
        first, second = of_subjects(rng, table, 2), of_subjects(rng, table, 3)
        first[1] = np.round(first[1])
        orders, squares = row_orders(7, 30), np.stack([squareform(row) for row in second])
        null = np.stack([compare(first, squares[:, order][:, :, order], method) for order in orders])
        for tail, turn in (('greater', np.array), ('two-sided', np.abs)):
            found, r = permute_items(first, second, method, n_perm=30, tail=tail), compare(first, second, method)
            np.testing.assert_allclose(found.r, r, atol=1e-12)
            np.testing.assert_allclose(found.p, (1 + (turn(null) >= turn(r) - 1e-9).sum(axis=0)) / 31)
            np.testing.assert_allclose(found.null_max, turn(null).max(axis=(1, 2)), atol=1e-12)
        mean = permute_items(first, second, method, n_perm=30, subjects=True)
        np.testing.assert_allclose(mean.r, r.mean(axis=1), atol=1e-12)
        np.testing.assert_allclose(mean.p, (1 + (null.mean(axis=2) >= r.mean(axis=1) - 1e-9).sum(axis=0)) / 31)

    def test_seeds_jobs_and_blocks(self, rng, monkeypatch):
        first, second = distances(rng, 10), np.stack([distances(rng, 10) for _ in range(2)])
        tests = [permute_items(first, second, method, n_perm=50, n_jobs=jobs)
                 for method in ('pearson', 'kendall') for jobs in (1, 2)]
        draws = [bootstrap(first, second, n_boot=40, n_jobs=jobs) for jobs in (1, 2)]
        monkeypatch.setattr('dnnbrain.mapping.rsa.permutation._BLOCK_BYTES', 3 * 8 * 45 * 7)        # seven at a time
        monkeypatch.setattr('dnnbrain.mapping.rsa.bootstrap._BLOCK_BYTES', 7 * 8 * 45 * 7)
        tests += [permute_items(first, second, 'pearson', n_perm=50, n_jobs=jobs) for jobs in (1, 2)]
        draws.append(bootstrap(first, second, n_boot=40, n_jobs=2))
        for one, two in ((0, 1), (2, 3), (0, 4), (0, 5)):
            np.testing.assert_allclose(tests[one].null_max, tests[two].null_max, atol=1e-14)
            np.testing.assert_array_equal(tests[one].p, tests[two].p)
        np.testing.assert_allclose(draws[0].draws, [draws[1].draws, draws[2].draws][0], atol=1e-14)
        np.testing.assert_allclose(draws[0].draws, draws[2].draws, atol=1e-14)
        assert not np.allclose(tests[0].null_max, permute_items(first, second, n_perm=50, rng=1).null_max)

    def test_within_categories(self, rng):
        """Two RDMs that share nothing but categories: related, but not within categories."""
        group = np.repeat([0, 1], 10)
        apart = pdist(group[:, None].astype(float))
        x, y = (5 * apart + rng.random(190) for _ in range(2))
        assert permute_items(x, y, n_perm=199).p[0, 0] == 1 / 200
        assert permute_items(x, y, n_perm=199, within=group).p[0, 0] > 0.05

    def test_partial_statistic_and_power(self, rng):
        first, given = distances(rng), distances(rng)
        found = permute_partial([first, given + 1], first + given + 0.1 * distances(rng), given, 'spearman', n_perm=99)
        expected = partial_correlation([first, given + 1], first + given, given, 'spearman')
        assert found.p[0, 0] == 0.01 and found.r[0, 0] == pytest.approx(expected[0, 0], abs=0.05)
        assert found.r[1, 0] == 0 and found.p[1, 0] == 1                     # nothing is left of the given itself

    def test_nan_and_sentences(self, rng):
        x = np.stack([distances(rng, 8) for _ in range(2)])
        with pytest.warns(RuntimeWarning, match='1 of 2 RDMs of first'):
            found = permute_items([x[0], np.full(28, np.nan)], x[1], n_perm=9)
        assert np.isnan(found.p[1, 0]) and np.isnan(found.p_family[1, 0]) and found.p[0, 0] == found.p_family[0, 0]
        with pytest.raises(BadValue, match='n_perm must be at least 1'):
            permute_items(*x, n_perm=0)
        with pytest.raises(BadValue, match='tail'):
            permute_items(*x, tail='both')
        with pytest.raises(BadValue, match='n_jobs must be a number of threads'):
            permute_items(*x, n_jobs=0)
        with pytest.raises(BadType, match='n_jobs must be a whole number'):
            bootstrap(*x, n_jobs='all')


class TestCeiling:
    @pytest.mark.parametrize('method', ['pearson', 'spearman', 'kendall', 'tau-a', 'rho-a', 'cosine'])
    def test_equals_rsatoolbox(self, rng, method):
        toolbox = pytest.importorskip('rsatoolbox')
        subjects = of_subjects(rng, rng.standard_normal((9, 4)), 5) * np.arange(1, 6)[:, None]
        found = rdm_ceiling(subjects, method)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            theirs = toolbox.inference.boot_noise_ceiling(toolbox.rdm.RDMs(subjects),
                                                          {'pearson': 'corr'}.get(method, method))
        np.testing.assert_allclose([found.lower, found.upper], theirs, atol=1e-9)

    @pytest.mark.parametrize('method', ['pearson', 'spearman', 'rho-a', 'cosine', 'corr_cov', 'cosine_cov'])
    def test_no_rdm_is_above_the_upper_end(self, rng, method):
        table = rng.standard_normal((9, 4))
        subjects = of_subjects(rng, table, 5)
        found = rdm_ceiling(subjects, method)
        others = np.concatenate([found.best + found.best.std() * scale * rng.standard_normal((200, 36))
                                 for scale in (0.01, 0.1, 1)] + [subjects, pdist(table)[None]])
        assert compare(others, subjects, method).mean(axis=1).max() <= found.upper + 1e-12
        assert compare(found.best, subjects, method).mean() == pytest.approx(found.upper)
        assert found.lower < found.upper and len(found.lower_each) == 5

    def test_by_hand(self, rng):
        squares = np.stack([squareform(row) for row in of_subjects(rng, rng.standard_normal((9, 4)), 4)])
        lower, upper, mean = ceiling_RSA(squares, 'pearson')
        above = np.triu_indices(9, 1)
        z = np.stack([stats.zscore(square[above]) for square in squares])
        left_out = [np.corrcoef(z[i], np.delete(z, i, axis=0).mean(axis=0))[0, 1] for i in range(4)]
        assert lower == pytest.approx(np.mean(left_out))
        assert upper == pytest.approx(np.mean([np.corrcoef(row, z.mean(axis=0))[0, 1] for row in z]))
        np.testing.assert_allclose(mean, squares.mean(axis=0))

    def test_sentences(self, rng):
        x = of_subjects(rng, rng.standard_normal((8, 3)), 3)
        with pytest.raises(BadValue, match='two subjects or more, not 1'):
            rdm_ceiling(x[0])
        with pytest.raises(BadValue, match='subject 2 holds NaN'):
            rdm_ceiling([x[0], x[1] * np.nan])


class TestContrast:
    def test_sign_flips_by_hand(self, rng):
        """Four subjects: all 16 ways, so that p is exact."""
        table = rng.standard_normal((12, 4))
        subjects, layers = of_subjects(rng, table, 4), [pdist(table), distances(rng, 12, 4), pdist(table[:, :2])]
        found, each = contrast(layers, subjects, over='subjects'), compare(layers, subjects)
        exact = stats.permutation_test((each[0] - each[1],), np.mean, permutation_type='samples')
        assert found.p[0, 1] == pytest.approx(exact.pvalue) and found.p[0, 1] == 2 / 16
        assert found.difference[0, 1] == pytest.approx((each[0] - each[1]).mean())
        np.testing.assert_allclose(found.p, found.p.T)
        np.testing.assert_allclose(found.difference, -found.difference.T)
        assert np.isnan(np.diag(found.p)).all()
        assert len(sign_flips(4, 1000, rng)[0]) == 16 and sign_flips(20, 1000, rng)[0].shape == (1000, 20)

    @pytest.mark.parametrize('over', ['stimuli', 'subjects', 'both'])
    def test_power_and_equal_layers(self, rng, over):
        table = rng.standard_normal((20, 5))
        subjects = of_subjects(rng, table, 8, 0.5)
        layers = [pdist(table), 2 * pdist(table), distances(rng, 20, 5)]
        found = contrast(layers, subjects if over != 'stimuli' else subjects.mean(axis=0), over=over, n_boot=200)
        assert found.p[0, 2] < 0.02 and found.p[0, 1] == 1 and found.difference[0, 1] == pytest.approx(0, abs=1e-12)
        assert found.p_fdr[0, 2] >= found.p[0, 2] and found.p_fdr[2, 0] == found.p_fdr[0, 2]
        low, high = found.interval()
        assert 0 < low[0, 2] < found.difference[0, 2] < high[0, 2] and low[0, 0] == high[0, 0] == 0

    def test_sentences(self, rng):
        x = of_subjects(rng, rng.standard_normal((8, 3)), 3)
        with pytest.raises(BadValue, match='layers holds a single RDM'):
            contrast(x[0], x[1])
        with pytest.raises(BadValue, match='brain holds 2 RDMs; give one, or over='):
            contrast(x, x[:2])
        with pytest.raises(BadValue, match='n_boot must be at least 2, not 0'):
            contrast(x, x, over='subjects', n_boot=0)
        with pytest.raises(BadValue, match='level must be between'):
            contrast(x, x[0], n_boot=5).interval(0)


class TestOnePointZero:
    @pytest.fixture
    def squares(self, rng):
        table = rng.standard_normal((12, 4))
        return np.stack([squareform(row) for row in of_subjects(rng, table, 3, 0.4)])

    def test_permutation_RSA(self, squares):
        r, null, p = permutation_RSA(squares[0], squares[1], 'spearman', 200)
        test = permute_items(squares[0], squares[1], 'spearman', 200)
        assert (r, p) == (test.r[0, 0], test.p[0, 0]) and null.shape == (200,)
        assert p == (1 + (null >= r).sum()) / 201 and 0 < p < 0.05 and null.max() == test.null_max.max()
        assert permutation_RSA(squares[0], squares[1], 'pearson', 99, tail='less')[2] == 1
        with pytest.raises(BadValue, match='rdm2 must be one RDM, not 2'):
            permutation_RSA(squares[0], squares[1:], 'pearson', 9)

    @pytest.mark.parametrize('method', ['pearson', 'spearman', 'kendall'])
    def test_one2one(self, squares, method):
        rsa = RSA(squares[0], squares[1], 'one2one', 1, 99, alpha=0.1)
        r, p = rsa.rsa(method, 'permutation')
        assert r == rsa.corr_rdm(method) == compare(squares[0], squares[1], method)[0, 0] and p == 0.01
        again, (low, high) = rsa.rsa(method, 'bootstrap')
        assert again == r and -1 < low < r < high < 1 and isinstance(low, float)
        wider = RSA(squares[0], squares[1], 'one2one', 2, 99, alpha=0.01).corr_bootstrap(method)
        assert wider[0] < low and wider[1] > high

    def test_one2n_and_n2n(self, squares):
        each = compare(squares[0], squares)[0]
        rsa = RSA(squares[0], squares, 'one2n', 2, 99)
        r, p = rsa.rsa('pearson', 'permutation')
        np.testing.assert_allclose(r, each, atol=1e-12)
        assert p == rsa.corr_permutation() == [0.01] * 3 and r == rsa.corr_rdm_rdms()
        rsa = RSA(list(squares), squares[::-1], 'n2n', 1, 99)
        r, intervals = rsa.rsa('pearson', 'bootstrap')
        np.testing.assert_allclose(r, [each[2], 1, each[2]], atol=1e-12)
        assert r == rsa.corr_rdms() and len(intervals) == 3 and all(low <= high for low, high in intervals)

    def test_sentences(self, squares):
        with pytest.raises(BadValue, match='rdm2 holds 3 RDMs, but input_type'):
            RSA(squares[0], squares, 'one2one', 1, 99)
        with pytest.raises(BadValue, match='pairs RDMs by place; rdm1 holds 3 and rdm2 2'):
            RSA(squares, squares[:2], 'n2n', 1, 99)
        with pytest.raises(BadValue, match='choose from one2one, one2n, n2n'):
            RSA(squares[0], squares, 'one2many', 1, 99)
        with pytest.raises(BadValue, match='alpha must be between 0 and 1'):
            RSA(squares[0], squares[1], 'one2one', 1, 99, alpha=5)
        with pytest.raises(BadValue, match="tail 'grater' is not known; did you mean 'greater'"):
            RSA(squares[0], squares[1], 'one2one', 1, 99, tail='grater')
        with pytest.raises(BadValue, match='n_iter must be at least 2'):
            RSA(squares[0], squares[1], 'one2one', 1, 0)
        rsa = RSA(squares[0], squares[1], 'one2one', 1, 9)
        with pytest.raises(BadType, match="made for input_type 'one2one', not 'n2n'"):
            rsa.corr_rdms()
        with pytest.raises(BadValue, match="sig_method 'perm' is not known"):
            rsa.rsa('pearson', 'perm')
        with pytest.raises(BadValue, match='corr_method'):
            rsa.rsa('euclidean')
