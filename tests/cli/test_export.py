"""dnn_export: the same as in Python, and a sentence for what contradicts itself."""

import numpy as np
import pandas as pd
import pytest
import scipy.io

from dnnbrain.dnn.core import Activation, Mask, Stimulus


@pytest.fixture
def folder(tmp_path, rng, monkeypatch):
    monkeypatch.chdir(tmp_path)
    activation = Activation('conv5', rng.standard_normal((12, 3, 2, 2)).astype(np.float32))
    activation.set('fc', rng.standard_normal((12, 4, 1, 1)).astype(np.float32))
    activation.stim_ids = np.array([f'{i:02d}.png' for i in range(12)])
    activation.save('x.act.h5')
    Mask('fc', [4, 2]).save('u.dmask.csv')
    shown = [3, 0, 7, 3, 9, 1, 11]
    stim = Stimulus({'type': 'image', 'path': '.'}, {
        'stimID': [f'{i:02d}.png' for i in shown], 'onset': np.arange(7) * 6.3, 'duration': [2.0] * 7})
    stim.save('x.stim.csv')
    stim[:, ['stimID', 'onset']].save('short.stim.csv')
    return activation


def test_values(run, folder):
    assert run('dnn_export', '-act', 'x.act.h5', '-layer', 'fc', 'conv5', '-flat', '-out', 'a.npz')[0] == 0
    with np.load('a.npz') as found:
        assert found['layers'].tolist() == ['fc', 'conv5'] and found['conv5'].shape == (12, 12)
    assert run('dnn_export', '-act', 'x.act.h5', '-dmask', 'u.dmask.csv', '-out', 'b.npy')[0] == 0
    np.testing.assert_array_equal(np.load('b.npy'), folder.get('fc')[:, [3, 1]])
    assert run('dnn_export', '--act', 'x.act.h5', '--layer', 'conv5', '--chn', '3', '1', '--out', 'c.csv')[0] == 0
    table = pd.read_csv('c.csv', index_col='stimID')
    np.testing.assert_array_equal(table['conv5_c1_r2_c1'].astype(np.float32), folder.get('conv5')[:, 2, 1, 0])


def test_designs(run, folder):
    events = ['-act', 'x.act.h5', '-dmask', 'u.dmask.csv', '-stim', 'x.stim.csv', '-tr', '2', '-n_vol', '40']
    assert run('dnn_export', *events, '-design', 'spm', '-center', '-main', '-out', 'R.mat')[0] == 0
    found = scipy.io.loadmat('R.mat')
    assert [cell.item() for cell in found['names'][0]] == ['fc_c1_r1_c1', 'fc_c2_r1_c1', 'events']
    assert run('dnn_export', *events, '-design', 'nilearn', '-hrf', 'glover', '-drift', 'none', '-out', 'd.tsv')[0] == 0
    assert list(pd.read_csv('d.tsv', sep='\t')) == ['fc_c1_r1_c1', 'fc_c2_r1_c1', 'constant']
    assert run('dnn_export', *events, '-design', 'fsl', '-out', 'evs')[0] == 0
    event = np.loadtxt('evs/events/fc_c2_r1_c1.txt')
    shown = folder[['03.png', '00.png', '07.png', '03.png', '09.png', '01.png', '11.png']]
    np.testing.assert_allclose(event[:, 2], shown.get('fc')[:, 1, 0, 0], rtol=1e-6)
    folder.mask(Mask('fc', [4, 2])).export_design('py', 'fsl', np.arange(7) * 6.3, np.full(7, 2.0), 40, 2.0,
                                                  stim_ids=shown.stim_ids)
    for file in ('volumes/fc_c1_r1_c1.txt', 'regressors.tsv'):
        with open(f'evs/{file}') as ours, open(f'py/{file}') as theirs:
            assert ours.read() == theirs.read()


GOOD = {'-act': 'x.act.h5', '-out': 'y.npz'}
DESIGN = {'-act': 'x.act.h5', '-out': 'R.mat', '-design': 'spm', '-stim': 'x.stim.csv', '-tr': '2', '-n_vol': '40'}


@pytest.mark.parametrize(('options', 'said'), [
    (GOOD | {'-out': 'y.xlsx'}, 'must end in .npy or .npz or .mat or .csv or .tsv'),
    (GOOD | {'-out': 'y.npy'}, 'a .npy holds one layer, and there are 2: conv5, fc'),
    (GOOD | {'-act': 'no.act.h5'}, 'does not exist'),
    (GOOD | {'-layer': 'fc9'}, "layer 'fc9' is not in the activation"),
    (GOOD | {'-chn': '1'}, '-chn needs -layer'),
    (GOOD | {'-tr': '2', '-stim': 'x.stim.csv'}, 'no use for -tr and -stim without -design'),
    (DESIGN | {'-tr': None}, '-design needs -tr too'),
    (DESIGN | {'-stim': None, '-n_vol': None}, '-design needs -stim and -n_vol too'),
    (DESIGN | {'-drift': 'cosine'}, '-drift is for -design nilearn'),
    (DESIGN | {'-design': 'afni'}, "'afni' is not one of"),
    (DESIGN | {'-stim': 'short.stim.csv'}, "column 'duration' is not in the stimulus table"),
    (DESIGN | {'-limit': '10'}, '16 units would become as many regressors'),
    (DESIGN | {'-n_vol': '1'}, '1 is not in the range x>=2'),
    (DESIGN | {'-tr': '0'}, '0.0 is not in the range x>0'),
    (DESIGN | {'-out': 'R.npz'}, 'must end in .mat'),
])
def test_one_sentence_and_nothing_written(run, folder, tmp_path, options, said):
    before = sorted(tmp_path.iterdir())
    args = [part for name, value in options.items() if value is not None for part in (name, *value.split())]
    code, out, err = run('dnn_export', *args)
    assert code == 2 and said in err and len(err.strip().splitlines()) == 1, err
    assert sorted(tmp_path.iterdir()) == before


def test_flat_is_about_values(run, folder):
    args = [part for item in DESIGN.items() for part in item]
    code, _, err = run('dnn_export', *args, '-flat')
    assert code == 2 and '-flat is about values' in err
