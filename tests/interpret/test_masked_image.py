"""Masked pictures keep the stated share of activation behind masks as small as that allows."""

import warnings

import numpy as np
import pytest
import torch
import torch.nn as nn
from scipy.ndimage import binary_erosion

from dnnbrain._checks import BadValue
from dnnbrain.dnn.algo import MaskedImage
from dnnbrain.dnn.models import DNN
from dnnbrain.interpret.target import ModelTarget
from dnnbrain.mapping.models import LayerModel

SIZE = 40


@pytest.fixture
def bright():
    """Channel 1 answers to what is brighter than 0.4, channel 2 to what is darker, 3 always, 4 never."""
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(inplace=True))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([1., -1, 0, 0])[:, None, None, None].expand(4, 3, 1, 1) / 3)
        model[0].bias.copy_(torch.tensor([-0.4, 0.4, 1, -1]))
    return DNN(model, layer2loc={'conv': ('0',), 'relu': ('1',)}, img_size=(SIZE, SIZE))


@pytest.fixture
def disc(rng):
    """A bright disc in a dim picture, with some noise."""
    rows, cols = np.mgrid[:SIZE, :SIZE]
    picture = 60 + 5 * rng.standard_normal((SIZE, SIZE)) + 150 * ((rows - 15) ** 2 + (cols - 22) ** 2 < 81)
    return picture.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize('ratio', [0.9, 0.5])
@pytest.mark.parametrize('channel', [1, [1, 2]])
def test_the_share_is_kept_and_no_more(bright, disc, channel, ratio):
    engine = MaskedImage(bright, 'relu', channel, target_reduction_ratio=ratio)
    found = engine.put_mask(disc)
    shown = np.atleast_2d(found.reshape(-1, 3, SIZE, SIZE))
    activ = bright.compute_activation(shown, ['relu']).get('relu').mean((2, 3))
    activ = np.diagonal(activ[:, np.atleast_1d(channel) - 1])
    whole = bright.compute_activation(np.repeat(disc[None, None], 3, 1), ['relu']).get('relu')[0].mean((1, 2))
    whole = whole[np.atleast_1d(channel) - 1]
    assert found.shape == ((3, SIZE, SIZE) if channel == 1 else (2, 3, SIZE, SIZE)) and found.dtype == np.uint8
    assert (shown[:, 0] == shown[:, 1]).all() and (shown[:, 0] == shown[:, 2]).all()
    np.testing.assert_allclose(np.atleast_1d(engine.activ_masked), activ, rtol=1e-5)        # of the picture as it is
    np.testing.assert_allclose(np.atleast_1d(engine.activ_whole), whole, rtol=1e-5)
    assert (activ >= ratio * whole).all()
    masks = engine.image_mask.reshape(-1, SIZE, SIZE)
    assert masks[0].sum() < 400 and masks.min() >= 0 and masks.max() <= 1                   # the disc has 253 pixels
    truth = disc.mean() + masks[0] * (disc - disc.mean())
    np.testing.assert_allclose(shown[0, 0], truth, atol=0.6)                                # rounded, twice


def test_a_smaller_mask_would_fall_short(bright, disc):
    engine = MaskedImage(bright, 'relu', 1, filter_sigma=0)
    engine.put_mask(disc)
    smaller = binary_erosion(engine.image_mask == 1, np.ones((3, 3)), iterations=2)     # more than another step takes
    smaller = disc.mean() + smaller * (disc - disc.mean())
    activ = bright.compute_activation(np.repeat(smaller.astype(np.uint8)[None, None], 3, 1), ['relu']).get('relu')
    assert activ[0, 0].mean() < 0.9 * engine.activ_whole


def test_the_mask_grows_where_the_blob_falls_short(bright, disc):
    """What channel 2 answers to lies around the disc, so that nearly the whole picture is needed."""
    engine = MaskedImage(bright, 'relu', 2)
    engine.put_mask(disc)
    assert engine.activ_masked >= 0.9 * engine.activ_whole and engine.image_mask.mean() > 0.8
    with pytest.warns(UserWarning, match='grown by 2 pixels keeps less than 90% of what relu channel 2'):
        engine.put_mask(disc, maxiteration=2)
    assert engine.activ_masked < 0.9 * engine.activ_whole
    with pytest.warns(UserWarning, match='relu channel 3 answers as much to mean gray alone'):
        MaskedImage(bright, 'relu', 3).put_mask(disc)


def test_units_voxels_and_settings(bright, disc):
    engine = MaskedImage(bright, 'relu', 1, (16, 23), 0.5, 0)
    engine.put_mask(disc)
    assert engine.image_mask[15, 22] == 1 and set(np.unique(engine.image_mask)) <= {0, 1}
    engine.set_parameters(None, 2.0, 3.0, 1.0)
    assert engine.unit is None and engine.stdev_size_thr == 2
    weights = np.zeros((4 * SIZE ** 2, 1))
    weights[:SIZE ** 2] = 1 / SIZE ** 2
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        found, truth = (one.put_mask(disc) for one in (
            MaskedImage(bright, target=ModelTarget(LayerModel('relu', np.zeros(1), coef=weights))),
            MaskedImage(bright, 'relu', 1)))
    np.testing.assert_array_equal(found, truth)


def test_nothing_is_left_behind(bright, disc):
    kept = disc.copy()
    bright.model.train()
    MaskedImage(bright, 'relu', 1).put_mask(disc)
    with pytest.raises(BadValue, match='answers 0 to the whole gray picture'):
        MaskedImage(bright, 'relu', 4).put_mask(disc)
    assert all(m.training and not m._forward_hooks for m in bright.model.modules()) and (disc == kept).all()
    assert all(p.requires_grad for p in bright.model.parameters())


def test_what_can_be_asked_wrongly(bright, disc):
    engine = MaskedImage(bright, 'relu', 1)
    for settings in ({'stdev_size_thr': -1}, {'filter_sigma': 'soft'}, {'target_reduction_ratio': 0},
                     {'target_reduction_ratio': 1.5}, {'filter_sigma': None}):
        with pytest.raises(BadValue, match=next(iter(settings))):
            engine.set_parameters(**settings)
    with pytest.raises(BadValue, match='maxiteration must be a whole number from 0'):
        engine.put_mask(disc, -1)
    with pytest.raises(BadValue, match='of one gray'):
        engine.put_mask(np.full((SIZE, SIZE), 90, np.uint8))
    with pytest.raises(BadValue, match='take a smaller stdev_size_thr'):
        MaskedImage(bright, 'relu', 1, stdev_size_thr=9).put_mask(disc)
    with pytest.raises(BadValue, match='a unit needs a layer and channel'):
        MaskedImage(bright).set_parameters(unit=(1, 1))
