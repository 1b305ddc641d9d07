"""Decoding: from voxels to the units of a network, and to behaviour."""

import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import confusion_matrix, r2_score
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.svm import SVR

from dnnbrain._checks import BadValue
from dnnbrain.brain.core import BrainDecoder
from dnnbrain.dnn.core import Activation
from dnnbrain.mapping import ridge, unit_targets
from dnnbrain.mapping.models import load_model
from dnnbrain.mapping.multivariate import MultivariateMapping

N, SHAPE, CV = 60, (3, 4, 2), KFold(3, shuffle=True, random_state=1)


@pytest.fixture
def brain(rng):
    return rng.standard_normal((N, 30)) * 2 + 100


@pytest.fixture
def activ(brain, rng):
    """Units follow all voxels, but unit (2, 1, 1) voxel 8 alone, and unit (3, 4, 2) is dead."""
    maps = (brain - 100) @ rng.standard_normal((30, 24)) + rng.standard_normal((N, 24))
    maps = maps.reshape(N, *SHAPE)
    maps[:, 1, 0, 0] = brain[:, 7] * 3 - 1
    maps[:, 2, 3, 1] = 0
    activation = Activation('conv', maps.astype(np.float32))
    activation.set('fc', maps[:, :, 0, 0].astype(np.float32)[:, :, None, None])
    activation.stim_ids = np.array([f'{i}.png' for i in range(N)])
    return activation


def flat(activ):
    return activ.get('conv').reshape(N, -1).astype(np.float64)


REGRESSORS = {'ridge': ('ridge', Ridge(7.0)), 'glm': ('glm', LinearRegression()), 'lasso': ('lasso', Lasso(0.2)),
              'pls': ('pls', PLSRegression(2)), 'object': (LinearRegression(), LinearRegression()),
              'one by one': (SVR(kernel='linear'), None)}


@pytest.mark.parametrize('name', REGRESSORS)
@pytest.mark.parametrize('n_bytes', [N * 16 * 5, 2 ** 26], ids=['blocks', 'whole'])
def test_equals_sklearn_in_blocks_of_any_size(name, n_bytes, brain, activ, monkeypatch, tmp_path):
    """From disk, five units at a time, and all at once."""
    monkeypatch.setattr(unit_targets, 'BLOCK_BYTES', n_bytes)
    activ.save(tmp_path / 'x.act.h5')
    activ.load(tmp_path / 'x.act.h5')
    estimator, theirs = REGRESSORS[name]
    found = BrainDecoder(brain, 'mv', estimator, CV, 'r2', alphas=7.0, alpha=0.2).decode_dnn(activ)
    conv, Y = found['conv'], flat(activ)
    assert list(found) == ['conv', 'fc'] and found['fc']['score'].shape == (3, 1, 1, 3)
    assert conv['score'].shape == (*SHAPE, 3) and conv['model'].shape == SHAPE and 'location' not in conv
    assert np.isnan(conv['score'][2, 3, 1]).all()
    for k, (train, test) in enumerate(CV.split(brain)):
        if theirs is None:
            expected = [r2_score(Y[test, 5], SVR(kernel='linear').fit(brain[train], Y[train, 5]).predict(brain[test]))]
            np.testing.assert_allclose(conv['score'].reshape(24, 3)[5, k], expected, rtol=1e-4)
            continue
        predicted = theirs.fit(brain[train], Y[train, :23]).predict(brain[test])
        expected = r2_score(Y[test, :23], predicted, multioutput='raw_values')
        np.testing.assert_allclose(conv['score'].reshape(24, 3)[:23, k], expected, rtol=1e-4, atol=1e-6)
    if theirs is not None:
        model, expected = conv['model'][0, 0, 0], theirs.fit(brain, Y[:, :23]).predict(brain[:5] + 1)
        predicted = model.predict(brain[:5] + 1)
        np.testing.assert_allclose(predicted[:, :23], expected, rtol=1e-4, atol=1e-4)
        assert np.isnan(predicted[:, 23]).all() and conv['model'][0, 1, 0] is None
        model.save(tmp_path / 'model.h5')
        np.testing.assert_allclose(load_model(tmp_path / 'model.h5').predict(brain[:5]), model.predict(brain[:5]))


@pytest.mark.parametrize('estimator, expected', [('ridge', 3 * (1 + 2) + 1 + 2), ('glm', 3 + 1)])
def test_a_kernel_is_decomposed_once_per_fold(estimator, expected, brain, activ, monkeypatch):
    """Whatever the number of blocks: three folds with two inner ones each, and the fit on all rows."""
    real, calls, blocks = ridge.decomposed, [], []
    monkeypatch.setattr(ridge, 'decomposed', lambda K: calls.append(len(K)) or real(K))
    monkeypatch.setattr(unit_targets, 'BLOCK_BYTES', N * 16 * 5)
    read = Activation.blocks
    monkeypatch.setattr(Activation, 'blocks', lambda *args: (blocks.append(b[1].shape[1]) or b for b in read(*args)))
    activ.delete('fc')
    BrainDecoder(brain, 'mv', estimator, 3, inner_cv=2).decode_dnn(activ)
    assert len(calls) == expected and blocks == 4 * [8, 8, 8] + [30]        # the voxels, for weights of the model


@pytest.mark.parametrize('estimator', ['ridge', 'glm', 'lasso'])
def test_standardised_and_grouped_as_the_engine(estimator, brain, activ):
    """The way by blocks of units gives what the engine gives for them as targets."""
    runs = np.repeat(np.arange(6), 10)
    given = {'standardise': True, 'alpha': 0.2, 'alphas': 50.0}
    decoder = BrainDecoder(brain, 'mv', estimator, 3, groups=runs, **given)
    score = decoder.decode_dnn(activ)['conv']['score'].reshape(24, 3)
    expected = MultivariateMapping(estimator, 3, **given).map(brain, flat(activ), runs)['score']
    np.testing.assert_allclose(score, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize('estimator', ['corr', 'glm', 'lasso'])
def test_best_voxel(estimator, brain, activ):
    found = BrainDecoder(brain, 'uv', estimator, 3).decode_dnn(activ)['conv']
    assert found['location'].shape == SHAPE and found['location'][1, 0, 0] == 8        # from 1
    assert found['location'].min() == found['location'][2, 3, 1] == 0                  # the dead unit
    if estimator == 'corr':
        assert found['score'].shape == SHAPE and found['score'][1, 0, 0] == pytest.approx(1) and 'model' not in found
        table = np.corrcoef(brain.T, flat(activ)[:, 3])[-1, :-1]
        assert found['score'][0, 1, 1] == pytest.approx(table[np.abs(table).argmax()], abs=1e-6)
        return
    assert found['score'].shape == found['fold_location'].shape == (*SHAPE, 3)
    assert found['fold_location'][1, 0, 0].tolist() == [8] * 3 and (found['score'][1, 0, 0] > 0.8).all()
    model = found['model'][1, 0, 0]
    assert model.slope == pytest.approx(3, abs=0 if estimator == 'glm' else 0.5, rel=1e-5)
    assert found['model'][2, 3, 1] is None and np.isnan(found['score'][2, 3, 1]).all()


def test_noise_is_not_decoded(rng):
    brain, activ = rng.standard_normal((50, 80)), Activation('l', rng.standard_normal((50, 300, 1, 1)))
    for map_type, estimator in (('mv', 'ridge'), ('uv', 'glm')):
        found = BrainDecoder(brain, map_type, estimator, scoring='correlation').decode_dnn(activ)
        assert abs(found['l']['score'].mean()) < 0.05


def test_joined_by_id_and_repeats_together(brain, activ, rng):
    rows = rng.permutation(np.repeat(np.arange(N), 2))
    twice = brain[rows] + 0.1 * rng.standard_normal((120, 30))
    decoder = BrainDecoder(twice, 'mv', 'ridge', 3, 'r2', stim_ids=activ.stim_ids[rows], alphas=7.0)
    found = decoder.decode_dnn(activ)['conv']
    same = np.unique(activ.stim_ids[rows], return_inverse=True)[1]
    expected = MultivariateMapping('ridge', 3, 'r2', alphas=7.0).map(twice, flat(activ)[rows], same)
    np.testing.assert_allclose(found['score'].reshape(24, 3), expected['score'], rtol=1e-6)
    noise = BrainDecoder(np.repeat(rng.standard_normal((N, 200)), 2, axis=0), scoring='correlation',
                         stim_ids=np.repeat(activ.stim_ids, 2)).decode_dnn(activ)['conv']['score']
    assert abs(np.nanmean(noise)) < 0.15
    with pytest.raises(BadValue, match='60 stimuli of the brain are not in the activations'):
        BrainDecoder(brain, stim_ids=np.arange(N)).decode_dnn(activ)


def test_models_that_are_large(brain, activ, monkeypatch):
    """None by default, dual coefficients on request, which compare with the responses of the training."""
    weights = BrainDecoder(brain, cv=3).decode_dnn(activ)['conv']['model'][0, 0, 0].predict(brain[:4])
    monkeypatch.setattr(unit_targets, 'MODEL_BYTES', 100)
    decoder = BrainDecoder(brain, cv=3)
    assert all(model is None for model in decoder.decode_dnn(activ)['conv']['model'].ravel())
    assert BrainDecoder(brain, cv=3).decode_dnn(activ, models=False)['conv']['model'][0, 0, 0] is None
    model = decoder.decode_dnn(activ, models=True)['conv']['model'][0, 0, 0]
    assert model.coef is None
    training = Activation('brain', brain[:, :, None, None])
    np.testing.assert_allclose(model.predict(brain[:4], train=training), weights, rtol=1e-5, atol=1e-5)


def test_voxels_without_numbers_keep_their_place(brain, activ):
    clean = BrainDecoder(np.delete(brain, [0, 9], axis=1), cv=3).decode_dnn(activ)['conv']['score']
    brain = brain.copy()
    brain[4, 0], brain[:, 9] = np.nan, 5
    with pytest.warns(UserWarning, match='2 of 30 voxels are constant or not finite; they predict nothing') as caught:
        found = BrainDecoder(brain, cv=3).decode_dnn(activ)['conv']['score']
    assert len(caught) == 1
    np.testing.assert_allclose(found, clean, rtol=1e-6)
    with pytest.warns(UserWarning, match='2 of 30'):
        assert BrainDecoder(brain, 'uv', 'corr').decode_dnn(activ)['conv']['location'][1, 0, 0] == 8


class TestBehavior:
    def test_measures(self, brain, rng):
        beh = np.column_stack([brain[:, 3] * 2, rng.standard_normal(N)])
        found = BrainDecoder(brain, 'mv', 'glm', CV, 'r2').decode_behavior(beh)
        assert found['score'].shape == (2, 3) and found['model'].shape == (2,)
        np.testing.assert_allclose(found['score'][0], 1)
        best = BrainDecoder(brain, 'uv', 'corr').decode_behavior(beh)
        assert best['location'][0] == 4 and best['score'][0] == pytest.approx(1) and best['score'].shape == (2,)

    @pytest.mark.parametrize('name, theirs', [('lrc', LogisticRegression(tol=1e-8, max_iter=10_000))])
    def test_labels(self, name, theirs, brain):
        X = brain - 100
        words = np.where(X[:, 0] + X[:, 1] > 0, 'cat', 'dog')
        found = BrainDecoder(X, 'mv', name, 3).decode_behavior(words)
        for k, (train, test) in enumerate(StratifiedKFold(3, shuffle=True, random_state=0).split(X, words)):
            predicted = theirs.fit(X[train], words[train]).predict(X[test])
            np.testing.assert_array_equal(found['conf_m'][0, k], confusion_matrix(words[test], predicted))
            assert found['score'][0, k] == pytest.approx((predicted == words[test]).mean())
        words[:6] = ''
        gappy = np.column_stack([words.astype(object), np.where(words == '', None, words)])
        with pytest.warns(UserWarning, match='1 of 2 measures are constant or not finite; they score NaN'):
            assert np.isnan(BrainDecoder(X, 'mv', name, 3).decode_behavior(gappy)['score']).any(axis=1).tolist() == \
                [False, True]
        single = BrainDecoder(X, 'uv', name, 3).decode_behavior(np.where(X[:, 5] > 0, 'cat', 'dog'))
        assert single['location'].tolist() == [6] and single['score'].mean() > 0.9


@pytest.mark.parametrize('given, sentence', [
    ({'brain_activ': np.zeros(9)}, r'\(n_vol, n_meas\), not \(9,\)'), ({'estimator': 'banded'}, 'the brain is one'),
    ({'stim_ids': [1]}, '1 stim_ids came for 60'), ({'groups': [1]}, '1 groups came for 60'),
    ({'map_type': 'uv', 'estimator': 'pls'}, "not one of map_type 'uv'"), ({'unique': True}, 'no setting unique'),
])
def test_settings_are_checked_at_once(given, sentence, brain):
    with pytest.raises(BadValue, match=sentence):
        BrainDecoder(**({'brain_activ': brain} | given))


def test_data_are_checked(brain, activ):
    with pytest.raises(BadValue, match='60 stimuli and the brain 50 volumes'):
        BrainDecoder(brain[:50]).decode_dnn(activ)
    with pytest.raises(BadValue, match='a classifier predicts labels'):
        BrainDecoder(brain, 'uv', 'svc').decode_dnn(activ)
    with pytest.raises(BadValue, match=r'behaviour must have shape \(60, n_beh\), not \(50, 1\)'):
        BrainDecoder(brain).decode_behavior(np.zeros(50))
    with pytest.raises(BadValue, match='for pls fits all targets together; mask or pool'):
        BrainDecoder(brain, 'mv', 'pls', max_bytes=1000).decode_dnn(activ)
    activ.set('bad', np.full((N, 2, 1, 1), np.nan))
    with pytest.raises(BadValue, match="'bad'"):
        BrainDecoder(brain).decode_dnn(activ)
