"""Parts of one list of stimuli that are joined, and parts that only look as if they were."""

import shutil

import numpy as np
import pytest

from dnnbrain._checks import BadPath, BadType, BadValue
from dnnbrain.activation.basis import Basis
from dnnbrain.dnn.core import Activation

LAYERS = ['conv', 'fc']


@pytest.fixture
def shards(tiny, stim, tmp_path):
    """1.act.h5 and 2.act.h5, halves of the pictures."""
    for i in (1, 2):
        tiny.compute_activation(stim, LAYERS, batch_size=3, shard=(i, 2), out=tmp_path / f'{i}.act.h5')
    return [tmp_path / '1.act.h5', tmp_path / '2.act.h5']


@pytest.mark.parametrize(('first', 'second', 'said'), [
    ({'batch_size': 5}, {}, r'rows 1 to 5 of 12, 7 to 12 of 12\); .* with the same batch size'),
    ({}, {'turned': True}, 'do not make up one list of stimuli'),
    ({'rows': slice(11)}, {}, 'do not make up one list of stimuli'),
    ({'reduce': 'srp:5'}, {'reduce': 'srp:5', 'rng': 1}, 'reduce differs'),
    ({'reduce': slice(6)}, {'reduce': slice(6, 12)}, 'reduce differs'),
])
def test_parts_of_different_wholes_are_refused(tiny, stim, tmp_path, first, second, said):
    """All of them have the shards, layers and shapes of one extraction."""
    for i, how in ((1, first), (2, second)):
        how = {'batch_size': 3} | how
        if isinstance(how.get('reduce'), slice):
            how['reduce'] = tiny.fit_basis(stim[how['reduce']], LAYERS, 3)
        shown = stim[::-1] if how.pop('turned', False) else stim[how.pop('rows', slice(None))]
        tiny.compute_activation(shown, LAYERS, shard=(i, 2), out=tmp_path / f'{i}.act.h5', **how)
    with pytest.raises(BadValue, match=said):
        Activation.merge([tmp_path / '1.act.h5', tmp_path / '2.act.h5'], tmp_path / 'm.act.h5')
    assert not (tmp_path / 'm.act.h5').exists()


def test_what_was_left_out_is_told_once(tiny, stim, tmp_path):
    stim.set('stimID', [*stim.get('stimID')[:11], 'no.png'])
    parts = [tmp_path / f'{i}.act.h5' for i in (1, 2)]
    for i, part in enumerate(parts, 1):
        tiny.compute_activation(stim, 'fc', batch_size=3, shard=(i, 2), on_error='skip', out=part)
    assert Activation.merge(parts, tmp_path / 'm.act.h5').meta['skipped'] == [['no.png', 'missing']]


@pytest.mark.parametrize('name', ['50%.act.h5', 'a%b%d.act.h5', 'ü %s.act.h5'])
def test_names_that_read_like_formats(shards, tiny, stim, tmp_path, name):
    """HDF5 reads the names in a virtual file as formats of printf."""
    part = shards[0].rename(tmp_path / name)
    Activation.merge([part, shards[1]], tmp_path / 'm.act.h5', virtual=True)
    merged = Activation()
    merged.load(tmp_path / 'm.act.h5')
    np.testing.assert_array_equal(merged.get('conv'), tiny.compute_activation(stim, 'conv', batch_size=3).get('conv'))
    part.unlink()
    with pytest.raises(BadPath, match=f'refers to .{name}., which does not exist'):
        merged.load(tmp_path / 'm.act.h5')


def test_a_virtual_file_does_not_replace_its_part(shards):
    before = shards[0].read_bytes()
    with pytest.raises(BadValue, match='is one of the parts, to which a virtual file refers; give another name'):
        Activation.merge(shards, shards[0], virtual=True)
    assert shards[0].read_bytes() == before


@pytest.mark.parametrize(('change', 'said'), [('other', 'holds something else by now'), ('cut', 'is truncated')])
def test_parts_that_changed_behind_a_virtual_file(shards, tiny, stim, tmp_path, change, said):
    """HDF5 gives zeros for what it does not find."""
    merged = Activation.merge(shards, tmp_path / 'm.act.h5', virtual=True)
    if change == 'other':
        tiny.compute_activation(stim[:5], LAYERS, out=shards[0])
    else:
        shards[0].write_bytes(shards[0].read_bytes()[:5000])
        with pytest.raises(BadValue, match="layer 'conv' of activation file .* cannot be read"):
            merged.get('conv')
    with pytest.raises(BadValue, match=said):
        Activation().load(tmp_path / 'm.act.h5')


@pytest.mark.parametrize('shard', ['1/2', 1, (1.0, 2), (1, 2, 3)])
def test_shards_of_another_kind(tiny, stim, shard):
    with pytest.raises(BadType, match=r'shard must be \(i, n\), the i-th of n parts such as \(1, 4\)'):
        tiny.compute_activation(stim, 'fc', batch_size=3, shard=shard)


def test_merged_in_one_basis(tiny, stim, tmp_path):
    tiny.compute_activation(stim, LAYERS, reduce='srp:5', out=tmp_path / 'x.act.h5', batch_size=3)
    for i, reduce in ((1, 'srp:5'), (2, 'srp:5')):
        tiny.compute_activation(stim, LAYERS, reduce=reduce, shard=(i, 2), batch_size=3, out=tmp_path / f'{i}.act.h5')
    assert Basis.load(tmp_path / '1.basis.h5').digest() == Basis.load(tmp_path / 'x.basis.h5').digest()
    merged = Activation.merge([tmp_path / f'{i}.act.h5' for i in (1, 2)], shutil.copy(tmp_path / 'x.act.h5',
                                                                                   tmp_path / 'm.act.h5'))
    one = Activation()
    one.load(tmp_path / 'x.act.h5')
    np.testing.assert_array_equal(merged.get('conv'), one.get('conv'))
