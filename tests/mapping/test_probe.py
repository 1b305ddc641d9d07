"""Probing: from activations to behaviour and labels."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import confusion_matrix, r2_score
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.svm import SVC

from dnnbrain._checks import BadType, BadValue
from dnnbrain.dnn.core import Activation, DnnProbe

N, SHAPE, N_ITER = 60, (4, 3, 2), {None: 1, 'channel': 4, 'row_col': 6}


@pytest.fixture
def activ(rng):
    activation = Activation('conv', rng.standard_normal((N, *SHAPE)))
    activation.set('fc', rng.standard_normal((N, 5, 1, 1)))
    activation.stim_ids = np.array([f'{i}.png' for i in range(N)])
    return activation


@pytest.fixture
def words(activ):
    """Which of three a channel says; and a side of one unit."""
    conv = activ.get('conv')
    return np.column_stack([np.array(['cat', 'dog', 'owl'])[conv[:, :3, 1, 1].argmax(axis=1)],
                            np.where(conv[:, 2, 0, 1] > 0, 'left', 'right')])


@pytest.mark.parametrize('iter_axis', N_ITER)
@pytest.mark.parametrize('map_type, estimator', [
    ('uv', 'corr'), ('uv', 'glm'), ('uv', 'lasso'), ('mv', 'glm'), ('mv', 'lasso'), ('mv', 'ridge'), ('mv', 'pls')])
def test_shapes_of_measures(map_type, estimator, iter_axis, activ, rng):
    beh, n_iter = rng.standard_normal((N, 2)), N_ITER[iter_axis]
    settings = {'lasso': {'alpha': 0.1}, 'pls': {'n_components': 1}}.get(estimator, {})
    found = DnnProbe(activ, map_type, estimator, 3, **settings).probe(beh, iter_axis)
    conv = found['conv']
    assert list(found) == ['conv', 'fc'] and 'conf_m' not in conv
    assert conv['score'].shape == ((n_iter, 2) if estimator == 'corr' else (n_iter, 2, 3))
    if estimator == 'corr':
        assert 'model' not in conv
    else:
        assert conv['model'].shape == (n_iter, 2)
    if map_type == 'uv':
        assert conv['location'].shape == (n_iter, 2, 3) and (conv['location'] <= SHAPE).all()
        assert found['fc']['location'].shape == ({None: 1, 'channel': 5, 'row_col': 1}[iter_axis], 2, 3)
    else:
        assert 'location' not in conv


@pytest.mark.parametrize('iter_axis', N_ITER)
@pytest.mark.parametrize('name, theirs', [('lrc', LogisticRegression(tol=1e-8, max_iter=10_000)),
                                          ('svc', SVC(kernel='linear', C=0.025))])
def test_labels_equal_sklearn(name, theirs, iter_axis, activ, words):
    found = DnnProbe(activ, 'mv', name, 3).probe(words, iter_axis)['conv']
    n_iter, i = N_ITER[iter_axis], min(1, N_ITER[iter_axis] - 1)
    assert found['score'].shape == found['conf_m'].shape == (n_iter, 2, 3) and found['model'].shape == (n_iter, 2)
    conv = activ.get('conv')
    X = {None: conv, 'channel': conv[:, 1], 'row_col': conv[:, :, 0, 1]}[iter_axis].reshape(N, -1)
    for t in range(2):
        splits = StratifiedKFold(3, shuffle=True, random_state=0).split(X, words[:, t])
        for k, (train, test) in enumerate(splits):
            predicted = theirs.fit(X[train], words[train, t]).predict(X[test])
            assert found['score'][i, t, k] == pytest.approx((predicted == words[test, t]).mean())
            expected = confusion_matrix(words[test, t], predicted, labels=np.unique(words[:, t]))
            np.testing.assert_array_equal(found['conf_m'][i, t, k], expected)
    numbers = np.unique(words[:, 1], return_inverse=True)[1]
    again = DnnProbe(activ, 'mv', name, 3).probe(numbers, iter_axis)['conv']
    np.testing.assert_array_equal(again['score'][:, 0], found['score'][:, 1])


@pytest.mark.parametrize('name', ['lrc', 'svc'])
def test_the_unit_that_says_the_label(name, activ, words):
    found = DnnProbe(activ, 'uv', name, 3, C=1.0).probe(words[:, 1])['conv']
    np.testing.assert_array_equal(found['location'], [[[3, 1, 2]]])
    assert found['score'].mean() > 0.85 and found['conf_m'].shape == (1, 1, 3)
    assert found['conf_m'][0, 0, 0].sum() == N // 3
    unit = activ.get('conv')[:, 2, 0, 1]
    assert (found['model'][0, 0].predict(unit) == words[:, 1]).mean() > 0.85


def test_regression_equals_sklearn(activ, rng):
    X, cv = activ.get('conv').reshape(N, -1), KFold(4)
    beh = X[:, :2] + rng.standard_normal((N, 2))
    score = DnnProbe(activ, 'mv', 'glm', cv, 'r2').probe(beh)['conv']['score'][0]
    for k, (train, test) in enumerate(cv.split(X)):
        predicted = LinearRegression().fit(X[train], beh[train]).predict(X[test])
        np.testing.assert_allclose(score[:, k], r2_score(beh[test], predicted, multioutput='raw_values'), rtol=1e-6)


def test_calls_of_1_0(activ, rng):
    probe = DnnProbe()
    with pytest.raises(BadValue, match='needs activations and a mapping; call set_activ and set_mapper'):
        probe.probe(np.zeros((N, 1)))
    probe.set_activ(activ)
    probe.set_mapper('uv', 'glm', 4, 'correlation')
    assert probe.probe(rng.standard_normal((N, 2)), 'channel')['conv']['score'].shape == (4, 2, 4)


def test_noise(activ, rng):
    """Chance: 0 for measures, one half for labels."""
    beh = rng.standard_normal((N, 150))
    for map_type in ('uv', 'mv'):
        assert abs(DnnProbe(activ, map_type, 'glm', scoring='correlation').probe(beh)['conv']['score'].mean()) < 0.05
    labels = rng.integers(0, 2, (N, 30))
    assert DnnProbe(activ, 'mv', 'lrc').probe(labels)['conv']['score'].mean() == pytest.approx(0.5, abs=0.05)


def test_raters_joined_by_id(activ, rng):
    """Five people rate every picture: their rows stay together, and move together in permutations."""
    rows = np.tile(rng.permutation(N), 5)
    beh = np.column_stack([activ.get('conv')[rows, 0, 0, 0], rng.standard_normal(N)[rows]])
    beh += 0.1 * rng.standard_normal(beh.shape)
    probe = DnnProbe(activ, 'uv', 'corr', stim_ids=activ.stim_ids[rows])
    found = probe.probe(beh, n_perm=60)['conv']
    np.testing.assert_array_equal(found['location'][0, 0], [1, 1, 1])
    assert found['p'][0, 0] == found['p_family'][0, 0] == pytest.approx(1 / 61) and found['p'][0, 1] > 0.04
    probe.set_mapper('mv', 'ridge', 3, 'correlation')
    found = probe.probe(beh, predictions=True, n_perm=30)['conv']
    assert found['prediction'].shape == (1, 5 * N, 2) and found['fold'].shape == (5 * N,)
    assert all(len(set(found['fold'][rows == i])) == 1 for i in range(N))
    assert found['score'][0, 0].mean() > 0.8 and found['score'][0, 1].mean() < 0.3


def test_measures_that_cannot_be_predicted(activ, rng):
    beh = rng.standard_normal((N, 3))
    beh[:, 1], beh[5, 2] = 4, np.nan
    with pytest.warns(UserWarning, match='2 of 3 measures are constant or not finite; they score NaN') as caught:
        found = DnnProbe(activ, 'mv', 'ridge').probe(beh)['conv']
    assert len(caught) == 1 and np.isfinite(found['score'][0, 0]).all() and np.isnan(found['score'][0, 1:]).all()


@pytest.mark.parametrize('hole', [None, np.nan])
def test_labels_that_are_missing(activ, rng, hole):
    """Folds were refused in the words of scikit-learn, for all labels."""
    beh = rng.choice(['Tür, rot', 'Äpfel'], (N, 2)).astype(object)
    beh[3, 1] = hole
    with pytest.warns(UserWarning, match='1 of 2 measures are constant or not finite; they score NaN'):
        found = DnnProbe(activ, 'mv', 'lrc', 3).probe(beh)['fc']['score']
    assert np.isnan(found[0, 1]).all()
    np.testing.assert_array_equal(found[0, 0], DnnProbe(activ, 'mv', 'lrc', 3).probe(beh[:, 0])['fc']['score'][0, 0])


def test_bands(activ, rng):
    beh = activ.get('fc')[:, :1, 0, 0] + 0.1 * rng.standard_normal((N, 1))
    found = DnnProbe(activ, 'mv', 'banded', 3, n_iter=5, inner_cv=2).probe(beh)
    assert found['fc']['unique'].mean() > 0.5 > abs(found['conv']['score'].mean())


@pytest.mark.parametrize('given, kind, sentence', [
    ({'dnn_activ': np.zeros((3, 3))}, BadType, 'dnn_activ must be an Activation, not ndarray'),
    ({'map_type': 'mv', 'estimator': 'corr'}, BadValue, 'univariate only'),
    ({'estimator': 'glm'}, BadValue, 'map_type None is not known; choose from uv, mv'),
    ({'map_type': 'uv'}, BadValue, 'estimator must be one of corr, glm, lasso, lrc, svc, or one of scikit-learn'),
])
def test_settings_are_checked_at_once(given, kind, sentence):
    with pytest.raises(kind, match=sentence):
        DnnProbe(**given)


@pytest.mark.parametrize('change, sentence', [
    ({'beh_data': np.zeros((50, 2))}, '60 stimuli and the behaviour 50 rows'),
    ({'beh_data': np.zeros((N, 2, 2))}, r'beh_data must have shape \(n_stim, n_beh\)'),
    ({'beh_data': np.array(['a', 'b'] * 30)}, 'for labels take a classifier'),
    ({'estimator': 'lrc'}, 'a classifier predicts labels: Y must be whole numbers or text'),
    ({'iter_axis': 'chn'}, "iter_axis 'chn' is not known"),
])
def test_data_are_checked(change, sentence, activ, rng):
    with pytest.raises(BadValue, match=sentence):
        change = {'beh_data': rng.standard_normal((N, 2)), 'estimator': 'ridge'} | change
        DnnProbe(activ, 'mv', change.pop('estimator')).probe(**change)
