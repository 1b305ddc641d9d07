"""Comparing RDMs: equal to scipy and rsatoolbox, with and without draws; partial correlations, regression, CKA."""

import warnings

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import pdist, squareform

from dnnbrain._checks import BadType, BadValue
from dnnbrain.activation.activation import Activation
from dnnbrain.mapping.rdm import RDM
from dnnbrain.mapping.rsa.cka import cka_table, linear_cka
from dnnbrain.mapping.rsa.compare import METHODS, compare, drawn
from dnnbrain.mapping.rsa.pairs import vectors
from dnnbrain.mapping.rsa.partial import each_partial, partial_correlation
from dnnbrain.mapping.rsa.regression import regress
from dnnbrain.mapping.rsa.similarity import Draws

# names in rsatoolbox
THEIRS = {'pearson': 'corr', 'spearman': 'spearman', 'kendall': 'kendall', 'tau-b': 'tau-b', 'tau-a': 'tau-a',
          'rho-a': 'rho-a', 'cosine': 'cosine', 'corr_cov': 'corr_cov', 'cosine_cov': 'cosine_cov'}
SCIPY = {'pearson': stats.pearsonr, 'spearman': stats.spearmanr, 'kendall': stats.kendalltau}


def reference(first, second, method):
    """What rsatoolbox says."""
    toolbox = pytest.importorskip('rsatoolbox')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return toolbox.rdm.compare(toolbox.rdm.RDMs(first), toolbox.rdm.RDMs(second), THEIRS[method])


def rdms(rng, n_rdm, n_item, n_feature=6, shared=None):
    tables = rng.standard_normal((n_rdm, n_item, n_feature)) + (0 if shared is None else shared)
    return np.stack([pdist(table) for table in tables])


@pytest.fixture
def both(rng):
    """Three and four RDMs of nine items; one of each side with many ties, one with a large offset."""
    shared = rng.standard_normal((9, 6))
    first, second = rdms(rng, 3, 9, shared=shared), rdms(rng, 4, 9, shared=shared)
    first[1], second[2], second[3] = np.round(first[1]), np.round(second[2] / 2), second[3] + 1e4
    return first, second


class TestCompare:
    @pytest.mark.parametrize('method', METHODS)
    def test_equals_rsatoolbox(self, both, method):
        """To rounding; the offset of 1e4 costs five digits."""
        np.testing.assert_allclose(compare(*both, method), reference(*both, method), atol=1e-9)

    @pytest.mark.parametrize('method', SCIPY)
    def test_equals_scipy(self, both, method):
        expected = [[SCIPY[method](x, y)[0] for y in both[1]] for x in both[0]]
        np.testing.assert_allclose(compare(*both, method), expected, atol=1e-10)

    @pytest.mark.parametrize('method', METHODS)
    def test_draws_equal_rsatoolbox_on_what_was_drawn(self, rng, both, method):
        """Items drawn twice: their pair with themselves left out, the other pairs counted as often as they occur."""
        counts = rng.multinomial(9, np.full(9, 1 / 9), size=4)
        found = drawn(*both, Draws.make(counts), method)
        above = np.triu_indices(9, 1)
        for count, similarity in zip(counts, found, strict=True):
            items = np.repeat(np.arange(9), count)
            apart = (items[:, None] != items)[above]
            sides = [np.stack([squareform(row)[np.ix_(items, items)][above] for row in side]) for side in both]
            if method in ('tau-a', 'rho-a'):                          # theirs does not know missing pairs
                with_pairs = [side[:, apart] for side in sides]
                np.testing.assert_allclose(similarity, [[_BY_HAND[method](x, y) for y in with_pairs[1]]
                                                        for x in with_pairs[0]], atol=1e-10)
                continue
            for side in sides:
                side[:, ~apart] = np.nan
            np.testing.assert_allclose(similarity, reference(*sides, method), atol=1e-8)

    @pytest.mark.parametrize('method', [method for method in METHODS if not method.startswith('cosine')])
    def test_a_draw_of_one_category_is_nan(self, rng, method):
        """Where a model of categories does not vary, rounding must not be taken for a correlation."""
        model = 0.1 + 0.7 * pdist(np.repeat([0., 1], 6)[:, None], 'cityblock')
        items = np.array([[3, 3, 2, 2, 1, 1] + [0] * 6, [0, 1, 2, 0, 1, 2, 0, 1, 2, 1, 1, 1]])
        found = drawn(model[None], rng.random((1, 66)), Draws.make(items), method)[:, 0, 0]
        assert np.isnan(found[0]) and np.isfinite(found[1])

    def test_tau_is_counted_pair_by_pair(self, rng):
        """Ties in both and weights, against the sum over all pairs of pairs."""
        x, y = rng.integers(0, 5, (2, 1, 45)).astype(float)
        weights = rng.multinomial(10, np.full(10, 0.1), size=3)
        draws = Draws.make(weights)
        for ties in ('a', 'b'):
            for number, pairs in enumerate(draws.pairs.astype(int)):
                copies = np.repeat(np.arange(45), pairs)
                expected = _BY_HAND[f'tau-{ties}'](x[0, copies], y[0, copies])
                assert drawn(x, y, draws, f'tau-{ties}')[number, 0, 0] == pytest.approx(expected, abs=1e-12)

    def test_tau_of_many_pairs(self, rng):
        """Beyond what 16 bits hold, where sums leave single precision."""
        x, y = rng.standard_normal((2, 190 * 189 // 2)).round(3)
        assert compare(x, y, 'kendall')[0, 0] == pytest.approx(stats.kendalltau(x, y)[0], abs=1e-12)

    def test_whitening_is_the_inverse_covariance(self, rng):
        x, y = rng.random((2, 21))
        contrasts = np.eye(7)[np.triu_indices(7, 1)[0]] - np.eye(7)[np.triu_indices(7, 1)[1]]
        V = (contrasts @ contrasts.T) ** 2
        product = lambda a, b: a @ np.linalg.solve(V, b)                                               # noqa: E731
        expected = product(x, y) / np.sqrt(product(x, x) * product(y, y))
        assert compare(x, y, 'cosine_cov')[0, 0] == pytest.approx(expected, abs=1e-12)

    def test_rho_a_is_the_mean_over_broken_ties(self, rng):
        x, y = np.array([0, 0, 1, 2, 2, 2.]), rng.random(6)
        broken = [stats.spearmanr(x + 1e-3 * rng.random(6), y)[0] for _ in range(4000)]
        assert compare(x, y, 'rho-a')[0, 0] == pytest.approx(np.mean(broken), abs=4 * np.std(broken) / 4000 ** 0.5)

    @pytest.mark.parametrize('method', METHODS)
    def test_forms_and_invariants(self, both, method):
        first, second = both
        whole = compare(first, second, method)
        square = np.stack([squareform(row) for row in first])
        np.testing.assert_allclose(compare(square, list(second), method), whole, atol=1e-12)
        np.testing.assert_allclose(compare(np.triu(square[0]), second[1], method), whole[:1, 1:2], atol=1e-12)
        np.testing.assert_allclose(compare(second, first, method), whole.T, atol=1e-9)
        order = [3, 1, 0, 2, 8, 7, 6, 5, 4]
        moved = [np.stack([squareform(row)[np.ix_(order, order)] for row in side]) for side in both]
        np.testing.assert_allclose(compare(*moved, method), whole, atol=1e-9)
        assert compare(first[0], 3 * first[0], method)[0, 0] == pytest.approx(1, abs=1e-12)

    @pytest.mark.parametrize('method', METHODS)
    def test_unusable_rdms_are_nan_and_counted(self, both, method):
        first, second = both
        first, second = first.copy(), second.copy()
        first[0, 3], second[1] = np.nan, 0
        with pytest.warns(RuntimeWarning, match='1 of 3 RDMs of first hold NaN'), \
                pytest.warns(RuntimeWarning, match='1 of 4 RDMs of second .* place 1'):
            found = compare(first, second, method)
        bad = np.zeros((3, 4), dtype=bool)
        bad[0] = bad[:, 1] = True
        np.testing.assert_array_equal(np.isnan(found), bad)
        np.testing.assert_allclose(found[~bad], compare(*both, method)[~bad], atol=1e-12)

    @pytest.mark.parametrize('wrong, error, sentence', [
        (np.ones((2, 7)), BadValue, '7 pairs are not the upper triangle'),
        (np.ones((2, 4, 5)), BadValue, r'must be squares .* not \(2, 4, 5\)'),
        (np.arange(36.).reshape(6, 6) * (1 - np.eye(6)), BadValue, 'not symmetric; fill both'),
        (np.arange(72.).reshape(2, 6, 6), BadValue, 'holds a square that is not symmetric'),
        (np.corrcoef(np.eye(9)), BadValue, 'diagonal is not 0'),
        (np.ones((1, 1, 1, 2)), BadValue, 'must have shape'),
        ([np.ones(36), np.ones(28)], BadValue, 'their sizes differ'),
        (RDM.from_array(np.ones(36), triu=True), BadType, r'not RDM; take one RDM of it, as in rdm.get\(key\)'),
        ([RDM.from_array(np.ones(36), triu=True)], BadType, 'not RDM; take one RDM of it'),
        (['a', 'b'], BadType, r'must be arrays of numbers, .* rdm.get\(key\)'),
        (np.ones((1, 28)), BadValue, 'of the same items, not of 8 and 9'),
    ])
    def test_sentences(self, both, wrong, error, sentence):
        with pytest.raises(error, match=sentence):
            compare(wrong, both[1])

    def test_more_sentences(self):
        with pytest.raises(BadValue, match='choose from pearson'):
            compare(np.ones(36), np.ones(36), 'correlation')
        with pytest.raises(BadValue, match='3 items are too small'):
            compare(np.ones(3), np.ones(3))
        np.testing.assert_array_equal(vectors(np.arange(3)), [[0, 1, 2]])


def _taus(x, y):
    signs = [np.sign(v[:, None] - v)[np.triu_indices(len(v), 1)] for v in (x, y)]
    return signs[0] @ signs[1], np.sqrt(np.prod([(sign != 0).sum() for sign in signs], dtype=float)), len(signs[0])


def _rho_a(x, y):
    ranks = [stats.rankdata(v) - (len(v) + 1) / 2 for v in (x, y)]
    return 12 * ranks[0] @ ranks[1] / (len(x) ** 3 - len(x))


_BY_HAND = {'tau-a': lambda x, y: _taus(x, y)[0] / _taus(x, y)[2], 'tau-b': lambda x, y: np.divide(*_taus(x, y)[:2]),
            'rho-a': _rho_a}


class TestPartial:
    @pytest.mark.parametrize('method, turn', [('pearson', np.array), ('spearman', stats.rankdata)])
    def test_equals_the_inverse_of_the_correlations(self, rng, method, turn):
        rows = rdms(rng, 4, 12)
        precision = np.linalg.inv(np.corrcoef([turn(row) for row in rows]))
        expected = -precision[0, 3] / np.sqrt(precision[0, 0] * precision[3, 3])
        assert partial_correlation(rows[0], rows[3], rows[1:3], method)[0, 0] == pytest.approx(expected, abs=1e-12)
        assert each_partial(rows[:3], rows[3], method)[0, 0] == pytest.approx(expected, abs=1e-12)

    def test_nothing_left_is_0(self, rng):
        rows = rdms(rng, 3, 12)
        assert partial_correlation(2 * rows[0] + rows[1] + 5, rows[2], rows[:2])[0, 0] == 0
        twice = partial_correlation(rows[0], rows[2], rows[[1, 1]])          # a copy takes out nothing more
        np.testing.assert_allclose(twice, partial_correlation(rows[0], rows[2], rows[1]), atol=1e-12)

    def test_sentences(self, rng):
        rows = rdms(rng, 3, 12)
        with pytest.raises(BadValue, match='given holds NaN'):
            partial_correlation(rows[0], rows[1], rows[2] * np.nan)
        with pytest.raises(BadValue, match='too many for 66 pairs'):
            partial_correlation(rows[0], rows[1], np.repeat(rows, 30, axis=0))
        with pytest.raises(BadValue, match='two or more'):
            each_partial(rows[0], rows[1])
        with pytest.raises(BadValue, match='choose from pearson, spearman'):
            partial_correlation(*rows, method='kendall')


class TestRegression:
    def test_a_sum_is_found(self, rng):
        layers = rdms(rng, 3, 20)
        found = regress(layers, 2 * layers[0] + 0.5 * layers[2] + 7, n_repeat=2)
        np.testing.assert_allclose(found.weights, [[2, 0, 0.5]], atol=1e-9)
        np.testing.assert_allclose([found.intercept[0], found.explained[0], found.held_out[0], found.held_out_r[0]],
                                   [7, 1, 1, 1], atol=1e-9)
        assert found.unique[0, 0] > found.unique[0, 2] > 0.01 and abs(found.unique[0, 1]) < 1e-9
        assert found.held_out_unique[0, 0] > 0.5

    def test_weights_are_not_negative_unless_asked(self, rng):
        layers = rdms(rng, 2, 15)
        brain = layers[0] - layers[1] + 10
        assert regress(layers, brain, n_repeat=1).weights[0, 1] == 0
        np.testing.assert_allclose(regress(layers, brain, nonneg=False, n_repeat=1).weights, [[1, -1]], atol=1e-9)

    def test_unique_is_the_squared_semipartial_correlation(self, rng):
        layers, brain = rdms(rng, 2, 15), rdms(rng, 3, 15)
        found = regress(layers, brain, nonneg=False, n_repeat=1)
        X = np.c_[np.ones(105), layers.T]
        for number, y in enumerate(brain):
            r2 = [1 - np.linalg.lstsq(X[:, kept], y)[1][0] / (y.var() * 105) for kept in ([0, 1, 2], [0, 2], [0, 1])]
            np.testing.assert_allclose([found.explained[number], *found.unique[number]],
                                       [r2[0], r2[0] - r2[1], r2[0] - r2[2]], atol=1e-10)

    def test_held_out_stimuli_tell_noise_from_signal(self, rng):
        """Twelve unrelated layers explain pairs they were fitted to, but nothing of other stimuli."""
        found = regress(rdms(rng, 12, 20), rdms(rng, 1, 20), nonneg=False, n_repeat=5)
        assert found.explained[0] > 0.03 > found.held_out[0]

    @pytest.mark.parametrize('settings, sentence', [
        ({'n_fold': 1}, 'n_fold must be at least 2'), ({'n_fold': 4}, '12 stimuli in 4 folds leave fewer than five')])
    def test_sentences(self, rng, settings, sentence):
        with pytest.raises(BadValue, match=sentence):
            regress(rdms(rng, 2, 12), rdms(rng, 1, 12), **settings)
        with pytest.raises(BadValue, match='layers: the RDM at place 1'):
            regress(np.stack([rdms(rng, 1, 12)[0], np.ones(66)]), rdms(rng, 1, 12))


class TestCKA:
    def test_equals_its_formula(self, rng):
        X, Y = rng.standard_normal((20, 50)), rng.standard_normal((20, 7)) + 3
        A, B = X - X.mean(axis=0), Y - Y.mean(axis=0)
        expected = np.linalg.norm(A.T @ B) ** 2 / np.linalg.norm(A.T @ A) / np.linalg.norm(B.T @ B)
        assert linear_cka(X @ X.T, Y @ Y.T) == pytest.approx(expected, abs=1e-12)
        whitened = compare(pdist(X, 'sqeuclidean'), pdist(Y, 'sqeuclidean'), 'cosine_cov')       # Diedrichsen et al.
        assert whitened[0, 0] == pytest.approx(expected, abs=1e-10)

    def test_unbiased_equals_its_formula(self, rng):
        def hsic(K, L, n=12):
            K, L, one = K - np.diag(np.diag(K)), L - np.diag(np.diag(L)), np.ones(n)
            sums = one @ K @ one * (one @ L @ one) / (n - 1) / (n - 2)
            return np.trace(K @ L) + sums - 2 / (n - 2) * one @ K @ L @ one
        X, Y = rng.standard_normal((12, 5)) + 2, rng.standard_normal((12, 8))
        K, L = X @ X.T, Y @ Y.T
        expected = hsic(K, L) / np.sqrt(hsic(K, K) * hsic(L, L))
        assert linear_cka(K, L, unbiased=True) == pytest.approx(expected, abs=1e-12)

    def test_bias(self, rng):
        """Unrelated tables with many units: near 1, and near 0 without bias."""
        X, Y = rng.standard_normal((2, 100, 15, 400))
        K, L = X @ X.transpose(0, 2, 1), Y @ Y.transpose(0, 2, 1)
        assert np.diagonal(linear_cka(K, L)).mean() > 0.9
        assert abs(np.diagonal(linear_cka(K, L, unbiased=True)).mean()) < 0.03               # 3 standard errors

    def test_invariant_to_rotation_and_scale(self, rng):
        X, Q = rng.standard_normal((10, 4)), np.linalg.qr(rng.standard_normal((4, 4)))[0]
        for unbiased in (False, True):
            assert linear_cka(X @ X.T, 9 * (X @ Q) @ (X @ Q).T, unbiased) == pytest.approx(1, abs=1e-12)

    def test_table_of_a_network_and_a_brain(self, rng):
        activ, rois = Activation(), {'V4': rng.standard_normal((10, 6)), 'IT': rng.standard_normal((10, 9))}
        for layer in ('conv1', 'fc1'):
            activ.set(layer, rng.standard_normal((10, 3, 2, 2)).astype(np.float32))
        table = cka_table(activ, rois)
        assert list(table.index) == ['conv1', 'fc1'] and list(table.columns) == ['V4', 'IT']
        X, Y = activ.get('fc1').reshape(10, -1).astype(float), rois['V4']
        assert table.loc['fc1', 'V4'] == pytest.approx(linear_cka(X @ X.T, Y @ Y.T, True), abs=1e-6)   # float32 units
        own = cka_table(activ, activ, unbiased=False).to_numpy()
        np.testing.assert_allclose(np.diag(own), 1, atol=1e-12)
        np.testing.assert_allclose(own, own.T, atol=1e-12)

    def test_sentences(self, rng):
        K = np.eye(6)
        with pytest.raises(BadValue, match='of the same stimuli, not of 6 and 5'):
            linear_cka(K, np.eye(5))
        with pytest.raises(BadValue, match='four are needed'):
            linear_cka(np.eye(3), np.eye(3))
        with pytest.raises(BadValue, match='take X @ X.T'):
            linear_cka(np.ones((6, 4)), K)
        with pytest.raises(BadType, match='must be an Activation or a dict'):
            cka_table(K, {'V4': K})
        with pytest.raises(BadValue, match='of finite numbers'):
            cka_table({'a': K * np.nan}, {'V4': K})
        with pytest.raises(BadValue, match='of finite numbers, not <U1'):
            cka_table({'a': [['x']]}, {'V4': K})
        with pytest.raises(BadValue, match='all of the same stimuli'):
            cka_table({'a': K, 'b': np.eye(5)}, {'V4': K})
        assert np.isnan(linear_cka(np.ones((6, 6)), K))
