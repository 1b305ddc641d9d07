"""Activations behave alike in memory and on disk."""

import h5py
import numpy as np
import pytest

from dnnbrain._checks import BadIndex, BadValue
from dnnbrain.activation.pool import POOLINGS
from dnnbrain.dnn.core import Activation, Mask
from dnnbrain.io.act_h5 import DiskLayer


@pytest.fixture
def values(rng):
    return {'zz': rng.standard_normal((70, 6, 5, 4)).astype(np.float32),
            'aa': np.maximum(rng.standard_normal((70, 9, 1, 1)).astype(np.float32), 0)}


@pytest.fixture(params=['memory', 'disk'])
def activ(request, values, tmp_path):
    activation = Activation()
    for layer, value in values.items():
        activation.set(layer, value)
    activation.stim_ids = np.array([f'{i}.png' for i in range(70)])
    if request.param == 'disk':
        activation.save(tmp_path / 'x.act.h5')
        activation = Activation()
        activation.load(tmp_path / 'x.act.h5')
        assert all(isinstance(activation._layers[layer], DiskLayer) for layer in values)
    return activation


def same(activation, expected):
    assert activation.layers == list(expected)
    for layer, value in expected.items():
        assert activation.shape(layer) == value.shape
        np.testing.assert_array_equal(activation.get(layer), value)


def test_order_shapes_ids(activ, values):
    same(activ, values)
    assert len(activ) == 70 and activ.stim_ids[69] == '69.png'


def test_constructor_of_1_0(values):
    activation = Activation('zz', values['zz'])
    assert activation.layers == ['zz'] and activation.get('zz') is values['zz']
    activation.delete('zz')
    assert activation.layers == [] and len(activation) == 0


@pytest.mark.parametrize('key, rows', [
    (3, [3]), (np.int16(-1), [69]), (slice(60, None, 3), [60, 63, 66, 69]), ([5, 5, 0], [5, 5, 0]),
    (np.arange(70) % 35 == 1, [1, 36]), ('7.png', [7]), (['7.png', '0.png'], [7, 0]),
])
def test_rows(activ, values, key, rows):
    part = activ[key]
    same(part, {layer: value[rows] for layer, value in values.items()})
    assert part.stim_ids.tolist() == [f'{i}.png' for i in rows]


def test_rows_of_rows(activ, values):
    same(activ[10:40][[0, 29, 0]], {layer: value[[10, 39, 10]] for layer, value in values.items()})


def test_mask(activ, values):
    mask = Mask('aa', [9, 1])
    mask.set('zz', [6, 2, 2], [1], np.array([4, 1]))
    part = activ.mask(mask)
    same(part, {'aa': values['aa'][:, [8, 0]], 'zz': values['zz'][:, [5, 1, 1]][:, :, [0]][..., [3, 0]]})
    same(part[2:4].mask('zz'), {'zz': values['zz'][2:4][:, [5, 1, 1]][:, :, [0]][..., [3, 0]]})
    with pytest.raises(BadValue, match="channel of layer 'aa' 10 is out of range; they count from 1 to 9"):
        activ.mask(Mask('aa', [10]))
    with pytest.raises(BadValue, match="'aaa' is not in the activation; did you mean 'aa'"):
        activ.mask('aaa')


@pytest.mark.parametrize('method', POOLINGS)
def test_pool(activ, values, method):
    statistic = {'max': np.max, 'mean': np.mean, 'median': np.median, 'L1': lambda v: np.abs(v).sum(),
                 'L2': lambda v: np.linalg.norm(v)}[method]
    pooled = activ.pool(method)
    expected = [[statistic(one) for one in stimulus] for stimulus in values['zz']]
    assert pooled.shape('zz') == (70, 6, 1, 1) and pooled.meta['pool'] == method
    np.testing.assert_allclose(pooled.get('zz')[..., 0, 0], expected, rtol=1e-5)


def test_pooling_of_clips(rng):
    clips = rng.standard_normal((3, 2, 4, 5, 6))
    pooled = Activation('a', clips).pool('L2').get('a')
    assert pooled.shape == (3, 2, 1, 1, 1)
    np.testing.assert_allclose(pooled[..., 0, 0, 0], np.linalg.norm(clips.reshape(3, 2, -1), axis=2))


def test_arithmetic(activ, values):
    same(activ + activ, {layer: value + value for layer, value in values.items()})
    same(activ - activ, {layer: value * 0 for layer, value in values.items()})
    same(activ * activ, {layer: value * value for layer, value in values.items()})
    same(activ[:5] / 2, {layer: value[:5] / 2 for layer, value in values.items()})
    assert (activ + activ).stim_ids.tolist() == activ.stim_ids.tolist()
    with pytest.raises(BadValue, match=r"row 1 is '0.png' in one and '69.png' in the other"):
        activ + activ[::-1]
    with pytest.raises(BadValue, match='layers differ'):
        activ + activ.mask('zz')
    with pytest.raises(BadValue, match='has shapes'):
        activ.mask('zz') + activ.mask(Mask('zz', [1]))
    with pytest.raises(TypeError):
        activ + 'x'


def test_concatenate(activ, values):
    joined = activ[:3].concatenate([activ[60:62], activ[5]])
    same(joined, {layer: value[[0, 1, 2, 60, 61, 5]] for layer, value in values.items()})
    assert joined.stim_ids.tolist() == ['0.png', '1.png', '2.png', '60.png', '61.png', '5.png']
    with pytest.raises(BadValue, match='layers differ'):
        activ.concatenate([activ.mask('zz')])
    with pytest.raises(BadValue, match='has units'):
        activ.mask('zz').concatenate([activ.mask(Mask('zz', [1]))])


def test_nothing_changes_what_it_came_from(activ, values):
    before = {layer: value.copy() for layer, value in values.items()}
    activ.mask('zz')
    activ.pool('mean')
    (activ + 1).get('zz')[:] = 0
    same(activ, before)


@pytest.mark.parametrize('n_bytes', [1, 500, 2000, 10 ** 9])
def test_blocks_put_together_are_the_layer(activ, values, n_bytes):
    for layer, value in values.items():
        rows = [(span, block) for span, block in activ.blocks(layer, 'stim', n_bytes)]
        np.testing.assert_array_equal(np.concatenate([block for _, block in rows]), value)
        units = [(span, block) for span, block in activ.blocks(layer, 'unit', n_bytes)]
        np.testing.assert_array_equal(np.concatenate([block for _, block in units], axis=1), value.reshape(70, -1))
        for span, block in units:
            np.testing.assert_array_equal(block, value.reshape(70, -1)[:, span])
        assert all(len(block) == span.stop - span.start for span, block in rows)
    with pytest.raises(BadValue, match="choose from stim, unit"):
        activ.blocks('zz', 'rows')


def test_blocks_are_small(rng):
    activation = Activation('a', rng.standard_normal((50, 20, 8, 8)).astype(np.float32))
    for axis in ('stim', 'unit'):
        assert max(block.nbytes for _, block in activation.blocks('a', axis, 20_000)) <= 20_000


def test_loading_a_part(activ, values, tmp_path):
    activ.save(tmp_path / 'y.act.h5')
    part = Activation()
    part.load(tmp_path / 'y.act.h5', Mask('zz', [2], columns=[1]))
    same(part, {'zz': values['zz'][:, [1]][..., [0]]})


def test_mistakes(activ, rng):
    with pytest.raises(BadValue, match="'bb' is not in the activation"):
        activ.get('bb')
    with pytest.raises(BadIndex, match='70 is out of range for 70'):
        activ[70]
    with pytest.raises(BadValue, match=r'must have shape \(n_stim, n_chn, n_row, n_col\)'):
        activ.set('bb', np.zeros((70, 4)))
    with pytest.raises(BadValue, match="did you mean '7.png'|choose from"):
        activ['7.pn']


class TestAsScriptsDo:
    """Habits of scripts for 1.0, where everything was in memory."""

    @pytest.fixture
    def loaded(self, rng, tmp_path):
        written = Activation('conv5', rng.standard_normal((4, 3, 5, 5)).astype(np.float32))
        written.set('fc', rng.standard_normal((4, 6, 1, 1)).astype(np.float32))
        written.stim_ids, written.meta = np.array(list('abcd')), {'layer_paths': {'conv5': 'features.10', 'fc': 'head'}}
        written.save(tmp_path / 'x.act.h5')
        activation = Activation()
        activation.load(tmp_path / 'x.act.h5')
        return activation, written, tmp_path / 'x.act.h5'

    def test_changes_in_place_last(self, loaded):
        activation, written, _ = loaded
        activation.get('conv5')[activation.get('conv5') < 0] = 0
        np.testing.assert_array_equal(activation.get('conv5'), np.maximum(written.get('conv5'), 0))

    def test_load_select_and_save_under_the_same_name(self, loaded):
        activation, written, fname = loaded
        part = activation[::-1].mask({'conv5': {'chn': [3, 1]}})
        part.save(fname)
        expected = written.get('conv5')[::-1][:, [2, 0]]
        np.testing.assert_array_equal(part.get('conv5'), expected)
        again = Activation()
        again.load(fname)
        np.testing.assert_array_equal(again.get('conv5'), expected)
        with pytest.raises(BadValue, match='has changed since it was loaded; load it again'):
            activation.get('conv5')

    def test_setting_layer_after_layer_to_fewer_stimuli(self, loaded, tmp_path):
        activation, written, _ = loaded
        activation.set('conv5', activation.get('conv5')[:2])
        assert activation.stim_ids is None
        with pytest.raises(BadValue, match="disagree in the number of stimuli: {'conv5': 2, 'fc': 4}"):
            activation.save(tmp_path / 'y.act.h5')
        assert not (tmp_path / 'y.act.h5').exists()
        activation.set('fc', activation.get('fc')[:2])
        activation.save(tmp_path / 'y.act.h5')
        assert len(activation) == 2

    def test_module_paths_name_layers_too(self, loaded):
        activation, written, fname = loaded
        np.testing.assert_array_equal(activation.get('features.10'), written.get('conv5'))
        assert activation.mask(['head']).layers == ['fc']
        part = Activation()
        part.load(fname, {'features.10': {'chn': [2]}})
        assert part.layers == ['conv5'] and part.shape('conv5') == (4, 1, 5, 5)
        with pytest.raises(BadValue, match="the mask names layer 'conv5' twice, by its name and its module path"):
            activation.mask({'features.10': {'chn': [2]}, 'conv5': {'chn': [1]}})

    def test_masks_one_after_the_other_are_remembered_as_one(self, loaded):
        activation, written, _ = loaded
        once = activation.mask({'conv5': {'chn': [3, 1, 3], 'row': [2, 4]}})
        twice = once.mask({'conv5': {'chn': [1, 2], 'col': [5]}})
        assert twice.meta['dmask'] == {'conv5': {'chn': [3, 1], 'row': [2, 4], 'col': [5]}}
        again = activation.mask(twice.meta['dmask'])
        np.testing.assert_array_equal(twice.get('conv5'), again.get('conv5'))

    def test_what_could_not_be_read_back_is_not_written(self, loaded, tmp_path):
        activation, written, _ = loaded
        for name in ('layer1/conv1', '..', ''):
            with pytest.raises(BadValue, match='cannot be a name in an HDF5 file'):
                Activation(name, written.get('fc')).save(tmp_path / 'z.act.h5')
        written.stim_ids = np.array(['a'])
        with pytest.raises(BadValue, match='1 stimulus IDs came for 4 stimuli'):
            written.save(tmp_path / 'z.act.h5')
        assert not (tmp_path / 'z.act.h5').exists()


@pytest.mark.parametrize('values', [np.float32(3), np.zeros((4, 3), np.float32)])
def test_a_file_of_another_kind_is_refused(tmp_path, values):
    with h5py.File(tmp_path / 'x.act.h5', 'w') as file:
        file['data'] = values
    with pytest.raises(BadValue, match="damaged, or of another kind: layer 'data'"):
        Activation().load(tmp_path / 'x.act.h5')
