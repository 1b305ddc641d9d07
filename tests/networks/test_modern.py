"""Transformers and other networks of today, as they are cut, trained, kept and walked back to the picture."""

import copy

import numpy as np
import pytest
import torch
import torch.nn as nn
from PIL import Image
from torchvision.models import VisionTransformer

from dnnbrain._checks import BadType, BadValue
from dnnbrain.dnn.algo import TheoreticalReceptiveField, UpsamplingActivationMapping
from dnnbrain.dnn.models import DNN, Resnet10
from dnnbrain.interpret.saliency.gradcam import GradCAMImage
from dnnbrain.networks.caching import split_frozen
from dnnbrain.networks.transforms import full_field


def network(name, size):
    dnn = DNN.from_timm(name, pretrained=False, rng=0)
    dnn.img_size, dnn.test_transform = size, full_field(size)
    return dnn


def shown(dnn, n=2):
    """Pixels, and what the network takes of them."""
    pixels = np.random.default_rng(0).integers(0, 256, (n, 3, *dnn.img_size), dtype=np.uint8)
    return pixels, torch.stack([dnn.test_transform(Image.fromarray(one.transpose(1, 2, 0))) for one in pixels])


def hooked(dnn, path, inputs):
    """What a module puts out, by a plain hook."""
    found = []
    handle = dnn.model.get_submodule(path).register_forward_hook(lambda module, args, output: found.append(output))
    with torch.inference_mode():
        dnn.model.eval()(inputs)
    handle.remove()
    return found[0]


@pytest.fixture(scope='module')
def xcit():                 # its class token comes after twelve blocks, its patches with their rows and columns
    return network('xcit_nano_12_p16_224', (64, 96))


@pytest.fixture(scope='module')
def dinov3():
    """A class token, four registers, and angles that it reckons in each forward pass."""
    return network('vit_small_patch16_dinov3', (192, 160))


@pytest.mark.parametrize('made', ['whole', 'cut', 'readout'])
def test_layers_before_the_class_token_have_none(xcit, made):
    dnn = {'whole': lambda: xcit, 'cut': lambda: xcit.cut('blocks.1'), 'readout': lambda: xcit.readout('blocks.1', 2)}
    pixels, inputs = shown(xcit)
    dnn, layer = dnn[made](), 'trunk.blocks.0' if made == 'readout' else 'blocks.0'
    found = dnn.compute_activation(pixels, layer, tokens='patch').get(layer)
    np.testing.assert_allclose(found[..., 0], hooked(xcit, 'blocks.0', inputs).transpose(1, 2), atol=1e-5)
    with pytest.raises(BadValue, match='has no class token'):
        dnn.compute_activation(pixels, layer, tokens='cls')


def test_layers_behind_the_class_token_have_it(xcit):
    pixels, inputs = shown(xcit)
    seen = hooked(xcit, 'cls_attn_blocks.0', inputs)
    for tokens, expected in (('cls', seen[:, :1]), ('patch', seen[:, 1:])):
        found = xcit.compute_activation(pixels, 'cls_attn_blocks.0', tokens=tokens).get('cls_attn_blocks.0')
        np.testing.assert_allclose(found[..., 0], expected.transpose(1, 2), atol=1e-5)


def test_a_cut_network_without_class_token_gets_none():
    mixer = network('mixer_s32_224', (224, 224))
    pixels, inputs = shown(mixer, 1)
    trunk = copy.deepcopy(mixer.cut('blocks.1')).cut('blocks.0')
    found = trunk.compute_activation(pixels, 'blocks.0', tokens='patch').get('blocks.0')
    np.testing.assert_allclose(found[..., 0], hooked(mixer, 'blocks.0', inputs).transpose(1, 2), atol=1e-5)
    with pytest.raises(BadValue, match='has no class token'):
        trunk.compute_activation(pixels, 'blocks.0', tokens='cls')


def test_a_layer_of_the_class_token_alone():
    class Pooled(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 4, 4, 4), nn.LayerNorm(4)

        def forward(self, x):
            return self.norm(self.conv(x).flatten(2).transpose(1, 2)[:, :1]).flatten(1)
    dnn = DNN(Pooled(), img_size=(8, 8), test_transform=full_field((8, 8)))
    with pytest.raises(BadValue, match="layer 'norm' has no tokens of patches; take tokens='all'"):
        dnn.compute_activation(shown(dnn)[0], 'norm', tokens='patch')


def test_a_cut_behind_a_layer_that_puts_out_several_things(xcit):
    inputs = shown(xcit)[1]
    expected = hooked(xcit, 'patch_embed', inputs)[0]
    with torch.inference_mode():
        torch.testing.assert_close(xcit.cut('patch_embed').model.eval()(inputs), expected)
        both = xcit.cut('patch_embed', 'blocks.0').model.eval()(inputs)
    torch.testing.assert_close(both, (expected, hooked(xcit, 'blocks.0', inputs)))
    with pytest.raises(BadValue, match="'patch_embed' puts out no single tensor; choose a layer inside it"):
        TheoreticalReceptiveField(xcit, 'patch_embed', 1).support()


def test_tokens_of_a_picture_that_is_no_square_stand_in_its_grid(dinov3):
    """125 tokens are five and 12 x 10 patches, and would be four and a square of 11."""
    pixels, inputs = shown(dinov3, 1)
    picture = Image.fromarray(pixels[0].transpose(1, 2, 0))
    maps = UpsamplingActivationMapping(dinov3, 'blocks.0', 3, 'nearest').compute(picture)
    expected = hooked(dinov3, 'blocks.0', inputs)[0, 5:, 2].reshape(12, 10)
    np.testing.assert_allclose(maps[8::16, 8::16], expected, atol=1e-5)
    cam = GradCAMImage(dinov3, 'norm', 3, unit=(1, 1), upsample=False).backprop(picture, 'blocks.10')
    assert cam.shape == (1, 12, 10)


def test_what_a_forward_pass_reckons_with_is_kept_with_a_cut(dinov3, tmp_path):
    """And looking at a network leaves nothing in it, by which the file of another cut would not fit."""
    inputs, found = shown(dinov3, 1)[1], set(vars(dinov3.model))
    dinov3.summary()
    dinov3.freeze('all but head')
    trunk = dinov3.cut('blocks.0').join(nn.Sequential(nn.Flatten(), nn.Linear(125 * 384, 2)))
    dinov3.unfreeze()
    assert set(vars(dinov3.model)) == found
    trunk.save(tmp_path / 'x.pth')
    loaded = DNN.load(tmp_path / 'x.pth')
    with torch.inference_mode():
        assert torch.equal(loaded.model.eval()(inputs), trunk.model.eval()(inputs))
        assert trunk.model.to('meta')(inputs.to('meta')).shape == (1, 2)          # no device but that of the input


class Masked(nn.Module):
    """With an argument that nobody gives, and gates as of a GLU, channels last."""

    def __init__(self):
        super().__init__()
        self.conv, self.gate, self.fc = nn.Conv2d(3, 8, 3, 2, 1), nn.Identity(), nn.Linear(4, 2)

    def forward(self, x, mask=None):
        x = self.conv(x)
        if mask is not None:
            x = x * mask.view(-1, 1, 4, 4)
        first, second = x.permute(0, 2, 3, 1).chunk(2, -1)
        return self.fc(self.gate(first * second.sigmoid())).mean((1, 2))


def test_arguments_that_have_defaults_keep_them():
    dnn = DNN(Masked(), img_size=(8, 8), test_transform=full_field((8, 8)))
    inputs = shown(dnn)[1]
    with torch.inference_mode():
        found = dnn.cut('fc').model.eval()(inputs)
    torch.testing.assert_close(found, hooked(dnn, 'fc', inputs).permute(0, 3, 1, 2))
    seen = TheoreticalReceptiveField(dnn, 'fc', 1, unit=(2, 3)).support()
    inputs.requires_grad_()
    kept = []
    handle = dnn.model.fc.register_forward_hook(lambda module, args, output: kept.append(output))
    dnn.model(inputs)
    handle.remove()
    np.testing.assert_array_equal(seen, torch.autograd.grad(kept[0][0, 1, 2, 0], inputs)[0][0].any(0))


def test_windows_of_hiera_are_no_grid_of_patches():
    """Its tokens come window by window, until each window is one."""
    dnn = network('hiera_tiny_224', (224, 224))
    pixels, inputs = shown(dnn, 1)
    picture = Image.fromarray(pixels[0].transpose(1, 2, 0))
    with pytest.raises(BadValue, match="784 tokens of layer 'blocks.1' are no patches of the picture, row by row"):
        UpsamplingActivationMapping(dnn, 'blocks.1', 3).compute(picture)
    assert UpsamplingActivationMapping(dnn, 'blocks.11', 3).compute(picture).shape == (224, 224)
    with torch.inference_mode():                         # it has an argument `mask`
        torch.testing.assert_close(dnn.cut('blocks.0').model.eval()(inputs), hooked(dnn, 'blocks.0', inputs))


def test_features_of_two_heads_can_be_cached():
    dnn = network('levit_128s', (224, 224))
    dnn.freeze('all but head').eval()
    trunk, rest = split_frozen(dnn.model, dnn.name)
    assert {path.partition('.')[0] for path, _ in rest.named_parameters()} == {'head', 'head_dist'}
    inputs = shown(dnn)[1]
    with torch.inference_mode():
        torch.testing.assert_close(rest(trunk(inputs)), dnn.model(inputs))


def test_the_table_of_fields_passes_attention_by():
    dnn = DNN(VisionTransformer(32, 16, 1, 2, 8, 8), img_size=(32, 32), test_transform=full_field((32, 32)))
    found = TheoreticalReceptiveField(dnn, 'encoder.layers.encoder_layer_0', 1).table()
    assert found['layer'].iloc[-1] == 'encoder.layers.encoder_layer_0' and found['r'].iloc[-1] == 32
    assert 'conv_proj' in set(found['layer']) and not found['layer'].str.endswith('self_attention').any()
    with pytest.raises(BadType, match='puts out no single tensor'):
        TheoreticalReceptiveField(dnn, 'encoder.layers.encoder_layer_0.self_attention', 1).table()


def test_own_parameters_tell_nothing_of_axes():
    """Maps with as many channels as rows and columns, behind layers that work on the last axis."""
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.scale = nn.Linear(8, 8), nn.Parameter(torch.arange(8.0))

        def forward(self, x):
            return self.fc(x) * self.scale
    dnn = DNN(nn.Sequential(nn.Conv2d(3, 8, 1), nn.Sequential(Scaled(), nn.Dropout())), img_size=(8, 8),
              test_transform=full_field((8, 8)))
    pixels, inputs = shown(dnn)
    for path in ('1.0', '1.1'):
        np.testing.assert_allclose(dnn.compute_activation(pixels, path).get(path),
                                   hooked(dnn, path, inputs).permute(0, 3, 1, 2), atol=1e-6)


def test_what_comes_in_a_tuple_has_channels_too():
    class Windowed(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(3, 5)

        def forward(self, x):
            return self.fc(x.permute(0, 2, 3, 1)), 7

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = Windowed()

        def forward(self, x):
            return self.block(x)[0].mean((1, 2))
    dnn = DNN(Net(), img_size=(6, 8), test_transform=full_field((6, 8)))
    pixels, inputs = shown(dnn)
    expected = hooked(dnn, 'block', inputs)[0].permute(0, 3, 1, 2)
    np.testing.assert_allclose(dnn.compute_activation(pixels, 'block').get('block'), expected, atol=1e-6)
    assert dnn.summary().set_index('layer').loc['block', 'shape'] == '5 x 6 x 8'
    with torch.inference_mode():
        torch.testing.assert_close(dnn.cut('block').model.eval()(inputs), expected)


def test_a_network_that_cannot_be_made_without_memory_is_rebuilt_from_its_file(tmp_path, monkeypatch):
    """As Swin of timm, which computes with its parameters when it is made."""
    dnn = Resnet10(pretrained=False, rng=0)
    dnn.replace_head(3, rng=0)
    inputs = torch.rand(2, 3, 32, 32)
    monkeypatch.setattr(Resnet10, '_unset', Resnet10._architecture)
    for kept in (dnn, dnn.cut('layer1').join(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 2)))):
        kept.save(tmp_path / 'x.pth')
        with torch.inference_mode():
            assert torch.equal(DNN.load(tmp_path / 'x.pth').model.eval()(inputs), kept.model.eval()(inputs))


def test_layers_are_named_that_put_something_out():
    dnn = network('crossvit_9_240', (240, 240))          # whose two stems are a list
    found = dnn.compute_activation(shown(dnn, 1)[0], dnn.layers)
    assert dnn.layers == list(found.layers) == ['block1', 'block2', 'block3', 'fc']
