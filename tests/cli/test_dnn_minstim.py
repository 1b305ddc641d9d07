"""dnn_minstim: files and a table whose activations are those of the files."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from dnnbrain.dnn.core import Stimulus


@pytest.fixture
def shapes(tmp_path, rng):
    """Four pictures of other modes: gray with a bright square each."""
    (tmp_path / 'p' / 'sub').mkdir(parents=True)
    names = {'a.png': 'RGB', 'b.jpg': 'CMYK', 'sub/c.gif': 'P', 'd.png': 'RGBA'}
    for i, (name, mode) in enumerate(names.items()):
        pixels = rng.integers(50, 60, (60, 70, 3), dtype=np.uint8)
        pixels[10:25, 10 * i + 5:10 * i + 25] = (230, 60, 30)
        Image.fromarray(pixels).convert(mode).save(tmp_path / 'p' / name)
    Stimulus({'type': 'image', 'path': 'p'}, {'stimID': list(names)}).save(tmp_path / 'x.stim.csv')
    return tmp_path / 'x.stim.csv'


def activation(published, files):
    from dnnbrain.dnn.models import AlexNet
    table = Stimulus({'type': 'image', 'path': str(files[0].parent)}, {'stimID': [file.name for file in files]})
    return AlexNet().compute_activation(table, 'conv2_relu').get('conv2_relu')[:, 2].max((1, 2))


@pytest.mark.parametrize('meth, param', [('slic', ['n_segments=12']), ('ica', ['n_component=2']), ('pca', [])])
def test_files_and_table(run, published, shapes, tmp_path, meth, param):
    code, _, err = run('dnn_minstim', '-net', 'AlexNet', '-stim', shapes, '-layer', 'conv2_relu', '-chn', 3, '-meth',
                       meth, *(['-param', *param] if param else []), '-share', .8, '-out', tmp_path / 'out')
    assert code == 0, err
    table = pd.read_csv(tmp_path / 'out' / 'mi_conv2_relu_chn3.csv')
    assert table['stimID'].tolist() == ['a.png', 'b.jpg', 'sub/c.gif', 'd.png']
    assert table['file'].tolist() == [f'mi_conv2_relu_chn3_{name}' for name in
                                      ('a.png', 'b.jpg', 'sub_c.gif.png', 'd.png')]
    files = [tmp_path / 'out' / name for name in table['file']]
    np.testing.assert_allclose(table['minimal'], activation(published, files), rtol=1e-3)
    whole = activation(published, [shapes.parent / 'p' / 'a.png'])
    np.testing.assert_allclose(table['whole'][0], whole[0], rtol=1e-3)
    assert (table['minimal'] >= .8 * table['whole'] * .99).all()        # a JPEG loses a little
    assert (table['kept'] <= table['n_parcel']).all() and table['n_parcel'].max() > 1
    with Image.open(files[0]) as picture:
        assert picture.size == ((70, 60) if meth == 'slic' else (224, 224))
    assert len(list((tmp_path / 'out').iterdir())) == 5


def test_a_voxel(run, published, shapes, tmp_path, rng):
    """A model of four units of conv1: what drives it is the mean of these units."""
    from dnnbrain.activation.mask import Mask
    from dnnbrain.dnn.models import AlexNet
    from dnnbrain.mapping.multivariate import MultivariateMapping
    dmask = Mask('conv1', [4], [20, 21], [20, 21])
    dmask.save(tmp_path / 'x.dmask.csv')
    X = rng.random((9, 4)).astype(np.float32)
    model = MultivariateMapping('ridge', cv=3).map(X, rng.random((9, 2)))['model'][0].to_weights(X)
    replace(model, layer='conv1', coef=np.ones((4, 2), np.float32), intercept=np.full(2, 20.), mean=None,
            scale=None).save(tmp_path / 'm.h5')
    code, _, err = run('dnn_minstim', '-net', 'AlexNet', '-stim', shapes, '-model', tmp_path / 'm.h5', '-voxel', 2,
                       '-dmask', tmp_path / 'x.dmask.csv', '-param', 'min_size=400', '-out', tmp_path / 'out')
    assert code == 0, err
    table = pd.read_csv(tmp_path / 'out' / 'mi_conv1_voxel_2.csv')
    stimuli = Stimulus()
    stimuli.load(shapes)
    truth = AlexNet().compute_activation(stimuli, dmask).get('conv1').sum((1, 2, 3)) + 20
    np.testing.assert_allclose(table['whole'], truth, rtol=1e-3)


def test_several_channels_and_1_0s_call(run, published, shapes, tmp_path):
    code, _, err = run('dnn_minstim', '-net', 'AlexNet', '-stim', shapes, '-layer', 'conv1', '-chn', 1, 5, '-param',
                       'min_size=400', '-criterion', 'curve', '-out', tmp_path / 'out')
    assert code == 0, err
    assert {f.name for f in (tmp_path / 'out').glob('*.csv')} == {'mi_conv1_chn1.csv', 'mi_conv1_chn5.csv'}


def test_a_channel_without_activation_does_not_stop_the_others(run, published, shapes, tmp_path):
    from dnnbrain.dnn.models import AlexNet
    dnn = AlexNet()
    with torch.no_grad():
        dnn.model.features[0].bias[0] = -100.
    dnn.save(tmp_path / 'dead.pth')
    code, _, err = run('dnn_minstim', '-net', 'AlexNet', '-weights', tmp_path / 'dead.pth', '-stim', shapes, '-layer',
                       'conv1', '-chn', 1, 2, '-share', .5, '-param', 'min_size=900', '-out', tmp_path / 'out')
    assert code == 0 and err.count('left out: ') == 4 and 'for conv1_chn1' in err
    assert len(pd.read_csv(tmp_path / 'out' / 'mi_conv1_chn2.csv')) == 4


def test_a_picture_without_activation_is_left_out(run, published, shapes, tmp_path):
    from dnnbrain.dnn.models import AlexNet
    dnn = AlexNet()
    with torch.no_grad():
        dnn.model.features[0].bias[0] = -100.
    dnn.save(tmp_path / 'dead.pth')
    code, _, err = run('dnn_minstim', '-net', 'AlexNet', '-weights', tmp_path / 'dead.pth', '-stim', shapes, '-layer',
                       'conv1', '-chn', 1, '-share', .5, '-param', 'min_size=900', '-out', tmp_path / 'out')
    assert code == 2 and err.count('left out: ') == 4 and 'no minimal picture was found' in err
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('given, sentence', [
    (['-layer', 'conv1'], 'give a layer and its channels'),
    (['-layer', 'conv1', '-chn', '1', '-param', 'size=3'], "setting of felzenszwalb 'size' is not known"),
    (['-layer', 'conv1', '-chn', '1', '-param', 'scale'], '-param must read like scale=200'),
    (['-layer', 'conv1', '-chn', '1', '-meth', 'pca', '-param', 'scale=3'], 'choose from n_component'),
    (['-layer', 'conv1', '-chn', '1', '-share', '1.5'], '1.5 is not in the range'),
    (['-layer', 'conv1', '-chn', '2', '2'], 'stands twice'),
    (['-layer', 'conv1', '-chn', '65'], 'out of range; they count from 1 to 64'),
    (['-layer', 'conv99', '-chn', '1'], "layer 'conv99' is not in AlexNet"),
])
def test_mistakes(run, published, shapes, tmp_path, given, sentence):
    code, _, err = run('dnn_minstim', '-net', 'AlexNet', '-stim', shapes, *given, '-out', tmp_path / 'out')
    assert code == 2 and sentence in err and not (tmp_path / 'out').exists()
