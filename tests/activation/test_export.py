"""What other tools read is what was there, with IDs and order; a failed export leaves nothing."""

import json

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io

import dnnbrain.io.mat as mat
from dnnbrain._checks import BadPath, BadValue
from dnnbrain.activation.exchange.unit_names import parse_unit_names, unit_names
from dnnbrain.dnn.core import Activation, Mask

IDS = ['cat/1.png', 'b, "c".png', 'ümlaut.png', 'NA', '001', '5', '6']


@pytest.fixture(params=['memory', 'disk'])
def activ(request, rng, tmp_path):
    """Names that neither MATLAB nor a zip file likes, three precisions, maps, units, clips."""
    activation = Activation()
    activation.set('relu#2', rng.standard_normal((7, 2, 3, 4)).astype(np.float32))
    activation.set('0', rng.standard_normal((7, 5, 1, 1)).astype(np.float16))
    activation.set('layer1.0.conv1', rng.standard_normal((7, 2, 3, 1)))
    activation.set('clip', rng.standard_normal((7, 2, 2, 1, 3)).astype(np.float32))
    activation.stim_ids, activation.meta = np.array(IDS), {'network': 'Tiny', 'layer_paths': {'0': 'fc'}}
    if request.param == 'disk':
        activation.save(tmp_path / 'x.act.h5')
        activation = Activation()
        activation.load(tmp_path / 'x.act.h5')
    return activation


def values_of(activ, layer, flat):
    value = activ.get(layer)
    return value.reshape(7, -1) if flat else value


@pytest.mark.parametrize('flat', [False, True])
def test_npz(activ, tmp_path, flat):
    activ.export(tmp_path / 'x.npz', flat=flat)
    with np.load(tmp_path / 'x.npz', allow_pickle=False) as found:
        assert found['layers'].tolist() == found['variables'].tolist() == activ.layers
        assert found['stimID'].tolist() == IDS and json.loads(str(found['meta']))['network'] == 'Tiny'
        for layer in activ.layers:
            np.testing.assert_array_equal(found[layer], values_of(activ, layer, flat))
            assert found[layer].dtype == activ.get(layer).dtype


def test_npy_and_what_lies_beside(activ, tmp_path):
    activ.export(tmp_path / 'x.npy', 'fc')                     # by module path
    np.testing.assert_array_equal(np.load(tmp_path / 'x.npy'), activ.get('0'))
    told = json.loads((tmp_path / 'x.npy.json').read_text())
    assert told['layers'] == ['0'] and told['stimID'] == IDS and told['meta']['network'] == 'Tiny'
    with pytest.raises(BadValue, match=r'a .npy holds one layer, and there are 4: relu#2, 0, '):
        activ.export(tmp_path / 'y.npy')
    assert not (tmp_path / 'y.npy').exists() and not (tmp_path / 'y.npy.json').exists()


@pytest.mark.parametrize('flat', [False, True])
def test_mat_version_5(activ, tmp_path, flat):
    activ.export(tmp_path / 'x.mat', flat=flat)
    found = scipy.io.loadmat(tmp_path / 'x.mat')
    assert [cell.item() for cell in found['layers'].ravel()] == activ.layers
    variables = [cell.item() for cell in found['variables'].ravel()]
    assert variables == ['relu_2', 'layer_0', 'layer1_0_conv1', 'clip']
    assert [cell.item() for cell in found['stimID'].ravel()] == IDS and found['stimID'].shape == (7, 1)
    for layer, variable in zip(activ.layers, variables, strict=True):
        np.testing.assert_array_equal(found[variable], values_of(activ, layer, flat))
    assert found['layer_0'].dtype == np.float32                # MATLAB has no half precision


@pytest.mark.parametrize('flat', [False, True])
def test_mat_version_7_3(activ, tmp_path, flat, monkeypatch):
    """By the format: 512 bytes of MATLAB before HDF5, classes, reversed axes, cells of UTF-16."""
    monkeypatch.setattr(mat, 'V5_BYTES', 0)
    activ.export(tmp_path / 'x.mat', flat=flat)
    start = (tmp_path / 'x.mat').read_bytes()[:520]
    assert start.startswith(b'MATLAB 7.3 MAT-file') and start[124:128] == b'\x00\x02IM'
    assert start[512:520] == b'\x89HDF\r\n\x1a\n'
    with h5py.File(tmp_path / 'x.mat') as file:
        for layer, variable in zip(activ.layers, ('relu_2', 'layer_0', 'layer1_0_conv1', 'clip'), strict=True):
            value = values_of(activ, layer, flat)
            np.testing.assert_array_equal(file[variable][()].T, value)
            assert file[variable].attrs['MATLAB_class'] == (b'double' if value.dtype == np.float64 else b'single')
        cell = file['stimID']
        assert cell.shape == (1, 7) and cell.attrs['MATLAB_class'] == b'cell'
        texts = [file[ref][()].T.tobytes().decode('utf-16-le') for ref in cell[0]]
        assert texts == IDS and file[cell[0, 2]].attrs['MATLAB_class'] == b'char'


@pytest.mark.parametrize('suffix', ['csv', 'tsv'])
def test_tables(activ, tmp_path, suffix):
    """Names count from 1: channel, row, column. Numbers read back as they were."""
    activ.export(tmp_path / f'x.{suffix}', ['0', 'relu#2'])
    found = pd.read_csv(tmp_path / f'x.{suffix}', sep=',' if suffix == 'csv' else '\t', dtype={'stimID': str},
                        keep_default_na=False)
    assert found['stimID'].tolist() == IDS and list(found)[1:6] == [f'0_c{i}_r1_c1' for i in range(1, 6)]
    np.testing.assert_array_equal(found['relu#2_c2_r3_c4'].astype(np.float32), activ.get('relu#2')[:, 1, 2, 3])
    np.testing.assert_array_equal(found['relu#2_c1_r2_c1'].astype(np.float32), activ.get('relu#2')[:, 0, 1, 0])
    np.testing.assert_array_equal(found.iloc[:, 1:6].astype(np.float16), activ.get('0')[..., 0, 0])
    assert found.shape == (7, 1 + 5 + 24)


def test_table_in_blocks_without_ids(rng, tmp_path, monkeypatch):
    import dnnbrain.activation.exchange.export as module
    monkeypatch.setattr(module, '_BLOCK', 40)
    activation = Activation('a', rng.standard_normal((11, 4, 1, 1)))
    activation.export(tmp_path / 'x.csv')
    found = pd.read_csv(tmp_path / 'x.csv')
    assert found['row'].tolist() == list(range(1, 12)) and 'stimID' not in found
    # pandas before 3 errs in the last bit of a double
    np.testing.assert_allclose(found.iloc[:, 1:], activation.get('a')[..., 0, 0], rtol=3e-16)


def test_units_of_a_mask_in_its_order(activ, tmp_path):
    mask = Mask('clip')
    mask.set('relu#2', [2], [3, 1])
    activ.export(tmp_path / 'x.npz', mask)
    with np.load(tmp_path / 'x.npz') as found:
        assert found['layers'].tolist() == ['clip', 'relu#2']
        np.testing.assert_array_equal(found['relu#2'], activ.get('relu#2')[:, [1]][:, :, [2, 0]])


def test_names_that_collide(tmp_path):
    activation = Activation('a.b', np.zeros((2, 1, 1, 1)))
    for number, layer in enumerate(('a_b', 'A-b', 'stimID', 'end', 'x/y', 'x_y', 'l' * 70, 'l' * 71), 1):
        activation.set(layer, np.full((2, 1, 1, 1), number))
    activation.export(tmp_path / 'x.mat')
    found = scipy.io.loadmat(tmp_path / 'x.mat')
    variables = [cell.item() for cell in found['variables'].ravel()]
    assert variables[:7] == ['a_b', 'a_b_2', 'A_b_3', 'stimID_2', 'layer_end', 'x_y', 'x_y_2']
    assert max(map(len, variables)) == 63 and len(set(variables)) == 9
    assert [found[variable].item(0) for variable in variables] == list(range(9))
    activation.export(tmp_path / 'x.npz')
    with np.load(tmp_path / 'x.npz') as found:
        assert found['variables'].tolist()[4:7] == ['end', 'x_y', 'x_y_2'] and found['x_y_2'].item(0) == 6


def test_integer_ids_stay_integers(rng, tmp_path):
    activation = Activation('a', rng.standard_normal((3, 2, 1, 1)))
    activation.stim_ids = np.array([7, 30, 2])
    for name in ('x.npz', 'x.mat', 'x.npy'):
        activation.export(tmp_path / name)
        assert Activation.from_files(tmp_path / name).stim_ids.tolist() == [7, 30, 2]
    assert scipy.io.loadmat(tmp_path / 'x.mat')['stimID'].ravel().tolist() == [7, 30, 2]


def test_unit_names_both_ways():
    names = unit_names('conv_c1_r1_c1', (2, 1, 2)) + unit_names('clip', (1, 2, 1, 1))
    assert names[2:] == ['conv_c1_r1_c1_c2_r1_c1', 'conv_c1_r1_c1_c2_r1_c2', 'clip_c1_f1_r1_c1', 'clip_c1_f2_r1_c1']
    found = parse_unit_names(names[::-1])
    assert found['conv_c1_r1_c1'][0].tolist() == [5, 4, 3, 2] and found['clip'][1] == (1, 2, 1, 1)
    assert parse_unit_names(names[1:]) is None and parse_unit_names([*names, 'other']) is None


@pytest.mark.parametrize(('out', 'layers', 'error', 'said'), [
    ('x.xlsx', None, BadValue, 'must end in .npy or .npz or .mat or .csv or .tsv'),
    ('no/x.npz', None, BadPath, 'make it first'),
    ('x.npz', 'conv9', BadValue, "layer 'conv9' is not in the activation"),
    ('x.npz', [], BadValue, 'nothing to export: 0 layers'),
])
def test_wrong_requests(activ, tmp_path, out, layers, error, said):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(error, match=said):
        activ.export(tmp_path / out, layers)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize('suffix', ['npy', 'npz', 'mat', 'csv'])
def test_what_breaks_off_leaves_the_old_file(suffix, tmp_path, monkeypatch):
    activation = Activation('a', np.ones((3, 2, 1, 1)))
    activation.export(tmp_path / f'x.{suffix}')
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}

    def full(*args, **kwargs):
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr(Activation, 'blocks', full)
    monkeypatch.setattr(Activation, 'get', full)
    with pytest.raises(OSError, match='No space left'):
        activation.export(tmp_path / f'x.{suffix}')
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before
