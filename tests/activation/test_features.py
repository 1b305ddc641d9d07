"""Features of layers: scikit-learn's, numpy's and SciPy's numbers, from memory and from disk."""

import numpy as np
import pytest
from scipy.signal import periodogram
from sklearn.decomposition import PCA

from dnnbrain._checks import BadType, BadValue
from dnnbrain.activation.basis import Basis
from dnnbrain.activation.principal import MOST, check_components
from dnnbrain.dnn.base import dnn_fe, normalize
from dnnbrain.dnn.core import Activation
from dnnbrain.io.act_h5 import DiskLayer

AXES = [None, 'chn', 'row_col']
# n_stim below, between and above the numbers of units in a set; one channel; one position; clips
SHAPES = [(8, 12, 5, 4), (30, 5, 4, 3), (90, 4, 5, 4), (9, 1, 4, 4), (9, 20, 1, 1), (12, 2, 3, 4, 5)]


def sets(X, axis):
    """(n_set, n_stim, n_unit), written out."""
    n, c = X.shape[:2]
    if axis is None:
        return X.reshape(1, n, -1)
    flat = X.reshape(n, c, -1)
    return np.stack([flat[:, :, place] for place in range(flat.shape[2])]) if axis == 'chn' else flat.transpose(1, 0, 2)


def laid_out(found, axis, shape):
    """1.0's shapes, from (n_set, n_stim, n_feat)."""
    found = np.asarray(found)
    n, k = found.shape[1:]
    if axis is None:
        return found.reshape(n, k, 1, 1)
    return found.transpose(1, 2, 0).reshape(n, k, *shape[2:]) if axis == 'chn' else found.transpose(1, 0, 2)[..., None]


@pytest.fixture(params=SHAPES, ids=str)
def X(request, rng):
    """Correlated units with large means, one of them constant."""
    X = rng.normal(size=request.param).cumsum(axis=1) + 20
    X[:, 0, 0, 0] = 0.1
    return X


@pytest.mark.parametrize('axis', AXES)
def test_pca_is_scikit_learns(X, axis):
    """Scores and signs; directions without variance, where scikit-learn leaves rounding, are 0."""
    tables = sets(X, axis)
    most = min(tables.shape[1:])
    for n_feat in {1, (most + 1) // 2}:
        expected = [PCA(n_feat, svd_solver='full').fit_transform(table) if table.std() > 1e-9 else
                    np.zeros((len(table), n_feat)) for table in tables]
        np.testing.assert_allclose(dnn_fe(X, 'pca', n_feat, axis), laid_out(expected, axis, X.shape), atol=1e-8)


@pytest.mark.parametrize('axis', AXES)
@pytest.mark.parametrize('share', [0.5, 0.99])
def test_pca_of_a_share_is_padded(rng, axis, share):
    X = rng.normal(size=(25, 6, 3, 3))
    X[:, 3:, 1:] += 20 * rng.normal(size=(25, 1, 1, 1))                 # most there is along one direction
    expected = [PCA(share, svd_solver='full').fit_transform(table) for table in sets(X, axis)]
    counts = [scores.shape[1] for scores in expected]
    assert axis is None or len(set(counts)) > 1
    expected = [np.pad(scores, ((0, 0), (0, max(counts) - scores.shape[1])), constant_values=np.nan)
                for scores in expected]
    np.testing.assert_allclose(dnn_fe(X, 'pca', share, axis), laid_out(expected, axis, X.shape), atol=1e-9)


def test_all_components_and_dead_channels(rng):
    """Inner products of stimuli survive; a channel that is silent gives zeros, whatever share is asked for."""
    X = rng.normal(size=(10, 4, 3, 3)).astype(np.float32)
    centred = (X - X.mean(axis=0)).reshape(10, -1)
    scores = dnn_fe(X, 'pca', 10)[..., 0, 0]
    np.testing.assert_allclose(scores @ scores.T, centred @ centred.T, atol=1e-4)
    assert scores.dtype == np.float32
    X[:, 2] = 0.1
    assert not dnn_fe(X, 'pca', 3, 'row_col')[:, 2].any()
    silent = dnn_fe(X, 'pca', 0.9, 'row_col')[:, 2, :, 0]
    assert not silent[:, 0].any() and np.isnan(silent[:, 1:]).all()


@pytest.mark.parametrize('axis', AXES)
@pytest.mark.parametrize('bins', ['common', 'per_stimulus'])
def test_hist_is_numpys(X, axis, bins):
    tables = sets(X, axis)
    expected = [[np.histogram(stim, 5, (table.min(), table.max()) if bins == 'common' else None)[0] for stim in table]
                for table in tables]
    found = dnn_fe(X, 'hist', 5, axis, bins=bins)
    np.testing.assert_array_equal(found, laid_out(expected, axis, X.shape))
    assert found.dtype == np.int64


def test_hist_of_values_on_edges_and_of_common_bins():
    """1.0 gave both stimuli the same counts, though one is ten times the other."""
    X = np.stack([np.arange(11.0), np.arange(11.0) * 10]).reshape(2, 11, 1, 1)
    np.testing.assert_array_equal(dnn_fe(X, 'hist', 10)[..., 0, 0], [[10, 1, *[0] * 8], [1] * 9 + [2]])
    np.testing.assert_array_equal(dnn_fe(X, 'hist', 10, bins='per_stimulus')[..., 0, 0], [[1] * 9 + [2]] * 2)


@pytest.mark.parametrize('axis', AXES)
def test_psd_is_scipys(X, axis):
    tables = sets(X, axis)
    n_feat = min(4, tables.shape[2] // 2 + 1)
    expected = [periodogram(table)[1][:, :n_feat] for table in tables]
    np.testing.assert_allclose(dnn_fe(X, 'psd', n_feat, axis), laid_out(expected, axis, X.shape), atol=1e-9)


def test_psd_finds_the_frequency():
    X = np.cos(2 * np.pi * 3 * np.arange(64) / 64).reshape(1, 4, 4, 4)
    powers = dnn_fe(X, 'psd', 10)[0, :, 0, 0]
    assert powers.argmax() == 3 and powers[3] > 1e6 * np.delete(powers, 3).max()


class TestSrp:
    @pytest.mark.parametrize('axis', AXES)
    def test_is_seeded_and_linear(self, rng, axis):
        X, Y = rng.normal(size=(2, 6, 30, 7, 5))
        a, again, other = (dnn_fe(X, 'srp', 8, axis, rng=seed) for seed in (3, 3, 4))
        np.testing.assert_array_equal(a, again)
        assert not np.allclose(a, other)
        np.testing.assert_allclose(dnn_fe(X + Y, 'srp', 8, axis, rng=3), a + dnn_fe(Y, 'srp', 8, axis, rng=3),
                                   atol=1e-6)

    def test_sets_share_their_directions(self, rng):
        X = np.repeat(rng.normal(size=(5, 40, 1, 1)), 6, axis=2)
        found = dnn_fe(X, 'srp', 8, 'chn')
        np.testing.assert_allclose(found, np.repeat(found[:, :, :1], 6, axis=2))

    def test_distances_are_kept(self, rng):
        """To about sqrt(2 / n_feat); sixty draws leave their mean within a few percent."""
        X = rng.normal(size=(2, 500, 2, 2))
        true = np.square(X[0] - X[1]).sum()
        found = [np.square(np.subtract(*dnn_fe(X, 'srp', 50, rng=seed))).sum() / true for seed in range(60)]
        assert abs(np.mean(found) - 1) < 0.08 and 0.1 < np.std(found) < 0.4

    def test_is_that_of_a_basis(self, rng):
        activation = Activation('conv', rng.normal(size=(6, 30, 3, 3)).astype(np.float32))
        expected = Basis.srp({'conv': (30, 3, 3)}, 20, rng=2).transform(activation).get('conv')
        np.testing.assert_array_equal(activation.fe('srp', 20, rng=2).get('conv'), expected)


class TestActivation:
    @pytest.fixture
    def activ(self, rng, tmp_path):
        activation = Activation('conv', rng.normal(size=(70, 12, 5, 4)).astype(np.float32))
        activation.set('fc', rng.normal(size=(70, 90, 1, 1)).astype(np.float32))
        activation.stim_ids, activation.meta = np.arange(70).astype(str), {'network': 'x'}
        activation.save(tmp_path / 'x.act.h5')
        return activation

    @pytest.mark.parametrize('method', ['pca', 'hist', 'psd', 'srp'])
    def test_disk_gives_the_same(self, activ, method, tmp_path):
        stored = Activation()
        stored.load(tmp_path / 'x.act.h5')
        found, expected = stored.fe(method, 6), activ.fe(method, 6)
        for layer in ('conv', 'fc'):
            np.testing.assert_allclose(found.get(layer), expected.get(layer), atol=1e-5)
            assert found.shape(layer) == (70, 6, 1, 1) and isinstance(stored._layers[layer], DiskLayer)
        assert found.stim_ids.tolist() == activ.stim_ids.tolist()
        assert found.meta['network'] == 'x' and found.meta['fe']['method'] == method

    def test_pca_is_that_of_a_basis(self, activ):
        np.testing.assert_allclose(activ.fe('pca', 5).get('conv'),
                                   Basis.pca(activ, 5).transform(activ).get('conv'), atol=1e-4)

    def test_features_can_be_masked(self, activ):
        part = activ.mask({'conv': {'chn': [2, 12]}}).fe('hist', 6)
        assert part.meta['fe']['dmask']['conv']['chn'] == [2, 12]
        np.testing.assert_array_equal(part.mask({'conv': {'chn': [5]}}).get('conv')[:, 0], part.get('conv')[:, 4])

    @pytest.mark.parametrize('method, n_feat, axis', [
        ('pca', 5, None), ('pca', 5, 'chn'), ('pca', 0.9, 'row_col'), ('hist', 5, None), ('psd', 5, 'chn'),
        ('srp', 5, 'row_col')])
    def test_a_layer_is_never_held_whole(self, rng, tmp_path, monkeypatch, method, n_feat, axis):
        """More stimuli than units and fewer, read in blocks far smaller than the layer, to the same numbers."""
        for n in (40, 700):
            activation = Activation('x', rng.normal(size=(n, *((40, 20, 18) if n == 40 else (10, 8, 6)))))
            expected = activation.fe(method, n_feat, axis).get('x')
            activation.save(tmp_path / 'y.act.h5')
            activation.load(tmp_path / 'y.act.h5')
            sizes, read = [], DiskLayer.__getitem__

            def counted(layer, slices, read=read, sizes=sizes):
                block = read(layer, slices)
                sizes.append(block.nbytes)
                return block
            with monkeypatch.context() as patch:
                for module in ('features', 'principal'):
                    patch.setattr(f'dnnbrain.activation.{module}.N_BYTES', 2 ** 17)
                patch.setattr('dnnbrain.activation.principal._BUDGET', 2 ** 17)
                patch.setattr(DiskLayer, '__getitem__', counted)
                found = activation.fe(method, n_feat, axis).get('x')
            np.testing.assert_allclose(found, expected, atol=1e-8)
            assert max(sizes) < np.prod(activation.shape('x')) * 8 / 4


ACTS = np.random.default_rng(0).normal(size=(5, 3, 4, 4))


@pytest.mark.parametrize(('args', 'said'), [
    (('pcaa', 3), "method 'pcaa' is not known; did you mean 'pca'"),
    (('pca', 3, 'channel'), "axis 'channel' is not known"),
    (('hist', 3, 'chn', 'mine'), "bins 'mine' is not known"),
    (('pca', 1.0), 'n_feat 1.0 is neither a whole number of components'),
    (('pca', 0), 'n_feat must be a whole number from 1 on for pca, not 0'),
    (('hist', 2.5), 'n_feat must be a whole number from 1 on for hist, not 2.5'),
    (('pca', 6), "n_feat 6 is out of range for pca of layer 'acts', 5 stimuli and 48 units; give 1 to 5 components"),
    (('pca', 4, 'chn'), '5 stimuli and 3 units at each position; give 1 to 3'),
    (('psd', 26), "out of range for psd of layer 'acts': 48 units have 25 frequencies"),
    (('srp', 48), "out of range for srp of layer 'acts': 48 units have 47 projections that are fewer"),
])
def test_wrong_settings(args, said):
    with pytest.raises(BadValue, match=said):
        dnn_fe(ACTS, *args[:3], **({'bins': args[3]} if len(args) > 3 else {}))


def test_wrong_data():
    with pytest.raises(BadType, match="n_feat must be a number, not '3'"):
        dnn_fe(ACTS, 'pca', '3')
    with pytest.raises(BadType, match='rng must be a whole number'):
        dnn_fe(ACTS, 'srp', 3, rng=np.random.default_rng())
    with pytest.raises(BadValue, match=r'acts must have shape \(n_stim, n_chn, n_row, n_col\), not \(3, 4\)'):
        dnn_fe(np.ones((3, 4)), 'pca', 1)
    with pytest.raises(BadValue, match="layer 'acts' has no stimuli to make features of"):
        dnn_fe(ACTS[:0], 'hist', 1)
    with pytest.raises(BadValue, match='at least 2 stimuli, not 1'):
        dnn_fe(ACTS[:1], 'pca', 1)
    with pytest.raises(BadValue, match=f'{MOST} are feasible'):
        check_components((10 ** 5, 64, 56, 56), 'conv', 10, None)
    for method in ('pca', 'hist', 'psd', 'srp'):
        for axis in AXES:
            acts = ACTS.copy()
            acts[2, 1, 0, 0] = np.nan
            with pytest.raises(BadValue, match="layer 'acts' holds NaN or infinite activations for 1 stimuli"):
                dnn_fe(acts, method, 1, axis)


class TestNormalize:
    @pytest.mark.parametrize('array, expected', [
        ([[2, 4], [6, 10]], [[0, 0.25], [0.5, 1]]),
        ([3, 3], [0, 0]), (np.zeros((2, 0)), np.zeros((2, 0))),
        ([1.0, np.nan, 2], [0, np.nan, 1]),
        (np.array([0, 51, 255], np.uint8), [0, 0.2, 1]),
        (np.array([-1e308, 0, 1e308]), [0, 0.5, 1]),
    ])
    def test_ends(self, array, expected):
        np.testing.assert_allclose(normalize(array), expected)

    def test_kind(self):
        assert normalize(np.float32([1, 2])).dtype == np.float32
        assert normalize(np.float16([-60000, 60000])).tolist() == [0, 1]
        with pytest.raises(BadValue, match='array holds infinite values'):
            normalize([1, np.inf])
        with pytest.raises(BadType, match='array must hold real numbers, not <U1'):
            normalize(['a'])
