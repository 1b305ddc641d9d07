"""Networks of torchvision and timm by name: they are what their source publishes, with names, heads and files."""

import copy
import sys
from urllib.error import URLError

import numpy as np
import pytest
import timm
import torch
import torch.nn as nn
from PIL import Image
from torchvision import models as tv

from dnnbrain._checks import BadPath, BadValue
from dnnbrain._optional import MissingExtra
from dnnbrain.dnn.models import DNN, InceptionV3, Resnet18
from dnnbrain.networks.heads import head_paths
from dnnbrain.networks.registry import get_dnn, network_class, own_name
from dnnbrain.networks.transforms import full_field

ARCHS = [arch for arch in tv.list_models(module=tv) if own_name(arch) is None]
TINY = ['test_convnext', 'test_efficientnet', 'test_maxvit', 'test_resnet', 'test_vit', 'test_vit_relpos']


@pytest.fixture
def picture():
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 500, 3), dtype=np.uint8))


def hooked(model, paths, pixels):
    """What plain hooks see, first call of each module."""
    seen, handles = {}, []

    def keep(path):
        def hook(module, args, output):
            if path not in seen:
                seen[path] = output.clone()
        return hook
    for path in paths:
        handles.append(model.get_submodule(path).register_forward_hook(keep(path)))
    with torch.inference_mode():
        model.eval()(pixels)
    for handle in handles:
        handle.remove()
    return seen


class TestTorchvision:
    @pytest.mark.parametrize('arch', ARCHS)
    def test_every_network_is_the_published_one(self, arch):
        """Its size is the published one; names mean modules, and module paths their own."""
        dnn, published = network_class(arch)._empty(), tv.get_model_weights(arch).DEFAULT
        assert dnn.name == f'torchvision:{arch}'
        assert sum(p.numel() for p in dnn.model.parameters()) == published.meta['num_params']
        assert dnn.img_size == tuple(published.transforms().crop_size * 2) and dnn.layers[-1] == 'head'
        for path, module in dnn.model.named_modules():
            assert not path or dnn.layer2module(path) is module
        assert len({dnn.layer2path(layer) for layer in dnn.layers}) == len(dnn.layers) >= 6
        head = dnn.layer2module('head')
        assert getattr(head, 'out_features', getattr(head, 'out_channels', None)) == 1000

    @pytest.mark.slow
    @pytest.mark.parametrize('arch', ARCHS)
    def test_every_network_yields_layers(self, arch):
        """With random weights, against plain hooks; those above 15 million parameters without memory.

        But for the smallest of each family.
        """
        n_param = tv.get_model_weights(arch).DEFAULT.meta['num_params']
        large = n_param > 15e6 and not arch.endswith(('_t', '_tiny', 'vit_b_32'))
        dnn = network_class(arch)._empty() if large else get_dnn(arch, pretrained=False, rng=0)
        layers = dnn.layers[0], dnn.layers[len(dnn.layers) // 2], dnn.layers[-1]
        if large:
            table = dnn.summary().set_index('layer')
            assert (table.loc[list(layers), 'bytes'] > 0).all() and table.loc['head', 'shape'] == '1000'
            return
        side = 224 if arch.startswith(('vit', 'maxvit')) else 64
        dnn.test_transform = full_field((side, side))
        pictures = np.random.default_rng(0).integers(0, 256, (1, 3, side, side), dtype=np.uint8)
        activation = dnn.compute_activation(pictures, layers)
        pixels = torch.stack([dnn.test_transform(Image.fromarray(p.transpose(1, 2, 0))) for p in pictures])
        truth = hooked(dnn.model, [dnn.layer2path(layer) for layer in layers], pixels)
        for layer in layers:
            expected, found = truth[dnn.layer2path(layer)].numpy(), activation.get(layer)
            np.testing.assert_allclose(np.sort(found, axis=None), np.sort(expected, axis=None), rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize('arch', ['convnext_tiny', 'efficientnet_b1', 'efficientnet_v2_l', 'swin_v2_t', 'vit_h_14'])
    def test_preprocessing(self, arch, picture):
        published = tv.get_model_weights(arch).DEFAULT.transforms()
        dnn, side = network_class(arch)._empty(), published.crop_size[0]
        way = getattr(Image.Resampling, published.interpolation.value.upper())
        pixels = (np.asarray(picture.resize((side, side), way)) / 255 - published.mean) / published.std
        np.testing.assert_allclose(dnn.test_transform(picture).permute(1, 2, 0), pixels, atol=1e-5)
        assert dnn.train_transform(picture).shape == (3, side, side)
        theirs = network_class(arch)._empty(preprocess='weights').test_transform
        assert torch.equal(theirs(picture), published(picture))

    @pytest.mark.parametrize('arch', ['mobilenet_v3_small', 'mnasnet0_5', 'densenet121', 'regnet_x_400mf'])
    def test_pretrained_weights_are_found(self, arch, tmp_path, monkeypatch):
        """As torchvision loads the same file; the published DenseNets have old names of parameters."""
        with torch.random.fork_rng():
            torch.manual_seed(0)
            theirs = tv.get_model(arch, weights=None).eval()
        state = theirs.state_dict()
        if arch == 'densenet121':
            for name in list(state):
                head, found, tail = name.rpartition('.norm1.')
                if found and 'denselayer' in head:
                    state[f'{head}.norm.1.{tail}'] = state.pop(name)
        (tmp_path / 'models').mkdir()
        torch.save(dict(state), tmp_path / 'models' / f'{arch}.pth')
        monkeypatch.setenv('DNNBRAIN_DATA', str(tmp_path))
        dnn, x = DNN.from_torchvision(arch).eval(), torch.rand(2, 3, 64, 64)
        with torch.inference_mode():
            assert torch.equal(dnn(x), theirs(x))
        assert dnn.classes == tv.get_model_weights(arch).DEFAULT.meta['categories']

    def test_offline(self, tmp_path, monkeypatch):
        def offline(*args, **kwargs):
            raise URLError('no network')
        monkeypatch.setattr('dnnbrain.io.download.urlopen', offline)
        monkeypatch.setenv('TORCH_HOME', str(tmp_path))
        monkeypatch.setenv('DNNBRAIN_DATA', str(tmp_path))
        with pytest.raises(BadPath, match='no network.*put it at .*models/swin_t.pth, or take .*random weights'):
            DNN.from_torchvision('swin_t')


class TestTimm:
    @pytest.mark.parametrize('arch', TINY)
    def test_networks_are_timms(self, arch, picture):
        """Same seed, same network; layers against hooks; names mean modules, and module paths their own."""
        dnn = DNN.from_timm(arch, pretrained=False, rng=3)
        with torch.random.fork_rng():
            torch.manual_seed(3)
            theirs = timm.create_model(arch).eval()
        pixels = dnn.test_transform(picture)[None]
        paths = {layer: dnn.layer2path(layer) for layer in dnn.layers}
        with torch.inference_mode():
            assert torch.equal(dnn.eval()(pixels), theirs(pixels))
        truth = hooked(theirs, paths.values(), pixels)
        found = dnn.compute_activation(np.asarray(picture).transpose(2, 0, 1)[None], dnn.layers)
        for layer, path in paths.items():
            assert found.get(layer).size == truth[path].numel()
        np.testing.assert_allclose(found.get(dnn.layers[-1]).ravel(), truth[paths[dnn.layers[-1]]].ravel(), rtol=1e-4,
                                   atol=1e-6)
        assert all(dnn.layer2module(path) is module for path, module in dnn.model.named_modules() if path)
        assert dnn.name == f'timm:{arch}' and len(dnn.layers) >= 6

    def test_preprocessing(self, picture):
        config = timm.data.resolve_model_data_config(timm.create_model('test_vit'))
        dnn = network_class('timm:test_vit')._empty(preprocess='weights')
        assert torch.equal(dnn.test_transform(picture), timm.data.create_transform(**config)(picture))
        pixels = np.asarray(picture.resize((160, 160), Image.Resampling.BICUBIC)) / 255 * 2 - 1
        full = network_class('timm:test_vit')._empty().test_transform(picture)
        np.testing.assert_allclose(full.permute(1, 2, 0), pixels, atol=1e-5)

    @pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
    def test_weights_kept_by_hand(self, tmp_path, monkeypatch, suffix):
        (tmp_path / 'models').mkdir()
        monkeypatch.setenv('DNNBRAIN_DATA', str(tmp_path))
        kept = DNN.from_timm('test_maxvit', pretrained=False, rng=1)
        kept.save(tmp_path / 'models' / f'timm_test_vit{suffix}')
        with pytest.raises(BadValue, match='do not belong to timm:test_vit'):
            DNN.from_timm('test_vit')
        kept = DNN.from_timm('test_convnext', pretrained=False, rng=1)
        kept.save(tmp_path / 'models' / f'timm_test_convnext{suffix}')
        dnn = DNN.from_timm('test_convnext')
        assert all(torch.equal(value, dnn.model.state_dict()[name]) for name, value in kept.model.state_dict().items())
        assert dnn.classes[:2] == ['tench, Tinca tinca', 'goldfish, Carassius auratus'] and len(dnn.classes) == 1000

    def test_offline_and_unpublished(self, monkeypatch):
        with pytest.raises(BadValue, match="preprocess 'weights' is not in timm:test_maxvit"):
            DNN.from_timm('test_maxvit', pretrained=False, preprocess='weights')
        def offline(arch, pretrained):
            raise FileNotFoundError('cannot find it on the Hub.\nMore words')
        monkeypatch.setattr(timm, 'create_model', offline)
        with pytest.raises(BadPath, match=r"timm:test_vit .*\(cannot find it on the Hub\); save .* at .*timm_test"):
            DNN.from_timm('test_vit')
        with pytest.raises(BadPath, match='nobody publishes weights of timm:test_maxvit'):
            DNN.from_timm('test_maxvit')

    def test_without_timm(self, monkeypatch):
        network_class('timm:test_vit')
        monkeypatch.setitem(sys.modules, 'timm', None)
        with pytest.raises(MissingExtra, match=r"pip install 'dnnbrain\[zoo\]'"):
            DNN.from_timm('test_vit2')
        with pytest.raises(BadValue, match="'convnxt_tiny' is not known; did you mean 'convnext_tiny'"):
            get_dnn('convnxt_tiny')


class TestNames:
    def test_our_own_come_first(self):
        assert network_class('torchvision:resnet18') is network_class('resnet18') is Resnet18
        assert network_class('torchvision:inception_v3') is network_class('inception_v3') is InceptionV3
        assert type(DNN.from_torchvision('resnet18', pretrained=False)) is Resnet18
        assert network_class('convnext_tiny') is network_class('torchvision:convnext_tiny')

    @pytest.mark.parametrize('name, sentence', [
        ('convnext_tini', "network 'convnext_tini' is not known; did you mean 'convnext_tiny'"),
        ('torchvision:vitb16', "network of torchvision 'vitb16' is not known; did you mean 'vit_b_16'"),
        ('torchvision:resnet10', "network of torchvision 'resnet10' is not known"),
        ('timm:resnt50d', "network of timm 'resnt50d' is not known; did you mean"),
        ('resnet50d', "'resnet50d' is one of timm; ask for 'timm:resnet50d'"),
        ('keras:resnet18', "network 'keras:resnet18' is not known"),
    ])
    def test_unknown_names(self, name, sentence):
        with pytest.raises(BadValue, match=sentence):
            get_dnn(name)

    def test_random_weights_are_seeded(self):
        torch.manual_seed(1)
        before = torch.get_rng_state()
        a, b, c = (get_dnn('mnasnet0_5', pretrained=False, rng=seed).model.layers[0].weight for seed in (5, 5, 6))
        assert torch.equal(a, b) and not torch.equal(a, c) and torch.equal(torch.get_rng_state(), before)


HEADS = [('convnext_tiny', 'classifier.2'), ('vit_b_16', 'heads.head'), ('swin_t', 'head'),
         ('densenet121', 'classifier'), ('efficientnet_b0', 'classifier.1'), ('maxvit_t', 'classifier.5'),
         ('squeezenet1_1', 'classifier.1'), ('mobilenet_v3_small', 'classifier.3'), ('regnet_x_400mf', 'fc'),
         ('googlenet', 'fc'), ('inception_v3', 'fc'), ('timm:test_convnext', 'head.fc'), ('timm:test_vit', 'head'),
         ('timm:dpn68', 'classifier'), ('timm:vit_small_patch14_dinov2.lvd142m', 'head')]


class TestHeads:
    @pytest.mark.parametrize('name, path', HEADS)
    def test_the_classifier_is_found_and_replaced(self, name, path):
        dnn = network_class(name)._empty()
        before = {p: m for p, m in dnn.model.named_modules() if not any(m.children())}
        assert head_paths(dnn.model) == [path]
        head = dnn.replace_head(7, rng=0)
        changed = {p for p, m in dnn.model.named_modules() if not any(m.children()) and m is not before[p]}
        assert changed - {'aux1.fc2', 'aux2.fc2', 'AuxLogits.fc'} == {path}
        assert dnn.layer2module(dnn.layers[-1]) is head or not dnn.layer2loc
        with torch.inference_mode():
            assert copy.deepcopy(dnn.model).to('meta').eval()(torch.zeros(1, *dnn.input_shape, device='meta')).shape \
                == (1, 7)

    def test_two_heads_are_replaced_together(self):
        dnn = network_class('timm:deit_tiny_distilled_patch16_224')._empty()
        dnn.replace_head(7)
        assert dnn.model.head.out_features == dnn.model.head_dist.out_features == 7
        dnn.freeze('all but head')
        assert {n for n, p in dnn.model.named_parameters() if p.requires_grad} == \
            {'head.weight', 'head.bias', 'head_dist.weight', 'head_dist.bias'}

    def test_a_convolution_is_no_head_without_pooling_behind_it(self):
        with pytest.raises(BadValue, match='no fully connected layer that could be its head'):
            DNN(nn.Sequential(nn.Conv2d(3, 2, 1))).replace_head(2)


class TestFiles:
    @pytest.mark.parametrize('name', ['mobilenet_v3_small', 'squeezenet1_1', 'shufflenet_v2_x0_5', 'timm:test_maxvit',
                                      'timm:test_resnet', 'timm:test_vit_relpos'])
    @pytest.mark.parametrize('n_out', [None, 3])
    def test_saved_and_loaded(self, name, n_out, tmp_path, picture):
        """Also what no file holds: masks and indices of attention."""
        dnn = get_dnn(name, pretrained=False, rng=0, preprocess='full' if n_out else 'weights') \
            if name not in ('timm:test_maxvit', 'timm:test_vit_relpos') else get_dnn(name, pretrained=False, rng=0)
        if n_out:
            dnn.replace_head(n_out, rng=1)
        dnn.save(tmp_path / 'x.pth')
        for again in (DNN.load(tmp_path / 'x.pth'), network_class(name).load(tmp_path / 'x.pth')):
            assert again.name == dnn.name and again.layer2loc == dnn.layer2loc and again.img_size == dnn.img_size
            pixels = again.test_transform(picture)[None]
            assert torch.equal(pixels, dnn.test_transform(picture)[None])
            with torch.inference_mode():
                assert torch.equal(again.eval()(pixels), dnn.eval()(pixels))

    def test_another_class_does_not_take_it(self, tmp_path):
        get_dnn('shufflenet_v2_x0_5', pretrained=False).save(tmp_path / 'x.pth')
        with pytest.raises(BadValue, match='holds torchvision:shufflenet_v2_x0_5, not Resnet18; use DNN.load'):
            Resnet18.load(tmp_path / 'x.pth')

    def test_cut_and_joined(self, tmp_path):
        dnn = get_dnn('shufflenet_v2_x0_5', pretrained=False, rng=0)
        part = dnn.readout('stage3', 2, rng=1)
        part.save(tmp_path / 'x.pth')
        again, x = DNN.load(tmp_path / 'x.pth'), torch.rand(1, 3, 224, 224)
        with torch.inference_mode():
            assert torch.equal(again.eval()(x), part.eval()(x))


class TestCommands:
    def test_info(self, run):
        code, out, _ = run('db_info', 'convnext_tiny')
        assert code == 0 and 'torchvision:convnext_tiny: pictures of 224 x 224 pixels, 28,589,128 parameters' in out
        assert run('db_info', 'timm:test_vit.r160_in1k')[0] == 0
        code, _, err = run('db_info', 'convnext_tiny.onnx')
        assert code == 2 and 'does not exist' in err

    def test_extraction(self, run, stim_file, stim, tmp_path):
        from dnnbrain.dnn.core import Activation
        assert run('dnn_act', '-net', 'mobilenet_v3_small', '-random', '-seed', 2, '-layer', 'block3', 'head', '-stim',
                   stim_file, '-out', tmp_path / 'a.act.h5')[0] == 0
        activation = Activation()
        activation.load(tmp_path / 'a.act.h5')
        dnn = DNN.from_torchvision('mobilenet_v3_small', pretrained=False, rng=2)
        np.testing.assert_allclose(activation.get('block3'), dnn.compute_activation(stim, 'block3').get('block3'),
                                   rtol=1e-5)
        assert activation.meta['network'] == 'torchvision:mobilenet_v3_small'


def test_swin_transformers_have_channels_where_all_others_have_them():
    """Their blocks put out (n, row, column, channel)."""
    dnn = DNN.from_torchvision('swin_t', pretrained=False, rng=0).eval()
    pixels = np.random.default_rng(0).integers(0, 256, (1, 3, 64, 64)).astype(np.uint8)
    dnn.test_transform = None
    dnn.img_size = (64, 64)
    seen = {}
    for path in ('features.0.0', 'features.1', 'norm', 'permute'):
        dnn.layer2module(path).register_forward_hook(lambda m, a, out, path=path: seen.update({path: out}))
    with torch.inference_mode():
        dnn(torch.from_numpy(pixels / 255).float())
    found = dnn.compute_activation(pixels, list(seen))
    assert found.get('features.1').shape == (1, 96, 16, 16)
    for path, out in seen.items():
        expected = out if path in ('features.0.0', 'permute') else out.permute(0, 3, 1, 2)
        np.testing.assert_allclose(found.get(path), expected.numpy(), atol=1e-5)
    with dnn.ablated('features.1', [5]):
        silent = dnn.compute_activation(pixels, 'features.1').get('features.1')
    assert not silent[:, 4].any() and silent[:, 5].any()
