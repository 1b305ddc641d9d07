"""Freezing and learning rates by name, against the parameters themselves."""

import numpy as np
import pytest
import torch

from dnnbrain._checks import BadValue
from dnnbrain.dnn.models import AlexNet, Resnet10


def learning(dnn):
    return {path for path, p in dnn.model.named_parameters() if p.requires_grad}


@pytest.fixture
def net():
    return Resnet10(rng=0)


@pytest.mark.parametrize(('where', 'frozen'), [
    (('conv',), {'conv1.weight'}),
    (('layer4',), 'layer4.'), (('layer4_basicblock0',), 'layer4.0.'), (('layer4.0.conv1',), 'layer4.0.conv1.'),
    (('layer3_', 'layer4_'), ('layer3.', 'layer4.')), (('fc',), {'fc.weight', 'fc.bias'}),
])
def test_by_name_path_or_beginning(net, where, frozen):
    every = learning(net)
    assert net.freeze(*where) is net
    expected = frozen if isinstance(frozen, set) else {path for path in every if path.startswith(frozen)}
    assert every - learning(net) == expected and expected
    net.unfreeze(*where)
    assert learning(net) == every


def test_all_but_the_head_and_everything(net):
    assert learning(net.freeze('all but head')) == {'fc.weight', 'fc.bias'}
    assert learning(net.freeze()) == set()
    assert learning(net.unfreeze()) == {path for path, _ in net.model.named_parameters()}


def test_beginnings_of_names_mean_layers_not_modules():
    """'conv1' is a layer; it does not begin 'conv10', and 'fc' is no module of AlexNet."""
    alexnet = AlexNet(pretrained=False, rng=0)
    assert learning(alexnet.freeze()) == set()
    assert learning(alexnet.unfreeze('fc')) == {f'classifier.{i}.{kind}' for i in (1, 4, 6)
                                               for kind in ('weight', 'bias')}


def test_frozen_layers_stay_bit_identical(net, stim):
    net.replace_head(2, rng=0)
    net.freeze('conv', 'bn', 'layer1', 'layer2')
    before = {name: value.clone() for name, value in net.model.state_dict().items()}
    net.train(stim, 1, 'classification', torch.optim.SGD(net.model.parameters(), 0.1), rng=0)
    for name, value in net.model.state_dict().items():
        still = name.startswith(('conv1', 'bn1', 'layer1', 'layer2'))
        assert torch.equal(value, before[name]) == still, name


def test_mistakes(net):
    with pytest.raises(BadValue, match="layer 'layer5' is not in Resnet10; did you mean 'layer"):
        net.freeze('layer5')
    with pytest.raises(BadValue, match="'relu' of Resnet10 has no parameters"):
        net.freeze('relu')
    with pytest.raises(BadValue, match='is not in Resnet10'):
        net.freeze('')


class TestParamGroups:
    def test_every_parameter_once_at_its_rate(self, net):
        groups = net.param_groups({'layer4': 1e-4, 'layer4.0.conv2': 5e-4, 'fc': 1e-3}, rest=1e-5)
        assert [(g['name'], g['lr']) for g in groups] == [
            ('layer4', 1e-4), ('layer4.0.conv2', 5e-4), ('fc', 1e-3), ('rest', 1e-5)]
        rate = {id(p): g['lr'] for g in groups for p in g['params']}
        assert sum(len(g['params']) for g in groups) == len(rate) == len(list(net.model.parameters()))
        for path, p in net.model.named_parameters():
            expected = 5e-4 if path == 'layer4.0.conv2.weight' else 1e-4 if path.startswith('layer4') else \
                1e-3 if path.startswith('fc') else 1e-5
            assert rate[id(p)] == expected, path

    def test_steps_are_as_long_as_asked(self, net, rng):
        """One SGD step moves each group by its rate times the gradient."""
        optimizer = torch.optim.SGD(net.param_groups({'layer4': 0.1, 'fc': 0.01}))
        before = {path: p.detach().clone() for path, p in net.model.named_parameters()}
        pixels = torch.from_numpy(rng.standard_normal((2, 3, 32, 32)).astype(np.float32))
        net.eval()(pixels).square().mean().backward()
        optimizer.step()
        for path, p in net.model.named_parameters():
            rate = 0.1 if path.startswith('layer4') else 0.01 if path.startswith('fc') else 0
            torch.testing.assert_close(p.detach(), before[path] - rate * p.grad, rtol=1e-5, atol=1e-7)

    def test_frozen_parameters_are_in_no_group(self, net):
        net.freeze('layer4.0.bn1')
        inside = {id(p) for g in net.param_groups({'layer4': 1e-4}, rest=1e-3) for p in g['params']}
        assert inside == {id(p) for p in net.model.parameters() if p.requires_grad}

    def test_mistakes(self, net):
        with pytest.raises(BadValue, match="rate of 'fc' must not be negative"):
            net.param_groups({'fc': -1})
        with pytest.raises(BadValue, match="nothing that learns is left for 'layer4.0'"):
            net.param_groups({'layer4.0': 1e-3, 'layer4': 1e-4})
        net.freeze('fc')
        with pytest.raises(BadValue, match="nothing that learns is left for 'fc'"):
            net.param_groups({'fc': 1e-3})
