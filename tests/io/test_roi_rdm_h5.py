"""Regions of interest and RDMs on disk."""

import h5py
import numpy as np
import pytest

from dnnbrain._checks import BadValue
from dnnbrain.io.h5 import safe_name
from dnnbrain.io.rdm_h5 import n_items, read_rdm_h5, write_rdm_h5
from dnnbrain.io.roi_h5 import read_roi_h5, write_roi_h5


def test_roi_round_trip_and_order_asked(tmp_path, rng):
    data = rng.standard_normal((5, 3))
    write_roi_h5(tmp_path / 'x.roi.h5', ['V1', 'FFA', '1'], data)
    names, back = read_roi_h5(tmp_path / 'x.roi.h5')
    assert names == ['V1', 'FFA', '1']
    np.testing.assert_array_equal(back, data)
    names, back = read_roi_h5(tmp_path / 'x.roi.h5', ['1', 'V1'])
    assert names == ['1', 'V1']
    np.testing.assert_array_equal(back, data[:, [2, 0]])


def test_roi_file_of_1_0(tmp_path, rng):
    """1.0 wrote names as a fixed-length byte attribute."""
    with h5py.File(tmp_path / 'old.roi.h5', 'w') as file:
        file.attrs['roi'] = np.array([b'V1', b'V2'])
        file.create_dataset('data', data=np.ones((4, 2)))
    assert read_roi_h5(tmp_path / 'old.roi.h5', 'V2')[0] == ['V2']


def test_roi_mistakes(tmp_path):
    with pytest.raises(BadValue, match=r'\(n_vol, 2\)'):
        write_roi_h5(tmp_path / 'x.roi.h5', ['a', 'b'], np.ones((4, 3)))
    with pytest.raises(BadValue, match='twice'):
        write_roi_h5(tmp_path / 'x.roi.h5', ['a', 'a'], np.ones((4, 2)))
    write_roi_h5(tmp_path / 'x.roi.h5', ['LOC', 'FFA'], np.ones((4, 2)))
    with pytest.raises(BadValue, match="'FFB' is not in .*did you mean 'FFA'"):
        read_roi_h5(tmp_path / 'x.roi.h5', 'FFB')


@pytest.mark.parametrize('kind, shape', [('bRDM', (6,)), ('dRDM', (2, 6))])
def test_rdm_round_trip(tmp_path, rng, kind, shape):
    rdms = {'z': rng.random(shape), 'a': rng.random(shape)}
    write_rdm_h5(tmp_path / 'x.rdm.h5', kind, rdms, ['p', 'q', 'r', 's'])
    back_kind, back, ids = read_rdm_h5(tmp_path / 'x.rdm.h5')
    assert back_kind == kind and list(back) == ['z', 'a'] and ids.tolist() == ['p', 'q', 'r', 's']
    for key in rdms:
        np.testing.assert_array_equal(back[key], rdms[key])


def test_rdm_file_of_1_0(tmp_path):
    with h5py.File(tmp_path / 'old.rdm.h5', 'w') as file:
        file.attrs['type'] = 'bRDM'
        file.create_dataset('1', data=np.arange(3.0))
    assert read_rdm_h5(tmp_path / 'old.rdm.h5')[2] is None


def test_rdm_mistakes(tmp_path):
    with pytest.raises(BadValue, match='7 pairs'):
        n_items(7)
    assert [n_items(n * (n - 1) // 2) for n in (2, 3, 92)] == [2, 3, 92]
    with pytest.raises(BadValue, match=r'\(n_iter, n_pair\)'):
        write_rdm_h5(tmp_path / 'x.rdm.h5', 'dRDM', {'a': np.ones(3)})
    with pytest.raises(BadValue, match='4 items, but 3 IDs'):
        write_rdm_h5(tmp_path / 'x.rdm.h5', 'bRDM', {'a': np.ones(6)}, ['a', 'b', 'c'])
    with pytest.raises(BadValue, match='RDM type'):
        write_rdm_h5(tmp_path / 'x.rdm.h5', 'RDM', {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('key, says', [('a/b', 'RDM key'), ('/', 'RDM key'), ('', 'RDM key'), ('.', 'RDM key'),
                                       ('..', 'RDM key'), ('meta', 'item IDs')])
def test_keys_that_hdf5_cannot_keep(tmp_path, key, says):
    with pytest.raises(BadValue, match=f'{says}.*; rename it'):
        write_rdm_h5(tmp_path / 'x.rdm.h5', 'bRDM', {'V1': np.ones(3), key: np.ones(3)})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('name', ['conv5', 'features.10', '...', 'a b', 'layer#2'])
def test_names_that_are_safe(name):
    assert safe_name(name, 'layer') == name


def test_regions_named_by_the_numbers_of_a_mask(tmp_path, rng):
    data = rng.standard_normal((4, 3))
    write_roi_h5(tmp_path / 'x.roi.h5', np.unique([1.0, 2.0, 12.0]), data)
    assert read_roi_h5(tmp_path / 'x.roi.h5')[0] == ['1', '2', '12']
    with h5py.File(tmp_path / 'old.roi.h5', 'w') as file:
        file.attrs['roi'] = np.array([b'1.0', b'2.0', b'12.0'])
        file['data'] = data
    for file in ('x.roi.h5', 'old.roi.h5'):
        for asked in (['2'], [2], [2.0], ['2.0'], np.array([2.0]), np.array([2]), [b'2'], 2, 2.0, '2'):
            np.testing.assert_array_equal(read_roi_h5(tmp_path / file, asked)[1], data[:, [1]])
        names, found = read_roi_h5(tmp_path / file, [12, 1.0])
        assert names == ['12', '1']
        np.testing.assert_array_equal(found, data[:, [2, 0]])
        with pytest.raises(BadValue, match="'3' is not in"):
            read_roi_h5(tmp_path / file, [3.0])
    with pytest.raises(BadValue, match='twice'):
        write_roi_h5(tmp_path / 'y.roi.h5', [1, 1.0], np.ones((4, 2)))


def test_regions_whose_names_are_no_whole_numbers(tmp_path):
    write_roi_h5(tmp_path / 'x.roi.h5', ['2.0', '2', 1.5], np.array([[5, 6, 7]]))
    assert read_roi_h5(tmp_path / 'x.roi.h5')[0] == ['2.0', '2', '1.5']
    assert read_roi_h5(tmp_path / 'x.roi.h5', ['2', '2.0', 1.5])[1].tolist() == [[6, 5, 7]]
