"""Occlusion against its closed form in a linear network, a planted dot, and what can be asked wrongly."""

import numpy as np
import pytest
import torch
import torch.nn as nn
from PIL import Image
from scipy.signal import convolve2d

from dnnbrain._checks import BadPath, BadType, BadValue
from dnnbrain.dnn.algo import OccluderDiscrepancyMapping
from dnnbrain.dnn.models import DNN
from dnnbrain.interpret.target import ChannelTarget, ModelTarget
from dnnbrain.mapping.models import LayerModel


def network(*modules, size=(20, 24), **layers):
    """A DNN that sees pixels from 0 to 1 as they are."""
    return DNN(nn.Sequential(*modules), layer2loc={name: (path,) for name, path in layers.items()}, img_size=size)


def state_of(dnn):
    hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in dnn.model.modules())
    return hooks, [m.training for m in dnn.model.modules()], [p.requires_grad for p in dnn.model.parameters()]


@pytest.fixture
def linear():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return network(nn.Conv2d(3, 4, 5), conv='0')


@pytest.fixture
def picture(rng):
    return rng.integers(0, 256, (3, 20, 24), dtype=np.uint8)


def closed_form(linear, picture, fill, window, stride, channel):
    """Sums of weight * (pixel - fill) in each window, of the mean over the map."""
    kernel = linear.model[0].weight.detach().numpy()[channel - 1].astype(float)
    spread = np.full((16, 20), 1 / 320)
    effect = np.stack([convolve2d(spread, one) for one in kernel])             # of each pixel on the mean
    lost = (effect * (picture / 255 - fill[:, None, None])).sum(0)
    (width, height), (right, down) = window, stride
    return np.lib.stride_tricks.sliding_window_view(lost, (height, width))[::down, ::right].sum((2, 3))


@pytest.mark.parametrize('fill', ['mean', 'black', 'gray', 1, (0.1, 0.5, 0.9)])
@pytest.mark.parametrize('window, stride', [((3, 5), (2, 3)), ((1, 1), (1, 1)), ((24, 20), (7, 7)), (4, 20)])
def test_a_linear_network_loses_what_is_covered(linear, picture, fill, window, stride):
    window_, stride_ = np.broadcast_to(window, 2).tolist(), np.broadcast_to(stride, 2).tolist()
    color = {'mean': picture.mean((1, 2)) / 255, 'black': np.zeros(3), 'gray': np.full(3, .5)}.get(fill) \
        if isinstance(fill, str) else np.broadcast_to(fill, 3)
    engine = OccluderDiscrepancyMapping(linear, 'conv', 2, window, stride, fill=fill)
    found = engine.compute(picture, batch_size=7)
    truth = closed_form(linear, picture, color, window_, stride_, 2)
    assert found.shape == ((20 - window_[1]) // stride_[1] + 1, (24 - window_[0]) // stride_[0] + 1)
    np.testing.assert_allclose(found, truth, atol=2e-6)         # float32 differences of numbers near 1


@pytest.mark.parametrize('metric, made', [
    ('mean', lambda maps: maps.mean((1, 2))), ('max', lambda maps: maps.max((1, 2))),
    ('L1', lambda maps: np.abs(maps).sum((1, 2))), ('L2', lambda maps: np.sqrt((maps ** 2).sum((1, 2))))])
def test_a_window_is_a_changed_picture(tiny, rng, metric, made):
    picture = rng.integers(0, 256, (3, 12, 12), dtype=np.uint8)
    covered = picture.copy()
    covered[:, 3:7, 4:9] = 0
    whole, part = tiny.compute_activation(np.stack([picture, covered]), ['relu']).get('relu')
    found = OccluderDiscrepancyMapping(tiny, 'relu', [3, 1], (5, 4), (4, 3), metric, fill='black').compute(picture)
    assert found.shape == (2, 3, 2)
    np.testing.assert_allclose(found[:, 1, 1], (made(whole) - made(part))[[2, 0]], rtol=1e-4, atol=1e-5)


def test_the_picture_is_seen_as_the_network_sees_it(published, rng):
    """Resized, normalised, and covered by its mean; a loop over two windows."""
    from dnnbrain.dnn.models import AlexNet
    dnn = AlexNet()
    picture = rng.integers(0, 256, (3, 50, 70), dtype=np.uint8)
    found = OccluderDiscrepancyMapping(dnn, 'conv2', 4, (100, 224), (124, 1)).compute(picture)
    seen = dnn.test_transform(Image.fromarray(picture.transpose(1, 2, 0)))
    answers = []
    with torch.no_grad():
        for columns in (slice(0), slice(0, 100), slice(124, 224)):
            covered = seen.clone()
            covered[:, :, columns] = seen.mean((1, 2))[:, None, None]
            answers.append(published.features[:4](covered[None])[0, 3].mean().item())
    np.testing.assert_allclose(found[0], answers[0] - np.array(answers[1:]), atol=1e-6)


def test_a_planted_dot_is_found_and_units_count_from_one():
    dnn = network(nn.Conv2d(3, 1, 3, padding=1), nn.ReLU(inplace=True), relu='1')
    dot = np.full((3, 20, 24), 90, np.uint8)
    dot[0, 13, 6] = 255
    with torch.no_grad():
        dnn.model[0].weight.copy_(torch.tensor([1., -1, 0])[None, :, None, None].expand(1, 3, 3, 3))
        dnn.model[0].bias.zero_()
    lost, far, near = (OccluderDiscrepancyMapping(dnn, 'relu', 1, 1, 1, fill=90 / 255, unit=unit).compute(dot)
                       for unit in (None, (1, 1), (14, 7)))
    only = np.zeros((20, 24))
    only[13, 6] = 165 / 255                                      # covering gray by the same gray does nothing
    np.testing.assert_allclose(lost, only * 9 / 480, atol=1e-6)
    np.testing.assert_allclose(near, only, atol=1e-6)
    np.testing.assert_allclose(far, 0 * only, atol=1e-6)


def test_voxels_are_covered_as_channels_are(tiny, rng):
    picture = rng.integers(0, 256, (3, 12, 12), dtype=np.uint8)
    weights = np.zeros((400, 2))
    weights[100:200, 0] = 0.01                                   # voxel 1 is the mean of channel 2
    model = LayerModel('relu', np.array([5., 0]), coef=weights)
    engines = [OccluderDiscrepancyMapping(tiny, window=3, stride=3, target=target) for target in
               (ModelTarget(model, 1), ChannelTarget('relu', 2), ModelTarget(model))]
    voxel, channel, both = (engine.compute(picture) for engine in engines)
    np.testing.assert_allclose(voxel, channel, atol=1e-5)
    np.testing.assert_allclose(both, [voxel, np.zeros((4, 4))], atol=1e-6)


def test_at_pixels_is_linear_between_windows(linear):
    engine = OccluderDiscrepancyMapping(linear, 'conv', 1, (4, 2), (5, 6))
    rows, cols = np.arange(4) * 6 + 0.5, np.arange(5) * 5 + 1.5
    plane = 2 * rows[:, None] - cols
    found = engine.at_pixels(plane)
    truth = 2 * np.arange(20)[:, None].clip(.5, 18.5) - np.arange(24).clip(1.5, 21.5)
    np.testing.assert_allclose(found, truth, atol=1e-12)


def test_nothing_is_left_and_nothing_changed(tiny, rng):
    picture = rng.integers(0, 256, (3, 12, 12), dtype=np.uint8)
    kept, before = picture.copy(), (tiny.model.train(), state_of(tiny))[1]
    engine = OccluderDiscrepancyMapping(tiny, 'relu', 1, 5, 5)
    first = engine.compute(picture)
    np.testing.assert_allclose(first, engine.compute(picture, batch_size=1), atol=1e-7)
    engine.set_layer('relu', 9)
    with pytest.raises(BadValue, match='out of range'):
        engine.compute(picture)
    assert state_of(tiny) == before and (picture == kept).all()


def test_a_network_that_writes_into_its_input():
    """As its twin, which does not, answers to the picture without this part."""
    dnn = network(nn.ReLU(inplace=True), nn.Conv2d(3, 1, 1), conv='1')
    engine = OccluderDiscrepancyMapping(dnn, 'conv', 1, 8, 4, fill='black')
    dnn.model[0] = Doubling()
    picture = np.full((3, 20, 24), 100, np.uint8)
    share = 64 / (20 * 24) * 2 * 100 / 255 * dnn.model[1].weight.sum().item()
    np.testing.assert_allclose(engine.compute(picture, batch_size=2), share, rtol=1e-4)


class Doubling(nn.Module):
    def forward(self, inputs):
        return inputs.mul_(2)


@pytest.mark.parametrize('settings, sentence', [
    ({'window': 0}, 'window must be .width, height. in pixels'), ({'window': (1, 2, 3)}, 'window must be'),
    ({'stride': (2, 0)}, 'stride must be'), ({'metric': 'median'}, "metric 'median' is not known"),
    ({'fill': 'meen'}, "did you mean 'mean'"), ({'fill': 128}, r'a number from 0 \(black\) to 1'),
    ({'fill': (0, 1)}, 'fill must be'), ({'fill': None}, 'fill must be')])
def test_settings_are_checked_at_once(tiny, settings, sentence):
    with pytest.raises(BadValue, match=sentence):
        OccluderDiscrepancyMapping(tiny, 'conv', 1, **settings)


def test_what_can_be_asked_wrongly(tiny, picture):
    with pytest.raises(BadValue, match=r'window of 13 x 3 \(width x height\) is larger than the 12 x 12 picture'):
        OccluderDiscrepancyMapping(tiny, 'conv', 1, (13, 3)).compute(picture)
    engine = OccluderDiscrepancyMapping(tiny, 'conv', 1)
    with pytest.raises(BadValue, match='batch_size must be at least 1'):
        engine.compute(picture, batch_size=0)
    with pytest.raises(BadType, match='window must be'):
        engine.set_params(window=2.5)
    with pytest.raises(BadPath, match='does not exist'):
        engine.compute('nowhere.png')
