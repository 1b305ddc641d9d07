"""Measured receptive fields against theory in hand-set networks, planted dots and squares."""

import numpy as np
import pytest
import torch
import torch.nn as nn
from PIL import Image

from dnnbrain._checks import BadPath, BadType, BadValue
from dnnbrain.dnn.algo import EmpiricalReceptiveField, OccluderDiscrepancyMapping, UpsamplingActivationMapping
from dnnbrain.dnn.models import DNN
from dnnbrain.interpret.target import ModelTarget
from dnnbrain.mapping.models import LayerModel

SIZE = 24


def network(*modules, **layers):
    """A DNN with positive weights, so that every pixel of a field counts."""
    model = nn.Sequential(*modules)
    noise = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.rand(parameter.shape, generator=noise) + 0.1)
    return DNN(model, layer2loc={name: (path,) for name, path in layers.items()}, img_size=(SIZE, SIZE))


@pytest.fixture
def strided():
    """A field of 3 + 2 * 2 = 7 pixels, with steps of 2."""
    return network(nn.Conv2d(3, 2, 3, stride=2), nn.ReLU(inplace=True), nn.Conv2d(2, 3, 3), conv2='2')


@pytest.fixture
def pictures(rng):
    return rng.integers(30, 256, (3, 3, SIZE, SIZE), dtype=np.uint8)


def occlusion(dnn, layer, channel=1, **settings):
    return OccluderDiscrepancyMapping(dnn, layer, channel, 1, 1, fill='black', **settings)


@pytest.mark.parametrize('modules, side', [
    ((nn.Conv2d(3, 2, 3, stride=2), nn.ReLU(inplace=True), nn.Conv2d(2, 1, 3)), 7),
    ((nn.Conv2d(3, 1, 5), nn.AvgPool2d(3, 2)), 7),
    ((nn.Conv2d(3, 1, 2, stride=2), nn.Conv2d(1, 1, 3, dilation=2)), 10)])
def test_occlusion_measures_the_theoretical_field(modules, side, pictures):
    field = EmpiricalReceptiveField(occlusion(network(*modules, last=str(len(modules) - 1)), 'last'), level=0)
    patch = field.compute(pictures[:2])
    assert patch.shape == field.theoretical_size == (side, side)
    kernel_holes = 36 if side == 10 else side ** 2                     # a dilated kernel leaves gaps between blocks
    assert (patch > 1e-4).sum() == kernel_holes
    if side == 7:
        assert field.size == 7


def test_the_patch_of_a_linear_unit_is_its_kernel_times_the_mean_picture(pictures):
    dnn = network(nn.Conv2d(3, 2, 5), conv='0')
    patch = EmpiricalReceptiveField(occlusion(dnn, 'conv', [2, 1], unit=(4, 6))).compute(pictures)
    seen = pictures[:, :, 3:8, 5:10].mean(0) / 255
    truth = (dnn.model[0].weight.detach().numpy()[[1, 0]] * seen).sum(1)
    np.testing.assert_allclose(patch, truth, atol=1e-5)


def test_changes_of_both_signs_do_not_cancel_between_windows(pictures):
    """Of columns that raise and columns that lower the unit by 3 in turn, none is without effect."""
    dnn = network(nn.Conv2d(3, 1, 5), conv='0')
    dnn.model[0].weight.data = torch.tensor([1., 1, -1, -1, 1]).expand(1, 3, 5, 5).clone()
    engine = OccluderDiscrepancyMapping(dnn, 'conv', 1, 1, 2, fill='black', unit=(5, 7))     # pixels 4 to 8, 6 to 10
    patch = EmpiricalReceptiveField(engine).compute(np.full_like(pictures, 255))
    np.testing.assert_allclose(patch, np.full((5, 5), 3), rtol=1e-5)


def test_each_channel_is_centred_on_its_own_peak(strided):
    """Dots at other places of each picture come together in the middle."""
    pictures = np.full((3, 3, SIZE, SIZE), 40, np.uint8)
    for picture, (row, col) in zip(pictures, [(4, 4), (15, 7), (10, 19)], strict=True):
        picture[:, row - 1:row + 2, col - 1:col + 2] = 255
    by_units = EmpiricalReceptiveField(occlusion(strided, 'conv2', [1, 3]))
    patch = by_units.compute(pictures)
    assert patch.shape == (2, 7, 7) and len(by_units.size) == 2
    edge = np.concatenate([patch[:, 0], patch[:, :, 0]], axis=1)
    assert (patch[:, 2:5, 2:5].mean((1, 2)) > 2 * edge.mean(1)).all()
    by_maps = EmpiricalReceptiveField(UpsamplingActivationMapping(strided, 'conv2', 1, 'bilinear', 0.8))
    patch = by_maps.compute(pictures)
    assert patch.shape == (7, 7) and abs(np.array(np.unravel_index(np.nanargmax(patch), (7, 7))) - 3).max() <= 1


def test_the_border_of_pictures_is_not_known(pictures):
    dnn = network(nn.Conv2d(3, 1, 5, padding=2), conv='0')
    patch = EmpiricalReceptiveField(occlusion(dnn, 'conv', unit=(1, 24))).compute(pictures)
    assert np.isnan(patch[:2]).all() and np.isnan(patch[:, 3:]).all() and np.isfinite(patch[2:, :3]).all()


def test_voxels_and_late_layers_see_the_whole_picture(tiny, rng):
    pictures = rng.integers(0, 256, (2, 3, 12, 12), dtype=np.uint8)
    model = LayerModel('relu', np.zeros(2), coef=rng.standard_normal((400, 2)))
    for engine in (OccluderDiscrepancyMapping(tiny, window=4, stride=4, target=ModelTarget(model, 2)),
                   OccluderDiscrepancyMapping(tiny, 'fc', 3, window=4, stride=4)):
        each = [engine.at_pixels(np.abs(engine.compute(picture))) for picture in pictures]
        np.testing.assert_allclose(EmpiricalReceptiveField(engine).compute(pictures), np.mean(each, 0), atol=1e-5)
    engine = UpsamplingActivationMapping(tiny, target=ModelTarget(model))
    each = [engine.compute(picture) for picture in pictures]
    np.testing.assert_allclose(EmpiricalReceptiveField(engine).compute(pictures), np.mean(each, 0), atol=1e-5)


def test_files_are_read_one_after_the_other(strided, pictures, tmp_path):
    from dnnbrain.dnn.core import Stimulus
    for i, picture in enumerate(pictures):
        Image.fromarray(picture.transpose(1, 2, 0)).save(tmp_path / f'{i}.png')
    field = EmpiricalReceptiveField(occlusion(strided, 'conv2'))
    truth = field.compute(pictures)
    found = field.compute(Stimulus.from_folder(tmp_path), tmp_path / 'rf.npy')
    np.testing.assert_array_equal(found, truth)
    np.testing.assert_array_equal(np.load(tmp_path / 'rf.npy'), truth)
    tensors = torch.utils.data.TensorDataset(torch.from_numpy(pictures / 255).float(), torch.zeros(3))
    np.testing.assert_allclose(field.compute(tensors, tmp_path / 'rf.png'), truth, atol=1e-6)
    shown = np.asarray(Image.open(tmp_path / 'rf.png'), dtype=float)
    np.testing.assert_allclose(shown / 255, (truth - truth.min()) / np.ptp(truth), atol=1 / 255)
    assert not any(m._forward_hooks for m in strided.model.modules())


def test_sizes_of_planted_squares(strided):
    """Thresholded maps of squares of 6 x 6 anywhere; and of half-overlapping ones at other levels."""
    maps = np.full((4, 30, 40), 0.3)
    for one, (row, col) in zip(maps, [(0, 0), (11, 30), (24, 34), (9, 2)], strict=True):
        one[row:row + 6, col:col + 6] = 2
    field = EmpiricalReceptiveField(occlusion(strided, 'conv2'))
    assert field.generate_rf(maps) == 6
    rows, cols = np.mgrid[:61, :61] - 30
    bump = np.exp(-(rows ** 2 + cols ** 2) / (2 * 8 ** 2))[None]
    assert field.generate_rf(bump) == pytest.approx(8 * np.sqrt(2 * np.pi * np.log(2)), rel=0.02)   # half height
    field.set_params(field.engine, level=0)
    assert field.generate_rf(maps) == 6 and field.generate_rf(bump) > 55
    assert field.generate_rf(np.ones((2, 5, 5))) == 0


def test_what_can_be_asked_wrongly(strided, pictures, tmp_path):
    engine = occlusion(strided, 'conv2', [1, 2])
    with pytest.raises(BadType, match='engine must be an OccluderDiscrepancyMapping'):
        EmpiricalReceptiveField(strided)
    for level in (1, -0.5, None):
        with pytest.raises(BadValue, match='level must be'):
            EmpiricalReceptiveField(engine, level)
    field = EmpiricalReceptiveField(engine)
    for maps in (np.ones((3, 3)), np.ones((0, 3, 3)), np.full((1, 3, 3), np.nan)):
        with pytest.raises(BadValue, match='finite numbers of shape'):
            field.generate_rf(maps)
    with pytest.raises(BadValue, match='must end in .npy or .png'):
        field.compute(pictures, tmp_path / 'rf.gif')
    with pytest.raises(BadValue, match='several channels or voxels must end in .npy'):
        field.compute(pictures, tmp_path / 'rf.png')
    with pytest.raises(BadPath, match='make it first'):
        field.compute(pictures, tmp_path / 'no' / 'rf.npy')
    with pytest.raises(BadType, match='stimuli must be a Stimulus'):
        field.compute('pictures')
    engine.set_layer('conv2', 1, unit=(99, 1))
    with pytest.raises(BadValue, match='row of unit 99 is out of range'):
        field.compute(pictures)
