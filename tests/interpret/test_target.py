"""One differentiable target for channels, units and fitted voxels; the network is as found."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dnnbrain._checks import BadValue
from dnnbrain.activation.mask import Mask
from dnnbrain.brain.encoder import BrainEncoder
from dnnbrain.interpret.algorithm import Algorithm
from dnnbrain.interpret.answer import answering, answers
from dnnbrain.interpret.target import ChannelTarget, ModelTarget
from dnnbrain.interpret.view import View, as_rgb, stimulus_inputs
from dnnbrain.mapping.models import LayerModel
from dnnbrain.mapping.multivariate import MultivariateMapping


@pytest.fixture
def pixels(rng):
    return rng.integers(0, 256, (6, 3, 12, 12), dtype=np.uint8)


def state_of(dnn):
    hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in dnn.model.modules())
    return hooks, [m.training for m in dnn.model.modules()], [p.requires_grad for p in dnn.model.parameters()]


@pytest.mark.parametrize('metric, made', [
    ('mean', lambda maps: maps.mean((2, 3))), ('max', lambda maps: maps.max((2, 3))),
    ('L1', lambda maps: np.abs(maps).sum((2, 3))), ('L2', lambda maps: np.sqrt((maps ** 2).sum((2, 3))))])
def test_channels_equal_activations(tiny, pixels, metric, made):
    truth = made(tiny.compute_activation(pixels, ['conv']).get('conv'))[:, [2, 0]]
    with answering(tiny, ChannelTarget('conv', [3, 1], metric=metric)) as answer:
        found = answers(answer, lambda rows: View(tiny).inputs(torch.from_numpy(pixels[list(rows)]) / 255), 6, 4)
    np.testing.assert_allclose(found, truth, rtol=1e-4)


@pytest.mark.parametrize('metric', ['mean', 'max', 'L1', 'L2'])
def test_silent_maps_have_no_slope(metric):
    """Not NaN, which the slope of a square root at 0 would be; a channel that answers keeps its own."""
    maps = torch.tensor([0., 2])[None, :, None, None].expand(1, 2, 3, 3).clone().requires_grad_()
    model = LayerModel('conv', np.zeros(1), coef=np.ones((2, 1), np.float32))
    for target in (ChannelTarget('conv', [1, 2], metric=metric), ModelTarget(model, pool_method=metric)):
        slope = torch.autograd.grad(target({'conv': maps}).sum(), maps)[0][0]
        assert slope.isfinite().all() and slope[1].sum() > 0


def test_a_unit_counts_from_one(tiny, pixels):
    truth = tiny.compute_activation(pixels, ['relu']).get('relu')[:, 1, 2, 4]
    with answering(tiny, ChannelTarget('relu', 2, unit=(3, 5))) as answer, torch.inference_mode():
        found = answer(torch.from_numpy(pixels) / 255)[:, 0].numpy()
    np.testing.assert_allclose(found, truth, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('settings', [{}, {'pool_method': 'mean'}, {'dmask': ('relu', [1, 3], [2, 5])}],
                         ids=['whole', 'pooled', 'masked'])
@pytest.mark.parametrize('estimator', ['ridge', 'glm', 'pls'])
def test_voxels_equal_predictions(tiny, pixels, rng, estimator, settings):
    dmask = Mask(*settings['dmask']) if 'dmask' in settings else Mask('relu')
    activ = tiny.compute_activation(pixels, dmask, settings.get('pool_method'))
    mapping = MultivariateMapping(estimator, cv=3)
    X = activ.get('relu').reshape(6, -1)
    model = mapping.map(X, rng.standard_normal((6, 4)))['model'][0]
    model = model.to_weights(X)
    model = replace(model, layer='relu')
    given = {key: value for key, value in settings.items() if key == 'pool_method'} | (
        {'dmask': dmask} if 'dmask' in settings else {})
    with answering(tiny, ModelTarget(model, [4, 2], **given)) as answer, torch.inference_mode():
        found = answer(torch.from_numpy(pixels) / 255).numpy()
    np.testing.assert_allclose(found, model.predict(activ)[:, [3, 1]], rtol=1e-3, atol=1e-4)


def test_a_banded_voxel_sums_its_layers(tiny, pixels, rng, tmp_path):
    activ = tiny.compute_activation(pixels, ['conv', 'fc'])
    found = BrainEncoder(rng.standard_normal((6, 3)), 'mv', 'banded', cv=3).encode_dnn(activ)
    model = found['conv']['model'][0, 0].to_weights(activ)
    model.save(tmp_path / 'm.h5')
    with answering(tiny, ModelTarget(str(tmp_path / 'm.h5'), mean=True)) as answer, torch.inference_mode():
        predicted = answer(torch.from_numpy(pixels) / 255).numpy()
    np.testing.assert_allclose(predicted[:, 0], model.predict(activ).mean(1), rtol=1e-3, atol=1e-4)


def test_gradients_reach_the_picture_and_nothing_is_left(tiny, pixels):
    tiny.model.train()
    before = state_of(tiny)
    image = torch.from_numpy(pixels[:1]) / 255
    image.requires_grad_()
    with answering(tiny, ChannelTarget('fc', 2)) as answer:
        answer(image).sum().backward()
    copy = image.detach().clone().requires_grad_()
    tiny.model.eval()(copy)[0, 1].backward()
    torch.testing.assert_close(image.grad, copy.grad)
    tiny.model.train()
    assert state_of(tiny) == before
    with pytest.raises(RuntimeError), answering(tiny, ChannelTarget('fc', 2)) as answer:
        raise RuntimeError('crash inside')
    with pytest.raises(BadValue, match='out of range'), answering(tiny, ChannelTarget('conv', 9)) as answer:
        answer(image)
    assert state_of(tiny) == before


def test_a_view_is_the_transform(published, rng):
    from dnnbrain.dnn.models import AlexNet
    dnn = AlexNet()
    picture = rng.integers(0, 256, (3, 60, 80), dtype=np.uint8)
    view = View(dnn)
    seen = view.picture(picture)
    assert seen.shape == (3, 224, 224)
    torch.testing.assert_close(view.inputs(seen[None]), stimulus_inputs(dnn, picture), atol=1e-5, rtol=0)
    np.testing.assert_allclose(view.shift, -np.array([.485, .456, .406]) / [.229, .224, .225], rtol=1e-5)


@pytest.mark.parametrize('name', ['VggFace', 'InceptionV3', 'R3D'])
def test_every_kind_of_network_has_a_view(name):
    import dnnbrain.dnn.models as models
    from dnnbrain.networks.state import without_parameters
    with without_parameters():
        dnn = getattr(models, name)(pretrained=False, rng=0)
    view = View(dnn)
    picture = np.zeros((40, 40), np.uint8)
    inputs = view.inputs(view.picture(picture)[None])
    assert tuple(inputs.shape[1:]) == dnn.input_shape
    torch.testing.assert_close(inputs, stimulus_inputs(dnn, picture), atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(view.taken(picture)[None], stimulus_inputs(dnn, picture), atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize('picture', [np.full((5, 7), 51, np.uint8), np.full((3, 5, 7), .2), np.full((5, 7, 3), 51),
                                     torch.full((3, 5, 7), .2)], ids=['gray', 'float', 'hwc', 'tensor'])
def test_pictures_of_any_kind(picture):
    assert np.asarray(as_rgb(picture)).shape == (5, 7, 3) and (np.asarray(as_rgb(picture)) == 51).all()


def test_algorithm_says_what_is_missing(tiny):
    with pytest.raises(BadValue, match='which channel'):
        Algorithm(tiny, 'conv')
    with pytest.raises(BadValue, match="did you mean 'conv'"):
        Algorithm(tiny, 'con', 1)
    with pytest.raises(BadValue, match='no layer is set'):
        Algorithm(tiny).get_layer()
    found = Algorithm(tiny, 'conv', 2)
    assert found.get_layer() == ('conv', 2) and found.mask.get('conv')['chn'] == [2]


@pytest.mark.parametrize('estimator', ['ridge', 'banded'])
def test_dual_coefficients_with_the_activations_of_the_training(tiny, pixels, rng, estimator, tmp_path):
    activ = tiny.compute_activation(pixels, ['conv', 'fc'])
    found = BrainEncoder(rng.standard_normal((6, 4)), 'mv', estimator, cv=3).encode_dnn(activ)
    model = found['conv']['model'][0, 0]
    model.save(tmp_path / 'm.h5')
    with pytest.raises(BadValue, match='activations of its training'):
        ModelTarget(str(tmp_path / 'm.h5'), [4, 2])
    target = ModelTarget(str(tmp_path / 'm.h5'), [4, 2], train=activ)
    with answering(tiny, target) as answer, torch.inference_mode():
        predicted = answer(torch.from_numpy(pixels) / 255).numpy()
    truth = model.predict(activ, train=activ)[:, [3, 1]]
    np.testing.assert_allclose(predicted, truth, rtol=1e-3, atol=1e-4)
    assert target.names == ['voxel 4', 'voxel 2']
    weights = ModelTarget(model.to_weights(activ), [4, 2], train=activ)          # has them already
    for layer, part in target.parts.items():
        torch.testing.assert_close(weights.parts[layer].weights, part.weights)
