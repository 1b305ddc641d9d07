"""Networks cut at a layer answer what a hook there sees; joined again they are the whole."""

import numpy as np
import pytest
import torch
import torch.nn as nn

from dnnbrain._checks import BadType, BadValue
from dnnbrain.dnn.models import DNN, AlexNet, Resnet10, Vgg11_bn
from dnnbrain.networks.layers import split_call


@pytest.fixture
def pixels(rng):
    return torch.from_numpy(rng.standard_normal((2, 3, 64, 64)).astype(np.float32))


def seen(dnn, layer, pixels):
    """What the hook of a call of a layer sees."""
    found = []
    handle = dnn.layer2module(layer).register_forward_hook(lambda m, a, out: found.append(out.clone()))
    with torch.no_grad():
        dnn.model.eval()(pixels)
    handle.remove()
    return found[split_call(layer)[1] - 1]


@pytest.mark.parametrize(('cls', 'layer'), [
    (AlexNet, 'conv1'), (AlexNet, 'conv5'), (AlexNet, 'conv5_relu'), (AlexNet, 'fc2'), (AlexNet, 'features'),
    (Vgg11_bn, 'conv3_bn'), (Resnet10, 'avgpool'), (Resnet10, 'layer2_basicblock0'), (Resnet10, 'layer3'),
    (Resnet10, 'layer1.0.relu'), (Resnet10, 'layer1.0.relu#2'), (Resnet10, 'fc'),
])
def test_a_cut_network_puts_out_the_layer(cls, layer, pixels):
    dnn = cls(pretrained=False, rng=0)
    trunk = dnn.cut(layer)
    with torch.no_grad():
        torch.testing.assert_close(trunk.eval()(pixels), seen(dnn, layer, pixels), rtol=0, atol=0)


def test_layers_that_stay_keep_their_names_and_answers(stim):
    dnn = Resnet10(rng=0)
    trunk = dnn.cut('layer2_basicblock0')
    assert trunk.layers == dnn.layers[:dnn.layers.index('layer2_basicblock0') + 1]
    whole, part = (net.compute_activation(stim, trunk.layers) for net in (dnn, trunk))
    for layer in trunk.layers:
        np.testing.assert_array_equal(part.get(layer), whole.get(layer))
    assert not any(path.startswith(('layer3', 'layer4', 'fc')) for path in trunk.model.state_dict())


def test_a_block_that_was_opened_has_no_name_any_more():
    assert Resnet10(rng=0).cut('layer1.0.relu').layers == ['conv', 'bn', 'relu']


def test_the_cut_is_a_copy():
    dnn = Resnet10(rng=0)
    trunk = dnn.cut('layer1')
    with torch.no_grad():
        trunk.model.conv1.weight.zero_()
    assert dnn.model.conv1.weight.abs().sum() > 0


def test_cut_and_joined_again_is_the_whole_network(pixels):
    dnn = Resnet10(rng=0)
    joined = dnn.cut('avgpool').join(dnn.model.fc)
    assert joined.layers == [*dnn.layers[:-1], 'head']
    with torch.no_grad():
        torch.testing.assert_close(joined.eval()(pixels), dnn.eval()(pixels))
    assert joined.img_size == dnn.img_size and joined.test_transform is dnn.test_transform


def test_a_head_trained_on_embeddings_works_in_the_joined_network(stim):
    """NeuPy's way: embeddings once, a head on them, then one network that gives the same and can be finetuned."""
    trunk = Resnet10(rng=0).cut('avgpool')
    embeddings = torch.from_numpy(trunk.compute_activation(stim, 'avgpool').get('avgpool')[..., 0, 0])
    labels = torch.from_numpy(stim.get('label'))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        head = nn.Sequential(nn.Linear(512, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = torch.optim.Adam(head.parameters(), 0.01)
    for _ in range(100):
        optimizer.zero_grad()
        nn.functional.cross_entropy(head(embeddings), labels).backward()
        optimizer.step()
    joined = trunk.join(head)
    assert joined.test(stim, 'classification')['score'] == 1
    assert np.mean(head(embeddings).argmax(1).numpy() == stim.get('label')) == 1
    joined.freeze('trunk')
    assert {path for path, p in joined.model.named_parameters() if p.requires_grad} == {
        f'head.{path}' for path, _ in head.named_parameters()}
    joined.unfreeze().train(stim, 1, 'classification', rng=0)


def test_training_and_eval_mode_reach_the_modules_of_a_cut(pixels):
    trunk = AlexNet(pretrained=False, rng=0).cut('fc1')
    trunk.model.train()
    assert not torch.equal(trunk(pixels), trunk(pixels))
    assert torch.equal(trunk.eval()(pixels), trunk(pixels))


def test_mistakes(tiny):
    with pytest.raises(BadValue, match="layer 'con' is not in DNN; did you mean 'conv'"):
        tiny.cut('con')
    with pytest.raises(BadValue, match="'1' is used 1 times in a forward pass of DNN, not 2"):
        tiny.cut('relu#2')
    with pytest.raises(BadValue, match='head takes 7 features, but DNN puts out 400'):
        tiny.cut('relu').join(nn.Linear(7, 2))
    with pytest.raises(BadType, match='a head must be a torch.nn.Module or a DNN, not int'):
        tiny.join(3)

    class Moody(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 1)

        def forward(self, x):
            return self.conv(x) if x.sum() > 0 else x
    with pytest.raises(BadValue, match='cannot be cut, since its forward pass depends on what it is shown'):
        DNN(Moody(), img_size=(8, 8)).cut('conv')


def test_steps_that_write_in_place_stay(pixels):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.relu, self.fc = nn.Conv2d(3, 4, 64), nn.ReLU(inplace=True), nn.Linear(4, 2)

        def forward(self, x):
            x = self.conv(x).flatten(1)
            torch.relu_(x)
            y = self.fc(x)
            self.relu(y)
            return y
    torch.manual_seed(0)
    dnn = DNN(Net(), img_size=(64, 64))
    with torch.no_grad():
        torch.testing.assert_close(dnn.cut('relu').eval()(pixels), dnn.eval()(pixels), rtol=0, atol=0)
        nn.init.constant_(dnn.model.fc.bias, -5)
        assert dnn.cut('fc').eval()(pixels).max() < 0                  # before the last ReLU writes into it


def test_dropout_as_a_function_is_refused():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 2)

        def forward(self, x):
            return self.fc(nn.functional.dropout(x, 0.5, self.training))
    with pytest.raises(BadValue, match='its dropout is a function; make it a torch.nn.Dropout'):
        DNN(Net(), img_size=(8, 8)).cut('fc')


@pytest.mark.parametrize('head', [
    [nn.Dropout(), nn.Linear(512, 2)], [nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 2)],
    [nn.Identity(), nn.GELU(), nn.Linear(512, 2)], [nn.Flatten(), nn.Linear(512, 2)],
    [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 2)]], ids=lambda head: type(head[0]).__name__)
def test_heads_of_all_kinds_can_be_joined_to_maps(head):
    joined = Resnet10(rng=0).cut('avgpool').join(nn.Sequential(*head))
    assert joined.model.eval()(torch.randn(2, 3, 32, 32)).shape == (2, 2)


def test_a_module_with_an_attribute_model_is_joined_whole(pixels):
    class Head(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = nn.Linear(512, 2)

        def forward(self, x):
            return self.model(x.flatten(1)) * 100
    trunk, head = Resnet10(rng=0).cut('avgpool'), Head()
    trunk.eval()
    assert torch.equal(trunk.join(head).eval()(pixels), head(trunk(pixels)))


def test_half_precision():
    dnn = Resnet10(rng=0)
    dnn.model.half()
    assert len(dnn.summary()) == 9
    assert dnn.readout('avgpool', 2, rng=0).model.head[1].weight.dtype == torch.float16
