"""Simulations: 5 % under the null, and 95 % intervals that hold the truth."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import pdist

from dnnbrain.mapping.rsa.bootstrap import bootstrap
from dnnbrain.mapping.rsa.compare import METHODS, compare
from dnnbrain.mapping.rsa.contrast import contrast
from dnnbrain.mapping.rsa.partial import permute_partial
from dnnbrain.mapping.rsa.permutation import permute_items

pytestmark = pytest.mark.slow


def distances(rng, n_item=20, n_feature=3):
    return pdist(rng.standard_normal((n_item, n_feature)))


def noisy_pairs(rng, n=20):
    """Independent pairs that correlate 0.5."""
    x = rng.standard_normal(n * (n - 1) // 2)
    return x, 0.5 * x + np.sqrt(0.75) * rng.standard_normal(len(x))


def noisy_items(rng, n=20):
    """Squared distances of normal features that correlate r correlate r^2; here r^2 = 0.5 in each of four features."""
    table = rng.standard_normal((n, 4))
    return pdist(table, 'sqeuclidean'), pdist(table + rng.standard_normal((n, 4)), 'sqeuclidean')


class TestNull:
    @pytest.mark.parametrize('method', [method for method in METHODS if method != 'tau-b'])        # kendall is tau-b
    def test_level(self, rng, method):
        """20 items, 1,000 repetitions, RDMs of unrelated tables: 5 +- 1.5 % at .05."""
        p = [permute_items(distances(rng), distances(rng), method, n_perm=39, rng=number).p[0, 0]
             for number in range(1000)]
        assert 0.035 <= np.mean(np.array(p) <= 0.05) <= 0.065

    def test_permuting_cells_would_be_wrong(self, rng):
        """What 1.0 did: three times as many, for the cells of an RDM depend on each other."""
        hits = 0
        for _ in range(200):
            x, y = stats.zscore(distances(rng)), distances(rng)
            null = x @ rng.permuted(np.tile(y, (99, 1)), axis=1).T
            hits += (null >= x @ y).sum() < 5
        assert hits / 200 > 0.12

    def test_partial(self, rng):
        """Layer and brain are both related to a third RDM, and to each other only by it: 5 +- 2.5 % in 200."""
        partial = simple = 0
        for number in range(200):
            given = distances(rng)
            first, second = given + distances(rng), given + distances(rng)
            partial += permute_partial(first, second, given, n_perm=99, rng=number).p[0, 0] <= 0.05
            simple += permute_items(first, second, n_perm=99, rng=number).p[0, 0] <= 0.05
        assert 0.025 <= partial / 200 <= 0.075 and simple > 140

    @pytest.mark.parametrize('over, least', [('stimuli', 0.01), ('both', 0)])
    def test_contrast(self, rng, over, least):
        """Two equally good layers, other stimuli and subjects each time: no more than 5 % and chance in 200."""
        hits = 0
        for number in range(200):
            table = rng.standard_normal((20, 10))
            layers = [pdist(table + rng.standard_normal((20, 10)), 'correlation') for _ in range(2)]
            brain = np.stack([pdist(table + rng.standard_normal((20, 10))) for _ in range(6)])
            hits += contrast(layers, brain if over == 'both' else brain[0], over=over, n_boot=100,
                             rng=number).p[0, 1] <= 0.05
        assert least <= hits / 200 <= 0.085


class TestCoverage:
    @pytest.mark.parametrize('draw, plain', [(noisy_pairs, (0.98, 1)), (noisy_items, (0.9, 0.98))])
    def test_coverage(self, rng, draw, plain):
        """20 stimuli, known correlation 0.5, 600 repetitions: 95 % intervals hold it in 90 to 98 %.

        The percentiles of the draws do not, where noise is in the pairs: above 98 %.
        """
        held = np.zeros(2)
        for number in range(600):
            found = bootstrap(*draw(rng), n_boot=200, rng=number)
            for place, method in enumerate(('corrected', 'percentile')):
                low, high = found.interval(method=method)
                held[place] += low[0, 0] <= 0.5 <= high[0, 0]
        assert 0.9 <= held[0] / 600 <= 0.98 and plain[0] <= held[1] / 600 <= plain[1]

    @pytest.mark.parametrize('method', ['spearman', 'kendall'])
    def test_coverage_of_ranks(self, rng, method):
        """The rank correlations of the normal distribution with r = 0.5 (Kendall 1948), 200 repetitions."""
        truth = {'spearman': 6 / np.pi * np.arcsin(0.25), 'kendall': 2 / np.pi * np.arcsin(0.5)}[method]
        held = 0
        for number in range(200):
            low, high = bootstrap(*noisy_pairs(rng), method, n_boot=100, rng=number).interval()
            held += low[0, 0] <= truth <= high[0, 0]
        assert 0.9 <= held / 200 <= 0.98

    def test_coverage_over_subjects_and_both(self, rng):
        """Subjects with tables of their own. Over both factors 90 to 99 %; over subjects for these stimuli alike."""
        held, truth = np.zeros(2), 0.5                              # as in noisy_items
        for number in range(120):
            table = rng.standard_normal((20, 4))
            subjects = np.stack([pdist(table + rng.standard_normal((20, 4)), 'sqeuclidean') for _ in range(6)])
            model = pdist(table, 'sqeuclidean')
            here = np.mean([compare(model, pdist(table + rng.standard_normal((20, 4)), 'sqeuclidean'))
                            for _ in range(60)])
            for place, (over, aim) in enumerate((('subjects', here), ('both', truth))):
                low, high = bootstrap(model, subjects, over=over, n_boot=100, rng=number).interval()
                held[place] += low[0] <= aim <= high[0]
        assert 0.9 <= held[0] / 120 <= 0.99 and 0.9 <= held[1] / 120 <= 0.99
