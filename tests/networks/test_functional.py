"""Operations without a module: they are found where the architecture has them, and named when asked for."""

import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F
from torchvision.models.googlenet import BasicConv2d
from torchvision.models.inception import BasicConv2d as InceptionConv2d

from dnnbrain._checks import BadValue
from dnnbrain.dnn.models import DNN, Googlenet
from dnnbrain.networks.functional import functional_summary
from dnnbrain.networks.registry import network_class


class Small(nn.Module):
    """All relations there can be: two calls of a module, a sum inside, a result that a module puts out."""

    def __init__(self):
        super().__init__()
        self.first, self.act, self.block, self.last = nn.Conv2d(3, 4, 1), nn.ReLU(), Block(), nn.Linear(4, 2)

    def forward(self, x):
        x = self.act(self.first(x))
        x = self.act(self.block(x) + x)
        return self.last(F.adaptive_avg_pool2d(x, 1).flatten(1))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)

    def forward(self, x):
        return F.relu(self.conv(x)) * x.shape[1]


class Untraceable(nn.Sequential):
    def forward(self, x):
        return F.relu(super().forward(x)) if x.sum() > 0 else x


def test_a_network_by_hand():
    table = DNN(Small()).functional_operations().set_index('operation')
    assert table['kind'].to_dict() == {'relu': 'relu', 'mul': 'mul', 'add': 'add', 'flatten': 'flatten',
                                       'adaptive_avg_pool2d': 'adaptive_avg_pool2d'}
    rows = table[['inside', 'before', 'after', 'layer']].T.to_dict('list')
    assert rows['relu'] == ['block', ('block.conv',), ('block',), '']
    assert rows['mul'] == ['block', ('block.conv',), ('act#2',), 'block']       # not act#1, of which it takes the shape
    assert rows['add'] == ['', ('block', 'act#1'), ('act#2',), '']
    assert table.loc['flatten', ['before', 'after']].tolist() == [('act#2',), ('last',)]


@pytest.mark.parametrize(('name', 'expected'), [
    ('Resnet18', {'add': 8, 'flatten': 1}),                     # a sum per block
    ('densenet121', {'cat': 6 + 12 + 24 + 16 + 4, 'relu': 1}),  # inputs of dense layers, outputs of blocks
    ('vit_b_16', {'add': 2 * 12 + 1, 'cat': 1}),                # two sums per block, positions; the class token
    ('AlexNet', {'flatten': 1}),
])
def test_numbers_are_those_of_the_architecture(name, expected):
    counts = network_class(name)._empty().functional_operations()['kind'].value_counts()
    assert {kind: counts[kind] for kind in expected} == expected


@pytest.mark.parametrize(('name', 'kind'), [('Googlenet', BasicConv2d), ('InceptionV3', InceptionConv2d)])
def test_every_convolution_of_inception_ends_with_one(name, kind):
    dnn = network_class(name)._empty()
    table = dnn.functional_operations()
    relus = table[table['kind'] == 'relu']
    paths = [path for path, module in dnn.model.named_modules()
             if isinstance(module, kind) and 'aux' not in path.lower()]
    assert sorted(relus['layer']) == sorted(relus['inside']) == sorted(paths)
    assert [before for before, in relus['before']] == [f'{path}.bn' for path in relus['layer']]


def test_a_layer_puts_out_the_result_that_is_said_of_it():
    dnn, seen = Googlenet(pretrained=False, rng=0).eval(), {}
    table = dnn.functional_operations().set_index('operation')
    relu, cat = table.loc['relu'], table.loc['cat_1']
    for path in (relu['layer'], *relu['before'], cat['layer'], *cat['before']):
        dnn.layer2module(path).register_forward_hook(
            lambda module, args, output, path=path: seen.update({path: output.clone()}))
    with torch.inference_mode():
        dnn(torch.rand(1, 3, 64, 64))
    assert torch.equal(seen[relu['layer']], seen[relu['before'][0]].relu())
    assert torch.equal(seen[cat['layer']], torch.cat([seen[path] for path in cat['before']], 1))


SENTENCES = [
    ('Resnet18', 'add_1', r"layer 'add_1' is not in Resnet18; operations without a module \(add, flatten\) cannot be "
                          r'reached; nearest modules: layer1.1.bn2, layer1.0.relu#2 \(before it\), layer1.1.relu#2'),
    ('Resnet18', 'layer2_basicblock0.add', 'nearest modules: layer2.0.bn2, layer2.0.downsample.1'),
    ('Resnet18', 'flatten', r'nearest modules: avgpool \(before it\), fc \(after it\)'),
    ('InceptionV3', 'relu', r'modules to one of 94: Conv2d_1a_3x3.bn \(before it\), Conv2d_2a_3x3.conv \(after it\); '
                            "what it puts out is what layer 'Conv2d_1a_3x3' does"),
    ('InceptionV3', 'Mixed_5b.avg_pool2d', r'nearest modules: maxpool2 .before it., Mixed_5b.branch_pool.conv'),
    ('Googlenet', 'torch.cat', "one of 10: inception3a.branch1, .* what layer 'inception3a' does"),
    ('densenet121', 'features.relu', r'nearest modules: features.norm5 \(before it\), classifier \(after it\)'),
    ('densenet121', 'avg_pool', r'\(adaptive_avg_pool2d, cat, .*nearest modules: features.norm5'),
    ('vit_b_16', 'block1.add', r'nearest modules to one of 2: encoder.layers.encoder_layer_0.dropout, encoder.dropout'),
]


@pytest.mark.parametrize(('name', 'layer', 'sentence'), SENTENCES)
def test_asked_for_it_is_said_to_be_unreachable(name, layer, sentence):
    dnn = network_class(name)._empty()
    with pytest.raises(BadValue, match=sentence):
        dnn.layer2path(layer)
    with pytest.raises(BadValue, match='cannot be reached'):
        dnn.layer2path(f'{layer}#2')


def test_other_names_get_the_list_of_layers():
    dnn = network_class('AlexNet')._empty()
    for layer in ('conv9', 'relu', 'cat', 'features.cat', 'size'):
        with pytest.raises(BadValue, match=f"layer '{layer}' is not in AlexNet; .*choose from conv1"):
            dnn.layer2path(layer)


def test_what_cannot_be_traced():
    dnn = DNN(Untraceable(nn.Conv2d(3, 2, 1)))
    with pytest.raises(BadValue, match='the forward pass of DNN cannot be traced .*control flow'):
        dnn.functional_operations()
    with pytest.raises(BadValue, match=r'\(relu\) cannot be reached. Nor can the nearest modules be told: .*traced'):
        dnn.layer2path('relu')
    with pytest.raises(BadValue, match="layer 'conv1' is not in DNN; choose from 0"):
        dnn.layer2path('conv1')


def test_looking_leaves_the_network_as_it_is():
    model = Small().train()
    model.block.eval()
    model.first.register_forward_hook(lambda *args: pytest.fail('a hook ran'))
    DNN(model).functional_operations()
    assert model.training and not model.block.training and len(model.first._forward_hooks) == 1


def test_info(run):
    code, out, _ = run('db_info', 'Resnet18')
    assert code == 0 and 'operations without a module, which cannot be reached: 8 add, 1 flatten' in out
    assert 'cannot be traced' in run('db_info', 'timm:test_vit')[1]


def test_what_a_module_puts_out_can_be_reached():
    """Each of Swin's 12 blocks adds twice, and puts out the second sum; its stochastic depth is a module."""
    told = functional_summary(network_class('swin_t')._empty())
    assert '12 add' in told and 'stochastic_depth' not in told
