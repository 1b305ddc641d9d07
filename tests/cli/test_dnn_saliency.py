"""dnn_saliency: figures with six pictures each, and what is wrong said before any work."""

import os

import numpy as np
import pytest
from PIL import Image

from dnnbrain._checks import BadValue
from dnnbrain.dnn.core import Stimulus
from dnnbrain.dnn.models import DNN
from dnnbrain.mapping.models import LayerModel
from dnnbrain.viz.saliency import as_colors, drawable, plot_saliency

MODES = ['L', 'RGBA', 'P', 'CMYK']


NET = ['-net', 'squeezenet1_1', '-weights', 'net.pth']
LAST = 'classifier.1'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A small network, a picture of each mode, tables, and a fitted model of two voxels."""
    here, rng = tmp_path_factory.mktemp('saliency'), np.random.default_rng(0)
    for mode in MODES:
        picture = Image.fromarray(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)).convert(mode)
        picture.save(here / f'{mode}.tif')
    for name, kind, ids in (('x', 'image', [f'{mode}.tif' for mode in MODES]), ('one', 'image', ['L.tif']),
                            ('clips', 'video_clip', ['L.tif']), ('gone', 'image', ['gone.tif'])):
        Stimulus({'type': kind, 'path': str(here)}, {'stimID': ids}).save(here / f'{name}.stim.csv')
    LayerModel(LAST, np.zeros(2), coef=rng.standard_normal((1000 * 13 * 13, 2)).astype('f4')).save(here / 'model.h5')
    DNN.from_torchvision('squeezenet1_1', pretrained=False).save(here / 'net.pth')
    return here


@pytest.fixture
def out(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    return tmp_path / 'deep' / 'out'


def size_of(path):
    with Image.open(path) as picture:
        return picture.size


def test_figures_of_six(run, out):
    line = '-layer features.0 -chn 3 5 -stim x.stim.csv -meth guided'.split()
    code, said, err = run('dnn_saliency', *NET, *line, '-out', out)
    assert code == 0, err
    names = [f'squeezenet1_1_features.0_fig{k}.jpg' for k in (1, 2)]    # 4 pictures, 2 channels
    assert sorted(os.listdir(out)) == names and said.split() == [str(out / name) for name in names]
    assert size_of(out / names[0])[1] == 3 * size_of(out / names[1])[1]          # three rows of two pairs, and one


@pytest.mark.parametrize('line', [
    '-model model.h5 -voxel 2 -meth vanilla -mode gray -smooth 2 -sigma 0.2 -seed 3 -vmin -1 -vmax 1',
    '-layer features.6 -chn 1 -unit 3 4 -meth integrated -steps 3 -to_layer features.4',
    '-model model.h5 -mean -meth gradcam -to_layer features.7 -cmap viridis'])
def test_every_method_draws(run, out, line):
    code, _, err = run('dnn_saliency', *NET, '-stim', 'one.stim.csv', '-out', out, *line.split())
    assert code == 0, err
    name, = os.listdir(out)
    assert name == f"squeezenet1_1_{'features.6' if '-layer' in line else LAST}_fig1.jpg"
    with Image.open(out / name) as figure:
        assert len(set(figure.convert('L').resize((50, 50)).tobytes())) > 20


ALL = '-layer features.0 -chn 3 -stim one.stim.csv -meth vanilla '


@pytest.mark.parametrize('line, words', [
    (ALL, 'give a folder for the figures'),
    (ALL + '-show', 'needs a display'),
    (ALL.replace('-chn 3', '') + '-out o', 'give a layer and its channels'),
    (ALL.replace('-chn 3', '-chn 0') + '-out o', 'count from 1'),
    (ALL + '-out o -cmap rainbowish', 'cmap'),
    (ALL + '-out o -vmin 2 -vmax 1', 'vmin must be less than vmax'),
    (ALL + '-out o -to_layer features.0 -mode RGB', 'leave it out'),
    (ALL + '-out o -voxel 1', 'go with -model'),
    (ALL + '-out o -model model.h5', 'leave out -layer'),
    ('-stim x.stim.csv -out o -model model.h5', 'which voxels'),
    ('-stim x.stim.csv -out o -model model.h5 -voxel 7', '7 is out of range'),
    ('-stim x.stim.csv -out o -model none.h5 -voxel 1', 'does not exist'),
    (ALL + '-out o -smooth 0', 'smooth'),
    (ALL + '-out o -sigma 0', 'sigma'),
    (ALL + '-out o -steps 3', 'goes with -meth integrated'),
    (ALL + '-out L.tif', 'is a file'),
    (ALL.replace('features.0', 'fires2') + '-out o', "did you mean 'fire2'"),
    (ALL.replace('-chn 3', '-chn 999') + '-out o', '999 is out of range; they count from 1 to 64'),
    (ALL + '-out o -to_layer features.3', 'has not been used'),
    (ALL + '-out o -unit 999 1', 'out of range'),
    (ALL + '-out o -device cuda:77', 'not available'),
    (ALL.replace('one', 'clips') + '-out o', 'takes stimuli of type image or video'),
    (ALL.replace('one', 'gone') + '-out o', 'gone.tif'),
])
def test_what_is_wrong_is_said(run, out, monkeypatch, line, words):
    for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(name, raising=False)
    code, _, err = run('dnn_saliency', *NET, *line.split())
    assert code == 2 and words in err and len(err.strip().splitlines()) == 1, err
    assert not os.path.exists('o')


def test_a_window_only_where_asked(run, out, monkeypatch):
    import matplotlib.pyplot as plt

    import dnnbrain.viz.pictures as pictures
    shown = []
    monkeypatch.setattr(pictures, 'has_display', lambda: True)
    monkeypatch.setattr(plt, 'show', lambda: shown.append(len(plt.get_fignums())))
    for show in ([], ['-show']):
        assert run('dnn_saliency', *NET, *ALL.split(), '-out', out, *show)[0] == 0
        assert shown == [1] * len(show) and not plt.get_fignums()


def test_no_effect_is_middle_gray():
    maps = np.zeros((3, 10, 10))
    maps[0, 2, 3], maps[2, 5, 5] = 2, -2
    colors = as_colors(maps)
    np.testing.assert_allclose(colors[0, 0], .5)
    assert colors[2, 3].tolist() == [1, .5, .5] and colors[5, 5].tolist() == [.5, .5, 0]
    np.testing.assert_allclose(as_colors(maps, 0, 4)[2, 3], [.5, 0, 0])
    assert as_colors(np.zeros((3, 2, 2))).tolist() == np.full((2, 2, 3), .5).tolist()


def test_gray_is_the_sum_over_colors_around_zero(rng):
    maps = rng.standard_normal((3, 8, 8))
    figure = plot_saliency([np.zeros((3, 8, 8))], [maps], [60 * 'a' + '.png\nconv5'], mode='gray')
    panel = figure.axes[1].images[0]
    np.testing.assert_allclose(panel.get_array(), maps.sum(0))
    assert panel.get_clim()[0] == -panel.get_clim()[1] < 0
    assert figure.axes[0].get_title(loc='left') == '...' + 37 * 'a' + '.png\nconv5'


def test_gradcam_lies_over_its_picture(rng):
    figure = plot_saliency([rng.random((3, 8, 12))], [rng.random((1, 8, 12))], vmax=2)
    below, above = figure.axes[1].images
    assert above.get_alpha() < 1 and above.get_clim() == (0, 2) and below.get_array().shape == (8, 12)


@pytest.mark.parametrize('call, words', [
    (lambda p, m: plot_saliency([], []), 'as many'), (lambda p, m: plot_saliency([p], [m, m]), 'as many'),
    (lambda p, m: plot_saliency([p], [m[0]]), 'n_chn, n_row, n_col'),
    (lambda p, m: plot_saliency([p], [m[:2]], mode='RGB'), 'shows three channels'),
    (lambda p, m: plot_saliency([p], [m], mode='rgb'), "mode 'rgb'"),
])
def test_what_cannot_be_drawn(call, words):
    with pytest.raises(BadValue, match=words):
        call(np.zeros((3, 4, 4)), np.zeros((3, 4, 4)))


def test_the_frame_and_the_sound_that_are_drawn(rng):
    from dnnbrain.dnn.models import VGGish
    from dnnbrain.networks.state import without_parameters
    from dnnbrain.stimuli.clips import ClipTransform
    clip = rng.integers(0, 256, (3, 4, 8, 8), dtype=np.uint8)
    maps = np.zeros((3, 4, 8, 8))
    maps[1, 2, 3, 3] = -1
    looks = DNN(img_size=(8, 8), test_transform=ClipTransform(n_frame=4, size=(8, 8)))
    picture, shown, note = drawable(looks, clip, maps)
    np.testing.assert_allclose(picture, clip[:, 2] / 255, atol=1e-6)
    assert shown[1, 3, 3] == -1 and note == 'frame 3'
    with without_parameters():
        hears = VGGish(pretrained=False)
    examples = rng.standard_normal((2, 1, 96, 64)).astype(np.float32)
    picture, shown, _ = drawable(hears, examples, examples)
    np.testing.assert_array_equal(picture, shown[0])
    np.testing.assert_array_equal(picture[::-1].T, examples.reshape(192, 64))
    plot_saliency([picture], [shown])
