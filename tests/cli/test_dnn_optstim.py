"""dnn_optstim: pictures whose activations dnn_act finds again, for channels, units and voxels."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dnnbrain.dnn.core import Activation, Mask, Stimulus
from dnnbrain.mapping.models import LayerModel


@pytest.fixture(scope='module')
def network(tmp_path_factory):
    """A network for 32 x 32 pictures, as options."""
    from dnnbrain.dnn.models import Resnet10
    fname = tmp_path_factory.mktemp('network') / 'net.pth'
    Resnet10(pretrained=False, rng=0).save(fname)
    return '-net', 'Resnet10', '-weights', fname


@pytest.fixture
def optstim(run, network, tmp_path, monkeypatch):
    """Run the command in an empty folder: (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)
    return lambda *args: run('dnn_optstim', *network, '-iter', 2, *args)


def test_pictures_show_again_what_is_reported(optstim, run, network, tmp_path):
    """Two layers with a channel each, pairwise; the activation is a maximum."""
    code, out, err = optstim('-layer', 'conv1', 'relu', '-channel', 3, 5, '-metric', 'max', '-step', 1,
                             '-outdir', 'made')
    assert code == 0, err
    made = Stimulus()
    made.load('made/optstim.stim.csv')
    assert made.items == ['stimID', 'layer', 'channel', 'activation']
    assert made.get('stimID').tolist() == ['conv1_chn3.png', 'relu_chn5.png'] and 'relu' in out
    assert run('dnn_act', *network, '-layer', 'conv1', 'relu', '-pool', 'max', '-stim',
               'made/optstim.stim.csv', '-out', 'x.act.h5')[0] == 0
    seen = Activation()
    seen.load('x.act.h5')
    again = [seen.get('conv1')[0, 2, 0, 0], seen.get('relu')[1, 4, 0, 0]]
    np.testing.assert_allclose(made.get('activation'), again, rtol=1e-4)
    losses = pd.read_csv('made/optstim_loss.csv')
    assert losses.columns.tolist() == ['target', 'step', 'activation', 'regular'] and len(losses) == 4
    assert np.asarray(Image.open('made/optstim.png')).shape[1] > 300
    assert {file.name for file in (tmp_path / 'made').glob('*step*')} == {
        f'{name}_step000{step}.png' for name in ('conv1_chn3', 'relu_chn5') for step in (1, 2)}


def test_every_prior_is_a_start(optstim, stim_file, tmp_path):
    """A step that is no step leaves the pictures as the network sees them."""
    stimuli = Stimulus()
    stimuli.load(stim_file)
    stimuli[[2, 7]].save('two.stim.csv')
    code, _, err = optstim('-layer', 'conv1', '-chn', 3, '-unit', 2, 4, '-prior', 'two.stim.csv', '-lr', 1e-4,
                           '-regular', 'TV', '-lambda', .1, '-param', 'pixel', '-out', 'made')
    assert code == 0, err
    made = Stimulus()
    made.load('made/optstim.stim.csv')
    assert made.get('stimID').tolist() == ['02/conv1_chn3_2_4.png', '07/conv1_chn3_2_4.png']
    assert made.get('prior').tolist() == ['02.png', '07.png']
    prior = Image.open(stimuli.path / '07.png').resize((32, 32), Image.Resampling.BILINEAR)
    found = np.asarray(Image.open('made/07/conv1_chn3_2_4.png'))
    assert np.abs(found.astype(int) - np.asarray(prior)).max() <= 1
    losses = pd.read_csv('made/optstim_loss.csv', dtype={'prior': str})
    assert losses['prior'].unique().tolist() == ['02.png', '07.png'] and (losses['regular'] > 0).all()


@pytest.mark.parametrize('more, names', [(['-voxel', 2, 1], ['voxel_2', 'voxel_1']), (['-mean'], ['mean_of_2_voxels'])])
def test_voxels_of_a_model(optstim, rng, more, names):
    coef = rng.standard_normal((64, 2))
    LayerModel('conv1', np.zeros(2), coef=coef).save('m.h5')
    code, _, err = optstim('-model', 'm.h5', *more, '-pool', 'mean', '-precondition', 'GB', '-radius', 1, '-smooth',
                           'Fourier', '-factor', .5, '-out', 'made')
    assert code == 0, err
    made = Stimulus()
    made.load('made/optstim.stim.csv')
    assert made.get('stimID').tolist() == [f'{name}.png' for name in names]


def test_ridge_models_take_their_activations(optstim, run, network, stim_file, rng):
    from dnnbrain.brain.encoder import BrainEncoder
    assert run('dnn_act', *network, '-layer', 'conv1', '-pool', 'mean', '-stim', stim_file, '-out', 'x.act.h5')[0] == 0
    activation = Activation()
    activation.load('x.act.h5')
    found = BrainEncoder(rng.standard_normal((12, 3)), 'mv', 'ridge', cv=3).encode_dnn(activation)
    found['conv1']['model'][0, 0].save('m.h5')
    code, _, err = optstim('-model', 'm.h5', '-act', 'x.act.h5', '-pool', 'mean', '-voxel', 3, '-out', 'made')
    assert code == 0, err
    assert run('dnn_act', *network, '-layer', 'conv1', '-pool', 'mean', '-stim', 'made/optstim.stim.csv',
               '-out', 'made.act.h5')[0] == 0
    seen, made = Activation(), Stimulus()
    seen.load('made.act.h5')
    made.load('made/optstim.stim.csv')
    predicted = found['conv1']['model'][0, 0].predict(seen, train=activation)[0, 2]
    assert made.get('activation')[0] == pytest.approx(predicted, rel=1e-3, abs=1e-4)


def test_a_mask_names_units(optstim):
    mask = Mask('conv1', [2, 9], [3], [5])
    mask.set('relu', [1])
    mask.save('units.dmask.csv')
    assert optstim('-dmask', 'units.dmask.csv', '-out', 'made')[0] == 0
    made = Stimulus()
    made.load('made/optstim.stim.csv')
    assert made.get('stimID').tolist() == ['conv1_chn2_3_5.png', 'conv1_chn9_3_5.png', 'relu_chn1.png']


@pytest.mark.parametrize('args, sentence', [
    (['-layer', 'conv1'], 'give a layer and its channels'), ([], 'give a layer and its channels'),
    (['-layer', 'conv1', '-chn', 0], 'count from 1'), (['-layer', 'conv1', '-chn', 65], 'out of range'),
    (['-layer', 'conv1', '-chn', 1, '-act', 'x.act.h5'], 'go with -model'),
    (['-layer', 'conf1', '-chn', 1], "did you mean 'conv'"), (['-voxel', 1], 'go with -model'),
    (['-layer', 'conv1', '-chn', 1, '-regular', 'TV'], '-regular and -lambda go together'),
    (['-layer', 'conv1', '-chn', 1, '-radius', 2], '-precondition and -radius go together'),
    (['-layer', 'conv1', '-chn', 1, '-lr', 0], "'-lr'"),
    (['-layer', 'conv1', '-chn', 1, '-param', 'fourier', '-smooth', 'Fourier', '-factor', 1], 'smooths pixels'),
    (['-layer', 'conv1', '-chn', 1, '-prior', 'no.stim.csv'], 'does not exist'),
    (['-layer', 'conv1', '-chn', 1, '-prior', 'gone.stim.csv'], "cannot be read, the first: 'gone.png'"),
    (['-layer', 'conv1', '-chn', 1, '-prior', 'same.stim.csv'], 'would both get a folder'),
    (['-layer', 'conv1', '-chn', 1, '-prior', 'film.stim.csv'], 'must list pictures'),
    (['-dmask', 'all.dmask.csv'], 'names no channels'), (['-dmask', 'rows.dmask.csv'], 'one row and one column'),
    (['-layer', 'conv1', '-chn', 1, '-device', 'abacus'], 'not available')])
def test_what_cannot_be_is_one_sentence(optstim, args, sentence, tmp_path):
    Stimulus({'path': '.'}, {'stimID': ['gone.png']}).save('gone.stim.csv')
    Stimulus({'type': 'video', 'path': 'x.mp4'}, {'stimID': [1]}).save('film.stim.csv')
    for name in ('a.png', 'a.jpg'):
        Image.new('RGB', (4, 4)).save(name)
    Stimulus({'path': '.'}, {'stimID': ['a.png', 'a.jpg']}).save('same.stim.csv')
    Mask('conv1').save('all.dmask.csv')
    Mask('conv1', [1], [1, 2], [3]).save('rows.dmask.csv')
    code, _, err = optstim(*args, '-out', 'made')
    assert code == 2 and sentence in err and 'Traceback' not in err
    assert not [file for file in (tmp_path / 'made').rglob('*') if file.is_file()]


def test_the_folder_is_tried_first(optstim):
    Image.new('RGB', (4, 4)).save('file.png')
    code, _, err = optstim('-layer', 'conv1', '-chn', 1, '-out', 'file.png')
    assert code == 2 and 'is a file' in err
