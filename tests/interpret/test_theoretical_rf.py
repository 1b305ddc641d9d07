"""Theoretical receptive fields: exactly the pixels that have a gradient, in every layer of five networks."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F

from dnnbrain._checks import BadType, BadValue
from dnnbrain.activation.mask import Mask
from dnnbrain.interpret.fields.theoretical_rf import TheoreticalReceptiveField
from dnnbrain.interpret.target import ModelTarget
from dnnbrain.mapping.multivariate import MultivariateMapping
from dnnbrain.networks.dependence import Dependence, painted
from dnnbrain.networks.dnn import DNN
from dnnbrain.networks.registry import network_class

THIN = {'Googlenet': 8, 'InceptionV3': 16}      # all numbers of channels are multiples of it; of the others of 32


@pytest.fixture
def means_for_maxima(monkeypatch):
    """The gradient of a maximum is at one place; that of a mean is wherever the maximum looks."""
    monkeypatch.setattr(F, 'max_pool2d', lambda x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False,
                        return_indices=False: F.avg_pool2d(x, kernel_size, stride, padding, ceil_mode))


def thin(model, share):
    """The same graph with fewer channels (one in `share`), equal positive weights, and nothing that could cancel."""
    for parent in list(model.modules()):
        for name, module in parent.named_children():
            if isinstance(module, nn.Conv2d):
                n_out, n_in = module.out_channels // share, max(module.in_channels // share, 1)
                n_in = 3 if module.in_channels == 3 else n_in
                size = module.kernel_size
                module.weight = nn.Parameter(torch.full((n_out, n_in, *size), 1 / (n_in * size[0] * size[1])))
                module.bias = None
            elif isinstance(module, nn.BatchNorm2d | nn.Linear | nn.Dropout | nn.ReLU):
                setattr(parent, name, nn.Identity())
    return model.double().eval().requires_grad_(False)


def gradients(model, paths, side):
    """Path -> ((channel, row, column), (h, w) bool where the gradient is) of a middle and a last unit."""
    held = {}
    for path in paths:
        model.get_submodule(path).register_forward_hook(lambda m, a, out, path=path: held.setdefault(path, out))
    pixels = torch.rand(2, 3, side, side, dtype=torch.double, requires_grad=True)
    model(pixels + .1)
    for path in paths:
        maps = held[path]
        n_chn, n_row, n_col = maps.shape[1:]
        units = [(n_chn // 2, n_row // 2, n_col // 3), (n_chn - 1, n_row - 1, 0)]
        answer = sum(maps[i, c, row, col] for i, (c, row, col) in enumerate(units))
        gradient, = torch.autograd.grad(answer, pixels, retain_graph=True)
        for unit, seen in zip(units, (gradient != 0).any(1).numpy(), strict=True):
            yield path, unit, seen


@pytest.mark.slow
@pytest.mark.parametrize('name', ['AlexNet', 'Vgg11', 'Resnet18', 'Googlenet', 'InceptionV3'])
def test_every_layer_is_where_the_gradient_is(name, means_for_maxima):
    dnn = network_class(name)._empty()
    graph = Dependence(dnn.model)
    kinds = nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d | nn.AdaptiveAvgPool2d
    paths = [path for path, module in dnn.model.named_modules() if isinstance(module, kinds) and 'aux' not in
             path.lower()]
    shapes = graph.shapes([graph.node(path) for path in paths], dnn.input_shape)
    share = THIN.get(name, 32)
    model = thin(network_class(name)._empty().model, share)
    n = 0
    for path, (channel, *place), seen in gradients(model, paths, dnn.input_shape[1]):
        node = graph.node(path)
        box = [np.arange(size) == index for size, index in
               zip(shapes[node], (0, channel * share, *place), strict=True)]
        found = painted(graph.boxes({node: [tuple(box)]}, shapes), dnn.input_shape[1:])
        np.testing.assert_array_equal(found, seen, err_msg=path)
        n += 1
    assert n == 2 * len(paths) and not graph.unknown


class Odd(nn.Module):
    """Steps that the five networks lack."""

    def __init__(self):
        super().__init__()
        self.grouped = nn.Conv2d(3, 6, (3, 2), stride=(2, 1), padding=(2, 0), dilation=(1, 2), groups=3)
        self.reflected = nn.Conv2d(6, 4, 5, padding=2, padding_mode='reflect')
        self.up = nn.ConvTranspose2d(4, 4, 3, stride=2, padding=1, output_padding=1)
        self.pool = nn.AdaptiveAvgPool2d((5, 4))
        self.norm = nn.LayerNorm(8)
        self.mix = nn.Linear(8, 8)
        self.same = nn.Conv2d(8, 8, 4, padding='same', groups=8)
        self.groups = nn.GroupNorm(4, 8)
        self.fc = nn.Linear(8, 2)
        self.edges = nn.Sequential(nn.ZeroPad2d((1, 2, 0, 1)), nn.ReflectionPad2d(2), nn.ReplicationPad2d((0, 1, 1, 0)),
                                   nn.Conv2d(4, 2, 2))
        self.larger = nn.Upsample(scale_factor=(2, 1.5), mode='bilinear')
        self.shuffled, self.cut, self.joined, self.gate, self.row, self.last, self.resized = (
            nn.Identity() for _ in range(7))

    def forward(self, x):
        a = self.grouped(x)
        n, c, h, w = a.size()
        shuffled = self.shuffled(a.view(n, 3, c // 3, h, w).transpose(1, 2).reshape(n, c, h, w))
        b = self.up(self.reflected(shuffled))
        first, second = b.chunk(2, dim=1)
        cut = self.cut(F.pad(torch.cat([second, first * 2], 1)[:, [3, 0, 1], 1:, ::2], (1, 0, 2, -1)))
        sized = F.interpolate(self.larger(self.edges(b)), (9, 25), mode='bicubic') ** 2
        resized = self.resized(F.interpolate(F.pad(sized, (2, 1, 0, 1), 'reflect'), scale_factor=.5))
        c = self.pool(b)
        d = torch.cat([c, F.avg_pool2d(b, 3, 2, 1)[..., :5, :4]], dim=1)
        joined = self.joined(d)
        e = self.mix(self.norm(joined.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)
        f = self.same(e)
        gate = self.gate(f.mean((2, 3), keepdim=True).sigmoid())
        g = self.groups(f)[:, :, 0].unsqueeze(1)
        row = self.row(g * gate.flatten(1)[:, None, :, None])
        return self.last(self.fc(row.flatten(2).reshape(1, 4, 8))), cut, resized


@pytest.mark.filterwarnings('ignore:Using padding')
def test_rules_of_other_steps():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, pixels = Odd().double().eval(), torch.rand(1, 3, 13, 11, dtype=torch.double)
    graph, rng = Dependence(model), np.random.default_rng(0)
    pixels.requires_grad_()
    held = {}
    for path, module in model.named_children():
        module.register_forward_hook(lambda m, a, out, path=path: held.setdefault(path, out))
    model(pixels)
    shapes = graph.shapes([graph.node(path) for path in held], (3, 13, 11))
    assert len(held) == 18
    for path, maps in held.items():
        for _ in range(4):
            unit = tuple(rng.integers(maps.shape))
            gradient, = torch.autograd.grad(maps[unit], pixels, retain_graph=True)
            box = tuple(np.arange(n) == i for n, i in zip(maps.shape, unit, strict=True))
            found = painted(graph.boxes({graph.node(path): [box]}, shapes), (3, 13, 11))
            np.testing.assert_array_equal(found, gradient[0].numpy() != 0, err_msg=f'{path} {unit}')
    assert not graph.unknown


@pytest.fixture(scope='module')
def alexnet():
    return network_class('AlexNet')._empty()


def test_calls_of_1_0(alexnet):
    """Sizes and jumps are those of Araujo et al. 2019; start by their recursion, with the first pixel at 0.5."""
    field = TheoreticalReceptiveField(alexnet, 'conv2', 1)
    field.set_parameters((3, 0))
    layers = field.compute(batch_size=4, device='cpu')
    assert list(layers) == ['0', '1', '2', '3', '4', 'input_size'] and layers['input_size'] == (3, 224, 224)
    assert [(e['j'], e['r'], e['start']) for n, e in layers.items() if n != 'input_size'] == [
        (1, 1, .5), (4, 11, 4 - .5), (4, 11, 3.5), (8, 19, 7.5), (8, 51, 7.5)]
    assert layers['4']['output_shape'] == [4, 192, 27, 27] and field.compute_size() == 51
    assert layers[4] is layers['4'] is layers['conv2'] is layers['features.3']
    with pytest.raises(KeyError):
        layers['conv3']
    centre = layers['4']['start'] + 8 * np.array([3, 0])
    assert field.find_region(layers) == [(int(centre[0] - 25.5), int(centre[0] + 25.5)), (0, int(centre[1] + 25.5))]
    assert field.unit == (4, 1)                              # what set_parameters counts from 0 counts from 1 elsewhere


@pytest.mark.parametrize('name, layer', [('AlexNet', 'conv5'), ('Resnet18', 'layer2_basicblock0'),
                                         ('convnext_tiny', 'features.1'), ('shufflenet_v2_x1_0', 'stage2.1')])
def test_the_table_agrees_with_regions(name, layer):
    """Inside the picture a field goes from start + u j - r / 2 to start + u j + r / 2, for two rows and columns."""
    dnn = network_class(name)._empty()
    field = TheoreticalReceptiveField(dnn, layer, 3)
    *_, entry = [e for number, e in field.compute().items() if number != 'input_size']
    n = entry['output_shape'][-1]
    assert entry['r'] == field.compute_size() < 224
    for unit in ((n // 2, n // 2), (n // 2 + 1, 0)):
        field.set_parameters(unit)
        edges = [entry['start'] + u * entry['j'] + np.array([-.5, .5]) * entry['r'] for u in unit]
        assert field.find_region() == [(max(0, low), min(224, high)) for low, high in edges]


def test_entries_behind_a_shuffle_of_channels():
    """Which the rule of sizes does not know; by hand 3, + 2 * 2, + 2 * 4 and + 2 * 8."""
    dnn = network_class('shufflenet_v2_x1_0')._empty()
    layers = TheoreticalReceptiveField(dnn, 'stage2.1', [1, 2]).compute()
    names = ('conv1.0', 'maxpool', 'stage2.0.branch2.3', 'stage2.1.branch2.3')
    assert [(layers[name]['r'], layers[name]['j']) for name in names] == [(3, 2), (7, 4), (15, 8), (31, 8)]


def test_branches_see_less_than_what_they_are_joined_to():
    """Of GoogLeNet's first inception: 1 x 1; 1 x 1, 3 x 3; the same again (torchvision's 5 x 5 is 3 x 3); pooling."""
    dnn = network_class('Googlenet')._empty()
    sizes = [TheoreticalReceptiveField(dnn, 'inception3a', c).compute_size() for c in (64, 65, 193, 256)]
    assert sizes == [27, 43, 43, 43]
    assert TheoreticalReceptiveField(dnn, 'inception3a', [1, 65]).compute_size() == 43


def test_what_joins_all_places_sees_the_whole_picture(alexnet):
    field = TheoreticalReceptiveField(alexnet, 'fc1', 5)
    assert field.compute_size() == 224 and field.find_region() == [(0, 224), (0, 224)]
    last = field.compute()['fc1']
    assert (last['j'], last['r'], last['start']) == (0, 224, 112)
    pooled = TheoreticalReceptiveField(alexnet, 'avgpool', 1, unit=(1, 1))      # 6 x 6 to 6 x 6, but adaptive
    assert pooled.compute_size() == 224 and pooled.find_region()[0] == (0, 31.5 + 195 / 2)
    vit = TheoreticalReceptiveField(network_class('vit_b_16')._empty(), 'encoder.layers.encoder_layer_0', 1)
    assert vit.find_region() == [(0, 224), (0, 224)] and vit.compute_size() == 224
    excited = TheoreticalReceptiveField(network_class('efficientnet_b0')._empty(), 'features.1', 1, unit=(3, 3))
    assert excited.find_region() == [(0, 224), (0, 224)]


def test_a_mean_over_channels_joins_no_places():
    class Norm(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.next, self.last = nn.Conv2d(3, 2, 3), nn.Conv2d(2, 2, 3), nn.Conv2d(2, 2, 3)

        def forward(self, x):
            x = self.conv(x)
            return self.last(self.next(x - x.mean(1, keepdim=True)))
    layers = TheoreticalReceptiveField(DNN(Norm(), img_size=(20, 20)), 'last', 1).compute()
    assert [layers[name]['r'] for name in ('conv', 'next', 'last')] == [3, 5, 7]


def test_clips_and_sounds():
    clips = TheoreticalReceptiveField(network_class('R3D')._empty(), 'stem', 1, unit=(1, 9, 9))
    assert clips.find_region() == [(0, 2), (13, 20), (13, 20)] and clips.compute()['stem']['r'] == (3, 7, 7)
    sounds = TheoreticalReceptiveField(network_class('VGGish')._empty(), 'conv1', 1, unit=(4, 4))
    assert sounds.find_region() == [(2, 5), (2, 5)]


def test_a_voxel_sees_what_its_units_see(tiny, rng):
    units = Mask('relu', [1], [2], [5, 6])
    activ = tiny.compute_activation(rng.integers(0, 256, (6, 3, 12, 12), dtype=np.uint8), units)
    X = activ.get('relu').reshape(6, -1)
    model = MultivariateMapping('ridge', cv=3).map(X, rng.standard_normal((6, 2)))['model'][0].to_weights(X)
    target = ModelTarget(replace(model, layer='relu'), 1, dmask=units)
    field = TheoreticalReceptiveField(tiny, target=target)
    assert field.find_region() == [(1, 4), (4, 8)] and field.compute_size() == 4
    with pytest.raises(BadValue, match="table is of a layer"):
        field.compute()


def test_a_gap_is_no_part_of_the_support():
    dnn = DNN(nn.Sequential(nn.Conv2d(3, 2, 2, dilation=3)), img_size=(9, 9))
    field = TheoreticalReceptiveField(dnn, '0', 1, unit=(1, 1))
    assert field.find_region() == [(0, 4), (0, 4)] and field.support().sum() == 4
    assert TheoreticalReceptiveField(dnn, '0', 1).support().all()       # the whole channel


def test_the_table_is_shown_in_the_log(alexnet, caplog, capsys):
    field = TheoreticalReceptiveField(alexnet, 'conv1', 1)
    with caplog.at_level('INFO', logger='dnnbrain'):
        field.compute(display=True)
    assert 'conv1' in caplog.text and '[-1, 64, 55, 55]' in caplog.text and not capsys.readouterr().out
    assert field.table()['r'].tolist() == [1, 11]


def test_the_network_is_as_found():
    dnn = network_class('AlexNet')(pretrained=False, rng=0)
    dnn.model.train()
    calls = []
    handle = dnn.model.features[0].register_forward_hook(lambda *given: calls.append(given))
    before = dnn.model.features[0].weight.clone()
    TheoreticalReceptiveField(dnn, 'conv2', 1, unit=(1, 1)).find_region()
    assert not calls and handle.id in dnn.model.features[0]._forward_hooks
    assert all(module.training for module in dnn.model.modules()) and torch.equal(before, dnn.model.features[0].weight)


class Rolled(nn.Module):
    def __init__(self, depends=False):
        super().__init__()
        self.conv, self.depends = nn.Conv2d(3, 2, 3), depends

    def forward(self, x):
        return self.conv(torch.roll(x, 1, 2)) if not self.depends or x.sum() > 0 else x


def test_mistakes(alexnet, caplog):
    field = TheoreticalReceptiveField(alexnet)
    with pytest.raises(BadValue, match='set a layer first'):
        field.set_parameters((0, 0))
    with pytest.raises(BadValue, match='no layer is set'):
        field.compute()
    field.set_layer('conv5', 257)
    with pytest.raises(BadValue, match='channel of layer .conv5. 257 is out of range'):
        field.find_region()
    field.set_layer('conv5', 1, (14, 1))
    with pytest.raises(BadValue, match='count from 1 to 13'):
        field.find_region()
    with pytest.raises(BadValue, match='counts from 0'):
        field.set_parameters((-1, 0))
    with pytest.raises(BadType, match='what compute'):
        field.find_region({'1': {}})
    with pytest.raises(BadValue, match='cannot be traced'):
        TheoreticalReceptiveField(DNN(Rolled(True), img_size=(9, 9)), 'conv', 1).compute_size()
    rolled = TheoreticalReceptiveField(DNN(Rolled(), img_size=(9, 9)), 'conv', 1, unit=(1, 1))
    assert rolled.find_region()[0] == (0, 9) and rolled.compute_size() == 9
    assert caplog.text.count('no rule for roll') == 1
