"""Encoding models: shapes of 1.0, joining by ID, groups, profiles, files."""

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold

from dnnbrain._checks import BadValue
from dnnbrain.brain.core import BrainEncoder
from dnnbrain.brain.profile import fold_means, layer_table, preferred_layer
from dnnbrain.brain.responses import Responses
from dnnbrain.brain.results import write_encoding
from dnnbrain.dnn.core import Activation


@pytest.fixture
def activ(rng):
    activation = Activation('conv', rng.standard_normal((60, 4, 3, 2)).astype(np.float32))
    activation.set('fc', rng.standard_normal((60, 5, 1, 1)).astype(np.float32))
    activation.stim_ids = np.array([f'{i}.png' for i in range(60)])
    return activation


@pytest.fixture
def brain(activ, rng):
    """Voxels 0-2 follow conv, 3-5 fc, 6 is constant."""
    conv, fc = activ.get('conv').reshape(60, -1), activ.get('fc').reshape(60, -1)
    Y = np.concatenate([conv @ rng.standard_normal((24, 3)), fc @ rng.standard_normal((5, 3)), np.ones((60, 1))], 1)
    return Y + np.append(0.1 * rng.standard_normal((60, 6)), np.zeros((60, 1)), axis=1)


@pytest.mark.filterwarnings('ignore:1 of 7 voxels')
class TestEncodeDnn:
    def test_calls_and_shapes_of_1_0(self, activ, brain):
        encoder = BrainEncoder(brain, 'mv', 'glm', 3, 'explained_variance')
        result = encoder.encode_dnn(activ)
        assert list(result) == ['conv', 'fc']
        assert result['conv']['score'].shape == (1, 7, 3) and result['conv']['model'].shape == (1, 7)
        encoder.set_mapper('mv', 'ridge', 4, 'correlation')
        encoder.set_activ(brain[:, :2])
        assert encoder.encode_dnn(activ, 'channel')['conv']['score'].shape == (4, 2, 4)
        assert encoder.encode_dnn(activ, 'row_col')['conv']['score'].shape == (6, 2, 4)
        assert encoder.encode_dnn(activ, 'row_col')['fc']['score'].shape == (1, 2, 4)

    def test_iterations_are_models_of_parts(self, activ, brain):
        cv = KFold(3)
        result = BrainEncoder(brain, 'mv', 'glm', cv, 'r2').encode_dnn(activ, 'channel')
        X = activ.get('conv')[:, 2].reshape(60, -1)
        for k, (train, test) in enumerate(cv.split(X)):
            predicted = LinearRegression().fit(X[train], brain[train]).predict(X[test])
            truth = brain[test][:, :6]
            expected = 1 - ((truth - predicted[:, :6]) ** 2).sum(0) / ((truth - truth.mean(0)) ** 2).sum(0)
            np.testing.assert_allclose(result['conv']['score'][2, :6, k], expected, rtol=1e-5)

    def test_finds_the_layer_and_leaves_constants_out(self, activ, brain):
        scores = fold_means(BrainEncoder(brain, scoring='correlation').encode_dnn(activ))
        assert (scores['conv'][:3] > 0.9).all() and (scores['fc'][3:6] > 0.9).all()
        np.testing.assert_array_equal(preferred_layer(scores), [1, 1, 1, 2, 2, 2, np.nan])

    def test_in_memory_and_on_disk_alike(self, activ, brain, tmp_path):
        memory = BrainEncoder(brain).encode_dnn(activ)
        activ.save(tmp_path / 'x.act.h5')
        activ.load(tmp_path / 'x.act.h5')
        disk = BrainEncoder(brain).encode_dnn(activ)
        np.testing.assert_allclose(disk['conv']['score'], memory['conv']['score'], rtol=1e-9)

    def test_joined_by_id(self, activ, brain):
        """Volumes in another order, some stimuli not shown."""
        order = np.random.default_rng(1).permutation(60)[:50]
        direct = BrainEncoder(brain[order]).encode_dnn(activ[order])
        joined = BrainEncoder(brain[order], stim_ids=activ.stim_ids[order]).encode_dnn(activ)
        np.testing.assert_allclose(joined['conv']['score'], direct['conv']['score'], rtol=1e-6)
        wrong = BrainEncoder(brain, stim_ids=[f'{i}.jpg' for i in range(60)])
        with pytest.raises(BadValue, match='60 stimuli of the brain are not in the activations: 0.jpg, 1.jpg'):
            wrong.encode_dnn(activ)

    def test_repeated_stimuli_stay_together(self, activ, rng):
        """Noise that is the same in both presentations must not be predictable."""
        noise = rng.standard_normal((60, 40))
        twice = np.concatenate([noise, noise])
        ids = np.concatenate([activ.stim_ids, activ.stim_ids])
        result = BrainEncoder(twice, scoring='correlation', stim_ids=ids).encode_dnn(activ)
        assert abs(result['conv']['score'].mean()) < 0.1
        naive = BrainEncoder(twice, scoring='correlation', stim_ids=ids, groups=np.arange(120)).encode_dnn(activ)
        assert naive['conv']['score'].mean() > 0.3

    def test_given_groups_are_used(self, activ, brain):
        runs = np.repeat(np.arange(6), 10)
        a = BrainEncoder(brain, cv=3, groups=runs).encode_dnn(activ)['conv']['score']
        b = BrainEncoder(brain, cv=3).encode_dnn(activ)['conv']['score']
        assert not np.allclose(a[:, :6], b[:, :6])
        with pytest.raises(BadValue, match='cv must be from 2 to the number of groups'):
            BrainEncoder(brain, cv=7, groups=runs).encode_dnn(activ)

    def test_seeded(self, activ, brain):
        def score(rng):
            return BrainEncoder(brain, rng=rng).encode_dnn(activ)['conv']['score'][:, :6]
        np.testing.assert_array_equal(score(0), score(0))
        assert not np.allclose(score(0), score(1))

    def test_behavior(self, brain, rng):
        beh = np.concatenate([brain[:, :1], rng.standard_normal((60, 1))], axis=1)
        result = BrainEncoder(brain, 'mv', 'glm', scoring='r2').encode_behavior(beh)
        assert result['score'].shape == (7, 5) and result['model'].shape == (7,)
        np.testing.assert_allclose(result['score'][0], 1)

    def test_files(self, activ, brain, tmp_path):
        mask = np.zeros((3, 3, 3))
        mask.flat[:7] = 1
        header = nib.Nifti1Header()
        header.set_data_shape((3, 3, 3))
        header.set_sform(np.diag([3, 3, 3, 1]), 'mni')
        responses = Responses(brain, '.nii.gz', None, header, mask, (3, 3, 3))
        result = BrainEncoder(brain).encode_dnn(activ)
        settings = {'iteraxis': None, 'seed': 0}
        table = write_encoding(tmp_path / 'out', result, responses, settings, {'network': 'X'})
        np.testing.assert_array_equal(np.load(tmp_path / 'out' / 'conv' / 'score.npy'), result['conv']['score'])
        image = nib.load(tmp_path / 'out' / 'fc' / 'score.nii.gz')
        np.testing.assert_array_equal(image.affine, np.diag([3, 3, 3, 1]))
        np.testing.assert_allclose(image.get_fdata()[mask == 1], fold_means(result)['fc'], rtol=1e-6)
        assert np.isnan(image.get_fdata()[mask == 0]).all()
        preferred = nib.load(tmp_path / 'out' / 'preferred_layer.nii.gz').get_fdata()[mask == 1]
        np.testing.assert_array_equal(preferred, [1, 1, 1, 2, 2, 2, np.nan])
        model = np.load(tmp_path / 'out' / 'conv' / 'model.npz')        # no pickles
        assert model['dual_coef'].shape == (60, 7) and model['alpha'].shape == (7,)
        assert pd.read_csv(tmp_path / 'out' / 'scores.csv')['n_preferred'].tolist() == [3, 3]
        assert table['n_voxel'].tolist() == [6, 6]
        record = json.loads((tmp_path / 'out' / 'result.json').read_text())
        assert record['settings'] == settings and record['n_nan'] == 1 and record['activations'] == {'network': 'X'}

    def test_files_of_iterations_and_regions(self, activ, brain, tmp_path):
        responses = Responses(brain, '.roi.h5', [f'roi{i}' for i in range(7)])
        result = BrainEncoder(brain).encode_dnn(activ, 'channel')
        write_encoding(tmp_path, result, responses, {'iteraxis': 'channel'}, {})
        scores = pd.read_csv(tmp_path / 'conv' / 'channel' / 'score.csv')
        assert list(scores) == [f'roi{i}' for i in range(7)] and len(scores) == 4
        np.testing.assert_allclose(scores.to_numpy()[:, :6], result['conv']['score'][:, :6].mean(axis=-1))


def test_warns_once_with_a_count(activ, brain):
    with pytest.warns(UserWarning, match='1 of 7 voxels are constant or not finite; they score NaN') as record:
        BrainEncoder(brain).encode_dnn(activ)
    assert len(record) == 1


def test_profile():
    scores = {'a': np.array([0.5, -0.1, np.nan, 0.2]), 'b': np.array([0.1, -0.2, np.nan, 0.3])}
    np.testing.assert_array_equal(preferred_layer(scores), [1, 1, np.nan, 2])
    np.testing.assert_array_equal(preferred_layer(scores, threshold=0), [1, np.nan, np.nan, 2])
    table = layer_table(scores)
    assert table['mean'].tolist() == pytest.approx([0.2, 0.2 / 3]) and table['n_preferred'].tolist() == [2, 1]
    assert np.isnan(layer_table({'a': np.array([np.nan])})['mean'][0])


def test_mistakes(activ, rng):
    with pytest.raises(BadValue, match=r'\(n_vol, n_meas\), not \(60,\)'):
        BrainEncoder(np.zeros(60))
    with pytest.raises(BadValue, match="map_type 'uv' is not known; choose from mv"):
        BrainEncoder(np.zeros((60, 2)), 'uv')
    with pytest.raises(BadValue, match='60 stimuli and the brain 50 volumes'):
        BrainEncoder(rng.standard_normal((50, 2))).encode_dnn(activ)
    with pytest.raises(BadValue, match='59 stim_ids came for 60'):
        BrainEncoder(np.zeros((60, 2)), stim_ids=range(59))
    with pytest.raises(BadValue, match="'chn' is not known"):
        BrainEncoder(rng.standard_normal((60, 2))).encode_dnn(activ, 'chn')


class TestPrecision:
    """Units with large means, as all layers after a ReLU have."""

    @pytest.mark.parametrize('spread', [1, 1e-2, 1e-3])
    @pytest.mark.parametrize('n_unit', [1, 5, 30, 200])
    def test_equals_sklearn_whatever_the_means(self, rng, n_unit, spread):
        X = (rng.standard_normal((60, n_unit)) * spread + 10).astype(np.float32).astype(np.float64)
        Y = X @ rng.standard_normal((n_unit, 3)) / spread + rng.standard_normal((60, 3))
        activation, splitter = Activation('l', X.reshape(60, n_unit, 1, 1)), KFold(5)
        for estimator, theirs in (('glm', LinearRegression()), ('ridge', Ridge(0.1 * spread ** 2))):
            encoder = BrainEncoder(Y, 'mv', estimator, splitter, 'r2', alphas=0.1 * spread ** 2)
            found = encoder.encode_dnn(activation)['l']
            expected = [r2_score(Y[test], theirs.fit(X[train], Y[train]).predict(X[test]), multioutput='raw_values')
                        for train, test in splitter.split(X)]
            np.testing.assert_allclose(found['score'][0].T, expected, rtol=1e-4, atol=1e-6)
            np.testing.assert_allclose(found['model'][0, 0].weights(X), theirs.fit(X, Y).coef_.T, rtol=1e-4, atol=1e-6)

    def test_a_dead_layer_predicts_the_mean(self, rng):
        Y = rng.standard_normal((40, 3))
        activation = Activation('dead', np.full((40, 6, 2, 2), 0.1, np.float32))
        for estimator in ('glm', 'ridge'):
            score = BrainEncoder(Y, 'mv', estimator, scoring='correlation').encode_dnn(activation)['dead']['score']
            np.testing.assert_array_equal(score, 0)

    def test_behaviour_far_from_zero(self, rng):
        beh = rng.standard_normal((50, 2)) * [1000, 0.1] + [1e5, 0]
        Y = (beh - beh.mean(axis=0)) @ [[1e-3], [10]] + 0.01 * rng.standard_normal((50, 1))
        assert BrainEncoder(Y, 'mv', 'glm').encode_behavior(beh)['score'].min() > 0.99
        beh[3] = np.nan
        with pytest.raises(BadValue, match='behaviour holds NaN'):
            BrainEncoder(Y).encode_behavior(beh)


def test_two_runs(rng):
    """One group is left to train on: alpha cannot be chosen there without dividing it."""
    activation = Activation('l', rng.standard_normal((40, 5, 1, 1)))
    runs, Y = np.repeat([1, 2], 20), rng.standard_normal((40, 2))
    with pytest.raises(BadValue, match='hold a single group; take more folds, or give one alpha'):
        BrainEncoder(Y, cv=2, groups=runs).encode_dnn(activation)
    assert BrainEncoder(Y, cv=2, groups=runs, alphas=1.0).encode_dnn(activation)['l']['score'].shape == (1, 2, 2)
    with pytest.raises(BadValue, match='one sample cannot be scored'):
        BrainEncoder(Y, cv=40).encode_dnn(activation)
