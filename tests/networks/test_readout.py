"""A readout reads the units of a mask, and nothing else."""

import numpy as np
import pytest
import torch

from dnnbrain._checks import BadValue
from dnnbrain.dnn.core import Mask
from dnnbrain.dnn.models import DNN, AlexNet, Resnet10
from dnnbrain.networks.readout import rescale_head


@pytest.fixture
def dmask():
    """In-place ReLUs follow both convolutions; the order is not that of the network."""
    mask = Mask('conv5', [7, 2], 'all', [1, 3])
    mask.set('conv4', [5])
    mask.set('fc1', [1, 4096])
    return mask


def test_it_is_linear_in_the_units_of_the_mask(dmask, stim):
    dnn = AlexNet(pretrained=False, rng=0)
    net = dnn.readout(dmask, 3, rng=1)
    units = dnn.compute_activation(stim, dmask)
    X = np.concatenate([units.get(layer).reshape(len(stim), -1) for layer in dmask.layers], axis=1)
    assert X.shape[1] == 2 * 13 * 2 + 13 * 13 + 2 == net.layer2module('head.1').in_features
    expected = X @ net.get_kernel('head.1').T + net.model.head[1].bias.detach().numpy()
    found = net.compute_activation(stim, 'head').get('head')[..., 0, 0]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert not any(name.startswith(('trunk.classifier.4', 'trunk.classifier.6')) for name in net.model.state_dict())
    again = dnn.readout(dmask, 3, rng=1)
    assert torch.equal(again.model.head[1].weight, net.model.head[1].weight)


def test_gradients_reach_what_is_below_and_only_that(stim):
    dnn = Resnet10(rng=0)
    net = dnn.readout(['layer2_basicblock0', 'conv'], 2, rng=0)
    net(torch.randn(2, 3, 32, 32)).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.model.trunk.conv1.parameters())
    assert {name.split('.')[1] for name, _ in net.model.trunk.named_parameters(prefix='trunk')} == \
        {'conv1', 'bn1', 'layer1', 'layer2'}
    assert dnn.model.conv1.weight.grad is None


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_saved_and_loaded(dmask, tmp_path, suffix):
    net = AlexNet(pretrained=False, rng=0).readout(dmask, 3, rng=1)
    net.save(tmp_path / f'x{suffix}')
    again, x = DNN.load(tmp_path / f'x{suffix}'), torch.randn(2, 3, 224, 224)
    with torch.inference_mode():
        assert torch.equal(again.eval()(x), net.eval()(x))
    assert again.layers == net.layers and again.model.head[0].dmask.to_dict() == dmask.to_dict()


def test_which_call_of_a_shared_module():
    dnn = Resnet10(rng=0).eval()
    seen = []
    dnn.layer2module('layer1.0.relu').register_forward_hook(lambda m, a, out: seen.append(out.clone()))
    net = dnn.readout(['layer1.0.relu#1', 'layer1.0.relu#2'], 1, rng=0).eval()
    x = torch.randn(2, 3, 32, 32)
    seen.clear()
    with torch.inference_mode():
        dnn(x)
        expected = net.model.head[1](torch.cat([out.flatten(1) for out in seen[:2]], 1))
        torch.testing.assert_close(net(x), expected)


def test_wrong_masks():
    dnn = Resnet10(rng=0)
    with pytest.raises(BadValue, match="layer 'layer1' of Resnet10 holds 'layer1.0'; cut behind one of them"):
        dnn.readout(['layer1', 'layer1.0'], 2)
    with pytest.raises(BadValue, match="'layer9' is not in Resnet10"):
        dnn.readout('layer9', 2)
    with pytest.raises(BadValue, match='65 .*out of range; they count from 1 to 64'):
        dnn.readout(Mask('conv', [65]), 2)
    with pytest.raises(BadValue, match='name the layer to cut Resnet10 behind'):
        dnn.cut()


@pytest.mark.parametrize('bias', [True, False])
def test_a_head_that_predicts_z_scores_is_scaled_to_values(bias):
    net = Resnet10(rng=0).readout('avgpool', 3, rng=0)
    if not bias:
        net.model.head[1].bias = None
    x = torch.randn(4, 3, 32, 32)
    with torch.inference_mode():
        z = net.eval()(x)
        rescale_head(net, np.array([1.0, 2, 3]), np.array([0.5, 4, 1]))
        torch.testing.assert_close(net(x), z * torch.tensor([0.5, 4, 1]) + torch.tensor([1.0, 2, 3]))
