"""The stimuli that drive units most, against numpy on activations that were kept."""

import numpy as np
import pytest
import torch

from dnnbrain._checks import BadType, BadValue
from dnnbrain.activation.pool import pool_maps
from dnnbrain.brain.encoder import BrainEncoder
from dnnbrain.dnn.core import Activation, Mask
from dnnbrain.interpret.preference.top_stimuli import BestSoFar, top_stimuli
from dnnbrain.interpret.target import ChannelTarget, ModelTarget


@pytest.fixture
def activation(rng):
    """Whole numbers, full of ties."""
    activation = Activation('conv', rng.integers(0, 4, (70, 5, 3, 2)).astype(np.float32))
    activation.set('fc', rng.integers(-3, 3, (70, 4, 1, 1)).astype(np.float64))
    activation.stim_ids = np.array([f'{i}.png' for i in range(70)])
    return activation


def expected(values, k):
    """Rows and values of the k largest in each column; of equals the first."""
    order = np.argsort(-values, axis=0, kind='stable')[:k]
    return order.T.ravel(), np.take_along_axis(values, order, 0).T.ravel()


@pytest.mark.parametrize('metric', ['max', 'mean', 'median', 'L1', 'L2'])
@pytest.mark.parametrize('k', [1, 7, 70])
def test_activations_with_ties(activation, metric, k):
    table = top_stimuli(activation, k, metric=metric)
    for layer, n_chn in (('conv', 5), ('fc', 4)):
        part = table[table['layer'] == layer]
        rows, values = expected(pool_maps(activation.get(layer), metric).reshape(70, -1), k)
        assert part['stimID'].tolist() == [f'{row}.png' for row in rows]
        np.testing.assert_array_equal(part['value'], values)
        assert part['channel'].tolist() == np.repeat(np.arange(1, n_chn + 1), k).tolist()
        assert part['rank'].tolist() == list(range(1, k + 1)) * n_chn


def test_units_of_a_masked_file(activation, tmp_path):
    activation.save(tmp_path / 'x.act.h5')
    table = top_stimuli(tmp_path / 'x.act.h5', 3, dmask={'conv': {'chn': [4, 2], 'row': [3, 1]}}, unit=True)
    rows, values = expected(activation.get('conv')[:, [3, 1]][:, :, [2, 0]].reshape(70, -1), 3)
    assert table['stimID'].tolist() == [f'{row}.png' for row in rows] and table['value'].tolist() == values.tolist()
    places = table[['channel', 'row', 'column']].iloc[::3].to_numpy().tolist()
    assert places == [[c, r, w] for c in (4, 2) for r in (3, 1) for w in (1, 2)]


def test_any_batches_and_batches_again(activation):
    """Also when a batch is broken off and comes again in smaller parts, as where memory is short."""
    values = torch.from_numpy(activation.get('conv'))
    best = BestSoFar(6, {}, True)
    for start, stop in ((0, 4), (4, 30), (30, 31), (31, 70)):
        best.put('conv', values[start:stop])
        best.go_back(start)
        middle = (start + stop) // 2
        for part in (slice(start, middle), slice(middle, stop)):
            if part.start < part.stop:
                best.put('conv', values[part])
    table = best.table('conv', np.arange(70))
    rows, found = expected(values.reshape(70, -1).numpy(), 6)
    assert table['stimID'].tolist() == rows.tolist() and table['value'].tolist() == found.tolist()


@pytest.mark.parametrize('unit', [False, True])
def test_a_network_in_one_pass(tiny, stim, unit):
    calls = []
    handle = tiny.model.register_forward_pre_hook(lambda *args: calls.append(1))
    mask = Mask('relu', [3, 1])
    mask.set('fc')
    table = top_stimuli(tiny, 4, stim, mask, metric='mean', unit=unit, batch_size=5)
    handle.remove()
    assert len(calls) == 3                                                  # of 12 pictures, for both layers
    kept = tiny.compute_activation(stim, mask)
    for layer in ('relu', 'fc'):
        part, values = table[table['layer'] == layer], kept.get(layer)
        rows, found = expected((values if unit else values.mean((2, 3))).reshape(12, -1), 4)
        np.testing.assert_allclose(part['value'], found, rtol=1e-5)         # batches of other sizes
        assert part['stimID'].tolist() == kept.stim_ids[rows].tolist()
    assert table[table['layer'] == 'relu']['channel'].unique().tolist() == [3, 1]
    assert not any(module._forward_hooks for module in tiny.model.modules())


def test_short_memory(tiny, stim, monkeypatch):
    """Batches that do not fit are shown in parts; the result is that of the whole."""
    whole = top_stimuli(tiny, 4, stim, ['conv', 'fc'])
    put, looks = BestSoFar.put, []

    def failing(self, layer, activ):
        looks.append(len(activ))
        if layer == 'fc' and len(activ) > 3:
            raise torch.OutOfMemoryError
        put(self, layer, activ)
    monkeypatch.setattr(BestSoFar, 'put', failing)
    again = top_stimuli(tiny, 4, stim, ['conv', 'fc'])
    assert max(looks) == 12 and again['stimID'].tolist() == whole['stimID'].tolist()
    np.testing.assert_allclose(again['value'], whole['value'], rtol=1e-5)


def test_arrays_go_by_number(tiny, rng):
    pixels = rng.integers(0, 256, (9, 3, 12, 12), dtype=np.uint8)
    table = top_stimuli(tiny, 2, pixels, 'fc')
    rows, _ = expected(tiny.compute_activation(pixels, 'fc').get('fc').reshape(9, -1), 2)
    assert table['stimID'].tolist() == rows.tolist()


@pytest.mark.parametrize('estimator', ['ridge', 'banded'])
def test_voxels(tiny, stim, rng, estimator):
    """What a model predicts of pictures it is shown, through one layer or two, streamed or from a file."""
    activ = tiny.compute_activation(stim, ['relu', 'fc'])
    found = BrainEncoder(rng.standard_normal((12, 4)), 'mv', estimator, cv=3).encode_dnn(activ)
    model = found['relu']['model'][0, 0].to_weights(activ if estimator == 'banded' else
                                                    activ.get('relu').reshape(12, -1))
    predicted = model.predict(activ)[:, [3, 1]]
    rows, values = expected(predicted, 5)
    for table in (top_stimuli(tiny, 5, stim, target=ModelTarget(model, [4, 2]), batch_size=5),
                  top_stimuli(activ, 5, target=ModelTarget(model, [4, 2]))):
        np.testing.assert_allclose(table['value'], values, rtol=1e-3, atol=1e-4)        # float32
        assert table['stimID'].tolist() == activ.stim_ids[rows].tolist()
        assert table['target'].tolist() == ['voxel 4'] * 5 + ['voxel 2'] * 5


def test_a_channel_as_a_target(tiny, stim):
    table = top_stimuli(tiny, 3, stim, target=ChannelTarget('conv', 2, unit=(4, 5)))
    rows, values = expected(tiny.compute_activation(stim, 'conv').get('conv')[:, 1, 3, 4][:, None], 3)
    np.testing.assert_allclose(table['value'], values, rtol=1e-5)
    assert table['target'].unique().tolist() == ['conv channel 2 (4, 5)']


def test_repeated_stimuli_count_once(tiny, stim, activation):
    twice = stim[[*range(12), *range(12)]]
    assert top_stimuli(tiny, 4, twice, 'fc')['stimID'].tolist() == top_stimuli(tiny, 4, stim, 'fc')['stimID'].tolist()
    table, again = top_stimuli(activation, 9), top_stimuli(activation.concatenate([activation]), 9)
    assert again.equals(table)


def test_what_can_go_wrong(tiny, stim, activation):
    values = np.ones((4, 2, 1, 1))
    values[1:3, 0] = np.nan
    for source, settings, sentence in (
            (activation, {'k': 71}, 'the best 71 were asked for, but there are 70 different stimuli'),
            (activation, {'k': 0}, 'k must be at least 1, not 0'),
            (activation, {'metric': 'maxx'}, "did you mean 'max'"),
            (activation, {'stimuli': stim}, 'leave stimuli out'),
            (activation, {'target': ChannelTarget('conv', 1), 'unit': True}, 'leave dmask and unit out'),
            (tiny, {'stimuli': stim}, 'a network needs stimuli, and layers'),
            (tiny, {'dmask': 'conv'}, 'a network needs stimuli, and layers'),
            (tiny, {'dmask': 'con', 'stimuli': stim}, "did you mean 'conv'"),
            (tiny, {'dmask': 'conv', 'stimuli': stim, 'batch_size': 0}, 'batch_size must be at least 1'),
            (Activation('x', values), {'k': 1}, "layer 'x' holds NaN or infinite activations for 2 stimuli")):
        with pytest.raises(BadValue, match=sentence):
            top_stimuli(source, **settings)
    with pytest.raises(BadType, match='source must be a DNN, an Activation or the name of its .act.h5, not dict'):
        top_stimuli({})
