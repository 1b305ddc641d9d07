"""dnn_finetune: labels, ratings, responses, and a scan; what it writes is what it says."""

import json
import re

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from dnnbrain.activation.hrf import hrf_matrix
from dnnbrain.dnn.core import Mask, Stimulus
from dnnbrain.dnn.models import DNN, Resnet10


@pytest.fixture
def files(stim, tmp_path, monkeypatch):
    """weights, stimuli (with a rating, onsets, and the first picture shown twice), responses, a scan, masks."""
    monkeypatch.chdir(tmp_path)
    Resnet10(rng=0).save('w.pth')
    rows = [*range(12), 0]
    stim = stim[rows]
    noise = np.random.default_rng(0)
    stim.set('rating', noise.normal(5, 2, 13))
    stim.set('onset', np.arange(13) * 7.5)
    stim.set('duration', np.full(13, 2.0))
    stim.save('x.stim.csv')
    responses = noise.normal(100, 20, (3, 2, 2, 13)).astype(np.float32)
    responses[0, 0, 0] = 7                                               # constant
    nib.save(nib.Nifti1Image(responses, np.diag([2, 2, 2, 1])), 'resp.nii.gz')
    scan = np.einsum('ve,xyze->xyzv', hrf_matrix(np.arange(13) * 7.5, np.full(13, 2.0), 70, 1.5), responses)
    image = nib.Nifti1Image(scan.astype(np.float32), np.diag([2, 2, 2, 1]))
    image.header.set_zooms((2, 2, 2, 1.5))
    nib.save(image, 'scan.nii.gz')
    inside = np.ones((3, 2, 2), np.uint8)
    inside[2] = 0
    nib.save(nib.Nifti1Image(inside, np.diag([2, 2, 2, 1])), 'mask.nii.gz')
    inside[0, 0, 0] = 0
    nib.save(nib.Nifti1Image(inside, np.diag([2, 2, 2, 1])), 'varying.nii.gz')
    dmask = Mask('layer4_basicblock0', [1, 5, 9])
    dmask.set('conv', [2], [1, 2], [3])
    dmask.save('units.dmask.csv')
    return responses


COMMON = '-net Resnet10 -weights w.pth -stim x.stim.csv -cvfold 3 -epoch 2 -batch 5 -seed 0 -out out'.split()


@pytest.mark.filterwarnings('default:.*constant or not finite')
def test_responses(files, run, tmp_path):
    code, said, warned = run('dnn_finetune', *COMMON, '-layer', 'layer4', '-dmask', 'units.dmask.csv', '-resp',
                             'resp.nii.gz', '-bmask', 'mask.nii.gz')
    assert code == 0 and len(said.splitlines()) == 4
    assert '1 of 8 voxels are constant or not finite' in warned
    score, predicted = np.load('out/score.npy'), np.load('out/prediction.npy')
    assert score.shape == (8, 3) and predicted.shape == (13, 8)
    assert np.isnan(score[0]).all() and np.isnan(predicted[:, 0]).all() and np.isfinite(predicted[:, 1:]).all()
    image = nib.load('out/score.nii.gz')
    values = image.get_fdata()
    np.testing.assert_allclose(values[:2].ravel()[1:], score[1:].mean(1), rtol=1e-5)
    assert np.isnan(values[2]).all() and (image.affine == np.diag([2, 2, 2, 1])).all()
    assert np.abs(predicted[:, 1:].mean() - 100) < 20                     # values, not z-scores
    net = DNN.load('out/network.pth')
    stim = Stimulus()
    stim.load('x.stim.csv')
    output = net.test(stim, 'regression', predicted[:, 1:])['pred_value']
    assert output.shape == (13, 7) and np.abs(output.mean() - 100) < 20
    before = Resnet10.load('w.pth').model.state_dict()
    changed = {name.split('.')[1] for name, value in net.model.trunk.state_dict(prefix='trunk.').items()
               if not (value == before[name.removeprefix('trunk.')]).all()}
    assert changed == {'layer4'}
    table = pd.read_csv('out/scores.csv')
    assert table['n_test'].sum() == 13 and (table['n_train'] + table['n_test'] == 13).all()
    np.testing.assert_allclose(table['score'], np.nanmean(score, axis=0))
    assert set(pd.read_csv('out/history.csv')['training']) == {'fold 1', 'fold 2', 'fold 3', 'all stimuli'}
    assert json.loads((tmp_path / 'out/network.pth.json').read_text())['training']['augment'] is False


def test_a_scan_gives_the_same_as_the_responses_it_was_made_of(files, run):
    options = ['-layer', 'readout', '-dmask', 'units.dmask.csv', '-bmask', 'varying.nii.gz']
    scores = []
    for response in (['-resp', 'resp.nii.gz'], ['-resp', 'scan.nii.gz', '-hrf'],
                     ['-resp', 'scan.nii.gz', '-hrf', '-tr', '1.5']):
        assert run('dnn_finetune', *COMMON, *options, *response)[0] == 0
        scores.append(np.load('out/prediction.npy'))
    np.testing.assert_allclose(scores[1], scores[0], rtol=1e-3)
    np.testing.assert_array_equal(scores[1], scores[2])


def test_categories(files, run):
    code, said, _ = run('dnn_finetune', *COMMON, '-layer', 'layer3', 'layer4', '-cmeas', 'condition')
    assert code == 0 and 'correlation' not in said
    table = pd.read_csv('out/prediction.csv')
    assert set(table['true']) == set(table['predicted']) | {'cat', 'dog'} == {'cat', 'dog'}
    assert np.load('out/score.npy').mean(axis=1) == pytest.approx(pd.read_csv('out/scores.csv')['score'].mean())
    net = Resnet10.load('out/network.pth')
    assert net.classes == ['cat', 'dog'] and net.model.fc.out_features == 2


def test_ratings(files, run):
    code, _, _ = run('dnn_finetune', *COMMON, '-layer', 'layer4', '-rmeas', 'rating', 'onset')
    assert code == 0
    table = pd.read_csv('out/scores.csv')
    assert len(table) == 6 and set(table['measure']) == {'rating', 'onset'}
    predictions = pd.read_csv('out/prediction.csv', dtype={'stimID': str})
    assert list(predictions) == ['stimID', 'rating', 'rating_predicted', 'onset', 'onset_predicted']
    assert predictions['stimID'].tolist()[-1] == '00.png'
    assert 0 < predictions['rating_predicted'].mean() < 10


def test_repeats_are_on_one_side(files, run, monkeypatch):
    seen = []
    monkeypatch.setattr('dnnbrain.networks.dnn.DNN.cross_validate',
                        lambda self, data, n, task, splits, *rest, **more: seen.append(splits) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run('dnn_finetune', *COMMON, '-layer', 'layer4', '-cmeas', 'condition')
    assert len(seen[0]) == 3 and all((0 in judge) == (12 in judge) for _, judge in seen[0])


@pytest.mark.parametrize(('options', 'said'), [
    (['-layer', 'layer4'], 'give one of -resp .*-cmeas .*-rmeas'),
    (['-layer', 'layer4', '-cmeas', 'condition', '-rmeas', 'rating'], 'give one of -resp'),
    (['-layer', 'layer4', '-cmeas', 'condition', '-hrf'], '-hrf and -tr go with -resp'),
    (['-layer', 'layer4', '-resp', 'resp.nii.gz', '-tr', '2'], '-tr goes with -hrf'),
    (['-layer', 'layer4', '-cmeas', 'kind'], "column 'kind' is not in the stimulus table"),
    (['-layer', 'layer4', '-rmeas', 'condition'], "column 'condition' holds text"),
    (['-layer', 'layer4', '-resp', 'scan.nii.gz'], '70 volumes came for 13 stimuli.*-hrf'),
    (['-layer', 'layr4', '-cmeas', 'condition'], "layer 'layr4' is not in Resnet10; did you mean 'layer4'"),
    (['-layer', 'layer4', '-cmeas', 'condition', '-cvfold', '40'], 'cv must be from 2 to the number of groups .12.'),
    (['-layer', 'fc', '-dmask', 'units.dmask.csv', '-cmeas', 'condition'], "layer 'fc' is not in"),
])
def test_wrong_input(files, run, options, said, tmp_path):
    code, _, error = run('dnn_finetune', *COMMON, *options)
    assert code == 2 and re.search(said, error) and len(error.splitlines()) == 1
    assert not (tmp_path / 'out').exists()
