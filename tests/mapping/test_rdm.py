"""RDM: squares and triangles, its file, other tools."""

import builtins
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist, squareform

from dnnbrain._checks import BadType, BadValue
from dnnbrain._optional import MissingExtra
from dnnbrain.dnn.core import RDM
from dnnbrain.mapping.rdm import same_items
from dnnbrain.mapping.triangles import pair_numbers, squares, triangles

IDS = ['d', 'a', 'c', 'b', 'e']


@pytest.fixture
def vectors(rng):
    return pdist(rng.standard_normal((5, 7)))


@pytest.fixture
def rdm(vectors):
    """A bRDM of two regions and five items."""
    made = RDM('bRDM', IDS, {'category': [0, 0, 1, 1, 1], 'animal': list('xyxyx')}, {'metric': 'euclidean'})
    made.set('V1', vectors, triu=True)
    made.set('FFA', squareform(vectors[::-1]))
    return made


def test_squares_are_scipys(vectors):
    np.testing.assert_array_equal(squares(vectors), squareform(vectors))
    many = np.stack([vectors, 2 * vectors])
    np.testing.assert_array_equal(squares(many)[1], squareform(2 * vectors))
    np.testing.assert_array_equal(triangles(squares(many)), many)
    np.testing.assert_array_equal(squares(np.arange(3)), [[0, 0, 1], [0, 0, 2], [1, 2, 0]])


def test_numbers_of_pairs(vectors):
    whole, items = squareform(vectors), np.array([3, 0, 4])
    np.testing.assert_array_equal(vectors[pair_numbers(items, 5)], squareform(whole[np.ix_(items, items)]))


def test_get_gives_the_whole_square(rdm, vectors):
    """1.0 filled one triangle and read the other."""
    found = rdm.get('V1')
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_array_equal(found, squareform(vectors))
    np.testing.assert_array_equal(rdm.get('V1', triu=True), vectors)
    np.testing.assert_array_equal(rdm.get('FFA', triu=True), vectors[::-1])
    rdm.get('V1', triu=True)[:] = 0
    assert rdm.get('V1').any()
    assert rdm.keys == ['V1', 'FFA'] and rdm.n_item == 5 and rdm.n_iter('V1') == 1
    assert 'V1' in rdm and 'V2' not in rdm and len(rdm) == 2


@pytest.mark.parametrize('triu', [False, True])
def test_layers_have_iterations(vectors, triu):
    many = np.stack([vectors, vectors + 1, vectors + 2])
    rdm = RDM()
    rdm.rdm_type = 'dRDM'
    rdm.set('conv1', many if triu else squares(many), triu=triu)
    assert rdm.get('conv1').shape == (3, 5, 5) and rdm.n_iter('conv1') == 3
    np.testing.assert_array_equal(rdm.get('conv1', triu=True), many)
    np.testing.assert_array_equal(rdm.get('conv1')[2], squareform(vectors + 2))


@pytest.mark.parametrize('shape, triu, kind', [((10,), True, 'bRDM'), ((5, 5), False, 'bRDM'),
                                               ((2, 10), True, 'dRDM'), ((2, 5, 5), False, 'dRDM')])
def test_the_first_array_decides_the_type(shape, triu, kind):
    rdm = RDM()
    rdm.set('x', np.zeros(shape), triu)
    assert rdm.rdm_type == kind


def test_only_the_upper_triangle_filled(vectors):
    rdm = RDM()
    rdm.set('x', np.triu(squareform(vectors)))
    np.testing.assert_array_equal(rdm.get('x'), squareform(vectors))


@pytest.mark.parametrize('array, triu, says', [
    (np.ones((4, 4)), False, 'on its diagonal.*1 - rdm_arr'),
    (np.array([[0, 1, 2], [3, 0, 1], [2, 1, 0.]]), False, 'not symmetric'),
    (np.zeros((3, 4)), False, 'must be square'),
    (np.zeros(7), True, '7 pairs'),
    (np.zeros(3), False, r'must have shape \(n_item, n_item\)'),
    (np.zeros((2, 3)), True, r'must have shape \(n_pair,\)'),
    (np.zeros(3), True, 'has 3 items, but there are 5'),
])
def test_arrays_that_are_no_rdm(rdm, array, triu, says):
    with pytest.raises(BadValue, match=says):
        rdm.set('new', array, triu)
    assert rdm.keys == ['V1', 'FFA']


def test_mistakes(rdm, tmp_path):
    with pytest.raises(BadType, match='numbers'):
        rdm.set('x', list('abc'))
    with pytest.raises(BadValue, match="key 'V2' is not in the RDM; choose from V1, FFA"):
        rdm.get('V2')
    with pytest.raises(BadValue, match='rdm_type'):
        RDM('RDM')
    with pytest.raises(BadValue, match='cannot become dRDM'):
        rdm.rdm_type = 'dRDM'
    with pytest.raises(BadValue, match='for each of the 5 items'):
        rdm.item_ids = ['a', 'b']
    with pytest.raises(BadValue, match="descriptor 'x' must have a value for each of the 5"):
        rdm.describe('x', [1, 2])
    with pytest.raises(BadValue, match='no RDM to save'):
        RDM().save(tmp_path / 'x.rdm.h5')
    with pytest.raises(BadValue, match='two or more, each once'):
        rdm[[0, 0, 1]]
    with pytest.raises(BadValue, match='squares must have shape'):
        triangles(np.zeros((3, 4)))


def test_round_trip(rdm, tmp_path):
    rdm.save(tmp_path / 'x.rdm.h5')
    back = RDM()
    back.load(tmp_path / 'x.rdm.h5')
    assert back.rdm_type == 'bRDM' and back.keys == rdm.keys and back.item_ids.tolist() == IDS
    assert back.meta == {'metric': 'euclidean'}
    assert back.descriptors['category'].tolist() == [0, 0, 1, 1, 1]
    assert back.descriptors['animal'].tolist() == list('xyxyx')
    for key in rdm.keys:
        np.testing.assert_array_equal(back.get(key), rdm.get(key))
    back.delete('V1')
    assert back.keys == ['FFA']


def test_file_of_1_0(tmp_path, vectors):
    with h5py.File(tmp_path / 'old.rdm.h5', 'w') as file:
        file.attrs['type'] = 'dRDM'
        file.create_dataset('conv5', data=vectors[None])
    rdm = RDM()
    rdm.load(tmp_path / 'old.rdm.h5')
    assert rdm.item_ids is None and rdm.descriptors == {} and rdm.meta == {} and rdm.rdm_type == 'dRDM'
    np.testing.assert_array_equal(rdm.get('conv5'), squareform(vectors)[None])


@pytest.mark.parametrize('items, places', [(['c', 'd', 'b'], [2, 0, 3]), (slice(1, 4), [1, 2, 3]), ([-1, 0], [4, 0]),
                                           (np.array([True, False, True, True, False]), [0, 2, 3])])
def test_some_items(rdm, vectors, items, places):
    part = rdm[items]
    np.testing.assert_array_equal(part.get('V1'), squareform(vectors)[np.ix_(places, places)])
    assert part.item_ids.tolist() == [IDS[i] for i in places]
    assert part.descriptors['animal'].tolist() == [list('xyxyx')[i] for i in places]


def test_items_are_matched_by_id(rdm):
    other = rdm[[4, 2, 0, 1, 3]]
    back = same_items(rdm, other)
    assert back.item_ids.tolist() == IDS
    np.testing.assert_array_equal(back.get('FFA'), rdm.get('FFA'))
    assert same_items(rdm, rdm) is rdm
    numbers, text = (RDM.from_array(np.zeros(3), item_ids=ids, triu=True) for ids in ([3.0, 1.0, 2.0], list('123')))
    assert same_items(numbers, text).item_ids.tolist() == ['3', '1', '2']
    with pytest.raises(BadValue, match='1 items are not in the second: e; keep those that both have'):
        same_items(rdm, rdm[:4])
    nameless = RDM.from_array(np.zeros(3), triu=True)
    with pytest.raises(BadValue, match='has 5 items and the second has 3'):
        same_items(rdm, nameless)
    twice = RDM.from_array(np.zeros(10), item_ids=['d', 'a', 'a', 'b', 'e'], triu=True)
    other = RDM.from_array(np.zeros(10), item_ids=['a', 'd', 'a', 'b', 'e'], triu=True)
    with pytest.raises(BadValue, match='the same ID in another order'):
        same_items(twice, other)


def test_tables(rdm):
    frame = rdm.to_frame('V1')
    assert list(frame.index) == list(frame.columns) == IDS
    mixed = frame.loc[list('abcde'), list('edcba')]
    back = RDM.from_frame({'V1': frame, 'V2': mixed})
    np.testing.assert_array_equal(back.get('V2'), rdm.get('V1'))
    assert back.item_ids.tolist() == IDS
    assert RDM.from_frame(frame, 'dRDM').get('rdm').shape == (1, 5, 5)
    with pytest.raises(BadValue, match='same items as rows and columns'):
        RDM.from_frame(frame.iloc[:, :4])
    with pytest.raises(BadType, match='DataFrame'):
        RDM.from_frame(np.zeros((2, 2)))
    with pytest.raises(BadValue, match='iteration 1 '):
        rdm.to_frame('V1', 1)
    many = RDM.from_array(np.arange(6.0).reshape(2, 3), triu=True)
    pd.testing.assert_frame_equal(many.to_frame('rdm', 1), pd.DataFrame([[0, 3, 4], [3, 0, 5], [4, 5, 0]], dtype=float))


def test_rsatoolbox_and_back(rdm, vectors):
    theirs = rdm.to_rsatoolbox()
    np.testing.assert_array_equal(theirs.get_matrices()[0], rdm.get('V1'))
    assert list(theirs.rdm_descriptors['key']) == ['V1', 'FFA']
    assert list(theirs.pattern_descriptors['item']) == IDS
    back = RDM.from_rsatoolbox(theirs)
    assert back.keys == rdm.keys and back.item_ids.tolist() == IDS and back.meta == rdm.meta
    assert back.descriptors['category'].tolist() == [0, 0, 1, 1, 1]
    np.testing.assert_array_equal(back.get('FFA'), rdm.get('FFA'))
    assert rdm.to_rsatoolbox(['FFA']).n_rdm == 1
    layers = RDM()
    layers.set('conv1', np.stack([vectors, vectors + 1]), triu=True)
    layers.set('fc', vectors[None], triu=True)
    theirs = layers.to_rsatoolbox()
    back = RDM.from_rsatoolbox(theirs, rdm_type='dRDM')
    np.testing.assert_array_equal(back.get('conv1', triu=True), [vectors, vectors + 1])
    assert RDM.from_rsatoolbox(theirs, names=['a', 'b', 'c']).keys == ['a', 'b', 'c']
    with pytest.raises(BadValue, match='names of a bRDM must differ'):
        RDM.from_rsatoolbox(theirs)
    with pytest.raises(BadValue, match='2 names came for 3'):
        RDM.from_rsatoolbox(theirs, names=['a', 'b'])
    with pytest.raises(BadValue, match='hand over'):
        RDM().to_rsatoolbox()


def test_without_rsatoolbox(rdm, monkeypatch):
    true_import = builtins.__import__

    def no_rsatoolbox(name, *args, **kwargs):
        if name.startswith('rsatoolbox'):
            raise ImportError(name)
        return true_import(name, *args, **kwargs)
    monkeypatch.setattr(builtins, '__import__', no_rsatoolbox)
    monkeypatch.setitem(sys.modules, 'rsatoolbox', None)
    with pytest.raises(MissingExtra, match=r"pip install 'dnnbrain\[rsa\]'"):
        rdm.to_rsatoolbox()


def test_rsatoolbox_is_not_loaded_by_the_class():
    code = 'import sys; from dnnbrain.dnn.core import RDM; print("rsatoolbox" in sys.modules)'
    assert subprocess.run([sys.executable, '-c', code], capture_output=True, text=True).stdout == 'False\n'
