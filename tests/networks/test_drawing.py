"""Drawings of networks tell names, shapes, sizes, kinds and what is frozen, and nothing covers anything."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn as nn
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from torchvision.models import vit_b_16

from dnnbrain.dnn.models import DNN, AlexNet, Resnet18, Resnet152
from dnnbrain.networks.drawing import COLORS
from dnnbrain.networks.registry import NETWORKS, network_class


def boxes(figure):
    """The box of each layer by name, in the order drawn."""
    return {patch.get_gid(): patch for patch in figure.axes[0].patches}


def written(figure, at):
    """What stands below a box: the lines of its name, and its shape."""
    middle = at.get_x() + at.get_width() / 2
    below = sorted((text for text in figure.axes[0].texts if text.get_ha() == 'center'
                    and math.isclose(text.get_position()[0], middle) and text.get_position()[1] < at.get_y()),
                   key=lambda text: -text.get_position()[1])
    last = next(i for i, text in enumerate(below) if text.get_color() != 'black')
    return ''.join(text.get_text() for text in below[:last]), below[last].get_text()


def places(figure):
    """Rectangles (left, bottom, right, top), in pixels, of all texts and boxes, as they are rendered."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    axes, render = figure.axes[0], canvas.get_renderer()
    shown = [*axes.texts, *axes.get_legend().get_texts(), *axes.get_legend().get_patches(), *axes.patches]
    return np.array([thing.get_window_extent(render).extents for thing in shown])


def assert_legible(figure):
    """Nothing covers anything, up to half a pixel, and nothing is cut off."""
    place = places(figure)
    assert place[:, :2].min() >= 0 and (place[:, 2:] <= figure.bbox.extents[2:]).all()
    wide, tall = (np.minimum.outer(place[:, k + 2], place[:, k + 2]) - np.maximum.outer(place[:, k], place[:, k])
                  for k in (0, 1))
    assert not ((wide > 0.5) & (tall > 0.5) & ~np.eye(len(place), dtype=bool)).any()


@pytest.mark.parametrize('name', NETWORKS)
def test_all_layers_are_there_and_legible(name):
    dnn = network_class(name)._empty()
    figure = dnn.show()
    assert list(boxes(figure)) == ['picture', *dnn.layers]
    assert all(written(figure, box)[0] == layer for layer, box in boxes(figure).items())
    assert figure.get_figwidth() <= 11
    assert_legible(figure)


def test_sizes_and_shapes_of_alexnet():
    """Maps of torchvision's AlexNet: 55, 27, 13, 6 pixels; 64 to 384 channels."""
    figure = AlexNet._empty().show()
    box = boxes(figure)
    for layer, side in {'conv1': 55, 'conv1_maxpool': 27, 'conv2_relu': 27, 'conv5': 13, 'conv5_maxpool': 6}.items():
        assert box[layer].get_height() / box['picture'].get_height() == pytest.approx(math.sqrt(side / 224))
    for layer, n_channel in {'conv2': 192, 'conv3': 384, 'conv5_maxpool': 256}.items():
        assert box[layer].get_width() / box['conv1'].get_width() == pytest.approx(math.sqrt(n_channel / 64))
    assert box['fc1'].get_width() == box['fc3'].get_width() < box['conv1'].get_width()
    assert box['fc1'].get_height() > box['fc3'].get_height() > box['conv1'].get_height()
    for layer, shape in {'picture': '3×224×224', 'conv4': '256×13×13', 'fc2_relu': '4096', 'fc3': '1000'}.items():
        assert written(figure, box[layer])[1] == shape
    assert figure.axes[0].texts[-1].get_text() == 'AlexNet: 61,100,840 parameters'


def test_colours_are_kinds():
    dnn = Resnet18._empty()
    dnn.layer2loc['downsample'] = ('layer2', '0', 'downsample')
    box = boxes(dnn.show())
    kinds = {'conv': 'convolution', 'bn': 'norm', 'relu': 'activation', 'maxpool': 'pooling', 'avgpool': 'pooling',
             'fc': 'fully connected', 'layer1_basicblock0': 'block', 'downsample': 'convolution'}
    assert {layer: to_hex(box[layer].get_facecolor()) for layer in kinds} == \
        {layer: COLORS[kind] for layer, kind in kinds.items()}


def test_frozen_is_hatched_and_told():
    dnn = Resnet18._empty()
    assert not any(box.get_hatch() for box in boxes(dnn.show()).values())
    dnn.freeze('conv', 'bn', 'layer1').freeze('layer2.0.conv1')
    figure = dnn.show()
    hatched = {layer: to_hex(box.get_facecolor()) for layer, box in boxes(figure).items() if box.get_hatch()}
    frozen = sum(p.numel() for p in dnn.model.parameters() if not p.requires_grad)
    assert list(hatched) == ['conv', 'bn', 'layer1_basicblock0', 'layer1_basicblock1', 'layer2_basicblock0']
    assert [color in COLORS.values() for color in hatched.values()] == [False] * 4 + [True]      # pale, but for parts
    assert {text.get_text() for text in figure.axes[0].get_legend().get_texts()} >= {'frozen', 'partly frozen'}
    assert figure.axes[0].texts[-1].get_text().endswith(f'of which {11689512 - frozen:,} learn')


def test_rows_are_read_like_text():
    box = list(boxes(Resnet152._empty().show()).values())
    middles = [b.get_y() + b.get_height() / 2 for b in box]
    rows = [i for i, (a, b) in enumerate(pairwise(middles), 1) if not math.isclose(a, b)]
    assert 2 <= len(rows) <= 5 and all(a > b for a, b in pairwise([middles[0], *(middles[i] for i in rows)]))
    for row in np.split(np.arange(len(box)), rows):
        assert len(row) > 8                                             # none is left with a box or two
        assert all(box[a].get_x() + box[a].get_width() < box[b].get_x() for a, b in pairwise(row))


def test_networks_of_ones_own(tiny):
    tiny.layer2loc = {}
    assert list(boxes(tiny.show())) == ['picture', '0', '1', '2', '3', '4']
    nested = DNN(nn.Sequential(nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU()), nn.Sequential(nn.Dropout())),
                 img_size=(8, 8))
    figure = nested.show()
    assert list(boxes(figure)) == ['picture', '0.0', '0.1', '1.0']         # not what contains them
    assert to_hex(boxes(figure)['1.0'].get_facecolor()) == COLORS['other']


def test_a_long_legend_over_a_short_network():
    model = nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(), nn.Flatten(),
                          nn.Sequential(nn.Linear(32, 4), nn.Linear(4, 4)), nn.Linear(4, 1))
    dnn = DNN(model, img_size=(4, 4), layer2loc={f'layer{i}': (f'{i}',) for i in range(8)}).freeze('0', '6.0')
    figure = dnn.show()
    assert len(figure.axes[0].get_legend().get_texts()) == len(COLORS) + 1      # no key for the picture, two for frozen
    assert_legible(figure)


def test_tokens_are_maps_of_their_number():
    with torch.device('meta'):
        model = vit_b_16()
    vit = DNN(model, img_size=(224, 224), layer2loc={
        'patch': ('conv_proj',), 'block': ('encoder', 'layers', 'encoder_layer_0'), 'norm': ('encoder', 'ln'),
        'head': ('heads',)})
    figure = vit.show()
    box = boxes(figure)
    assert written(figure, box['block'])[1] == '768×197×1'
    assert box['block'].get_height() == pytest.approx(box['patch'].get_height(), rel=0.01)    # 14 x 14 and a class
    assert box['block'].get_width() == box['patch'].get_width()


def test_leaves_the_network_as_found(tiny):
    tiny.model.train()
    before = {name: value.clone() for name, value in tiny.model.state_dict().items()}
    tiny.show()
    assert tiny.model.training and all(not module._forward_hooks for module in tiny.model.modules())
    assert all(torch.equal(before[name], value) for name, value in tiny.model.state_dict().items())
    import matplotlib.pyplot
    assert matplotlib.pyplot.get_fignums() == []
