"""Encoding models: shapes of 1.0, joining by ID, groups, profiles, files."""

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold

from dnnbrain._checks import BadInput, BadValue
from dnnbrain.activation.hrf import convolve_hrf, hrf_matrix
from dnnbrain.brain.core import BrainEncoder
from dnnbrain.brain.profile import fold_means, layer_table, preferred_layer
from dnnbrain.brain.responses import Responses
from dnnbrain.brain.results import write_encoding
from dnnbrain.dnn.core import Activation
from dnnbrain.mapping.crossval import folds
from dnnbrain.mapping.models import load_model


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
        with pytest.warns(UserWarning, match='60 stimuli are shown in several groups'):
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
        model = load_model(tmp_path / 'out' / 'conv' / 'model.h5')      # no pickles
        np.testing.assert_allclose(model.predict(activ[:3]), result['conv']['model'][0, 0].predict(activ[:3]))
        assert pd.read_csv(tmp_path / 'out' / 'layers.csv')['n_preferred'].tolist() == [3, 3]
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


UV = ('corr', 'glm', 'lasso', 'lrc', 'svc')
MV = ('ridge', 'glm', 'lasso', 'pls', 'lrc', 'svc')


class TestShapesOf10:
    """Every cell of api: estimator x iter_axis."""

    @pytest.mark.parametrize('iter_axis, n_iter', [(None, 1), ('channel', 4), ('row_col', 6)])
    @pytest.mark.parametrize('map_type, estimator', [('uv', name) for name in UV] + [('mv', name) for name in MV])
    def test_shapes(self, activ, brain, map_type, estimator, iter_axis, n_iter):
        Y = (brain[:, :3] > 0).astype(int) if estimator in ('lrc', 'svc') else brain[:, :3]
        encoder = BrainEncoder(Y, map_type, estimator, 3, inner_cv=2)
        found = encoder.encode_dnn(only(activ, 'conv'), iter_axis)['conv']
        assert found['score'].shape == ((n_iter, 3) if estimator == 'corr' else (n_iter, 3, 3))
        assert np.isfinite(found['score']).all()
        assert ('model' in found) == (estimator != 'corr')
        if 'model' in found:
            assert found['model'].shape == (n_iter, 3) and found['model'].dtype == object
            assert found['model'][0, 0] is not None or estimator == 'lasso'
        assert ('conf_m' in found) == (estimator in ('lrc', 'svc'))
        if 'conf_m' in found:
            assert found['conf_m'].shape == (n_iter, 3, 3) and found['conf_m'][0, 1, 2].sum() == 20
        assert ('location' in found) == (map_type == 'uv')
        if map_type == 'uv':
            assert found['location'].shape == (n_iter, 3, 3)
            used = found['location'][found['location'][..., 0] > 0]
            assert len(used) and (used >= 1).all() and (used <= [4, 3, 2]).all()

    def test_location_is_where_the_unit_is(self, activ, rng):
        conv = activ.get('conv')
        Y = conv[:, [1, 3], [2, 0], [1, 0]] * 3 + 0.01 * rng.standard_normal((60, 2))
        for estimator in ('corr', 'glm'):
            found = BrainEncoder(Y, 'uv', estimator).encode_dnn(activ)['conv']
            np.testing.assert_array_equal(found['location'][0], [[2, 3, 2], [4, 1, 1]])
        found = BrainEncoder(Y, 'uv', 'glm').encode_dnn(activ, 'row_col')['conv']
        np.testing.assert_array_equal(found['location'][5, 0], [2, 3, 2])
        assert found['model'][5, 0].slope == pytest.approx(3, abs=0.02)

    def test_behavior_of_uv(self, brain, rng):
        beh = np.column_stack([rng.standard_normal(60), brain[:, 1], brain[:, 0]])
        found = BrainEncoder(brain[:, :2], 'uv', 'glm', 3).encode_behavior(beh)
        assert found['location'].tolist() == [3, 2] and found['score'].shape == (2, 3)
        corr = BrainEncoder(np.column_stack([brain[:, :1], np.ones(60)]), 'uv', 'corr')
        with pytest.warns(UserWarning, match='1 of 2 voxels'):
            assert corr.encode_behavior(beh)['location'].tolist() == [3, 0]
        with pytest.raises(BadValue, match='predicts from several layers'):
            BrainEncoder(brain[:, :6], 'mv', 'banded').encode_behavior(beh)


def only(activ, *layers):
    """An activation with some of the layers."""
    part = Activation()
    for layer in layers:
        part.set(layer, activ.get(layer))
    part.stim_ids = activ.stim_ids
    return part


class TestBanded:
    def test_shares_of_layers(self, activ, brain):
        found = BrainEncoder(brain[:, :6], 'mv', 'banded', 3, n_iter=5, inner_cv=2).encode_dnn(activ)
        total = found['conv']['score'] + found['fc']['score']
        assert found['conv']['score'].shape == (1, 6, 3)
        np.testing.assert_allclose(total, found['conv']['joint'], atol=0.02)         # explained variance
        assert (found['conv']['score'][0, :3] > 0.8).all() and (found['fc']['unique'][0, 3:] > 0.5).all()
        np.testing.assert_array_equal(found['fc']['product'], found['fc']['score'])
        assert found['conv']['model'][0, 0] is found['fc']['model'][0, 0]
        lean = BrainEncoder(brain[:, :6], 'mv', 'banded', 3, n_iter=5, inner_cv=2, unique=False).encode_dnn(activ)
        assert 'unique' not in lean['conv']
        with pytest.raises(BadValue, match="maps whole layers; leave iter_axis out"):
            BrainEncoder(brain[:, :6], 'mv', 'banded').encode_dnn(activ, 'channel')


class TestPermutations:
    @pytest.mark.parametrize('map_type, estimator', [('mv', 'ridge'), ('mv', 'glm'), ('uv', 'corr')])
    def test_five_percent_under_the_null(self, rng, map_type, estimator):
        """400 voxels of noise: of 5 % a standard error of 1.1 %; family-wise over voxels and two layers."""
        activ = Activation('a', rng.standard_normal((30, 8, 1, 1)))
        activ.set('b', rng.standard_normal((30, 60, 1, 1)))
        found = BrainEncoder(rng.standard_normal((30, 400)), map_type, estimator, 3, 'correlation').encode_dnn(
            activ, n_perm=99)
        p = np.concatenate([one['p'] for one in found.values()])
        assert p.shape == (2, 400) and 0.02 < (p <= 0.05).mean() < 0.08 and p.mean() == pytest.approx(0.5, abs=0.05)
        family = np.stack([one['p_family'] for one in found.values()])
        assert (family[:, 0] >= p - 1e-12).all() and family.min() > 0.01

    @pytest.mark.parametrize('map_type, estimator, scoring', [('mv', 'ridge', None), ('uv', 'corr', None)])
    def test_signal_is_found_in_repeats_and_runs(self, activ, brain, rng, map_type, estimator, scoring):
        rows = np.tile(np.arange(60), 2)
        Y = np.column_stack([brain[rows, :2], rng.standard_normal((120, 2))])
        encoder = BrainEncoder(Y, map_type, estimator, 3, scoring, stim_ids=activ.stim_ids[rows])
        found = encoder.encode_dnn(only(activ, 'conv'), n_perm=50, within=np.repeat([1, 2], 60))['conv']
        assert found['p'].shape == found['p_family'].shape == (1, 4)
        if map_type == 'mv':
            np.testing.assert_allclose(found['p_family'][0, :2], 1 / 51)
        assert (found['p'][0, 2:] > 0.04).all()
        assert not {'null_max', 'statistic'} & set(found)

    def test_family_over_iterations_and_layers(self, activ, brain):
        """The largest over all, by hand, of the same permutations."""
        from dnnbrain.mapping.inference.permutation import family, permute_encoding
        Y = brain[:, :6] + 20 * np.random.default_rng(3).standard_normal((60, 6))
        found = BrainEncoder(Y, 'mv', 'ridge', 3, 'correlation', alphas=3.0).encode_dnn(activ, 'channel', n_perm=40)
        tables = [activ.get('conv')[:, c].reshape(60, -1) for c in range(4)] + \
            [activ.get('fc')[:, c].reshape(60, -1) for c in range(5)]
        tests = [permute_encoding(X.astype(float) @ X.T.astype(float), Y, folds(60, 3), 3.0, n_perm=40)
                 for X in tables]
        mine = np.concatenate([found['conv']['p_family'], found['fc']['p_family']])
        np.testing.assert_allclose(mine, family(tests))
        np.testing.assert_allclose(found['conv']['p'][1], tests[1].p)

    @pytest.mark.parametrize('given, asked, sentence', [
        ({'estimator': 'pls'}, {'n_perm': 9}, 'which ridge and glm .mv. and corr .uv. allow'),
        ({'map_type': 'uv', 'estimator': 'glm'}, {'n_perm': 9}, 'which ridge and glm'),
        ({'estimator': 'banded'}, {'n_perm': 9}, 'which ridge and glm'),
        ({'standardise': True}, {'n_perm': 9}, 'permutations do not know standardise=True'),
        ({'scoring': 'neg_mean_squared_error'}, {'n_perm': 9}, 'permutations know the scorings'),
        ({'hrf': np.eye(60)}, {'n_perm': 9}, 'volumes of a time series are not exchangeable'),
        ({}, {'n_perm': -1}, 'n_perm must not be negative'),
        ({}, {'within': np.zeros(60)}, 'give n_perm too'),
        ({}, {'n_perm': 9, 'within': np.zeros(59)}, 'within'),
        ({}, {'n_perm': 9, 'within': np.arange(60)}, 'no row can take the place'),
        ({'map_type': 'uv', 'estimator': 'corr'}, {'predictions': True}, 'predictions come from cross-validated'),
        ({'estimator': 'banded'}, {'predictions': True}, 'predictions come from cross-validated'),
    ])
    def test_what_cannot_be_had_is_refused_before_reading(self, brain, given, asked, sentence, monkeypatch):
        activ = Activation('l', np.zeros((60, 2, 1, 1)))
        monkeypatch.setattr(Activation, 'blocks', lambda *args: pytest.fail('was read'))
        with pytest.raises(BadValue, match=sentence):
            BrainEncoder(brain[:, :6], **given).encode_dnn(activ, **asked)


def test_a_scan_that_repeats_stimuli_is_told(rng):
    """Layers that say nothing score far above 0 where the stimuli of a held-out stretch trained the model too."""
    shown, onsets, durations = np.concatenate([rng.permutation(12) for _ in range(6)]), np.arange(72) * 6.0, np.ones(72)
    responses = hrf_matrix(onsets, durations, 230, 2.0) @ rng.standard_normal((12, 9))[shown]
    nothing = Activation('c', rng.standard_normal((12, 30, 1, 1)))
    nothing.stim_ids = np.arange(12)
    encoder = BrainEncoder(responses, cv=3, scoring='correlation', stim_ids=shown, hrf=(onsets, durations, 2.0))
    with pytest.warns(UserWarning, match='12 stimuli are shown in several groups.*even unrelated layers then score'):
        assert encoder.encode_dnn(nothing, models=False)['c']['score'].mean() > 0.2
    once = BrainEncoder(responses[:36], 'mv', 'glm', 2, stim_ids=shown[:12], hrf=(onsets[:12], durations[:12], 2.0))
    once.encode_dnn(nothing, models=False)                                                     # no warning


def test_a_censored_volume_is_told(activ, brain):
    brain = brain[:, :6].copy()
    brain[4] = np.nan
    with pytest.warns(UserWarning, match='6 of 6 voxels are .* NaN .1 volumes hold no finite number; leave them out.'):
        assert np.isnan(BrainEncoder(brain, cv=3).encode_dnn(activ, models=False)['conv']['score']).all()


class TestPredictions:
    @pytest.mark.parametrize('map_type, estimator', [('mv', 'ridge'), ('mv', 'lasso'), ('uv', 'glm'),
                                                     ('mv', LinearRegression())])
    def test_give_the_scores(self, activ, brain, map_type, estimator):
        with pytest.warns(UserWarning, match='1 of 7 voxels'):
            found = BrainEncoder(brain, map_type, estimator, 3, 'r2').encode_dnn(activ, 'channel', predictions=True)
        found = found['conv']
        assert found['prediction'].shape == (4, 60, 7) and found['prediction'].dtype == np.float32
        assert np.isnan(found['prediction'][:, :, 6]).all() and sorted(set(found['fold'])) == [0, 1, 2]
        for k in range(3):
            rows = found['fold'] == k
            expected = r2_score(brain[rows, :6], found['prediction'][1][rows, :6], multioutput='raw_values')
            np.testing.assert_allclose(found['score'][1, :6, k], expected, atol=1e-5)

    @pytest.mark.parametrize('map_type, estimator', [('mv', 'ridge'), ('uv', 'glm')])
    def test_of_raw_bold(self, activ, brain, map_type, estimator):
        """In float32, 1e6 + predictions that ridge shrank to little were 1e6 throughout: .17 became .10."""
        tables = []
        for Y in (brain[:, :3], brain[:, :3] + 1e6):
            encoder = BrainEncoder(Y, map_type, estimator, 3, 'correlation')
            found = encoder.encode_dnn(activ, predictions=True)
            tables.append(encoder.profile(found, n_boot=20)[['mean', 'low', 'high']].to_numpy())
        np.testing.assert_allclose(*tables, atol=1e-4)
        assert found['conv']['prediction'].dtype == np.float64

    def test_profile(self, activ, brain):
        encoder = BrainEncoder(brain[:, :6], scoring='correlation', cv=3)
        result = encoder.encode_dnn(activ, predictions=True)
        rois = {'early': [0, 1, 2], 'late': [3, 4, 5]}
        table = encoder.profile(result, rois, n_boot=100).set_index(['roi', 'layer'])
        for roi, layer in table.index:
            expected = fold_means(result)[layer][rois[roi]].mean()
            assert table.loc[(roi, layer), 'mean'] == pytest.approx(expected, abs=1e-5)
        assert (table['low'] < table['mean']).all()
        with pytest.raises(BadValue, match='needs predictions of whole layers'):
            encoder.profile(encoder.encode_dnn(activ))

    def test_noise_ceiling(self, rng):
        signal = rng.standard_normal((40, 3))
        ids = np.repeat(np.arange(40), 4)
        signal[:, 2] = 0
        Y = signal[ids] + rng.standard_normal((160, 3)) * [0.1, 1, 1]
        ceiling = BrainEncoder(Y, stim_ids=ids, scoring='correlation').noise_ceiling()
        np.testing.assert_allclose(ceiling, [0.995, 0.5 ** 0.5, 0], atol=0.25)
        np.testing.assert_allclose(BrainEncoder(Y, stim_ids=ids).noise_ceiling('correlation'), ceiling)
        np.testing.assert_allclose(BrainEncoder(Y, 'uv', 'corr', stim_ids=ids).noise_ceiling(), ceiling)
        with pytest.raises(BadValue, match='needs repeated presentations'):
            BrainEncoder(Y).noise_ceiling()
        with pytest.raises(BadValue, match='scoring must be one of'):
            BrainEncoder(Y, stim_ids=ids, scoring='neg_mean_squared_error').noise_ceiling()


class TestTimeSeries:
    """Volumes that answer events through the haemodynamic response."""

    TR = 1.7

    @pytest.fixture
    def scan(self, rng):
        """30 pictures shown twice in 260 volumes, in an order of its own; two voxels of signal, one of noise."""
        activ = Activation('l', rng.standard_normal((30, 4, 2, 1)))
        activ.stim_ids = np.array([f'{i}.png' for i in range(30)])
        shown = rng.permutation(np.repeat(np.arange(30), 2))
        onsets, durations = np.arange(60) * 7.1 + 0.4, np.full(60, 2.0)
        X = activ.get('l').reshape(30, -1)[shown]
        clean = convolve_hrf(X, onsets, durations, 260, self.TR, 50 / self.TR) @ rng.standard_normal((8, 2))
        Y = np.column_stack([clean / clean.std(axis=0) + 0.3 * rng.standard_normal((260, 2)), rng.standard_normal(260)])
        return activ, activ.stim_ids[shown], (onsets, durations, self.TR), X, Y

    @pytest.mark.filterwarnings('ignore:.* stimuli are shown in several groups')
    def test_planted_signal_and_slow_reference(self, scan):
        activ, ids, times, X, Y = scan
        runs = np.repeat(np.arange(5), 52)
        encoder = BrainEncoder(Y, 'mv', 'ridge', 5, 'correlation', stim_ids=ids, groups=runs, hrf=times, alphas=2.0)
        found = encoder.encode_dnn(activ)['l']
        assert (found['score'][0, :2] > 0.7).all() and abs(found['score'][0, 2].mean()) < 0.25
        Z = hrf_matrix(times[0], times[1], 260, self.TR) @ X
        for k, (train, test) in enumerate(folds(260, 5, runs)):
            predicted = Ridge(2.0).fit(Z[train], Y[train]).predict(Z[test])
            expected = [np.corrcoef(Y[test, v], predicted[:, v])[0, 1] for v in range(3)]
            np.testing.assert_allclose(found['score'][0, :, k], expected, rtol=1e-6)
        given = BrainEncoder(Y, 'mv', 'ridge', 5, 'correlation', stim_ids=ids, groups=runs, alphas=2.0,
                             hrf=hrf_matrix(times[0], times[1], 260, self.TR))
        np.testing.assert_allclose(given.encode_dnn(activ)['l']['score'], found['score'])

    @pytest.mark.filterwarnings('ignore:.* stimuli are shown in several groups')
    def test_folds_are_stretches_of_time(self, scan):
        activ, ids, times, _, Y = scan
        found = BrainEncoder(Y, cv=4, stim_ids=ids, hrf=times).encode_dnn(activ, predictions=True)['l']
        assert (np.diff(found['fold']) != 0).sum() == 3 and np.bincount(found['fold']).tolist() == [65] * 4
        best = BrainEncoder(Y, 'uv', 'glm', 4, stim_ids=ids, hrf=times).encode_dnn(activ, 'channel')['l']
        assert best['score'].shape == (4, 3, 4)

    @pytest.mark.filterwarnings('ignore:.* stimuli are shown in several groups')
    def test_noise_that_is_slow_does_not_leak(self, scan, rng):
        """Shuffled volumes would predict a slow drift from its neighbours."""
        activ, ids, times, _, _ = scan
        drift = np.cumsum(rng.standard_normal((260, 40)), axis=0)
        encoder = BrainEncoder(drift, scoring='correlation', stim_ids=ids, hrf=times)
        assert abs(encoder.encode_dnn(activ)['l']['score'].mean()) < 0.1
        shuffled = BrainEncoder(drift, scoring='correlation', stim_ids=ids, hrf=times, groups=np.arange(260))
        assert shuffled.encode_dnn(activ)['l']['score'].mean() > 0.15

    def test_behavior_of_events(self, scan):
        _, ids, times, X, Y = scan
        found = BrainEncoder(Y, 'mv', 'glm', 4, 'correlation', stim_ids=ids, hrf=times).encode_behavior(X)
        assert (found['score'][:2] > 0.7).all()

    def test_mistakes(self, scan):
        activ, ids, times, _, Y = scan
        for hrf, sentence in (((*times, 'spm + derivative'), "hrf model 'spm \\+ derivative' is not known"),
                              (times[:2], 'it holds 2 things'), (np.zeros((9, 60)), r'shape \(260, n_event\)')):
            with pytest.raises(BadValue, match=sentence):
                BrainEncoder(Y, stim_ids=ids, hrf=hrf)
        with pytest.raises(BadValue, match='KFold needs the runs'):
            BrainEncoder(Y, cv=KFold(3), stim_ids=ids, hrf=times).encode_dnn(activ)
        with pytest.raises(BadValue, match='59 stim_ids came for 60 events'):
            BrainEncoder(Y, stim_ids=ids[1:], hrf=times)
        with pytest.raises(BadValue, match='30 stimuli and the brain 60 events'):
            BrainEncoder(Y, hrf=times).encode_dnn(activ)
        with pytest.raises(BadValue, match='needs repeated presentations'):
            BrainEncoder(Y, stim_ids=ids, hrf=times).noise_ceiling()


@pytest.mark.parametrize('given, sentence', [
    ({'brain_activ': np.array([['a', 'b']] * 6)}, 'brain_activ must be numbers, not <U1'),
    ({'map_type': 'xv'}, "map_type 'xv' is not known"),
    ({'map_type': 'uv'}, "estimator 'ridge' is not one of map_type 'uv'; choose from corr.*; map_type 'mv' has it"),
    ({'estimator': 'corr'}, "'corr' is univariate only"),
    ({'n_jobs': 2}, "'ridge' of map_type 'mv' has no setting n_jobs; it has C, alpha"),
    ({'map_type': 'uv', 'estimator': 'glm', 'alphas': 1}, 'no setting alphas'),
    ({'cv': 1}, 'cv must be 2 folds or more'), ({'cv': 'five'}, 'cv must be a number of folds'),
    ({'groups': [1]}, '1 groups came for 6 volumes'), ({'scoring': 'fit'}, "scoring 'fit' is not known"),
])
def test_settings_are_checked_at_once(given, sentence, rng):
    with pytest.raises(BadInput, match=sentence):
        BrainEncoder(**({'brain_activ': rng.standard_normal((6, 2))} | given))


def test_the_layer_that_cannot_be_mapped_is_named(activ, brain):
    with pytest.raises(BadValue, match="layer 'fc': n_components must be from 1 to 5"):
        BrainEncoder(brain[:, :6], 'mv', 'pls', n_components=6).encode_dnn(activ)


def test_settings_stay_with_the_mappings_that_have_them(rng):
    encoder = BrainEncoder(rng.standard_normal((6, 2)), alphas=3.0, inner_cv=2)
    encoder.set_mapper('uv', 'glm', 3)
    assert encoder.mapping.inner_cv == 2
    encoder.set_mapper('mv', 'ridge', 3, alphas=5.0)
    assert encoder.mapping.settings.alphas == 5.0 and encoder.mapping.settings.inner_cv == 2
    with pytest.raises(BadValue, match='no setting alphas'):
        encoder.set_mapper('uv', 'glm', alphas=5.0)


def test_repeats_in_several_runs_are_warned_of(rng):
    """Leaving runs out then tests models on stimuli they were trained on."""
    activ = Activation('fc', rng.standard_normal((6, 5, 1, 1)))
    activ.stim_ids = np.arange(6)
    ids, runs = np.tile(np.arange(6), 2), np.repeat([1, 2], 6)
    Y = rng.standard_normal((12, 3))
    with pytest.warns(UserWarning, match='6 stimuli are shown in several groups'):
        BrainEncoder(Y, 'mv', 'glm', cv=2, stim_ids=ids, groups=runs).encode_dnn(activ)
    BrainEncoder(Y, 'mv', 'glm', cv=2, stim_ids=np.repeat(np.arange(6), 2), groups=runs).encode_dnn(activ)
