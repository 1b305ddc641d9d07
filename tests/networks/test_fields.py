"""Receptive fields against where the gradient is, and against published numbers."""

import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F

from dnnbrain.dnn.models import DNN, AlexNet
from dnnbrain.networks.fields import receptive_fields
from dnnbrain.networks.registry import network_class


def rows_of(name):
    return network_class(name)._empty().summary().set_index('layer')


def extent(model, path, side):
    """(first row, last row) of a picture on which the middle unit of a layer depends, and the row of the unit.

    The model, which has no memory for its weights, gets an eighth of its channels, all of them multiples of 8. Weights
    are positive and equal, so that nothing cancels; maxima, which pass the gradient to one place, are means.
    """
    for parent in list(model.modules()):
        for child, module in parent.named_children():
            if isinstance(module, nn.Conv2d):
                n_in = 3 if module.in_channels == 3 else module.in_channels // 8
                weight = torch.ones(module.out_channels // 8, n_in, *module.kernel_size, dtype=torch.double)
                module.weight, module.bias = nn.Parameter(weight / weight[0].numel(), requires_grad=False), None
            elif isinstance(module, nn.MaxPool2d):
                setattr(parent, child, nn.AvgPool2d(module.kernel_size, module.stride, module.padding,
                                                    ceil_mode=module.ceil_mode))
            elif isinstance(module, nn.BatchNorm2d | nn.Linear):
                setattr(parent, child, nn.Identity())
    held = {}
    handle = model.get_submodule(path).register_forward_hook(lambda m, a, out: held.update(out=out))
    x = torch.ones(1, 3, side, side, dtype=torch.double, requires_grad=True)
    model(x)
    handle.remove()
    unit = held['out'].shape[2] // 2
    gradient, = torch.autograd.grad(held['out'][0, :, unit, unit].sum(), x)
    seen = torch.nonzero(gradient.abs().sum((0, 1, 3)))
    return int(seen.min()), int(seen.max()), unit


@pytest.mark.parametrize('name, paths, side', [
    ('AlexNet', ['features.0', 'features.2', 'features.3', 'features.6', 'features.8', 'features.10'], 447),
    ('Resnet18', ['maxpool', 'layer1', 'layer2.0', 'layer2', 'layer3'], 449),
    ('Googlenet', ['maxpool2', 'inception3a', 'inception4a'], 384),
    ('densenet121', ['features.denseblock1', 'features.transition1'], 256),
    ('squeezenet1_0', ['features.3', 'features.7'], 256),
])
def test_where_the_gradient_is(name, paths, side):
    """The first and last pixel, hence the place too."""
    fields = receptive_fields(network_class(name)._empty().model)
    for path in paths:
        axis, (low, high, unit) = fields[path][-1].axes[0], extent(network_class(name)._empty().model, path, side)
        assert (low, high) == (axis.jump * unit + axis.low, axis.jump * unit + axis.high), path
        assert 0 < low < high < side - 1


@pytest.mark.parametrize('name, layer, size, jump', [
    ('AlexNet', 'conv1', 11, 4), ('AlexNet', 'conv5', 163, 16), ('AlexNet', 'conv5_maxpool', 195, 32),
    ('Vgg16', 'conv13', 196, 16), ('Vgg16', 'conv13_maxpool', 212, 32), ('InceptionV3', 'inception11', 1311, 32),
])
def test_published_numbers(name, layer, size, jump):
    """Araujo et al. 2019, table of networks (their AlexNet and VGG-16 end with the last pooling)."""
    assert rows_of(name).loc[layer, ['rf', 'jump']].tolist() == [str(size), str(jump)]


@pytest.mark.parametrize('name, published', [('Resnet50', 483), ('Resnet101', 1027), ('Resnet152', 1507)])
def test_published_numbers_of_resnets(name, published):
    """Theirs have the strides at the ends of stages, torchvision's at the beginnings."""
    model = network_class(name)._empty().model
    for stage in (model.layer1, model.layer2, model.layer3):
        stage[-1].conv2.stride, stage[-1].downsample = (2, 2), nn.MaxPool2d(1, 2)
    for stage in (model.layer2, model.layer3, model.layer4):
        stage[0].conv2.stride = stage[0].downsample[0].stride = (1, 1)
    assert receptive_fields(model)['layer4'][0].size == (published, published)


def test_global_layers_have_none():
    assert rows_of('AlexNet').loc['fc1', ['rf', 'jump']].tolist() == ['-', '-']
    assert rows_of('Resnet18').loc['avgpool', 'rf'] == '-'
    excited = rows_of('efficientnet_b0')                # squeeze and excitation looks at the whole picture
    assert excited.loc['conv1', 'rf'] == '3' and excited.loc['stage2', 'rf'] == '-'
    assert rows_of('vit_b_16').loc['stem', 'rf'] == '16' and rows_of('vit_b_16').loc['block1', 'rf'] == '-'


class Functional(nn.Module):
    """A branch by functions, one dilated, an asymmetric kernel, one module used twice."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.wide = nn.Conv2d(3, 3, (1, 3), dilation=2, padding='same')
        self.norm = nn.Identity()
        self.mixed = nn.Identity()

    def forward(self, x):
        a = F.relu(self.conv(x[:, [2, 1, 0]]))
        a = self.conv(a)
        b = F.avg_pool2d(self.wide(x), kernel_size=3, stride=1, padding=1)
        c = self.norm(torch.cat([a + b, x * 2], dim=1))
        return self.mixed(F.max_pool2d(c, 3, 2) - x.mean())


def test_functions_calls_and_axes():
    fields = receptive_fields(Functional())
    assert [field.size for field in fields['conv']] == [(3, 3), (5, 5)]
    assert fields['wide'][0].size == (1, 5) and fields['norm'][0].size == (5, 7)
    assert fields['mixed'] == [None]                    # the mean of the picture
    table = DNN(Functional(), img_size=(32, 32)).summary()
    assert table['rf'].tolist() == ['3', '1 x 5', '5 x 7', '-'] and table['jump'].tolist() == ['1', '1', '1', '-']


def test_clips():
    fields = receptive_fields(network_class('R3D')._empty().model)
    assert fields['stem'][0].size == (3, 7, 7) and fields['layer1'][0].size == (11, 23, 23)


def test_what_cannot_be_traced_has_none():
    class Depends(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 3)

        def forward(self, x):
            return self.conv(x) if x.sum() > 0 else x
    assert receptive_fields(Depends()) == {}


def test_nothing_is_left_behind():
    dnn = AlexNet(pretrained=False, rng=0)
    dnn.model.train()
    with dnn.ablated('conv1', 1):
        assert dnn.summary().set_index('layer').loc['conv5', 'rf'] == '163'
    assert all(module.training for module in dnn.model.modules()) and not dnn.model._forward_pre_hooks
