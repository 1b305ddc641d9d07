"""RDMs of regions, from tables and by brain_rsa: formats, stimuli, categories, errors."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import zscore

from dnnbrain.brain.rdms import brain_rdm, region_responses
from dnnbrain.dnn.core import RDM, Stimulus
from dnnbrain.io.roi_h5 import write_roi_h5
from dnnbrain.mapping.dissimilarity import dissimilarity


@pytest.fixture
def categories(tmp_path):
    """A label, the number modulo 3, for nine stimuli in any order."""
    numbers = np.array([7, 3, 5, 1, 0, 2, 4, 6, 9])
    Stimulus({'type': 'image', 'path': '.'}, {'stimID': [f'{i}.png' for i in numbers],
                                              'label': numbers % 3}).save(tmp_path / 'cate.stim.csv')
    return tmp_path / 'cate.stim.csv'


def opened(path):
    rdm = RDM()
    rdm.load(path)
    return rdm


def test_brain_rsa_in_every_format(run, make_image, suffix, mask_suffix, table, tmp_path):
    values, labels = table
    image, mask = make_image('run.1', suffix, values), make_image('areas', mask_suffix, labels)
    out = tmp_path / 'x.rdm.h5'
    code, told, error = run('brain_rsa', '-nif', image, '-bmask', mask, '-metric', 'correlation', '-out', out)
    assert code == 0, error
    rdm = opened(out)
    named = 'label' in mask_suffix
    assert rdm.rdm_type == 'bRDM' and rdm.keys == (['V1', 'FFA', 'PPA'] if named else ['1', '2', '3'])
    for label, key in enumerate(rdm.keys, 1):
        np.testing.assert_allclose(rdm.get(key, triu=True),
                                   pdist(values[:, labels == label].astype(np.float64), 'correlation'), atol=1e-8)
    code, *_ = run('brain_rsa', '-nif', image, '-bmask', mask, '-roi', 3, 1, '-zscore', '-out', out)
    rdm = opened(out)
    assert code == 0 and rdm.keys == (['PPA', 'V1'] if named else ['3', '1'])
    np.testing.assert_allclose(rdm.get(rdm.keys[0], triu=True),
                               pdist(zscore(values[:, labels == 3].astype(np.float64))), rtol=1e-6)


@pytest.fixture
def brain(make_image, rng, tmp_path):
    """Twelve volumes of four stimuli in three runs, of two categories, with two regions."""
    values = rng.standard_normal((12, 36)).astype(np.float32)
    image = make_image('run', 'nii.gz', values)
    mask = make_image('areas', 'nii.gz', (np.arange(36) % 3).astype(np.int32))
    shown = np.tile([2, 0, 3, 1], 3)
    Stimulus({'type': 'image', 'path': '.'}, {'stimID': [f'{i}.png' for i in shown], 'label': shown // 2,
                                              'run': np.repeat([1, 2, 3], 4)}).save(tmp_path / 'scan.stim.csv')
    return image, mask, tmp_path / 'scan.stim.csv', values.astype(np.float64), shown


def test_brain_rsa_of_stimuli_and_categories(run, brain, categories, tmp_path):
    image, mask, scan, values, shown = brain
    out = tmp_path / 'x.rdm.h5'
    code, *_ = run('brain_rsa', '-nif', image, '-bmask', mask, '-stim', scan, '-out', out)
    rdm, part = opened(out), values[:, np.arange(36) % 3 == 2]
    means = np.stack([part[shown == i].mean(axis=0) for i in range(4)])
    assert code == 0 and rdm.item_ids.tolist() == [f'{i}.png' for i in range(4)]
    np.testing.assert_allclose(rdm.get('2', triu=True), pdist(means), rtol=1e-6)
    code, *_ = run('brain_rsa', '-nif', image, '-bmask', mask, '-cate', scan, '-out', out)
    rdm = opened(out)
    means = [part[shown // 2 == i].mean(axis=0) for i in range(2)]
    assert code == 0 and rdm.item_ids.tolist() == [0, 1]
    np.testing.assert_allclose(rdm.get('2', triu=True), pdist(means), rtol=1e-6)
    code, *_ = run('brain_rsa', '-nif', image, '-bmask', mask, '-stim', scan, '-cate', categories, '-out', out)
    rdm = opened(out)                                               # labels of `categories`: number modulo 3
    means = [part[shown % 3 == i].mean(axis=0) for i in range(3)]
    assert code == 0 and rdm.item_ids.tolist() == [0, 1, 2]
    np.testing.assert_allclose(rdm.get('2', triu=True), pdist(means), rtol=1e-6)
    code, *_ = run('brain_rsa', '-nif', image, '-bmask', mask, '-stim', scan, '-metric', 'crossnobis', '-run', 'run',
                   '-out', out)
    assert code == 0
    np.testing.assert_allclose(opened(out).get('2', triu=True),
                               dissimilarity(part, 'crossnobis', shown, runs=np.repeat([1, 2, 3], 4)), rtol=1e-6)


def test_brain_rsa_of_regions_of_a_roi_file(run, tmp_path, rng):
    data = rng.standard_normal((5, 4))
    write_roi_h5(tmp_path / 'x.roi.h5', list('abcd'), data)
    code, *_ = run('brain_rsa', '-nif', tmp_path / 'x.roi.h5', '-roi', 'c', 'a', 'd', '-out', tmp_path / 'x.rdm.h5')
    assert code == 0
    np.testing.assert_allclose(opened(tmp_path / 'x.rdm.h5').get('all', triu=True), pdist(data[:, [2, 0, 3]]))


@pytest.mark.parametrize('options, says', [
    (['-out', 'x.roi.h5'], 'must end in .rdm.h5'),
    (['-cate', 'x.csv'], "'x.csv' must end in .stim.csv"),
    (['-stim', 'CATE'], 'has 9 rows, but'),
    (['-roi', '7'], "label '7' is not in the mask"),
    (['-metric', 'crossnobis'], 'needs the condition of each row'),
    (['-metric', 'r'], "-metric 'r' is not known"),
])
def test_brain_rsa_refuses(run, brain, categories, tmp_path, options, says):
    options = [categories if option == 'CATE' else option for option in options]
    out = [] if '-out' in options else ['-out', tmp_path / 'x.rdm.h5']
    code, _, error = run('brain_rsa', '-nif', brain[0], '-bmask', brain[1], *options, *out)
    assert code == 2 and says in error and not (tmp_path / 'x.rdm.h5').exists()


def test_brain_rdm_of_tables(rng, brain):
    tables = {'V1': rng.standard_normal((5, 8)), 'V2': rng.standard_normal((5, 4))}
    tables['V1'][2, 3] = np.nan                                    # that voxel is left out
    rdm = brain_rdm(tables, 'cosine', item_ids=list('abcde'))
    np.testing.assert_allclose(rdm.get('V1', triu=True), pdist(np.delete(tables['V1'], 3, axis=1), 'cosine'), atol=1e-8)
    np.testing.assert_allclose(rdm.get('V2', triu=True), pdist(tables['V2'], 'cosine'), atol=1e-8)
    assert brain_rdm(tables['V2']).keys == ['all'] and rdm.item_ids.tolist() == list('abcde')
    with pytest.raises(ValueError, match="region 'x' has no voxel that is finite"):
        brain_rdm({'x': np.full((5, 2), np.nan)})
    with pytest.raises(ValueError, match='same number of volumes'):
        brain_rdm({'x': np.ones((5, 2)), 'y': np.ones((4, 2))})
    with pytest.raises(ValueError, match='must be numbers of shape'):
        brain_rdm({'x': [['a', 'b'], ['c', 'd']]})
    with pytest.raises(ValueError, match='no region'):
        brain_rdm({})
    with pytest.raises(ValueError, match='labels of a mask'):
        region_responses(brain[0], rois=[1])
    whole = region_responses(brain[0])
    np.testing.assert_array_equal(whole['all'], brain[3].astype(np.float32))
