"""Activations on disk: streaming, selection, order, wholeness."""

import itertools

import h5py
import numpy as np
import pytest

from dnnbrain._checks import BadValue
from dnnbrain.dnn.core import Activation
from dnnbrain.io.act_h5 import read_act_h5
from dnnbrain.io.act_writer import ActWriter
from dnnbrain.io.chunks import chunk_shape


def write(path, layers, ids=None, step=7, **kwargs):
    n = len(next(iter(layers.values())))
    with ActWriter(path, n, ids, **kwargs) as writer:
        for start in range(0, n, step):
            writer.write({name: values[start:start + step] for name, values in layers.items()})
    return path


@pytest.fixture
def layers(rng):
    """zz before aa, so that alphabetical order would show; sparse and dense; more than one chunk."""
    dense = rng.standard_normal((70, 40, 30, 30)).astype(np.float32)
    return {'zz': dense, 'aa': np.maximum(dense[:, :5, :3, :2], 0), 'fc': dense[:, :, :1, :1]}


@pytest.mark.parametrize('compression', ['auto', 'gzip', 'lzf', 'none'])
def test_streamed_blocks_come_back_in_order(tmp_path, layers, compression):
    ids = [f'{i}.png' for i in range(70)]
    write(tmp_path / 'x.act.h5', layers, ids, compression=compression, meta={'network': 'X'})
    found, stim_ids, meta = read_act_h5(tmp_path / 'x.act.h5')
    assert list(found) == ['zz', 'aa', 'fc'] and stim_ids.tolist() == ids and meta['network'] == 'X'
    for name, values in layers.items():
        assert found[name].shape == values.shape
        np.testing.assert_array_equal(found[name][()], values)


def test_sparse_layers_are_compressed_dense_ones_are_not(tmp_path, layers):
    write(tmp_path / 'x.act.h5', layers)
    with h5py.File(tmp_path / 'x.act.h5') as file:
        assert file['aa'].compression == 'lzf' and file['zz'].compression is None


def test_any_order_and_repeats_as_in_memory(tmp_path, layers, rng):
    write(tmp_path / 'x.act.h5', layers)
    layer, values = read_act_h5(tmp_path / 'x.act.h5')[0]['zz'], layers['zz']
    rows, channels, lines = [69, 0, 0, 33, 5], [39, 2, 2, 38, 0], [29, 1]
    picked = layer.select(0, np.array(rows)).select(1, np.array(channels)).select(-1, np.array(lines))
    assert picked.shape == (5, 5, 30, 2)
    np.testing.assert_array_equal(picked[()], values[rows][:, channels][..., lines])
    np.testing.assert_array_equal(picked[1:3, ::-1], values[rows][:, channels][..., lines][1:3, ::-1])
    again = picked.select(0, np.array([4, 4, 1]))                # a selection of a selection
    np.testing.assert_array_equal(again[()], values[[5, 5, 0]][:, channels][..., lines])
    assert picked.select(0, np.array([], dtype=int))[()].shape == (0, 5, 30, 2)


@pytest.mark.parametrize('n_stim, n_chn, size', [*itertools.product((1, 5, 73000), (1, 3, 256, 4096), (1, 13, 224))])
def test_chunks_are_a_few_megabytes_and_waste_little(n_stim, n_chn, size):
    stimuli, channels, *rest = chunk_shape((n_stim, n_chn, size, size), 4)
    assert rest == [size, size] and 1 <= stimuli <= n_stim and 1 <= channels <= n_chn
    assert stimuli * channels * size * size * 4 <= max(2 ** 22, size * size * 4)
    assert -(-n_chn // channels) * channels < 1.1 * n_chn + 1


def test_files_of_1_0_have_no_meta(tmp_path, layers):
    with h5py.File(tmp_path / 'old.act.h5', 'w') as file:
        file.create_dataset('conv5', data=layers['aa'], compression='gzip')
    found, ids, meta = read_act_h5(tmp_path / 'old.act.h5')
    assert ids is None and meta == {}
    np.testing.assert_array_equal(found['conv5'][()], layers['aa'])


def test_a_file_with_the_final_name_is_whole(tmp_path, layers):
    path = tmp_path / 'x.act.h5'
    with pytest.raises(KeyboardInterrupt), ActWriter(path, 70) as writer:
        writer.write({'a': layers['aa'][:40]})
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(BadValue, match='70 stimuli were announced'), ActWriter(path, 70) as writer:
        writer.write({'a': layers['aa'][:40]})
    assert list(tmp_path.iterdir()) == []
    write(path, layers)
    before = path.read_bytes()
    with pytest.raises(RuntimeError), ActWriter(path, 70) as writer:
        writer.write({'a': layers['aa']})
        raise RuntimeError
    assert path.read_bytes() == before


def test_truncated_foreign_and_empty_files(tmp_path, layers):
    path = write(tmp_path / 'x.act.h5', layers)
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(BadValue, match='is truncated'):
        read_act_h5(path)
    path.write_text('hello')
    with pytest.raises(BadValue, match='not a readable HDF5'):
        read_act_h5(path)
    with h5py.File(path, 'w'):
        pass
    with pytest.raises(BadValue, match='holds no layer'):
        read_act_h5(path)


@pytest.mark.parametrize(('meta', 'value'), [
    ('meta/json', '[1'), ('meta/json', '[1]'), ('meta/json', '{"layers": 3}'), ('meta', 3), ('meta/json', 7),
    ('text', np.full((3, 1, 1, 1), b'a')), ('flat', np.zeros((3, 2))),
])
def test_what_is_no_activation(tmp_path, layers, meta, value):
    with h5py.File(tmp_path / 'x.act.h5', 'w') as file:
        file['a'] = np.zeros((3, 1, 1, 1))
        file[meta] = value
    with pytest.raises(BadValue, match='is damaged, or of another kind'):
        read_act_h5(tmp_path / 'x.act.h5')


def test_damaged_values_are_said_to_be_so(tmp_path):
    values = np.zeros((64, 4, 8, 8), np.float32)
    values[:, 0] = np.random.default_rng(0).normal(size=(64, 8, 8))
    path = write(tmp_path / 'x.act.h5', {'a': values}, compression='gzip')
    content = bytearray(path.read_bytes())
    with h5py.File(path) as file:
        chunk = file['a'].id.get_chunk_info(0)
    content[chunk.byte_offset:chunk.byte_offset + chunk.size] = b'z' * chunk.size
    path.write_bytes(content)
    found, _, _ = read_act_h5(path)
    with pytest.raises(BadValue, match="layer 'a' of activation file .* cannot be read, which is damaged"):
        found['a'][()]


def test_no_stimuli(tmp_path):
    with pytest.raises(BadValue, match='there are no stimuli to write to .*x.act.h5'):
        ActWriter(tmp_path / 'x.act.h5', 0)
    with h5py.File(tmp_path / 'x.act.h5', 'w') as file:
        file['a'] = np.zeros((0, 2, 3, 3), np.float32)
    empty = Activation()
    empty.load(tmp_path / 'x.act.h5')
    assert empty.pool('max').shape('a') == empty[:].pool('L2').shape('a') == (0, 2, 1, 1)
    assert [block.shape for _, block in empty.blocks('a')] == [(0, 2, 3, 3)]


def test_arrays_given_to_the_writer_may_be_reused(tmp_path, layers):
    buffer = np.empty((7, 40, 30, 30), np.float32)
    with ActWriter(tmp_path / 'x.act.h5', 70) as writer:
        for start in range(0, 70, 7):
            buffer[:] = layers['zz'][start:start + 7]
            writer.write({'zz': buffer})
            buffer[:] = np.nan
    np.testing.assert_array_equal(read_act_h5(tmp_path / 'x.act.h5')[0]['zz'][()], layers['zz'])


def test_memory_of_the_writer_is_bounded(tmp_path, layers):
    """Odd batches wait for whole chunks, and no longer."""
    with ActWriter(tmp_path / 'x.act.h5', 70) as writer:
        for row in range(70):
            writer.write({'zz': layers['zz'][row:row + 1]})
            assert len(writer._rest['zz']) < writer._file['zz'].chunks[0]
    np.testing.assert_array_equal(read_act_h5(tmp_path / 'x.act.h5')[0]['zz'][()], layers['zz'])
