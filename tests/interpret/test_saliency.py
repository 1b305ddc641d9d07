"""Saliency against autograd, captum and numbers set by hand; the network and the picture stay as they are."""

import copy
import warnings

import numpy as np
import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F
from captum.attr import GuidedBackprop, IntegratedGradients, LayerGradCam, LayerIntegratedGradients
from torch import fx

from dnnbrain._checks import BadType, BadValue
from dnnbrain.dnn.algo import (
    GradCAMImage,
    GuidedSaliencyImage,
    IntegratedGradientsImage,
    SaliencyImage,
    VanillaSaliencyImage,
)
from dnnbrain.interpret.answer import answering
from dnnbrain.interpret.saliency.gradcam import last_maps
from dnnbrain.interpret.target import ChannelTarget, ModelTarget
from dnnbrain.interpret.view import stimulus_inputs
from dnnbrain.mapping.models import LayerModel
from dnnbrain.networks.dnn import DNN
from dnnbrain.stimuli.clips import ClipTransform

METHODS = (VanillaSaliencyImage, GuidedSaliencyImage, IntegratedGradientsImage, GradCAMImage)
CLOSE = {'rtol': 1e-4, 'atol': 1e-6}         # float32, sums in another order


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (3, 12, 12), dtype=np.uint8)


def captum(method, inputs, **settings):
    """What captum attributes, whose warnings about its own hooks are not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return method.attribute(inputs, **settings).detach().numpy()


def state_of(dnn):
    hooks = [len(hooks) for m in dnn.model.modules() for hooks in
             (m._forward_hooks, m._forward_pre_hooks, m._backward_hooks, m._backward_pre_hooks)]
    return (hooks, [m.training for m in dnn.model.modules()], [p.requires_grad for p in dnn.model.parameters()],
            [p.grad for p in dnn.model.parameters()])


def hand_made(module, size=4, layers=None):
    return DNN(module, img_size=(size, size), layer2loc=layers)


class Functions(nn.Module):
    """A ReLU of every spelling; `spelled` False makes modules of all of them."""

    def __init__(self, spelled):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.convs = nn.ModuleList(nn.Conv2d(3 if k == 0 else 4, 4, 3, padding=1) for k in range(7))
        self.relu = nn.ReLU(inplace=True)
        self.relus = nn.ModuleList(nn.ReLU() for _ in range(7))
        again = [F.relu, lambda x: F.threshold(x, 0., 0., inplace=True), self.relu, lambda x: x.relu(), self.relu,
                 lambda x: F.relu(x, inplace=True), lambda x: x.clamp(min=0)]
        self.steps = again if spelled else list(self.relus)

    def forward(self, x):
        for conv, relu in zip(self.convs, self.steps, strict=True):
            x = relu(conv(x))
        return x


# Gradients

@pytest.mark.parametrize('to_layer', [None, 'conv', 'relu', 'fc'])
def test_gradient_to_any_layer_is_that_of_autograd(tiny, image, to_layer):
    net, x = copy.deepcopy(tiny.model).eval(), stimulus_inputs(tiny, image)
    before = {None: 0, 'conv': 0, 'relu': 1, 'fc': 4}[to_layer]
    given = net[:before](x).detach().requires_grad_()
    net[before:](given.clone())[0, 1].backward()
    found = VanillaSaliencyImage(tiny, 'fc', 2).backprop(image, to_layer)
    np.testing.assert_allclose(found, given.grad[0].reshape(found.shape), **CLOSE)
    assert found.shape == {None: (3, 12, 12), 'conv': (3, 12, 12), 'relu': (4, 10, 10), 'fc': (16, 1, 1)}[to_layer]


def test_the_mean_of_a_channel_and_a_unit(tiny, image):
    x = stimulus_inputs(tiny, image).requires_grad_()
    maps = tiny.model[0](x)
    mean, unit = (torch.autograd.grad(number, x, retain_graph=True)[0][0] for number in (maps[0, 2].mean(),
                                                                                         maps[0, 2, 4, 6]))
    np.testing.assert_allclose(VanillaSaliencyImage(tiny, 'conv', 3).backprop(image), mean, **CLOSE)
    np.testing.assert_allclose(VanillaSaliencyImage(tiny, 'conv', 3, unit=(5, 7)).backprop(image), unit, **CLOSE)


def test_what_goes_into_a_branch_is_asked_through_this_branch():
    """y = relu(2 x) + x: the block passes 3 of what goes into it, its convolution 2 of that."""
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1, bias=False)
            self.conv.weight.data = 2 * torch.eye(3)[:, :, None, None]

        def forward(self, x):
            return F.relu(self.conv(x), inplace=True) + x
    dnn, white = hand_made(nn.Sequential(nn.Identity(), Block())), np.full((4, 4), 255, np.uint8)
    method = VanillaSaliencyImage(dnn, '1', 1)
    for to_layer, slope in ((None, 3), ('1', 3), ('1.conv', 2)):
        expected = np.zeros((3, 4, 4))
        expected[0] = slope / 16
        np.testing.assert_allclose(method.backprop(white, to_layer), expected, rtol=1e-6)


def test_the_second_use_of_a_shared_module(rng):
    relu, conv = nn.ReLU(inplace=True), nn.Conv2d(3, 2, 1)
    conv.weight.data, conv.bias.data = torch.ones(2, 3, 1, 1), torch.full((2,), -1.5)
    dnn = hand_made(nn.Sequential(relu, conv, relu))
    image = rng.random((3, 4, 4))
    found = VanillaSaliencyImage(dnn, '2#2', 1).backprop(image, '2#2')
    on = conv(stimulus_inputs(dnn, (image * 255).round().astype(np.uint8)))[0, 0] > 0
    assert on.any() and not on.all()
    np.testing.assert_allclose(found[0], on / 16)
    assert not found[1].any()


@pytest.mark.parametrize('method', METHODS)
def test_a_network_that_writes_into_its_input(image, method):
    """Whatever ran before, its answer to the picture is that of a twin which does not."""
    class Centred(nn.Module):
        def __init__(self, in_place):
            super().__init__()
            self.in_place = in_place

        def forward(self, x):
            return x.sub_(0.5).mul_(3) if self.in_place else (x - 0.5) * 3
    with torch.random.fork_rng():
        torch.manual_seed(0)
        rest = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3)
    there, twin = (method(hand_made(nn.Sequential(Centred(in_place), *rest), 12), '3', 1) for in_place in (True, False))
    for to_layer in (None, '1'):
        np.testing.assert_array_equal(there.backprop(image, to_layer), twin.backprop(image, to_layer))


@pytest.mark.parametrize('method', METHODS)
def test_several_channels_come_along_a_leading_axis(tiny, image, method):
    together = method(tiny, 'fc', [3, 1]).backprop(image)
    alone = [method(tiny, 'fc', channel).backprop(image) for channel in (3, 1)]
    np.testing.assert_allclose(together, alone, **CLOSE)
    assert method(tiny, 'fc', [2]).backprop(image).shape == (1, *alone[0].shape)


def test_a_voxel_is_asked_as_a_channel_is(tiny, image, rng):
    weights = rng.standard_normal((3, 2))
    model = LayerModel('fc', np.zeros(2), coef=weights)
    channels = VanillaSaliencyImage(tiny, 'fc', [1, 2, 3]).backprop(image)
    found = VanillaSaliencyImage(tiny, target=ModelTarget(model)).backprop(image)
    np.testing.assert_allclose(found, np.einsum('kv,kchw->vchw', weights, channels), **CLOSE)
    mean = VanillaSaliencyImage(tiny, target=ModelTarget(model, mean=True)).backprop(image)
    np.testing.assert_allclose(mean, found.mean(0), **CLOSE)


# Guided backpropagation

def test_guided_is_captums_where_relus_are_modules(published, rng):
    from dnnbrain.dnn.models import AlexNet
    dnn, image = AlexNet(), rng.integers(0, 256, (3, 60, 60), dtype=np.uint8)
    expected = captum(GuidedBackprop(published), stimulus_inputs(dnn, image), target=6)
    found = GuidedSaliencyImage(dnn, 'fc3', 7).backprop(image)
    np.testing.assert_allclose(found, expected[0], rtol=1e-3, atol=1e-5 * np.abs(expected).max())
    assert not np.allclose(found, VanillaSaliencyImage(dnn, 'fc3', 7).backprop(image), atol=np.abs(found).max() / 50)


def test_guided_sees_every_spelling_of_relu(image):
    dnn = hand_made(Functions(True), 12)
    plain, x = Functions(False).eval(), stimulus_inputs(dnn, image)
    expected = captum(GuidedBackprop(nn.Sequential(plain, nn.AdaptiveAvgPool2d(1), nn.Flatten())), x, target=1)
    found = GuidedSaliencyImage(hand_made(nn.Sequential(dnn.model), 12), '0', 2).backprop(image)
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(found, expected[0], rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_functional_relus_of_googlenet_are_guided(rng):
    """Against captum on a copy whose functional ReLUs were made modules; captum alone gives the plain gradient."""
    from torchvision.models import googlenet
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = googlenet(weights=None, init_weights=False, aux_logits=False).eval()
    graph = fx.symbolic_trace(net)
    for node in [node for node in graph.graph.nodes if node.target is F.relu]:
        graph.add_submodule(name := f'made_{node.name}', nn.ReLU())
        with graph.graph.inserting_after(node):
            node.replace_all_uses_with(graph.graph.call_module(name, node.args[:1]))
        graph.graph.erase_node(node)
    graph.recompile()
    dnn, image = hand_made(net, 64), rng.integers(0, 256, (3, 64, 64), dtype=np.uint8)
    x = stimulus_inputs(dnn, image)
    expected, plain = (captum(GuidedBackprop(one), x, target=3)[0] for one in (graph.eval(), net))
    found = GuidedSaliencyImage(dnn, 'fc', 4).backprop(image)
    largest = np.abs(expected).max()
    np.testing.assert_allclose(found / largest, expected / largest, atol=1e-4)      # 57 layers in float32
    assert not np.allclose(plain / largest, expected / largest, atol=1e-2)


class Larger(nn.Module):
    def forward(self, x):
        return torch.maximum(x, torch.zeros(1))


@pytest.mark.parametrize('kind, word', [(nn.GELU, 'GELU'), (nn.SiLU, 'SiLU'), (nn.LeakyReLU, 'LeakyReLU'),
                                        (Larger, r'torch\.maximum'), (nn.Identity, 'nothing in it rectifies')])
def test_guided_refuses_networks_without_relu(kind, word, image):
    dnn = hand_made(nn.Sequential(nn.Conv2d(3, 2, 1), kind()), 12)
    with pytest.raises(BadValue, match=rf'needs ReLUs.*{word}.*use vanilla or integrated'):
        GuidedSaliencyImage(dnn, '1', 1).backprop(image)


def test_guided_to_a_linear_layer_is_plain(tiny, image):
    np.testing.assert_array_equal(GuidedSaliencyImage(tiny, 'conv', 1).backprop(image),
                                  VanillaSaliencyImage(tiny, 'conv', 1).backprop(image))


def test_relu6_is_guided_and_other_steps_are_said(image, caplog):
    conv = nn.Conv2d(3, 3, 1, bias=False)
    conv.weight.data = torch.eye(3)[:, :, None, None]
    last = nn.Conv2d(3, 1, 1)
    last.weight.data = torch.tensor([1., -1, 2]).view(1, 3, 1, 1)
    mixed = hand_made(nn.Sequential(conv, nn.ReLU6(), nn.Hardswish(), last), 12)
    found = GuidedSaliencyImage(mixed, '3', 1).backprop(np.full((12, 12), 255, np.uint8))
    slope = (2 * 1 + 3) / 6 / 144                        # of x relu6(x + 3) / 6 at 1
    np.testing.assert_allclose(found[:, 3, 3], [slope, 0, 2 * slope], rtol=1e-5)     # the negative one is held back
    assert 'Hardswish beside ReLU' in caplog.text


def test_guided_refuses_what_it_cannot_see(image):
    class Again(nn.Sequential):
        def forward(self, x):
            from torch.utils.checkpoint import checkpoint
            return checkpoint(super().forward, x, use_reentrant=True)
    dnn = hand_made(nn.Sequential(Again(nn.Conv2d(3, 2, 1), nn.ReLU())), 12)
    with pytest.raises(BadValue, match='compiled or recomputed'):
        GuidedSaliencyImage(dnn, '0', 1).backprop(image)


# SmoothGrad

@pytest.mark.parametrize('method', METHODS[:1] + METHODS[2:3])
def test_smoothing_a_linear_network_changes_nothing(method, image):
    """Integrated gradients of a linear network are slope times picture, whose mean over noise comes nearer with n."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        dnn = hand_made(nn.Sequential(nn.Conv2d(3, 2, 3), nn.AvgPool2d(2), nn.Conv2d(2, 2, 3)), 12)
    settings, n, slope = {}, 7, VanillaSaliencyImage(dnn, '2', 2).backprop(image)
    if method is IntegratedGradientsImage:
        settings, n = {'n_step': 1}, 100
    linear = method(dnn, '2', 2, **settings)
    off = np.abs(linear.backprop_smooth(image, n, 0.3) - linear.backprop(image)).max() / np.abs(slope).max()
    assert off < (1e-5 if method is VanillaSaliencyImage else 5 * 0.3 / 100 ** .5)


def test_noise_is_around_the_picture_with_a_share_of_its_range(image):
    """The gradient of a sum of squares shows the noise itself: its deviation, not its variance, is the share."""
    class Square(nn.Module):
        def forward(self, x):
            return x.square()
    dnn, kept = hand_made(nn.Sequential(Square()), 12), image.copy()
    x = stimulus_inputs(dnn, image)[0].numpy()
    method = VanillaSaliencyImage(dnn, '0', [1, 2, 3])
    noise = np.array([method.backprop_smooth(image, 1, 0.2, rng=seed).sum(0) * 144 / 2 - x for seed in range(20)])
    sigma = 0.2 * (x.max() - x.min())
    assert abs(noise.std() / sigma - 1) < 0.02           # 8,640 draws: standard error 0.8 %
    assert abs(noise.mean()) < 4 * sigma / 8640 ** .5
    np.testing.assert_array_equal(image, kept)
    mean = method.backprop_smooth(image, 64, 0.2).sum(0) * 144 / 2
    np.testing.assert_allclose(mean, x, atol=5 * sigma / 8)          # does not wander from the picture


@pytest.mark.parametrize('method', METHODS)
def test_smoothing_is_the_mean_over_seeded_noise(tiny, image, method):
    smooth = method(tiny, 'fc', [1, 2])
    found = smooth.backprop_smooth(image, 5, 0.2, rng=3)
    np.testing.assert_allclose(smooth.backprop_smooth(image, 5, 0.2, rng=3, batch_size=2), found, **CLOSE)
    assert not np.allclose(smooth.backprop_smooth(image, 5, 0.2, rng=4), found)
    np.testing.assert_allclose(smooth.backprop_smooth(image, 2, 0), smooth.backprop(image), **CLOSE)
    x = stimulus_inputs(tiny, image)
    noise = np.random.default_rng(3).standard_normal((5, 3, 12, 12), dtype=np.float32)
    noisy = x + 0.2 * (x.max() - x.min()) * torch.from_numpy(noise)
    each = []
    for one in noisy:                                    # the picture gives way to the noisy numbers
        tiny.test_transform = lambda picture, one=one: one
        each.append(smooth.backprop(image))
    np.testing.assert_allclose(found, np.mean(each, axis=0), **CLOSE)


# Integrated gradients

@pytest.mark.parametrize('to_layer', [None, 'relu', 'fc'])
@pytest.mark.parametrize('baseline', [None, np.full((12, 12), 60, np.uint8)], ids=['zero', 'gray'])
def test_integrated_gradients_are_captums_and_complete(tiny, image, to_layer, baseline):
    method = IntegratedGradientsImage(tiny, 'fc', 2, baseline=baseline, n_step=200)
    found = method.backprop(image, to_layer)
    x = stimulus_inputs(tiny, image)
    start = torch.zeros_like(x) if baseline is None else stimulus_inputs(tiny, baseline)
    net = copy.deepcopy(tiny.model).eval()
    net[1].inplace = False                               # captum's way to a layer fails on in-place ones
    if to_layer is None:
        expected = captum(IntegratedGradients(net), x, baselines=start, target=1, n_steps=200)
    else:
        expected = captum(LayerIntegratedGradients(net, net[1 if to_layer == 'relu' else 4]), x, baselines=start,
                          target=1, n_steps=200, attribute_to_layer_input=True)
    np.testing.assert_allclose(found.ravel(), expected.ravel(), rtol=1e-3, atol=1e-5)
    gained = (net(x) - net(start))[0, 1].item()
    assert abs(found.sum() - gained) < 0.02 * np.abs(found).sum()


def test_integrated_gradients_say_when_they_do_not_add_up():
    """A steep logistic step half way: one point there sees the slope of 10, while the target rises by 1."""
    dnn = hand_made(nn.Sequential(nn.Flatten(), nn.Linear(48, 1), nn.Sigmoid()))
    dnn.model[1].weight.data[:], dnn.model[1].bias.data[:] = 40 / 48, -20
    white = np.full((3, 4, 4), 255, np.uint8)
    with pytest.warns(UserWarning, match='add up to 10 where the target rises by 1: 1 steps are too few'):
        found = IntegratedGradientsImage(dnn, '2', 1, n_step=1).backprop(white)
    assert found.sum() == pytest.approx(10, rel=1e-4)
    assert IntegratedGradientsImage(dnn, '2', 1).backprop(white).sum() == pytest.approx(1, abs=1e-3)    # and no warning


# Grad-CAM

def test_gradcam_by_hand():
    """Two maps, red and green, that count 1 and -2: only where red outweighs twice the green is anything left."""
    class Pick(nn.Module):
        def forward(self, x):
            return x[:, :2]
    dnn = hand_made(nn.Sequential(Pick(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 1)))
    dnn.model[3].weight.data = torch.tensor([[1., -2]])
    image = np.zeros((3, 4, 4), np.uint8)
    image[0, :2], image[1, 1:3] = 255, 51                # red 1 above, green 0.2 in the middle
    found = GradCAMImage(dnn, '3', 1).backprop(image)
    np.testing.assert_allclose(found[0], np.repeat([[1], [.6], [0], [0]], 4, axis=1) / 16, rtol=1e-5)


@pytest.mark.parametrize('layer', ['conv', 'relu'])
def test_gradcam_is_captums(tiny, image, layer):
    net, x = copy.deepcopy(tiny.model).eval(), stimulus_inputs(tiny, image)
    net[1].inplace = False                               # or captum sees the convolution after its ReLU
    cam = LayerGradCam(net, net[0 if layer == 'conv' else 1])
    expected = np.concatenate([captum(cam, x, target=target, relu_attributions=True) for target in range(3)])
    assert expected.max() > 0
    found = GradCAMImage(tiny, 'fc', [1, 2, 3], upsample=False).backprop(image, layer)
    np.testing.assert_allclose(found, expected, **CLOSE)
    whole = GradCAMImage(tiny, 'fc', [1, 2, 3]).backprop(image, layer)
    np.testing.assert_allclose(whole, F.interpolate(torch.from_numpy(expected), (12, 12), mode='bilinear'), **CLOSE)
    if layer == 'relu':                                  # the default
        np.testing.assert_array_equal(GradCAMImage(tiny, 'fc', [1, 2, 3]).backprop(image), whole)


@pytest.mark.parametrize('name, layer, expected', [
    ('AlexNet', 'fc3', 'features.11#1'), ('AlexNet', 'conv5', 'features.9#1'), ('Resnet18', 'fc', 'layer4#1'),
    ('Resnet18', 'layer4_basicblock1', 'layer4.1.relu#2'), ('Googlenet', 'fc', 'inception5b#1')])
def test_last_maps(name, layer, expected):
    import dnnbrain.dnn.models as models
    from dnnbrain.networks.state import without_parameters
    with without_parameters():
        dnn = getattr(models, name)(pretrained=False)
    dnn.model.to('meta')                                 # shapes without numbers
    with answering(dnn, ChannelTarget(layer, 1), 'meta') as answer:
        found = last_maps(dnn, answer, torch.zeros(1, *dnn.input_shape, device='meta'))
    assert found == expected


def test_gradcam_lays_out_tokens():
    """9 patches behind a class token, whose features are 0 but in the fifth."""
    class Tokens(nn.Module):
        def forward(self, x):
            tokens = F.avg_pool2d(x, 4).flatten(2).transpose(1, 2)
            return torch.cat([torch.zeros_like(tokens[:, :1]), tokens], dim=1)
    dnn = hand_made(nn.Sequential(Tokens(), nn.Identity()), 12)
    image = np.zeros((12, 12), np.uint8)
    image[4:8, 8:] = 255
    found = GradCAMImage(dnn, '1', 1, upsample=False).backprop(image, '0')
    expected = np.zeros((1, 3, 3))
    expected[0, 1, 2] = 1 / 10 ** 1                      # the channel is the mean over 10 tokens
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    with pytest.raises(BadValue, match='say by to_layer'):
        GradCAMImage(dnn, '1', 1).backprop(image)


# Clips and sounds

def test_clips_and_pictures_of_a_network_of_clips(rng):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv3d(3, 2, 3), nn.ReLU(inplace=True), nn.Conv3d(2, 2, 3))
    dnn = DNN(model, img_size=(8, 8), test_transform=ClipTransform(n_frame=5, size=(8, 8)))
    clip = rng.integers(0, 256, (3, 5, 8, 8), dtype=np.uint8)
    x = stimulus_inputs(dnn, clip).requires_grad_()
    model(x)[0, 0].mean().backward()
    np.testing.assert_allclose(VanillaSaliencyImage(dnn, '2', 1).backprop(clip), x.grad[0], **CLOSE)
    still = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    for method in METHODS:
        assert method(dnn, '2', 1).backprop_smooth(still, 2).shape == (1 if method is GradCAMImage else 3, 5, 8, 8)


def test_every_example_of_a_sound_has_its_saliency(rng):
    from dnnbrain.dnn.models import VGGish
    dnn = VGGish(pretrained=False, preprocess=True, postprocess=False, rng=0)
    examples = rng.standard_normal((2, 1, 96, 64)).astype(np.float32)
    found = VanillaSaliencyImage(dnn, dnn.layers[0], 1).backprop(examples)
    assert found.shape == (2, 1, 96, 64)
    alone = VanillaSaliencyImage(dnn, dnn.layers[0], 1).backprop(examples[1:])
    np.testing.assert_allclose(found[1:], alone, **CLOSE)


# The world stays as it is

class Crash(nn.Module):
    """Breaks off in the forward pass of several, or on the way back."""

    def forward(self, x):
        if x.shape[0] > 1:
            raise RuntimeError('crash inside')
        if x.requires_grad:
            x.register_hook(self.fail)
        return x

    @staticmethod
    def fail(gradient):
        raise RuntimeError('crash on the way back')


@pytest.mark.parametrize('method', METHODS)
def test_nothing_changes_after_success_and_failure(tiny, image, method):
    tiny.model.train()
    tiny.model[4].weight.requires_grad_(False)
    before, kept = state_of(tiny), image.copy()
    weights = copy.deepcopy(tiny.model.state_dict())
    with torch.inference_mode():
        found = method(tiny, 'fc', 1).backprop(image)
    assert np.isfinite(found).all()
    assert state_of(tiny) == before
    with pytest.raises(BadValue, match='out of range'):
        method(tiny, 'fc', 9).backprop(image)
    with pytest.raises(BadValue, match='not in DNN'):
        method(tiny, 'fc', 1).backprop(image, 'nowhere')
    with pytest.raises(BadValue, match='has not been used'):
        method(tiny, 'conv', 1).backprop(image, 'fc')
    assert state_of(tiny) == before
    tiny.model[2] = nn.Sequential(tiny.model[2], Crash())
    before = state_of(tiny)
    for smooth, words in ((True, 'crash inside'), (False, 'on the way back|crash inside')):
        with pytest.raises(RuntimeError, match=words):
            method(tiny, 'fc', 1).backprop_smooth(image, 2) if smooth else method(tiny, 'fc', 1).backprop(image, 'relu')
        assert state_of(tiny) == before
    np.testing.assert_array_equal(image, kept)
    assert all(torch.equal(weights[name], value) for name, value in
               zip(weights, tiny.model.state_dict().values(), strict=True))


def test_calls_of_1_0(tiny, image):
    vanilla = VanillaSaliencyImage(tiny)
    vanilla.set_layer('fc', 2)
    assert vanilla.get_layer() == ('fc', 2) and vanilla.mask.get('fc')['chn'] == [2]
    given = VanillaSaliencyImage(tiny, from_layer='fc', from_chn=2)
    np.testing.assert_array_equal(vanilla.backprop(image, to_layer='conv'), given.backprop(image))
    assert given.backprop_smooth(image, 2, sigma_multiplier=0.1, to_layer='relu').shape == (4, 10, 10)
    with pytest.raises(NotImplementedError):
        SaliencyImage(tiny, 'fc', 2).backprop(image)


@pytest.mark.parametrize('call, words', [
    (lambda m, i: m.backprop_smooth(i, 0), 'n_iter must be at least 1'),
    (lambda m, i: m.backprop_smooth(i, 2.5), 'n_iter must be a whole number'),
    (lambda m, i: m.backprop_smooth(i, 2, batch_size=0), 'batch_size must be at least 1'),
    (lambda m, i: m.backprop_smooth(i, 2, -1), 'sigma_multiplier must be a number from 0'),
    (lambda m, i: m.backprop_smooth(i, 2, None), 'sigma_multiplier must be a number from 0'),
    (lambda m, i: m.backprop(3), 'image must be a PIL picture'),
    (lambda m, i: m.backprop(i, 1), 'layer must be a name, not 1'),
    (lambda m, i: VanillaSaliencyImage(m.dnn).backprop(i), 'no layer is set'),
    (lambda m, i: VanillaSaliencyImage(m.dnn, 'fc'), 'which channel'),
    (lambda m, i: VanillaSaliencyImage(m.dnn, 'fc', 1, device='cuda:99').backprop(i), 'not available'),
    (lambda m, i: IntegratedGradientsImage(m.dnn, 'fc', 1, n_step=0), 'n_step must be at least 1'),
    (lambda m, i: GradCAMImage(m.dnn, 'fc', 1).backprop(i, 'fc'), 'one number per channel, not maps'),
])
def test_what_is_wrong_is_said(tiny, image, call, words):
    with pytest.raises((BadValue, BadType), match=words):
        call(VanillaSaliencyImage(tiny, 'fc', 1), image)


def test_a_target_that_does_not_depend_is_said(image):
    class Aside(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.aside = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 1)

        def forward(self, x):
            return self.aside(x).detach() * 0 + self.used(x)
    dnn = hand_made(nn.Sequential(Aside()), 12)
    with pytest.raises(BadValue, match="does not depend on the input of layer '0.aside'"):
        VanillaSaliencyImage(dnn, '0', 1).backprop(image, '0.aside')
