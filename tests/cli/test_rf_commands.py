"""dnn_rf_sw and dnn_rf_us: maps of pictures as numbers and pictures, equal to those of the library."""

import numpy as np
import pytest
from PIL import Image

from dnnbrain.dnn.algo import OccluderDiscrepancyMapping, UpsamplingActivationMapping
from dnnbrain.dnn.core import Stimulus
from dnnbrain.interpret.target import ModelTarget
from dnnbrain.mapping.models import LayerModel

SW = ('-wsize', 100, 120, '-stride', 60, 104, '-metric', 'max')
US = ('-ip_metric', 'bilinear', '-up_thres', '0.9')


@pytest.fixture
def here(published, pictures, rng, tmp_path, monkeypatch):
    """Two pictures, one in a folder and one gray, shown three times in all; a model of 2 voxels."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'p' / 'cat').mkdir(parents=True)
    Image.open(pictures / '00.png').save('p/cat/a.jpg')
    Image.open(pictures / '01.png').convert('L').save('p/b.gif')
    Stimulus({'type': 'image', 'path': 'p'}, {'stimID': ['cat/a.jpg', 'b.gif', 'cat/a.jpg']}).save('x.stim.csv')
    LayerModel('conv1_maxpool', np.zeros(2), coef=rng.standard_normal((64 * 27 * 27, 2))).save('m.h5')
    return tmp_path


def test_sliding_window(here, run):
    from dnnbrain.dnn.models import AlexNet
    code, _, err = run('dnn_rf_sw', '-net', 'AlexNet', '-layer', 'conv2', '-chn', 3, 7, '-stim', 'x.stim.csv', *SW,
                       '-fill', 0.2, 0.4, 1, '-seed', 0, '-out', 'new/out')
    assert code == 0 and not err
    names = {f'rf_sw_conv2_chn{n}_{name}' for n in (3, 7) for name in ('cat_a.jpg', 'b.gif.png')}
    assert {file.name for file in (here / 'new/out').iterdir()} == names | {f'{name}.npy' for name in names}
    truth = OccluderDiscrepancyMapping(AlexNet(), 'conv2', [3, 7], (100, 120), (60, 104), 'max', fill=(.2, .4, 1))
    found = np.stack([np.load(f'new/out/rf_sw_conv2_chn{n}_b.gif.png.npy') for n in (3, 7)])
    assert found.shape == (2, 2, 3)
    np.testing.assert_allclose(found, truth.compute('p/b.gif'), atol=1e-6)
    with Image.open('new/out/rf_sw_conv2_chn3_cat_a.jpg') as shown:
        assert shown.width > 600 and np.asarray(shown).std() > 20


def test_upsampling(here, run):
    from dnnbrain.dnn.models import AlexNet
    code, _, err = run('dnn_rf_us', '-net', 'AlexNet', '-layer', 'conv2_relu', '-chn', 5, '-stim', 'x.stim.csv', *US,
                       '-out', 'out')
    assert code == 0 and not err and len(list((here / 'out').iterdir())) == 4
    found = np.load('out/rf_us_conv2_relu_chn5_cat_a.jpg.npy')
    truth = UpsamplingActivationMapping(AlexNet(), 'conv2_relu', 5, 'bilinear', 0.9).compute('p/cat/a.jpg')
    np.testing.assert_allclose(found, truth, atol=1e-6)


def test_voxels(here, run):
    from dnnbrain.dnn.models import AlexNet
    given = ('-net', 'AlexNet', '-model', 'm.h5', '-stim', 'x.stim.csv', '-out', 'out')
    assert run('dnn_rf_us', *given, '-voxel', 2, *US)[0] == 0
    assert run('dnn_rf_sw', *given, '-mean', '-wsize', 224, 224, '-stride', 1, 1, '-metric', 'mean')[0] == 0
    found = np.load('out/rf_us_conv1_maxpool_voxel_2_b.gif.png.npy')
    truth = UpsamplingActivationMapping(AlexNet(), interp_meth='bilinear', interp_threshold=0.9,
                                        target=ModelTarget('m.h5', 2)).compute('p/b.gif')
    np.testing.assert_allclose(found, truth, atol=1e-5)
    assert np.load('out/rf_sw_conv1_maxpool_mean_of_2_voxels_b.gif.png.npy').shape == (1, 1)


MISTAKES = [
    ((), 'give a layer and its channels'), (('-layer', 'conv2'), 'give a layer and its channels'),
    (('-layer', 'conv2', '-chn', 3, '-voxel', 1), 'go with -model'),
    (('-model', 'm.h5', '-layer', 'conv2'), '-model knows its layer'), (('-model', 'm.h5'), 'which voxels of -model'),
    (('-model', 'no.h5', '-mean'), 'does not exist'),
    (('-layer', 'conv2', '-chn', 300), 'out of range'), (('-layer', 'con2', '-chn', 3), "did you mean 'conv2'"),
    (('-layer', 'conv2', '-chn', 3, '-fill', 'blue'), "fill 'blue' is not known"),
    (('-layer', 'conv2', '-chn', 3, '-fill', 1, 'x', 2), '-fill must be mean, black, gray'),
    (('-layer', 'conv2', '-chn', 3, '-fill', 128), 'fill must be'),
    (('-layer', 'conv2', '-chn', 3, '-wsize', 300, 3), 'is larger than the 224 x 224 picture'),
    (('-layer', 'conv2', '-chn', 3, '-device', 'gpu'), "device 'gpu' is not available"),
    (('-layer', 'conv2', '-chn', 3, '-stride', 0, 2), "'-stride'"),
    (('-layer', 'conv2', '-chn', 3, '-out', 'x.stim.csv'), 'is a file')]


def test_mistakes(here, run):
    for given, sentence in MISTAKES:
        code, _, err = run('dnn_rf_sw', '-net', 'AlexNet', '-stim', 'x.stim.csv', *SW, '-out', 'out', *given)
        assert code == 2 and sentence in err and not (here / 'out').exists(), given


def test_mistakes_of_upsampling(here, run):
    given = ('-net', 'AlexNet', '-stim', 'x.stim.csv', '-out', 'out')
    code, _, err = run('dnn_rf_us', *given, '-layer', 'fc1', '-chn', 1, *US)
    assert code == 2 and 'has one position' in err
    code, _, err = run('dnn_rf_us', *given, '-model', 'm.h5', '-mean', '-pool', 'max', *US)
    assert code == 2 and 'knows of no positions' in err
    code, _, err = run('dnn_rf_us', *given, '-layer', 'conv1', '-chn', 1, '-ip_metric', 'area', '-up_thres', 2)
    assert code == 2 and '-up_thres' in err
    Stimulus({'type': 'image', 'path': 'p'}, {'stimID': ['cat/a.jpg', 'cat_a.jpg']}).save('y.stim.csv')
    Image.open('p/cat/a.jpg').save('p/cat_a.jpg')
    code, _, err = run('dnn_rf_us', *given, '-layer', 'conv1', '-chn', 1, *US, '-stim', 'y.stim.csv')
    assert code == 2 and 'would become the same file' in err and not (here / 'out').exists()
