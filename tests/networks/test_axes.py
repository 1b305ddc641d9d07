"""Channels are channels whatever order a network keeps its axes in; class tokens and registers are no patches."""

import numpy as np
import pytest
import torch
import torch.nn as nn

from dnnbrain._checks import BadValue
from dnnbrain.activation.mask import Mask
from dnnbrain.activation.tokens import patch_grid
from dnnbrain.dnn.algo import VanillaSaliencyImage
from dnnbrain.dnn.models import DNN
from dnnbrain.networks.axes import channels_first
from dnnbrain.networks.transforms import full_field
from dnnbrain.viz.feature_maps import as_pictures

SIZE = (64, 96)


def network(name, size=SIZE):
    """With random weights; pictures that are no squares tell rows, columns and channels apart."""
    source, arch = name.split(':')
    dnn = getattr(DNN, f'from_{source}')(arch, pretrained=False, rng=0)
    dnn.img_size, dnn.test_transform = size, full_field(size)
    return dnn


def shown(dnn, n=1):
    return np.random.default_rng(0).integers(0, 256, (n, 3, *dnn.img_size), dtype=np.uint8)


def outputs(dnn, pixels):
    """What every module puts out when it is first used, by a plain hook."""
    seen, handles = {}, []
    for path, module in dnn.model.named_modules():
        def keep(module, args, output, path=path):
            seen.setdefault(path, output.clone() if isinstance(output, torch.Tensor) else output)
        handles.append(module.register_forward_hook(keep))
    with torch.inference_mode():
        dnn.model.eval()(torch.stack([dnn.test_transform(one) for one in pictures(pixels)]))
    for handle in handles:
        handle.remove()
    return seen


def pictures(pixels):
    from PIL import Image
    return [Image.fromarray(one.transpose(1, 2, 0)) for one in pixels]


@pytest.mark.parametrize('name', ['torchvision:convnext_tiny', 'torchvision:swin_t', 'torchvision:resnet18',
                                  'timm:convnextv2_atto', 'timm:mambaout_femto', 'timm:poolformer_s12',
                                  'timm:caformer_s18', 'timm:fastvit_t8'])
def test_rows_and_columns_are_those_of_the_picture(name):
    """Of every module of published networks that puts out maps, and not windows of them."""
    dnn, n_map = network(name), 0
    seen = outputs(dnn, shown(dnn))
    for path, output in seen.items():
        if path and isinstance(output, torch.Tensor) and output.ndim == 4 and len(output) == 1:
            n_chn, height, width = channels_first(dnn, dnn.model.get_submodule(path), output).shape[1:]
            assert (height, width) == (1, 1) or abs(height - width * 2 / 3) < 1, (path, output.shape)
            n_map += n_chn > 1
    assert n_map > 50
    paths = [path for path in seen if path.endswith(('.block.4', '.mlp.1', '.act', '.norm1', 'avgpool'))][:4]
    found = dnn.compute_activation(shown(dnn), paths) if paths else None
    for path in paths:
        expected = seen[path].numpy()
        last = expected.shape[1] != found.shape(path)[1] or expected.shape[2:] != found.shape(path)[2:]
        np.testing.assert_allclose(found.get(path), expected.transpose(0, 3, 1, 2) if last else expected, atol=1e-5)


@pytest.mark.parametrize('name', ['torchvision:swin_t', 'torchvision:vit_b_16', 'timm:mambaout_femto'])
def test_the_table_of_layers_says_the_shapes_of_activations(name):
    dnn = network(name, (224, 224))
    shapes = dnn.summary().set_index('layer')['shape']
    found = dnn.compute_activation(shown(dnn), dnn.layers)
    for layer in dnn.layers:
        assert tuple(map(int, shapes[layer].split(' x '))) == found.shape(layer)[1:4 if shapes[layer].count('x') else 2]


def test_the_table_of_layers_tells_each_use_of_a_module_apart():
    pool = nn.MaxPool2d(2)
    dnn = DNN(nn.Sequential(pool, nn.Conv2d(3, 4, 1), pool), img_size=(8, 16), test_transform=full_field((8, 16)))
    shapes = dnn.summary().set_index('layer')['shape']
    assert (shapes['0#1'], shapes['0#2']) == ('3 x 4 x 8', '4 x 2 x 4')

class Odd(nn.Module):
    """Maps of eight channels with eight rows and one column; a ReLU that is listed behind a fully connected layer."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 8, (1, 8)), nn.Linear(64, 5)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.fc(self.relu(self.conv(x)).flatten(1))


def test_the_networks_of_others_are_not_judged_by_shapes():
    dnn = DNN(Odd(), img_size=(8, 8), test_transform=full_field((8, 8)))
    pixels = shown(dnn, 2)
    found = dnn.compute_activation(pixels, ['conv', 'relu'])
    assert found.shape('conv') == found.shape('relu') == (2, 8, 8, 1)
    np.testing.assert_array_equal(found.get('relu'), found.get('conv').clip(0))


def test_activations_between_fully_connected_layers_follow_them():
    """Maps as large as they have channels, of which the shape tells nothing; and in a network of one's own."""
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.mlp = nn.Conv2d(3, 8, 1), nn.Sequential(nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 8))

        def forward(self, x):
            return self.mlp(self.conv(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    dnn = DNN(nn.Sequential(Block(), nn.ReLU()), img_size=(8, 8), test_transform=full_field((8, 8)))
    pixels = shown(dnn)
    seen = outputs(dnn, pixels)
    found = dnn.compute_activation(pixels, list(seen)[:1] + [path for path in seen if path])
    for path in ('0.mlp', '0.mlp.0', '0.mlp.1', '0.mlp.2'):
        np.testing.assert_allclose(found.get(path), seen[path].numpy().transpose(0, 3, 1, 2), atol=1e-6)
    for path in ('0', '0.conv', '1'):
        np.testing.assert_allclose(found.get(path), seen[path].numpy(), atol=1e-6)


def test_a_cut_network_puts_out_channels_first_and_a_readout_reads_the_units_of_its_mask():
    dnn = network('torchvision:swin_t', (64, 64))
    pixels = shown(dnn, 2)
    whole = dnn.compute_activation(pixels, 'features.1').get('features.1')
    trunk = dnn.cut('features.1')
    inputs = torch.stack([dnn.test_transform(one) for one in pictures(pixels)])
    with torch.inference_mode():
        np.testing.assert_allclose(trunk.model.eval()(inputs).numpy(), whole, atol=1e-5)
    np.testing.assert_allclose(trunk.compute_activation(pixels, 'stage1').get('stage1'), whole, atol=1e-5)
    mask = Mask('features.1', [2, 5], [1], 'all')
    readout = dnn.readout(mask, 3, rng=0)
    weight, bias = (getattr(readout.model.head[1], part).detach().numpy() for part in ('weight', 'bias'))
    units = whole[:, [1, 4], :1].reshape(2, -1)
    with torch.inference_mode():
        np.testing.assert_allclose(readout.model.eval()(inputs).numpy(), units @ weight.T + bias, atol=1e-5)


def test_the_gradient_at_what_a_layer_takes_has_channels_first():
    """Of the step of ConvNeXt that puts channels last: what it takes has them first, and what it puts out, last."""
    dnn = network('torchvision:convnext_tiny', (64, 64))
    picture = pictures(shown(dnn))[0]
    first, last = (VanillaSaliencyImage(dnn, 'head', 7).backprop(picture, f'features.1.0.block.{k}') for k in (1, 2))
    assert first.shape == last.shape == (96, 16, 16)
    np.testing.assert_allclose(first, last, atol=1e-6)              # LayerNorm takes what the permutation puts out


class TestTokens:
    """timm's networks say how many tokens come before the patches."""

    def test_registers_are_no_patches(self):
        registers = network('timm:vit_small_patch16_dinov3', (32, 32))      # a class token and four registers
        pixels = shown(registers, 2)
        whole = registers.compute_activation(pixels, 'blocks.3').get('blocks.3')
        assert whole.shape == (2, 384, 9, 1)                        # 2 x 2 patches
        for tokens, expected in (('cls', whole[:, :, :1]), ('patch', whole[:, :, 5:]),
                                 ('mean', whole.mean(2, keepdims=True))):
            found = registers.compute_activation(pixels, 'blocks.3', tokens=tokens).get('blocks.3')
            np.testing.assert_allclose(found, expected, atol=1e-5)

    def test_a_layer_of_patches_alone(self):
        dnn = network('timm:vit_tiny_patch16_224', (224, 224))
        found = dnn.compute_activation(shown(dnn), ['patch_embed', 'blocks.0'], tokens='patch')
        assert found.shape('patch_embed')[2] == found.shape('blocks.0')[2] == 14 ** 2
        trunk = dnn.cut('blocks.1')
        assert trunk.compute_activation(shown(dnn), 'blocks.0', tokens='patch').shape('blocks.0')[2] == 14 ** 2
        with pytest.raises(BadValue, match="'patch_embed' has no class token; take tokens='mean'"):
            dnn.compute_activation(shown(dnn), 'patch_embed', tokens='cls')

    @pytest.mark.parametrize('name', ['vit_relpos_small_patch16_224', 'mixer_s32_224'])
    def test_no_class_token_is_made_up(self, name):
        dnn = network(f'timm:{name}', (224, 224))
        with pytest.raises(BadValue, match='has no class token'):
            dnn.compute_activation(shown(dnn), 'blocks.0', tokens='cls')
        patches = dnn.compute_activation(shown(dnn), 'blocks.0', tokens='patch')
        whole = dnn.compute_activation(shown(dnn), 'blocks.0')
        np.testing.assert_array_equal(patches.get('blocks.0'), whole.get('blocks.0'))

    @pytest.mark.parametrize('n_token, grid', [(196, (0, 14, 14)), (197, (1, 14, 14)), (201, (5, 14, 14)),
                                               (1374, (5, 37, 37)), (4, (0, 2, 2)), (7, None), (3, None), (77, None),
                                               (1, None)])
    def test_grid(self, n_token, grid):
        assert patch_grid(n_token) == grid

    def test_feature_maps_leave_registers_out(self, rng):
        maps = rng.random((1, 2, 54, 1))
        np.testing.assert_array_equal(as_pictures(maps), maps[:, :, 5:].reshape(1, 2, 7, 7))
