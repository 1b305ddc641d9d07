"""dnn_rsa: 1.0's options, the numbers of scipy, the errors."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import zscore

from dnnbrain.dnn.core import RDM, Activation, Stimulus
from dnnbrain.mapping.dissimilarity import dissimilarity


@pytest.fixture
def act_file(rng, tmp_path):
    activ = Activation('conv5', rng.standard_normal((8, 3, 2, 2)).astype(np.float32))
    activ.set('fc3', rng.standard_normal((8, 10, 1, 1)).astype(np.float32))
    activ.stim_ids = np.array([f'{i}.png' for i in range(8)])
    activ.meta = {'network': 'AlexNet'}
    activ.save(tmp_path / 'x.act.h5')
    return tmp_path / 'x.act.h5'


@pytest.fixture
def categories(tmp_path):
    """In another order than the activations, with more stimuli."""
    numbers = np.array([7, 3, 5, 1, 0, 2, 4, 6, 9])
    stim = Stimulus({'type': 'image', 'path': '.'}, {'stimID': [f'{i}.png' for i in numbers],
                                                     'label': numbers % 3, 'condition': [f'c{i % 2}' for i in numbers],
                                                     'half': [f'h{i // 4}' for i in numbers]})
    stim.save(tmp_path / 'cate.stim.csv')
    return tmp_path / 'cate.stim.csv'


def opened(path):
    rdm = RDM()
    rdm.load(path)
    return rdm


def test_dnn_rsa_as_in_1_0(run, act_file, tmp_path):
    out = tmp_path / 'x.rdm.h5'
    code, told, _ = run('dnn_rsa', '-act', act_file, '-out', out)
    assert code == 0 and '2 layers, 8 items, euclidean' in told
    rdm, activ = opened(out), Activation()
    activ.load(act_file)
    assert rdm.rdm_type == 'dRDM' and rdm.keys == ['conv5', 'fc3'] and rdm.item_ids.tolist() == activ.stim_ids.tolist()
    assert rdm.meta['network'] == 'AlexNet' and rdm.meta['activations'] == str(act_file)
    np.testing.assert_allclose(rdm.get('conv5', triu=True)[0], pdist(activ.get('conv5').reshape(8, -1)), rtol=1e-6)
    code, *_ = run('dnn_rsa', '-act', act_file, '-layer', 'conv5', '-chn', 3, 1, '-iteraxis', 'channel', '-metric',
                   'correlation', '-zscore', '-out', out)
    assert code == 0
    values = zscore(activ.get('conv5').astype(np.float64))
    np.testing.assert_allclose(opened(out).get('conv5', triu=True),
                               [pdist(values[:, c].reshape(8, -1), 'correlation') for c in (2, 0)], atol=1e-8)


@pytest.mark.parametrize('column, groups', [(None, np.arange(8) % 3), ('condition', np.arange(8) % 2)])
def test_dnn_rsa_of_categories(run, act_file, categories, tmp_path, column, groups):
    out = tmp_path / 'x.rdm.h5'
    more = ['-column', column] if column else []
    code, *_ = run('dnn_rsa', '-act', act_file, '-layer', 'fc3', '-cate', categories, *more, '-out', out)
    activ = Activation()
    activ.load(act_file)
    values = activ.get('fc3').reshape(8, -1).astype(np.float64)
    means = [values[groups == g].mean(axis=0) for g in np.unique(groups)]
    rdm = opened(out)
    assert code == 0 and rdm.item_ids.tolist() == ([0, 1, 2] if column is None else ['c0', 'c1'])
    np.testing.assert_allclose(rdm.get('fc3', triu=True)[0], pdist(means), rtol=1e-8)


def test_dnn_rsa_crossvalidated(run, act_file, categories, tmp_path):
    out = tmp_path / 'x.rdm.h5'
    code, *_ = run('dnn_rsa', '-act', act_file, '-layer', 'fc3', '-cate', categories, '-column', 'condition',
                   '-metric', 'crossnobis', '-run', 'half', '-shrinkage', 'shrinkage_eye', '-out', out)
    activ = Activation()
    activ.load(act_file)
    truth = dissimilarity(activ.get('fc3').reshape(8, -1), 'crossnobis', np.arange(8) % 2, runs=np.arange(8) // 4,
                          shrinkage='shrinkage_eye')
    assert code == 0
    np.testing.assert_allclose(opened(out).get('fc3', triu=True)[0], truth)


@pytest.mark.parametrize('options, says', [
    (['-out', 'x.h5'], "-out 'x.h5' must end in .rdm.h5"),
    (['-out', 'no/x.rdm.h5'], "folder 'no' does not exist"),
    (['-metric', 'euclid'], "-metric 'euclid' is not known; did you mean 'euclidean'"),
    (['-p', '3'], '-p goes with -metric minkowski'),
    (['-column', 'label'], '-column needs -cate'),
    (['-run', 'run'], '-run goes with -metric crossnobis'),
    (['-metric', 'crossnobis'], 'each of the 8 conditions was measured once'),
    (['-layer', 'conv9'], "layer 'conv9'"),
    (['-cate', 'CATE', '-column', 'size'], "column 'size' is not in the stimulus table"),
    (['-cate', 'SHORT'], '6 stimuli are not in the table: 2.png'),
    (['-cate', 'TWICE'], "stimulus '0.png' stands in the table with different values of 'label'"),
    (['-cate', 'HOLES', '-column', 'size'], 'conditions has no entry for 1 rows'),
    (['-cate', 'NONE'], "no column 'label' or 'condition'"),
])
def test_dnn_rsa_refuses(run, act_file, categories, tmp_path, monkeypatch, options, says):
    monkeypatch.chdir(tmp_path)
    tables = {'SHORT': {'stimID': ['0.png', '1.png'], 'label': [0, 1]},
              'TWICE': {'stimID': ['0.png', '0.png'], 'label': [0, 1]}, 'NONE': {'stimID': ['0.png'], 'size': [1]},
              'HOLES': {'stimID': [f'{i}.png' for i in range(8)], 'size': [np.nan, *range(7)]}}
    for name, columns in tables.items():
        Stimulus({'type': 'image', 'path': '.'}, columns).save(tmp_path / f'{name}.stim.csv')
    paths = {name: f'{name}.stim.csv' for name in tables} | {'CATE': categories}
    options = [paths.get(option, option) for option in options]
    out = [] if '-out' in options else ['-out', tmp_path / 'x.rdm.h5']
    code, _, error = run('dnn_rsa', '-act', act_file, *options, *out)
    assert code == 2 and says in error and not (tmp_path / 'x.rdm.h5').exists()
