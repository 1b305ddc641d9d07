"""All networks: names of layers, weights, transforms."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn as nn
from PIL import Image
from torchvision import models as tv
from torchvision import transforms
from torchvision.models.video import R3D_18_Weights, r3d_18

from dnnbrain._checks import BadPath, BadValue
from dnnbrain.dnn import models
from dnnbrain.networks.registry import NETWORKS, get_dnn, network_class
from dnnbrain.networks.summary import layer_table
from dnnbrain.networks.transforms import full_field
from dnnbrain.stimuli.clips import ClipTransform

INIT = dict.fromkeys(('googlenet', 'inception_v3'), {'init_weights': True})       # or torchvision warns
OWN_TESTS = ('Resnet10', 'VggFace', 'R3D', 'VGGish')      # what torchvision does not have, or not for pictures
PINNED = json.loads((Path(__file__).parent / 'layers.json').read_text())


@pytest.mark.parametrize('name', NETWORKS)
def test_layer_names_are_pinned(name):
    """The full literal list of each network; those of 1.0 are its own."""
    dnn = network_class(name)._empty()
    assert [[layer, dnn.layer2path(layer)] for layer in dnn.layers] == PINNED[name]
    for layer, path in PINNED[name]:
        assert dnn.layer2module(layer) is dnn.layer2module(path)
        assert dnn.layer2loc[layer] == tuple(path.split('.'))


def test_the_kind_of_module_fits_its_name():
    """1.0 swapped batch norm and ReLU in Vgg19_bn."""
    kinds = {'bn': nn.BatchNorm2d, 'relu': nn.ReLU, 'maxpool': nn.MaxPool2d}
    for name in NETWORKS:
        dnn = network_class(name)._empty()
        for layer in dnn.layers:
            kind = layer.split('_')[-1]
            if kind in kinds:
                assert isinstance(dnn.layer2module(layer), kinds[kind]), (name, layer)


@pytest.mark.parametrize('name', [n for n in NETWORKS if n not in OWN_TESTS])
def test_architecture_and_transforms_are_torchvisions(name):
    """State dicts are interchangeable, and the transforms are 1.0's and the published one."""
    network = network_class(name)
    dnn = network._empty()
    with torch.device('meta'):
        names = list(tv.get_model(network.arch, **INIT.get(network.arch, {})).state_dict())
    assert list(dnn.model.state_dict()) == names
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 500, 3), dtype=np.uint8))
    side = 299 if name == 'InceptionV3' else 224
    assert dnn.img_size == (side, side)
    pixels = np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR)) / 255
    expected = (pixels - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(dnn.test_transform(picture).permute(1, 2, 0), expected, atol=1e-5)
    assert dnn.train_transform(picture).shape == (3, side, side)
    published = network._empty(preprocess='weights').test_transform(picture)
    assert torch.equal(published, tv.get_model_weights(network.arch).IMAGENET1K_V1.transforms()(picture))


@pytest.mark.parametrize('name', ['AlexNet', 'Vgg11_bn', 'Resnet10', 'Resnet18', 'Resnet50'])
def test_random_control_is_seeded_and_leaves_the_generator_alone(name):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    a, b, c = (get_dnn(name, pretrained=False, rng=seed) for seed in (5, 5, 6))
    assert torch.equal(torch.get_rng_state(), before)
    weights = [next(iter(dnn.model.parameters())) for dnn in (a, b, c)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    torch.manual_seed(9)
    first = next(iter(get_dnn(name, pretrained=False).model.parameters()))
    torch.manual_seed(9)
    assert torch.equal(first, next(iter(get_dnn(name, pretrained=False).model.parameters())))


@pytest.mark.parametrize('name', ['AlexNet', 'Vgg11', 'Resnet18', 'Resnet50'])
def test_a_network_computes_what_torchvisions_does(name):
    dnn = get_dnn(name, pretrained=False, rng=0).eval()
    x = torch.rand(2, 3, *dnn.img_size)
    theirs = tv.get_model(dnn.arch)
    theirs.load_state_dict(dnn.model.state_dict())
    with torch.inference_mode():
        assert torch.equal(dnn(x), theirs.eval()(x))
    assert all(m.training is False for m in dnn.model.modules())


def some_weights(model):
    """Values for a model without memory, made in no time: random ones, repeated (with a prime period)."""
    block, state = torch.rand(65521, generator=torch.Generator().manual_seed(0)) - 0.5, {}
    for name, value in model.state_dict().items():
        values = block.repeat(-(-value.numel() // len(block)))[:value.numel()].view(value.shape)
        scale = (24 / value[0].numel()) ** 0.5 if value.ndim > 1 else 1         # keeps the spread through a ReLU
        state[name] = (values * scale + (value.ndim == 1 and not name.endswith(('bias', 'mean')))).to(value.dtype)
    return state


def seen_by(name):
    """Stimuli of the smallest size that a network takes, how it is to look at them, and what it then sees."""
    rng = np.random.default_rng(0)
    if name == 'VGGish':
        examples = rng.standard_normal((2, 1, 96, 64)).astype('f4')
        return examples, None, torch.from_numpy(examples)
    if name == 'R3D':
        clips = rng.integers(0, 256, (1, 3, 4, 32, 32), dtype=np.uint8)
        norm = R3D_18_Weights.KINETICS400_V1.transforms()
        frames = transforms.Compose([transforms.ConvertImageDtype(torch.float32),
                                     transforms.Normalize(norm.mean, norm.std)])
        mean, std = (torch.tensor(values).view(3, 1, 1, 1) for values in (norm.mean, norm.std))
        return clips, ClipTransform(frames, n_frame=4), (torch.from_numpy(clips) / 255 - mean) / std
    side = {'VggFace': 224, 'InceptionV3': 80, 'AlexNet': 64}.get(name, 32)
    pictures = rng.integers(0, 256, (1 if side == 224 else 2, 3, side, side), dtype=np.uint8)
    if name == 'VggFace':
        mean = torch.tensor([129.186, 104.763, 93.594]).view(3, 1, 1)
        return pictures, None, torch.from_numpy(pictures) - mean
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    return pictures, full_field((side, side)), (torch.from_numpy(pictures) / 255 - mean) / std


@pytest.mark.parametrize('name', NETWORKS)
def test_five_layers_equal_plain_hooks_on_the_source(name):
    """The same weights in the network of those who published it; of our own architectures, in a second one."""
    network = network_class(name)
    dnn = network._empty()
    with torch.device('meta'):
        theirs = r3d_18() if name == 'R3D' else network._architecture() if name in OWN_TESTS else \
            tv.get_model(network.arch, **INIT.get(network.arch, {}))
    theirs.transform_input = name in ('Googlenet', 'InceptionV3')
    state = some_weights(theirs)
    dnn.model.load_state_dict(state, assign=True)
    theirs.load_state_dict(state, assign=True)
    stimuli, transform, pixels = seen_by(name)
    dnn.test_transform = transform or dnn.test_transform
    layers = [dnn.layers[round(k)] for k in np.linspace(0, len(dnn.layers) - 1, 5)]
    found, truth = dnn.compute_activation(stimuli, layers), {}
    for layer in layers:
        theirs.get_submodule(dnn.layer2path(layer)).register_forward_hook(
            lambda module, args, output, layer=layer: truth.update({layer: output.clone().numpy()}))
    with torch.inference_mode():
        theirs.eval()(pixels)
    assert len(set(layers)) == 5 and found.layers == layers
    for layer in layers:
        expected = truth[layer]
        assert np.ptp(expected) > 0
        np.testing.assert_allclose(found.get(layer).reshape(expected.shape), expected, rtol=1e-5,
                                   atol=1e-5 * np.abs(expected).max(), err_msg=layer)


def test_resnet10_is_the_one_described():
    model = get_dnn('Resnet10', rng=0).model
    assert [len(getattr(model, f'layer{i}')) for i in (1, 2, 3, 4)] == [1, 1, 1, 1]
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 1000)
    assert model.conv1.stride == (1, 1) and model.conv1.kernel_size == (3, 3)


def test_names_and_aliases():
    assert network_class('resnet18') is network_class('ResNet18') is models.ResNet18 is models.Resnet18
    assert models.VGG16_bn is models.Vgg16_bn
    with pytest.raises(BadValue, match="'AlexNt' is not known; did you mean 'AlexNet'"):
        get_dnn('AlexNt')


def test_table_of_layers_without_weights():
    table = layer_table(network_class('AlexNet')._empty()).set_index('layer')
    assert table.loc['conv1', 'shape'] == '64 x 55 x 55' and table.loc['conv1', 'bytes'] == 4 * 64 * 55 * 55
    assert table.loc['fc3', 'shape'] == '1000' and table.loc['fc3', 'path'] == 'classifier.6'


class TestPretrained:
    def test_from_dnnbrain_data(self, published):
        for ours, theirs in zip(models.AlexNet().model.parameters(), published.parameters(), strict=True):
            assert torch.equal(ours, theirs) and ours.requires_grad

    def test_from_the_cache_of_torch_hub(self, models_copy, monkeypatch, published):
        monkeypatch.setenv('DNNBRAIN_DATA', str(models_copy / 'empty'))
        monkeypatch.setenv('TORCH_HOME', str(models_copy))
        assert torch.equal(models.AlexNet().model.features[0].weight, published.features[0].weight)

    @pytest.fixture
    def models_copy(self, models, tmp_path):
        import shutil
        cache = tmp_path / 'hub' / 'checkpoints'
        cache.mkdir(parents=True)
        shutil.copy(models / 'models' / 'alexnet.pth', cache / 'alexnet-owt-7be5be79.pth')
        return tmp_path

    @pytest.mark.parametrize('variable', [True, False])
    def test_without_network_one_sentence_says_where_to_put_what(self, tmp_path, monkeypatch, variable):
        from urllib.error import URLError

        def offline(*args, **kwargs):
            raise URLError('no network')
        monkeypatch.setattr('dnnbrain.io.download.urlopen', offline)
        monkeypatch.setenv('TORCH_HOME', str(tmp_path))
        if variable:
            monkeypatch.setenv('DNNBRAIN_DATA', str(tmp_path / 'd'))
        else:
            monkeypatch.delenv('DNNBRAIN_DATA', raising=False)
        place = 'd/models/resnet152.pth' if variable else r'\$DNNBRAIN_DATA/models/resnet152.pth'
        with pytest.raises(BadPath, match=rf'no network.*https://.*resnet152.*put it at .*{place}'):
            models.Resnet152()

    def test_a_network_nobody_publishes(self, tmp_path, monkeypatch):
        monkeypatch.setenv('DNNBRAIN_DATA', str(tmp_path))
        with pytest.raises(BadPath, match='nobody publishes weights as resnet10.pth'):
            models.Resnet10(pretrained=True)
        with pytest.raises(BadValue, match='preprocess'):
            models.Resnet10(preprocess='weights')

    def test_a_wrong_file(self, tmp_path, monkeypatch):
        (tmp_path / 'models').mkdir()
        monkeypatch.setenv('DNNBRAIN_DATA', str(tmp_path))
        torch.save(tv.resnet18().state_dict(), tmp_path / 'models' / 'alexnet.pth')
        with pytest.raises(BadValue, match='do not belong to AlexNet: missing .*unexpected'):
            models.AlexNet()
