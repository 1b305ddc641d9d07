"""dnn_topstim and dnn_view: from pictures to tables and figures."""

import matplotlib.image
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from dnnbrain.dnn.core import Activation, Mask, Stimulus
from dnnbrain.dnn.models import Resnet10


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """A network in w.pth, seven pictures of all modes in x.stim.csv, what it answers to them in x.act.h5."""
    folder, rng, names = tmp_path_factory.mktemp('lab'), np.random.default_rng(0), []
    (folder / 'pictures').mkdir()
    for mode, suffix in (('RGB', 'png'), ('L', 'png'), ('RGBA', 'png'), ('P', 'png'), ('CMYK', 'jpg'), ('1', 'png'),
                         ('LA', 'png')):
        picture = Image.fromarray(rng.integers(0, 256, (6, 7, 3), dtype=np.uint8)).resize((50, 40))
        names.append(f'{mode}.{suffix}')
        picture.convert(mode).save(folder / 'pictures' / names[-1])
    stim = Stimulus({'type': 'image', 'path': 'pictures'}, {'stimID': names, 'label': range(7)})
    dnn = Resnet10(pretrained=False, rng=0)
    dnn.save(folder / 'w.pth')
    stim.header['path'] = str(folder / 'pictures')
    mask = Mask('conv1', [9, 2])
    mask.set('fc', range(1, 41))
    dnn.compute_activation(stim, mask, out=folder / 'x.act.h5')
    stim.save(folder / 'x.stim.csv')
    return folder


@pytest.fixture
def lab(files, tmp_path, monkeypatch):
    """Links to the files in the working directory."""
    monkeypatch.chdir(tmp_path)
    for file in files.iterdir():
        (tmp_path / file.name).symlink_to(file)
    return tmp_path


def loaded(fname):
    stim = Stimulus()
    stim.load(fname)
    return stim


def test_top_stimuli_of_a_network_and_of_a_file(lab, run):
    kept = Activation()
    kept.load('x.act.h5')
    values = kept.get('conv1').mean((2, 3))
    for source, options in (('net', ['-net', 'Resnet10', '-weights', 'w.pth', '-layer', 'conv1', '-chn', 9, 2]),
                            ('file', ['-act', 'x.act.h5', '-layer', 'conv1'])):
        assert run('dnn_topstim', *options, '-top', 3, '-stim', 'x.stim.csv', '-metric', 'mean', '-figure', 1,
                   '-out', f'deep/{source}') == (0, '', '')
        assert sorted(path.name for path in (lab / 'deep' / source).iterdir()) == [
            'conv1_chn2_top3.stim.csv', 'conv1_chn9_top3.png', 'conv1_chn9_top3.stim.csv', 'top3.act.h5']
        best = Activation()
        best.load(f'deep/{source}/top3.act.h5')
        for column, channel in enumerate((9, 2)):                           # numbers of the network
            table = loaded(f'deep/{source}/conv1_chn{channel}_top3.stim.csv')
            order = np.argsort(-values[:, column])[:3]
            assert table.get('stimID').tolist() == kept.stim_ids[order].tolist() and table.items[-1] == 'value'
            assert table.get('label').tolist() == order.tolist()
            np.testing.assert_allclose(table.get('value'), values[order, column], rtol=1e-5)
            np.testing.assert_allclose(best.get('conv1')[:, column, 0, 0], table.get('value'), rtol=1e-6)
            assert best.meta['top']['stimID']['conv1'][column] == table.get('stimID').tolist()
            assert all(file.is_file() for file in table.files())
        assert best.meta['dmask']['conv1']['chn'] == [9, 2] and best.shape('conv1') == (3, 2, 1, 1)


def test_all_channels_and_files_without_ids(lab, run):
    kept = Activation()
    kept.load('x.act.h5')
    bare = Activation('fc', kept.get('fc'))
    bare.save('bare.act.h5')
    assert run('dnn_topstim', '-act', 'bare.act.h5', '-top', 2, '-stim', 'x.stim.csv', '-figure', 0,
               '-out', 'top') == (0, '', '')
    tables = list((lab / 'top').glob('fc_chn*_top2.stim.csv'))
    assert len(tables) == 40 and not list((lab / 'top').glob('*.png'))
    best = loaded('top/fc_chn37_top2.stim.csv')
    order = np.argsort(-bare.get('fc')[:, 36, 0, 0])[:2]
    assert best.get('stimID').tolist() == kept.stim_ids[order].tolist()
    loaded('x.stim.csv')[:4].save('few.stim.csv')
    for act, sentence in (('bare.act.h5', '-act has 7 stimuli without IDs, and -stim has 4'),
                          ('x.act.h5', '3 stimuli are not in the stimulus table: CMYK.jpg')):
        code, _, err = run('dnn_topstim', '-act', act, '-top', 2, '-stim', 'few.stim.csv', '-out', 'other')
        assert code == 2 and sentence in err and not (lab / 'other').exists()


def test_view(lab, run):
    base = ['dnn_view', '-net', 'Resnet10', '-weights', 'w.pth', '-out', 'maps', '-layer']
    assert run(*base, 'conv1', '-chn', 3, 8, '-stim', 'x.stim.csv', '-vmin', 0) == (0, '', '')
    names = [path.name for path in (lab / 'maps').iterdir()]
    assert sorted(names) == ['Resnet10_conv1_fig1.jpg', 'Resnet10_conv1_fig2.jpg']
    tall, small = (matplotlib.image.imread(f'maps/Resnet10_conv1_fig{i}.jpg') for i in (1, 2))
    assert tall.shape[0] > 4 * small.shape[0] > 0 and tall.std() > 20 and plt.get_fignums() == []
    assert run(*base, 'layer1.0.conv1', '-chn', 3, '-kernel') == (0, '', '')
    assert (lab / 'maps' / 'Resnet10_layer1.0.conv1_kernel.jpg').exists()


def test_show_opens_windows_and_writes_nothing(lab, run, monkeypatch):
    shown = []
    monkeypatch.setattr('dnnbrain.viz.pictures.has_display', lambda: True)
    monkeypatch.setattr(plt, 'show', lambda *args: shown.append(plt.gcf()))
    before = set(lab.iterdir())
    assert run('dnn_view', '-net', 'Resnet10', '-weights', 'w.pth', '-layer', 'conv1', '-kernel', '-show')[0] == 0
    assert len(shown) == 1 and plt.get_fignums() == [] and set(lab.iterdir()) == before


TOP = 'dnn_topstim -top 2 -stim x.stim.csv -out out'
VIEW = 'dnn_view -net Resnet10 -weights w.pth -out out'


@pytest.mark.parametrize('line, sentence', [
    (TOP, 'give either a network (-net AlexNet) or stored activations'),
    (TOP + ' -net Resnet10 -weights w.pth -act x.act.h5', 'give either a network'),
    (TOP + ' -act x.act.h5 -cuda', 'go with -net, not with stored activations'),
    (TOP + ' -net Resnet10 -weights w.pth', 'give layers (-layer conv5) or a mask file'),
    (TOP + ' -act x.act.h5 -chn 3', '-chn needs -layer'),
    (TOP + ' -act x.act.h5 -layer conv1 -chn 3', 'out of range; they count from 1 to 2'),
    (TOP + ' -net Resnet10 -weights w.pth -layer conv9', "did you mean 'conv"),
    ('dnn_topstim -top 9 -stim x.stim.csv -out out -act x.act.h5', 'the best 9 were asked for, but there are 7'),
    ('dnn_topstim -top 0 -stim x.stim.csv -out out -act x.act.h5', '0 is not in the range'),
    ('dnn_topstim -top 2 -stim x.stim.csv -out x.stim.csv -act x.act.h5', "-out 'x.stim.csv' is a file"),
    ('dnn_view -net Resnet10 -layer conv1 -chn 1 -stim x.stim.csv', 'give a folder for the figures (-out FOLDER)'),
    (VIEW + ' -layer conv1', 'give channels (-chn 3 7) and stimuli'),
    (VIEW + ' -layer conv1 -kernel -stim x.stim.csv', 'leave -stim out'),
    (VIEW + ' -layer conv1 -kernel -vmin 2 -vmax 1', '-vmin 2.0 is larger than -vmax 1.0'),
    ('dnn_view -net Resnet10 -layer conv1 -kernel -show', '-show needs a display, and there is none here'),
    (VIEW + ' -layer conv1 -stim x.stim.csv -chn ' + ' '.join(map(str, range(1, 18))), 'up to 16 channels, not 17'),
    (VIEW + ' -layer fc -chn 1 -stim x.stim.csv', 'one number per channel, as fully connected layers do'),
    (VIEW + ' -layer fc -kernel', 'only those of convolutions can be shown'),
    (VIEW + ' -layer conv1 -kernel -cmap coolwarn', "did you mean 'coolwarm'"),
    (VIEW + ' -layer conv1 -chn 65 -stim x.stim.csv', 'out of range; they count from 1 to 64')])
def test_mistakes(lab, run, line, sentence, monkeypatch):
    monkeypatch.setattr('dnnbrain.viz.pictures.has_display', lambda: False)
    name, *args = line.split()
    code, _, err = run(name, *args)
    assert code == 2 and sentence in err and not list(lab.glob('out/*'))


def test_tokens_in_windows_are_no_maps(lab, run):
    """Hiera's: they were drawn as if they came row by row."""
    code, _, said = run('dnn_view', '-net', 'timm:hiera_tiny_224', '-random', '-seed', 0, '-layer', 'block2', '-chn', 1,
                        '-stim', 'x.stim.csv', '-out', 'maps')
    assert code == 2 and "784 tokens of layer 'block2' are no patches of the picture, row by row" in said
