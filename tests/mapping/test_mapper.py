"""What encoding, decoding and probing share: one draw of random folds, any unit of measurement, settings at once."""

import numpy as np
import pytest
from sklearn.model_selection import KFold, ShuffleSplit

from dnnbrain._checks import BadInput
from dnnbrain.brain.core import BrainDecoder, BrainEncoder
from dnnbrain.dnn.core import Activation, DnnProbe
from dnnbrain.mapping.crossval import steady
from dnnbrain.mapping.inference.permutation import permute_predictions
from dnnbrain.mapping.scoring import r2
from dnnbrain.mapping.topography import best_positions


@pytest.fixture
def activ(rng):
    activ = Activation('conv', rng.standard_normal((30, 3, 2, 2)))
    activ.set('fc', rng.standard_normal((30, 20, 1, 1)))
    return activ


@pytest.fixture
def Y(activ, rng):
    return activ.get('conv').reshape(30, -1) @ rng.standard_normal((12, 3)) + 2 * rng.standard_normal((30, 3))


@pytest.mark.parametrize('given', [
    {'rng': None}, {'cv': KFold(5, shuffle=True)},
    {'cv': KFold(5, shuffle=True, random_state=np.random.RandomState(0))},
])
def test_unseeded_folds_are_drawn_once(given, activ, Y):
    """Scores, predictions and fold numbers of all layers speak of the same folds."""
    found = BrainEncoder(Y, scoring='r2', **given).encode_dnn(activ, predictions=True, models=False)
    for one in found.values():
        fold, predicted = one['fold'], one['prediction'][0].astype(float)
        again = np.stack([r2(Y[fold == k], predicted[fold == k]) for k in range(5)], axis=1)
        assert np.allclose(one['score'][0], again, atol=1e-5)                   # predictions are float32
    assert np.array_equal(found['conv']['fold'], found['fc']['fold'])


def test_repeats_with_activations_of_their_own(activ, Y):
    """Two presentations that a network answered differently are not both taken for the last."""
    names = np.repeat(np.arange(15), 2)
    activ.stim_ids = names
    own = BrainEncoder(Y, 'mv', 'glm', 3, stim_ids=names).encode_dnn(activ)['conv']['score']
    activ.stim_ids = None
    assert np.array_equal(own, BrainEncoder(Y, 'mv', 'glm', 3, groups=names).encode_dnn(activ)['conv']['score'])


def test_a_splitter_is_not_changed():
    cv = ShuffleSplit(3)
    kept, seed = steady(cv, None)
    assert cv.random_state is None and isinstance(kept.random_state, int) and isinstance(seed, int)
    assert steady(5, 7) == (5, 7) and steady(5, None)[1] != steady(5, None)[1]


@pytest.mark.parametrize('unit', [1e-13, 1e-26, 1e12])
def test_p_values_know_no_units(unit, activ, Y):
    """Magnetometers measure in 1e-13 T, their power in its square, which is below what float32 can square."""
    for estimator in ('ridge', 'glm'):
        p = [BrainEncoder(Y * by, 'mv', estimator, 3, 'correlation').encode_dnn(activ, n_perm=19, models=False)['conv']
             for by in (1, unit)]
        assert np.array_equal(p[0]['p'], p[1]['p']) and np.array_equal(p[0]['p_family'], p[1]['p_family'])
    tests = [permute_predictions(Y * by, Y[::-1] * by, 'r2', 19) for by in (1, unit)]
    assert np.array_equal(tests[0].p, tests[1].p) and np.allclose(tests[0].statistic, tests[1].statistic, atol=1e-5)
    maps = Activation('conv', activ.get('conv'))
    places = [best_positions(maps, Y * by) for by in (1, unit)]
    assert np.array_equal(places[0].row, places[1].row) and np.allclose(places[0].score, places[1].score, atol=1e-5)


def test_numbers_of_stimuli_that_a_table_made_floats(activ, Y):
    """73.0 of a column with gaps, once these are left out, is the picture 73."""
    numbered = Activation('conv', activ.get('conv'))
    numbered.stim_ids = np.arange(73, 73 + len(Y))[::-1]
    scores = [BrainEncoder(Y, 'mv', 'glm', 3, stim_ids=ids).encode_dnn(numbered)['conv']['score']
              for ids in (np.arange(73, 73 + len(Y)), np.arange(73.0, 73 + len(Y)))]
    assert np.array_equal(*scores)


def test_p_values_know_no_units_of_activations(activ, Y):
    small = Activation('conv', activ.get('conv') * 1e-20)
    p = [BrainEncoder(Y, cv=3, scoring='correlation').encode_dnn(one, n_perm=19, models=False)['conv']['p']
         for one in (Activation('conv', activ.get('conv')), small)]
    assert np.array_equal(*p)


def test_dead_channels_do_not_stop_a_map(activ, Y):
    """A channel that is 0 for every stimulus, or alive at one position, as rectified ones are."""
    values = activ.get('conv').copy()
    values[:, 0], values[:, 1, 0] = 0, 0
    values[:, 1, 1, 0] = 0
    activ = Activation('conv', values)
    found = BrainEncoder(Y, 'mv', 'pls', 3).encode_dnn(activ, 'channel')['conv']
    assert np.allclose(found['score'][0], 0, atol=1e-12)                        # the mean explains nothing
    line = BrainEncoder(Y, 'mv', 'glm', 3).encode_dnn(Activation('conv', values[:, 1:2, 1:, 1:]))['conv']['score'][0]
    assert np.allclose(found['score'][1], line)                                 # one live unit: a line
    assert np.allclose(found['model'][0, 0].predict(activ, train=activ), Y.mean(axis=0))


@pytest.mark.parametrize('given, sentence', [
    ({'alpha': 'x'}, "alpha must be a positive number, not 'x'"),
    ({'estimator': 'lrc', 'C': 'x'}, "C must be a positive number, not 'x'"),
    ({'estimator': 'lrc', 'C': True}, 'C must be a positive number, not True'),
    ({'map_type': 'uv', 'estimator': 'lasso', 'alpha': 'x'}, "alpha must be a number from 0, not 'x'"),
    ({'map_type': 'uv', 'estimator': 'glm', 'n_jobs': 'x'}, "n_jobs must be a whole number, not 'x'"),
    ({'max_bytes': 'x'}, "max_bytes must be a positive number, not 'x'"),
    ({'rng': 'x'}, "rng must be a whole number, not 'x'"), ({'rng': -1}, 'rng must be a seed from 0 to 4294967295'),
    ({'stim_ids': 'abc'}, 'stim_ids must be a list with an entry for each row'),
    ({'groups': [None] * 30}, 'groups has no entry for 30 rows'),
    ({'groups': ['run 1', ''] * 15}, 'groups has no entry for 15 rows'),
    ({'groups': np.zeros((30, 1))}, r'groups must be a list .*, not of shape \(30, 1\)'),
    ({'brain_activ': np.zeros((30, 0))}, 'brain_activ is empty'),
])
def test_settings(given, sentence, Y):
    with pytest.raises(BadInput, match=sentence):
        BrainEncoder(**({'brain_activ': Y} | given))


def test_before_a_layer_is_read(activ, Y, monkeypatch):
    """What the folds or the memory cannot give is said at once."""
    def unread(*_):
        pytest.fail('a layer was read')
        yield
    monkeypatch.setattr(Activation, 'blocks', unread)
    with pytest.raises(BadInput, match='alpha is chosen inside the training folds, which hold a single group'):
        BrainEncoder(Y, cv=2, groups=np.arange(30) % 2).encode_dnn(activ)
    with pytest.raises(BadInput, match='n_components must be from 1 to 12'):
        BrainEncoder(Y, 'mv', 'pls', n_components=13).encode_dnn(activ)
    monkeypatch.setattr('dnnbrain.mapping.all_layers.MODEL_BYTES', 700)
    with pytest.raises(BadInput, match='models of all iterations need 0 GB; give models=False'):
        BrainEncoder(Y).encode_dnn(activ, 'channel')


@pytest.mark.parametrize('map_type, estimator', [('mv', 'ridge'), ('uv', 'glm')])
def test_scores_that_cannot_be_had(map_type, estimator, activ, Y):
    with pytest.raises(BadInput, match="scoring 'neg_mean_squared_log_error' cannot score these values: Mean Squared"):
        BrainEncoder(Y, map_type, estimator, 3, 'neg_mean_squared_log_error').encode_dnn(activ)
    with pytest.raises(BadInput, match='the scoring function must give one number per target'):
        BrainEncoder(Y, map_type, estimator, 3, lambda t, p: np.array([1.0, 2.0])).encode_dnn(activ)
    names = np.array(['a', 'b', 'c'])[np.arange(30) % 3]
    with pytest.raises(BadInput, match="scoring 'f1' cannot score these values: Target is multiclass"):
        DnnProbe(activ, map_type, 'svc', 3, 'f1').probe(names)


@pytest.mark.filterwarnings('ignore:The least populated class')
@pytest.mark.parametrize('estimator', ['lrc', 'svc'])
def test_a_class_with_one_member(estimator, activ):
    """The fold that holds it out knows the other class only; other measures are mapped as if alone."""
    rare, other = np.where(np.arange(30) == 4, 'rare', 'usual'), np.array(['a', 'b'])[np.arange(30) % 2]
    found = DnnProbe(activ, 'mv', estimator, 3).probe(np.column_stack([rare, other]))['fc']
    without = [matrix for matrix in found['conf_m'][0, 0] if matrix[0].sum()]
    assert len(without) == 1 and without[0].tolist() == [[0, 1], [0, 9]]
    alone = DnnProbe(activ, 'mv', estimator, 3).probe(other)['fc']
    assert np.array_equal(found['score'][0, 1], alone['score'][0, 0])


def test_tables_that_are_not_what_they_should_be(activ, Y):
    for call in (BrainEncoder(Y).encode_dnn, BrainDecoder(Y).decode_dnn):
        with pytest.raises(BadInput, match='dnn_activ must be an Activation, not ndarray'):
            call(Y)
    with pytest.raises(BadInput, match='behaviour must be numbers, not <U1'):
        BrainEncoder(Y).encode_behavior(np.full((30, 1), 'a'))
    with pytest.raises(BadInput, match='behaviour is empty'):
        BrainEncoder(Y).encode_behavior(np.zeros((30, 0)))
    with pytest.raises(BadInput, match="rng must be a whole number, not 'x'"):
        DnnProbe(activ, 'mv', 'ridge', rng='x')
