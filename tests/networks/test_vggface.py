"""VGG-Face: its own architecture, file and preprocessing."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torchvision import models as tv

from dnnbrain._checks import BadPath, BadValue
from dnnbrain.dnn.models import VggFace, VggFaceModel


@pytest.fixture(scope='module')
def face():
    return VggFace(pretrained=False, rng=0).eval()


def test_the_keys_are_those_of_the_published_conversion():
    with torch.device('meta'):
        shapes = {name: tuple(value.shape) for name, value in VggFaceModel().state_dict().items()}
    convolutions = [f'conv{b}_{n}' for b, many in enumerate((2, 2, 3, 3, 3), 1) for n in range(1, many + 1)]
    assert list(shapes) == [f'{layer}.{kind}' for layer in (*convolutions, 'fc6', 'fc7', 'fc8')
                            for kind in ('weight', 'bias')]
    assert shapes['fc6.weight'] == (4096, 512 * 7 * 7) and shapes['fc8.weight'] == (2622, 4096)


def test_it_computes_what_vgg16_of_torchvision_does(face):
    """The same architecture under other names, written by others."""
    theirs = tv.vgg16(weights=None, num_classes=2622).eval()
    names = list(theirs.state_dict())
    theirs.load_state_dict(dict(zip(names, face.model.state_dict().values(), strict=True)))
    x = 50 * torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        np.testing.assert_allclose(face(x), theirs(x), rtol=1e-5, atol=1e-5)


def test_pixels_keep_their_scale_and_lose_their_mean(face):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 500, 3), dtype=np.uint8))
    pixels = np.asarray(picture.resize((224, 224), Image.Resampling.BILINEAR)).astype(float)
    expected = (pixels - [129.186, 104.763, 93.594]).transpose(2, 0, 1)
    np.testing.assert_allclose(face.test_transform(picture), expected, atol=1e-4)       # float32 of up to 255
    uniform = Image.new('RGB', (256, 256), (200, 100, 50))
    for value, mean, channel in zip((200, 100, 50), (129.186, 104.763, 93.594), face.train_transform(uniform),
                                    strict=True):
        np.testing.assert_allclose(channel, value - mean, atol=1e-4)


def test_activations_are_those_of_the_plain_modules(face, stim):
    layers = ['conv1_1', 'relu1_1', 'pool3', 'fc6', 'fc8']
    activation = face.compute_activation(stim[:2], layers)
    pictures = torch.stack([face.test_transform(Image.open(file)) for file in stim[:2].files()])
    weight, bias = face.model.conv1_1.weight, face.model.conv1_1.bias
    with torch.inference_mode():
        first = F.conv2d(pictures, weight, bias, padding=1)
        np.testing.assert_allclose(activation.get('conv1_1'), first, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(activation.get('relu1_1'), first.relu(), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(activation.get('fc8')[..., 0, 0], face(pictures), rtol=1e-4, atol=1e-5)
    assert activation.get('conv1_1').min() < 0 and activation.get('pool3').shape == (2, 256, 28, 28)


def test_the_file_and_where_to_put_it(face, tmp_path, monkeypatch):
    monkeypatch.setenv('DNNBRAIN_DATA', str(tmp_path))
    with pytest.raises(BadPath, match='vgg_face_dag.pth; get the PyTorch conversion .* and put it at .*models'):
        VggFace()
    with pytest.raises(BadValue, match='preprocess'):
        VggFace(pretrained=False, preprocess='weights')
    (tmp_path / 'models').mkdir()
    torch.save(face.model.state_dict(), tmp_path / 'models' / 'vgg_face_dag.pth')
    assert torch.equal(VggFace().model.fc8.weight, face.model.fc8.weight)


def test_a_new_head_and_the_transform_survive_saving(face, stim, tmp_path):
    dnn = VggFace(pretrained=False, rng=0)
    dnn.replace_head(3, rng=1)
    dnn.save(tmp_path / 'x.pth')
    again = VggFace.load(tmp_path / 'x.pth')
    assert torch.equal(again.model.fc8.weight, dnn.model.fc8.weight) and again.layers == face.layers
    picture = Image.open(stim.files()[0])
    assert torch.equal(again.test_transform(picture), face.test_transform(picture))
