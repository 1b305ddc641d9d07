"""Maps brought to the size of pictures, against torch, hand-set numbers, and predictions of voxels."""

import numpy as np
import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F

from dnnbrain._checks import BadValue
from dnnbrain.activation.mask import Mask
from dnnbrain.dnn.algo import UpsamplingActivationMapping
from dnnbrain.dnn.models import DNN
from dnnbrain.interpret.answer import answering
from dnnbrain.interpret.target import ChannelTarget, ModelTarget
from dnnbrain.interpret.view import View
from dnnbrain.mapping.models import BandedModel, LayerModel


@pytest.fixture
def picture(rng):
    return rng.integers(0, 256, (3, 12, 12), dtype=np.uint8)


@pytest.mark.parametrize('method', ['nearest', 'bilinear', 'bicubic', 'area'])
def test_equals_torch(tiny, picture, method):
    maps = torch.from_numpy(tiny.compute_activation(picture[None], ['relu']).get('relu')[:, [3, 0]])
    truth = F.interpolate(maps, (12, 12), mode=method)[0].numpy()
    found = UpsamplingActivationMapping(tiny, 'relu', [4, 1], method).compute(picture)
    np.testing.assert_allclose(found, truth, atol=1e-6)
    one = UpsamplingActivationMapping(tiny, 'relu', 1, method, 0.9).compute(picture)
    np.testing.assert_allclose(one, np.maximum(truth[1], np.quantile(truth[1], 0.9)), atol=1e-6)


def test_a_planted_dot_is_found():
    dnn = DNN(nn.Sequential(nn.Conv2d(3, 1, 4, stride=4, bias=False)), layer2loc={'conv': ('0',)}, img_size=(20, 24))
    with torch.no_grad():
        dnn.model[0].weight.copy_(torch.tensor([1., -1, 0])[None, :, None, None].expand(1, 3, 4, 4))
    dot = np.full((20, 24, 3), 90, np.uint8)
    dot[13, 6, 0] = 255
    found = UpsamplingActivationMapping(dnn, 'conv', 1, 'nearest').compute(dot)
    truth = np.zeros((20, 24))
    truth[12:16, 4:8] = 165 / 255
    np.testing.assert_allclose(found, truth, atol=1e-6)
    smooth = UpsamplingActivationMapping(dnn, 'conv', 1).compute(dot)
    assert 12 <= smooth.argmax() // 24 < 16 and 4 <= smooth.argmax() % 24 < 8


@pytest.mark.parametrize('dmask', [None, ('relu', [1, 3], [2, 5], [4, 3, 9])], ids=['whole', 'masked'])
def test_positions_add_up_to_the_prediction(tiny, picture, rng, dmask):
    activ = tiny.compute_activation(picture[None], Mask(*dmask) if dmask else Mask('relu'))
    n_unit = activ.get('relu').size
    model = LayerModel('relu', rng.standard_normal(3), coef=rng.standard_normal((n_unit, 3)),
                       mean=rng.random(n_unit), scale=rng.random(n_unit) + 1)
    target = ModelTarget(model, [3, 1], dmask=Mask(*dmask) if dmask else None)
    engine, view = UpsamplingActivationMapping(tiny, target=target), View(tiny)
    with answering(tiny, engine.maps_target()) as answer:
        maps, = engine.maps(answer, view, view.picture(picture))
    assert maps.shape == (2, 10, 10)
    intercept = target.parts['relu'].intercept.numpy()
    np.testing.assert_allclose(maps.sum((1, 2)).numpy() + intercept, model.predict(activ)[0, [2, 0]], rtol=1e-4)
    if dmask:
        assert set(zip(*np.nonzero(maps[0].numpy()), strict=True)) <= {(r, c) for r in (1, 4) for c in (3, 2, 8)}
    truth = F.interpolate(maps[None], (12, 12), mode='bicubic', align_corners=False)[0].numpy()
    np.testing.assert_allclose(engine.compute(picture), truth, atol=1e-5)
    mean = UpsamplingActivationMapping(tiny, target=ModelTarget(model, [3, 1], mean=True, dmask=target.dmask))
    np.testing.assert_allclose(mean.compute(picture), truth.mean(0), atol=1e-5)


def test_one_channel_of_a_model_and_layers_of_a_banded_one(tiny, picture, rng):
    coef = rng.standard_normal((400, 1))
    only = np.zeros((4, 100, 1))
    only[1] = coef[:100]
    of_channel = LayerModel('relu', np.zeros(1), coef=coef[:100], iter_axis='channel', iteration=1)
    found, truth = (UpsamplingActivationMapping(tiny, target=ModelTarget(model)).compute(picture) for model in
                    (of_channel, LayerModel('relu', np.zeros(1), coef=only.reshape(400, 1))))
    np.testing.assert_allclose(found, truth, atol=1e-5)
    bands = {layer: LayerModel(layer, np.zeros(1), coef=coef * sign) for layer, sign in (('conv', -1), ('relu', 1))}
    parts = [UpsamplingActivationMapping(tiny, target=ModelTarget(model)).compute(picture) for model in bands.values()]
    banded = ModelTarget(BandedModel(bands, np.zeros(1), np.ones((2, 1))))
    both = UpsamplingActivationMapping(tiny, target=banded).compute(picture)
    np.testing.assert_allclose(both, sum(parts), rtol=1e-4, atol=1e-4)


def test_patches_of_a_transformer_stand_in_their_grid(rng):
    from torchvision.models import VisionTransformer
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = VisionTransformer(image_size=12, patch_size=4, num_layers=1, num_heads=1, hidden_dim=6, mlp_dim=6)
    dnn = DNN(model, img_size=(12, 12))
    picture = rng.integers(0, 256, (3, 12, 12), dtype=np.uint8)
    tokens = dnn.compute_activation(picture[None], ['encoder.ln']).get('encoder.ln')[0, 2, 1:, 0]
    found = UpsamplingActivationMapping(dnn, 'encoder.ln', 3, 'nearest').compute(picture)
    np.testing.assert_allclose(found, np.kron(tokens.reshape(3, 3), np.ones((4, 4))), atol=1e-5)


def test_nothing_is_left_behind(tiny, picture):
    kept = picture.copy()
    tiny.model.train()
    engine = UpsamplingActivationMapping(tiny, 'relu', 2)
    engine.compute(picture)
    with pytest.raises(BadValue, match='out of range'):
        UpsamplingActivationMapping(tiny, 'relu', 7).compute(picture)
    assert all(m.training and not m._forward_hooks for m in tiny.model.modules()) and (picture == kept).all()
    assert all(p.requires_grad for p in tiny.model.parameters())


@pytest.mark.parametrize('settings, sentence', [
    (('cubic',), "interp_meth 'cubic' is not known; did you mean 'bicubic'"), (('area', 1.5), 'a quantile from 0 to 1'),
    (('area', -0.5), 'interp_threshold must be a number from 0')])
def test_settings_are_checked(tiny, settings, sentence):
    with pytest.raises(BadValue, match=sentence):
        UpsamplingActivationMapping(tiny, 'relu', 1, *settings)


def test_what_has_no_map(tiny, picture):
    voxel = LayerModel('relu', np.zeros(1), coef=np.ones((4, 1)))
    for target, sentence in [(ModelTarget(voxel, pool_method='max'), "maps pooled by 'max' and knows of no positions"),
                             (ModelTarget(LayerModel('relu', np.zeros(1), coef=np.ones((4, 1)), iter_axis='row_col')),
                              'of a single position'),
                             (ModelTarget(voxel), 'weights of 4 units'), (lambda maps: 1, 'target must be'),
                             (ChannelTarget('relu', 1, unit=(2, 2)), 'a unit has no map'),
                             (ChannelTarget('fc', 1), "layer 'fc' has one position")]:
        with pytest.raises((BadValue, TypeError), match=sentence):
            UpsamplingActivationMapping(tiny, target=target).compute(picture)
