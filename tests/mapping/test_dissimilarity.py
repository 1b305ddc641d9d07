"""Dissimilarities are those of scipy and rsatoolbox, in memory and from disk."""

import itertools
import warnings

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import zscore

from dnnbrain._checks import BadType, BadValue
from dnnbrain.dnn.core import Activation
from dnnbrain.mapping.dissimilarity import METRICS, dissimilarity, dnn_rdm, layer_rdms
from dnnbrain.mapping.distances import noise as noise_module
from dnnbrain.mapping.distances import patterns as patterns_module
from dnnbrain.mapping.distances.noise import SHRINKAGES

SCIPY = [metric for metric in METRICS if metric != 'crossnobis']
CLOSE = {'rtol': 1e-8, 'atol': 1e-8}          # what is promised; most are equal to 1e-13


@pytest.fixture
def layers(rng, tmp_path):
    """A file with a layer of maps, non-negative as behind a ReLU, and a fully connected one."""
    activ = Activation()
    activ.set('conv', np.maximum(rng.standard_normal((9, 5, 6, 7)) + 0.3, 0).astype(np.float32))
    activ.set('fc', rng.random((9, 8, 1, 1)).astype(np.float32))
    activ.stim_ids = np.array([f'{i}.png' for i in range(9)])
    activ.save(tmp_path / 'x.act.h5')
    stored = Activation()
    stored.load(tmp_path / 'x.act.h5')
    return stored


@pytest.fixture
def small_blocks(monkeypatch):
    """Layers come in several blocks even where they are small."""
    monkeypatch.setattr(patterns_module, 'N_BYTES', 9 * 4 * 20)


def scipys(X, metric):
    """scipy, on float64; a constant unit counts nothing."""
    X = np.asarray(X, dtype=np.float64).reshape(len(X), -1)
    return pdist(X[:, X.std(axis=0) > 0] if metric == 'seuclidean' else X, metric)


@pytest.mark.parametrize('metric', SCIPY)
def test_every_metric_of_scipy(layers, metric, small_blocks):
    layer = 'fc' if metric == 'mahalanobis' else 'conv'
    values = layers.get(layer) if metric == 'mahalanobis' else layers.mask({'conv': {}}).get('conv')
    assert metric == 'mahalanobis' or sum(1 for _ in layers.blocks(layer, 'unit', 9 * 4 * 20)) > 3
    expected = scipys(values, metric)
    np.testing.assert_allclose(layer_rdms(layers, layer, metric)[0], expected, **CLOSE)
    np.testing.assert_allclose(dissimilarity(values.reshape(9, -1), metric), expected, **CLOSE)


def test_metrics_are_all_of_scipy():
    from scipy.spatial import distance
    assert set(SCIPY) == set(distance._METRICS_NAMES) - {'kulczynski1', 'sokalmichener'}


@pytest.mark.parametrize('metric', ['correlation', 'cosine', 'euclidean', 'seuclidean', 'braycurtis', 'jaccard',
                                    'jensenshannon'])
@pytest.mark.parametrize('iter_axis', ['channel', 'row_col'])
def test_per_channel_and_per_position(layers, metric, iter_axis):
    values = layers.get('conv').astype(np.float64)
    tables = [values[:, c] for c in range(5)] if iter_axis == 'channel' else \
        [values[:, :, r, c] for r, c in itertools.product(range(6), range(7))]
    found = layer_rdms(layers, 'conv', metric, iter_axis)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')                # scipy divides by zero where all channels are silent
        expected = np.stack([scipys(table, metric) for table in tables])
    assert found.shape == expected.shape == (len(tables), 36)
    expected[np.isinf(expected)] = np.nan
    np.testing.assert_allclose(found, expected, **CLOSE)


@pytest.mark.parametrize('metric', ['correlation', 'cosine', 'euclidean', 'cityblock', 'canberra'])
@pytest.mark.parametrize('with_zscore', [False, True])
def test_categories_and_zscores(layers, metric, with_zscore, small_blocks):
    cate = np.array(list('bacabcabc'))
    values = layers.get('conv').reshape(9, -1).astype(np.float64)
    values = values[:, values.std(axis=0) > 0]
    values = zscore(values) if with_zscore else values
    means = np.stack([values[cate == name].mean(axis=0) for name in 'abc'])
    rdm = dnn_rdm(layers, metric, cate=cate, zscore=with_zscore, layers=['conv'])
    np.testing.assert_allclose(rdm.get('conv', triu=True)[0], pdist(means, metric), **CLOSE)
    assert rdm.item_ids.tolist() == ['a', 'b', 'c'] and rdm.keys == ['conv'] and rdm.rdm_type == 'dRDM'


@pytest.mark.parametrize('metric', ['euclidean', 'sqeuclidean', 'correlation', 'cosine'])
def test_patterns_that_hardly_differ(metric, rng, monkeypatch):
    """Large means, and pictures whose patterns differ in the sixth digit, or not at all."""
    monkeypatch.setattr(patterns_module, '_CACHE_BYTES', 1)
    X = 1000 + 100 * rng.standard_normal((1, 1500)) + np.array([10, 1e-3, 1e-3, 1e-3, 5, 5])[:, None] * \
        rng.standard_normal((6, 1500))
    X[5] = X[4]
    found, expected = dissimilarity(X, metric), pdist(X, metric)
    assert found[-1] == 0
    X = X.astype(np.longdouble)                          # the truth to 19 digits
    if metric == 'correlation':
        X = X - X.mean(axis=1, keepdims=True)
    first, second = np.triu_indices(6, 1)
    truth = ((X[first] - X[second]) ** 2).sum(axis=1)
    if metric in ('correlation', 'cosine'):
        length = np.sqrt((X ** 2).sum(axis=1))
        truth = (truth - (length[first] - length[second]) ** 2) / (2 * length[first] * length[second])
    truth = np.sqrt(truth) if metric == 'euclidean' else truth
    np.testing.assert_allclose(found, expected, **CLOSE)
    np.testing.assert_allclose(found, truth.astype(np.float64), rtol=1e-7, atol=1e-16)


def test_offsets_do_not_matter_to_a_correlation(rng, monkeypatch):
    """Also where blocks of units differ in their mean, as channels do."""
    monkeypatch.setattr(patterns_module, '_CACHE_BYTES', 1)
    X = rng.standard_normal((7, 1700)) + np.repeat([0, 50, -300, 7], [512, 512, 512, 164])
    np.testing.assert_allclose(dissimilarity(X + np.arange(7)[:, None] * 1e4, 'correlation'), pdist(X, 'correlation'),
                               atol=1e-8)


@pytest.mark.parametrize('metric', ['correlation', 'cosine'])
def test_angles_of_patterns_of_any_length(metric, rng, monkeypatch):
    """A dim picture beside bright ones: the length of a pattern says nothing about its angle."""
    monkeypatch.setattr(patterns_module, '_CACHE_BYTES', 1)
    X = rng.standard_normal((6, 1200)) + np.repeat([0, 2], 600)
    expected = pdist(X, metric)
    np.testing.assert_allclose(dissimilarity(X * np.logspace(-7, 7, 6)[:, None], metric), expected, rtol=1e-11)
    X[2], X[5] = 0, 1e9 * X[3]                          # nothing at all, and the same pattern but far longer
    found = dissimilarity(X, metric)
    assert np.isnan(found).sum() == 5 and found[13] == pytest.approx(0, abs=1e-15)


def test_patterns_without_direction(layers):
    values = layers.get('conv')
    values[3] = 0
    values[5] = 2
    with warnings.catch_warnings(), np.errstate(all='ignore'):
        warnings.simplefilter('ignore')
        expected = scipys(values, 'correlation')
    with pytest.warns(UserWarning, match='15 of 36 dissimilarities are not defined'):
        rdm = dnn_rdm(layers, 'correlation', layers=['conv'])
    assert np.isnan(expected).sum() == 15
    np.testing.assert_allclose(rdm.get('conv', triu=True)[0], expected, **CLOSE)


def test_ids_and_settings_travel(layers, tmp_path):
    rdm = dnn_rdm(layers, 'minkowski', p=3, iter_axis='channel')
    assert rdm.item_ids.tolist() == layers.stim_ids.tolist() and rdm.keys == ['conv', 'fc']
    assert rdm.meta == {'metric': 'minkowski', 'iter_axis': 'channel', 'zscore': False, 'p': 3}
    rdm.save(tmp_path / 'x.rdm.h5')
    assert rdm.get('conv').shape == (5, 9, 9)
    values = layers.get('conv')[:, 2].reshape(9, -1).astype(np.float64)
    np.testing.assert_allclose(rdm.get('conv', triu=True)[2], pdist(values, 'minkowski', p=3), **CLOSE)
    np.testing.assert_allclose(dissimilarity(values, 'minkowski', p=np.inf), pdist(values, 'chebyshev'), **CLOSE)


def test_reading_again_is_rare(layers, monkeypatch):
    """A layer is read once where no two stimuli are nearly the same."""
    reads = []
    read = Activation.blocks
    monkeypatch.setattr(Activation, 'blocks', lambda self, *args: reads.append(args) or read(self, *args))
    layer_rdms(layers, 'conv', 'correlation')
    assert len(reads) == 1


@pytest.fixture
def repeated(rng):
    """Six conditions in four runs, 15 or 400 units with correlated noise."""
    def make(n_unit, balanced=True):
        X = np.tile(rng.standard_normal((6, n_unit)), (4, 1)) + \
            rng.standard_normal((24, n_unit)) @ (np.eye(n_unit) + 0.3 * rng.standard_normal((n_unit, n_unit))) + 5
        conditions, runs = np.tile(list('fbdeca'), 4), np.repeat(np.arange(4), 6)
        kept = np.arange(24) if balanced else np.r_[0:6, 0, 6:24, 11]     # two more in the first and second run
        return X[kept] + 1e-3 * np.arange(len(kept))[:, None], conditions[kept], runs[kept]
    return make


def rsatoolboxs(X, conditions, runs, metric, shrinkage):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        from rsatoolbox.data import Dataset
        from rsatoolbox.data.noise import prec_from_unbalanced
        from rsatoolbox.rdm import calc_rdm
        data = Dataset(X, obs_descriptors={'shown': conditions, 'run': runs})
        noise = prec_from_unbalanced(data, 'shown', method=shrinkage)
        more = {'cv_descriptor': 'run'} if metric == 'crossnobis' else {}
        return calc_rdm(data, metric, descriptor='shown', noise=noise, **more).dissimilarities[0]


@pytest.mark.parametrize('metric', ['mahalanobis', 'crossnobis'])
@pytest.mark.parametrize('shrinkage', SHRINKAGES)
@pytest.mark.parametrize('n_unit, balanced', [(15, True), (24, True), (400, True), (400, False)])
def test_noise_of_repetitions_is_rsatoolboxs(repeated, metric, shrinkage, n_unit, balanced, monkeypatch):
    monkeypatch.setattr(patterns_module, '_CACHE_BYTES', 1)
    X, conditions, runs = repeated(n_unit, balanced)
    found = dissimilarity(X, metric, conditions, runs=runs if metric == 'crossnobis' else None, shrinkage=shrinkage)
    np.testing.assert_allclose(found, rsatoolboxs(X, conditions, runs, metric, shrinkage), **CLOSE)


def test_plain_distances_are_rsatoolboxs(layers):
    """Its 'euclidean' is the squared distance per unit."""
    from rsatoolbox.data import Dataset
    from rsatoolbox.rdm import calc_rdm
    data = Dataset(layers.get('conv').reshape(9, -1).astype(np.float64))
    for metric, theirs, scale in (('sqeuclidean', 'euclidean', 210), ('correlation', 'correlation', 1)):
        rdm = dnn_rdm(layers, metric, layers=['conv']).to_rsatoolbox()
        np.testing.assert_allclose(rdm.dissimilarities / scale, calc_rdm(data, theirs).dissimilarities, **CLOSE)


@pytest.mark.parametrize('shrinkage', SHRINKAGES)
def test_few_units_and_many_repetitions(rng, shrinkage):
    """Units that nearly depend on each other; no matrix of rows by rows is made."""
    X = rng.standard_normal((2000, 3)) @ np.linalg.cholesky(0.999 * np.ones((3, 3)) + 0.001 * np.eye(3)).T
    conditions, runs = np.tile(np.arange(4), 500), np.repeat(np.arange(500), 4) % 5
    X += conditions[:, None]
    np.testing.assert_allclose(dissimilarity(X, 'crossnobis', conditions, runs=runs, shrinkage=shrinkage),
                               rsatoolboxs(X, conditions, runs, 'crossnobis', shrinkage), **CLOSE)


def test_one_and_the_same_from_covariance_and_products(repeated):
    """24 rows of 24 units go by the covariance, with two constant units more by inner products."""
    X, conditions, runs = repeated(24)
    few = dissimilarity(X, 'crossnobis', conditions, runs=runs)
    many = dissimilarity(np.column_stack([X, np.ones((24, 2))]), 'crossnobis', conditions, runs=runs)
    np.testing.assert_allclose(many, few, rtol=1e-9)


@pytest.mark.parametrize('n_unit', [5, 60])
def test_a_covariance_without_inverse(repeated, n_unit, monkeypatch):
    X, conditions, _ = repeated(n_unit)
    monkeypatch.setitem(noise_module._SHARES, 'diag', lambda *_: (0.0, 0.0))
    with pytest.raises(BadValue, match='noise of X has no inverse; choose another shrinkage: shrinkage_diag'):
        dissimilarity(X, 'crossnobis', conditions, shrinkage='diag')


def test_crossnobis_of_nothing_is_zero_on_average(rng):
    """Where conditions do not differ, it is as often negative as positive; Mahalanobis grows with the noise."""
    conditions, runs = np.tile(np.arange(20), 4), np.repeat(np.arange(4), 20)
    tables = rng.standard_normal((30, 80, 60))
    crossed = np.array([dissimilarity(X, 'crossnobis', conditions, runs=runs).mean() for X in tables])
    assert abs(crossed.mean()) < 3 * crossed.std() / np.sqrt(30) < 0.02
    assert 8 <= (crossed > 0).sum() <= 22                               # binomial of 30: 99 %
    assert dissimilarity(tables[0], 'mahalanobis', conditions).min() > 0.2


def test_runs_by_order_and_from_disk(repeated, tmp_path):
    X, conditions, runs = repeated(60)
    activ = Activation('fc', X[:, :, None, None])
    activ.stim_ids = conditions
    activ.save(tmp_path / 'x.act.h5')
    stored = Activation()
    stored.load(tmp_path / 'x.act.h5')
    rdm = dnn_rdm(stored, 'crossnobis')
    assert rdm.item_ids.tolist() == list('abcdef') and rdm.meta['shrinkage'] == 'shrinkage_diag'
    np.testing.assert_allclose(rdm.get('fc', triu=True)[0], dissimilarity(X, 'crossnobis', conditions, runs=runs),
                               rtol=1e-10)


def test_a_condition_missing_in_a_run(repeated):
    X, conditions, runs = repeated(40)
    kept = ~((conditions == 'a') & (runs == 2))
    found = dissimilarity(X[kept], 'crossnobis', conditions[kept], runs=runs[kept])
    assert np.isfinite(found).all() and len(found) == 15
    kept = ~((conditions == 'a') & (runs > 0))
    with pytest.raises(BadValue, match='5 pairs of conditions .* in no run .*conditions 1 and 2'):
        dissimilarity(X[kept], 'crossnobis', conditions[kept], runs=runs[kept])


@pytest.mark.parametrize('settings, says', [
    ({'metric': 'euclidian'}, "metric 'euclidian' is not known; did you mean 'euclidean'"),
    ({'metric': 'crossnobis'}, 'needs the condition of each row'),
    ({'metric': 'crossnobis', 'conditions': np.arange(6)}, 'each of the 6 conditions was measured once'),
    ({'metric': 'crossnobis', 'conditions': [0, 0, 1, 1, 2, 2], 'shrinkage': 'full'}, "shrinkage 'full' is not"),
    ({'runs': np.arange(6)}, "runs go with metric 'crossnobis'"),
    ({'conditions': [0, 1]}, r'for each of the 6 rows, not shape \(2,\)'),
    ({'conditions': [0, 1, 1, np.nan, 1, 1]}, 'conditions has no entry for 1 rows; leave these rows out'),
    ({'conditions': ['a', None, 'b', 'a', 'b', 'c']}, 'conditions has no entry for 1 rows'),
    ({'conditions': ['Tür, a', '', 'b', 'b', '', 'b']}, 'conditions has no entry for 2 rows'),
    ({'conditions': np.zeros(6)}, 'two items or more'),
    ({'metric': 'minkowski', 'p': 0}, 'p must be a number above 0'),
    ({'metric': 'mahalanobis'}, 'needs fewer units than patterns'),
    ({'metric': 'jensenshannon'}, 'negative numbers'),
])
def test_settings_that_cannot_be(rng, settings, says):
    with pytest.raises(BadValue, match=says):
        dissimilarity(rng.standard_normal((6, 10)), **settings)


def test_mistakes(rng, layers):
    X = rng.standard_normal((6, 3))
    with pytest.raises(BadType, match='p must be a number'):
        dissimilarity(X, 'minkowski', p='2')
    with pytest.raises(BadValue, match=r'\(n_item, n_unit\)'):
        dissimilarity(X[0])
    with pytest.raises(BadValue, match='no unit'):
        dissimilarity(X[:, :0], 'correlation')
    with pytest.raises(BadType, match='conditions must be all text or all numbers'):
        dissimilarity(X, conditions=np.array(['a', 1, 'b', 'a', 'b', 'c'], dtype=object))
    with pytest.raises(BadValue, match='depend on each other|constant'):
        dissimilarity(np.column_stack([X, np.ones(6)]), 'mahalanobis')
    with pytest.raises(BadValue, match='repetitions of a condition are all the same'):
        dissimilarity(np.repeat(X, 2, axis=0), 'crossnobis', np.repeat(np.arange(6), 2))
    X[2, 1] = np.nan
    with pytest.raises(BadValue, match='NaN or infinite'):
        dissimilarity(X)
    with pytest.raises(BadValue, match="iter_axis 'chn'"):
        layer_rdms(layers, 'conv', iter_axis='chn')
    with pytest.raises(BadValue, match="layer 'conv9'"):
        dnn_rdm(layers, layers=['conv9'])
    with pytest.raises(BadValue, match='holds no layer'):
        dnn_rdm(Activation())
