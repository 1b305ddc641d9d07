"""Masks: which units are meant, in numbers from 1."""

import numpy as np
import pytest

from dnnbrain._checks import BadType, BadValue
from dnnbrain.activation.mask import as_mask
from dnnbrain.dnn.core import Mask
from dnnbrain.utils.util import gen_dmask


def test_calls_of_1_0(tmp_path):
    mask = Mask('conv5', channels=[1, 2])
    mask.set('fc3', channels='all')
    mask.set('conv1', rows=[3], columns=[2, 1])
    assert mask.layers == ['conv5', 'fc3', 'conv1']
    assert mask.get('conv1') == {'chn': 'all', 'row': [3], 'col': [2, 1]}
    mask.save(tmp_path / 'x.dmask.csv')
    back = Mask()
    back.load(tmp_path / 'x.dmask.csv')
    assert back.to_dict() == mask.to_dict()
    copy = mask.copy()
    copy.delete('conv5')
    assert mask.layers == ['conv5', 'fc3', 'conv1'] and copy.layers == ['fc3', 'conv1']
    mask.clear()
    assert mask.layers == []


@pytest.mark.parametrize('numbers', [[2, 3], (2, 3), range(2, 4), np.array([2, 3]), np.array([2, 3], dtype=np.uint8)])
def test_any_sequence_of_integers_is_a_mask(numbers):
    """1.0 ignored what was not a list."""
    assert Mask('a', numbers).get('a')['chn'] == [2, 3]
    assert Mask('a', numbers).indices('a', (9, 5, 6, 6))[1].tolist() == [1, 2]


def test_a_single_number():
    assert Mask('a', 4).get('a')['chn'] == [4]


def test_axes_of_maps_vectors_and_clips():
    mask = Mask('a', [2], [1], [3])
    assert {k: v.tolist() for k, v in mask.indices('a', (9, 5, 6, 7)).items()} == {1: [1], 2: [0], 3: [2]}
    assert {k: v.tolist() for k, v in mask.indices('a', (9, 5, 8, 6, 7)).items()} == {1: [1], 3: [0], 4: [2]}


@pytest.mark.parametrize('number', [0, -1, 6])
def test_numbers_beyond_the_layer(number):
    """In 1.0 channel 0 was the last one."""
    with pytest.raises(BadValue, match=rf"channel.* {number} is out of range; they count from 1"):
        Mask('conv', [1, number]).indices('conv', (9, 5, 6, 7))


@pytest.mark.parametrize('numbers', [[1.5], ['1'], [True], 'every', [[1, 2]]])
def test_what_is_no_number(numbers):
    with pytest.raises(BadType, match="must be 'all' or whole numbers"):
        Mask('a', numbers)


def test_empty_and_unknown():
    with pytest.raises(BadValue, match='is empty'):
        Mask('a', [])
    with pytest.raises(BadValue, match="'conv' is not in the mask; did you mean 'conv5'"):
        Mask('conv5').get('conv')


def test_gen_dmask(tmp_path):
    assert gen_dmask(['a'], [3, 1]).to_dict() == {'a': {'chn': [3, 1], 'row': 'all', 'col': 'all'}}
    assert gen_dmask('a').get('a')['chn'] == 'all'
    assert gen_dmask(['a', 'b']).layers == ['a', 'b']
    pairs = gen_dmask(('a', 'b'), (3, 1))
    assert pairs.get('a')['chn'] == [3] and pairs.get('b')['chn'] == [1]
    pairs.save(tmp_path / 'x.dmask.csv')
    assert gen_dmask(dmask_file=tmp_path / 'x.dmask.csv').to_dict() == pairs.to_dict()
    with pytest.raises(BadValue, match='2 layers take one channel each'):
        gen_dmask(['a', 'b'], [1, 2, 3])
    with pytest.raises(BadValue, match='a layer stands twice among a, b, a; name it once'):
        gen_dmask(['a', 'b', 'a'], [1, 2, 3])
    (tmp_path / 'empty.dmask.csv').write_text('\n')
    with pytest.raises(BadValue, match='empty.dmask.csv. names no layer'):
        gen_dmask(dmask_file=tmp_path / 'empty.dmask.csv')
    for nothing in ({}, {'layers': ['a'], 'dmask_file': 'x'}):
        with pytest.raises(BadValue, match='either layers or a mask file'):
            gen_dmask(**nothing)


def test_as_mask():
    assert as_mask('a').layers == ['a'] and as_mask(['a', 'b']).layers == ['a', 'b']
    assert as_mask({'a': {'chn': [2]}}).get('a') == {'chn': [2], 'row': 'all', 'col': 'all'}
    with pytest.raises(BadType, match='must be a Mask'):
        as_mask(3)


def test_set_changes_only_what_is_given():
    mask = Mask('conv5', channels=[1, 2])
    mask.set('conv5', rows=[3])
    assert mask.get('conv5') == {'chn': [1, 2], 'row': [3], 'col': 'all'}
    mask.set('conv5', channels='all', columns=4)
    assert mask.get('conv5') == {'chn': 'all', 'row': [3], 'col': [4]}
    mask.set('fc3', columns=[2])
    assert mask.get('fc3') == {'chn': 'all', 'row': 'all', 'col': [2]}


def test_a_wrong_number_leaves_the_layer_as_it_was():
    mask = Mask('conv5', channels=[1, 2])
    with pytest.raises(BadValue, match='out of range'):
        mask.set('conv5', channels=[3], rows=[0])
    assert mask.get('conv5')['chn'] == [1, 2]
