"""GoogLeNet and Inception v3: their input, and learning from auxiliary classifiers."""

import copy

import numpy as np
import pytest
import torch
import torch.nn as nn
from torchvision import models as tv

from dnnbrain._checks import BadValue
from dnnbrain.dnn.models import DNN, AlexNet, Googlenet, InceptionV3


def still(dnn):
    """No dropout, so that a step can be repeated by hand."""
    for module in dnn.model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0
    return dnn


@pytest.fixture
def small():
    """A GoogLeNet for pictures of 64 x 64 and three classes."""
    dnn = still(Googlenet(pretrained=False, rng=0))
    dnn.replace_head(3, rng=0)
    dnn.img_size = (64, 64)
    return dnn


@pytest.fixture
def pictures(rng):
    """Four random pictures (4, 3, 64, 64), and labels."""
    return rng.integers(0, 256, (4, 3, 64, 64)).astype(np.uint8), np.array([0, 1, 2, 1])


def as_seen(pixels):
    """Normalised as for ImageNet."""
    from torchvision.transforms.functional import normalize
    return normalize(torch.from_numpy(pixels / 255).float(), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.mark.parametrize(('network', 'first'), [(Googlenet, 'conv1'), (InceptionV3, 'Conv2d_1a_3x3')])
def test_the_first_layer_sees_pixels_from_minus_one_to_one(network, first, rng):
    """What these networks were trained on; 1.0 gave them the ImageNet mean and deviation."""
    dnn = network(pretrained=False, rng=0).eval()
    pixels = rng.integers(0, 256, (1, 3, 80, 80)).astype(np.uint8)
    seen = []
    dnn.model.get_submodule(first).register_forward_hook(lambda module, args, output: seen.append(args[0]))
    with torch.inference_mode():
        dnn(as_seen(pixels))
    np.testing.assert_allclose(seen[0].numpy(), pixels / 127.5 - 1, atol=1e-5)


def test_published_weights_compute_what_torchvisions_network_does(tmp_path, monkeypatch):
    theirs = tv.googlenet(weights=None, init_weights=True, transform_input=True).eval()
    (tmp_path / 'models').mkdir()
    torch.save(theirs.state_dict(), tmp_path / 'models' / 'googlenet.pth')
    monkeypatch.setenv('DNNBRAIN_DATA', str(tmp_path))
    ours, x = Googlenet().eval(), torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(ours(x), theirs(x))


@pytest.mark.parametrize('method', ['inception', 'tradition'])
def test_the_loss_by_hand(small, pictures, method):
    """Two steps: the loss of the head, and 0.3 of that of each auxiliary classifier (Szegedy et al. 2015)."""
    pixels, labels = pictures
    small.test_transform = _normal
    theirs = copy.deepcopy(small.model).train()
    sgd = torch.optim.SGD(theirs.parameters(), 0.01)
    x, y, expected = as_seen(pixels), torch.from_numpy(labels), []
    for _ in range(2):
        out = theirs(x)
        loss = nn.functional.cross_entropy(out.logits, y)
        if method == 'inception':
            loss = loss + 0.3 * nn.functional.cross_entropy(out.aux_logits1, y) \
                + 0.3 * nn.functional.cross_entropy(out.aux_logits2, y)
        expected.append(loss.item())
        sgd.zero_grad()
        loss.backward()
        sgd.step()
    aux = small.model.aux1.fc2.weight.clone()
    found = small.train(pixels, 2, 'classification', torch.optim.SGD(small.model.parameters(), 0.01), method,
                        target=labels, augment=False, rng=0)
    np.testing.assert_allclose(sum(found['step_loss'], []), expected, rtol=1e-4)    # the order within a batch differs
    torch.testing.assert_close(small.model.fc.weight, theirs.fc.weight, atol=1e-5, rtol=1e-4)
    assert torch.equal(aux, small.model.aux1.fc2.weight) == (method == 'tradition')


def _normal(picture):
    return as_seen(np.asarray(picture).transpose(2, 0, 1))


@pytest.mark.slow
def test_inception_v3_has_one_auxiliary_classifier(rng):
    dnn = still(InceptionV3(pretrained=False, rng=0))
    dnn.replace_head(2, rng=0)
    assert dnn.model.AuxLogits.fc.out_features == dnn.model.fc.out_features == 2
    dnn.test_transform = _normal
    pixels, y = rng.integers(0, 256, (2, 3, 299, 299)).astype(np.uint8), torch.tensor([0, 1])
    out = copy.deepcopy(dnn.model).train()(as_seen(pixels))
    expected = nn.functional.cross_entropy(out.logits, y) + 0.4 * nn.functional.cross_entropy(out.aux_logits, y)
    found = dnn.train(pixels, 1, 'classification', method='inception', target=y.numpy(), augment=False, rng=0)
    assert found['step_loss'][0][0] == pytest.approx(expected.item(), rel=1e-4)


def test_heads_are_replaced_together_or_one_by_one(small):
    assert [small.model.get_submodule(path).out_features for path in (*small.aux_heads, 'fc')] == [3, 3, 3]
    small.replace_head(5, layer='fc')
    assert [small.model.get_submodule(path).out_features for path in (*small.aux_heads, 'fc')] == [3, 3, 5]


def test_wrong_methods(small, tiny, pictures):
    pixels, labels = pictures
    with pytest.raises(BadValue, match="needs auxiliary classifiers, and AlexNet has none; use method='tradition'"):
        AlexNet(pretrained=False).train(pixels, 1, 'classification', method='inception', target=labels)
    small.replace_head(5, layer='fc')
    with pytest.raises(BadValue, match=r'aux1.fc2 of Googlenet puts out 3 values and its head 5; dnn.replace_head.5'):
        small.train(pixels, 1, 'classification', method='inception', target=labels)
    with pytest.raises(BadValue, match="'incept' is not known; did you mean 'inception'"):
        tiny.train(pixels, 1, 'classification', method='incept', target=labels)


def test_files_without_auxiliary_classifiers_load(small, tmp_path):
    plain = {name: value for name, value in small.model.state_dict().items() if not name.startswith('aux')}
    torch.save(plain, tmp_path / 'a.pth')
    again = Googlenet.load(tmp_path / 'a.pth').eval()
    assert again.aux_paths() == [] and again.model.fc.out_features == 3
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(again(x), small.eval()(x))
        assert isinstance(again.model.train()(x.repeat(2, 1, 1, 1)), torch.Tensor)
    small.save(tmp_path / 'b.pth')
    assert Googlenet.load(tmp_path / 'b.pth').aux_paths() == list(small.aux_heads)


def test_fixed_scenarios_and_stored_features(small, pictures):
    pixels, labels = pictures
    small.test_transform = _normal
    small.freeze('all but head')
    before = copy.deepcopy(small.model.state_dict())
    losses = []
    for dnn, cached in ((copy.deepcopy(small), False), (small, True)):
        history = dnn.train(pixels, 2, 'classification', target=labels, augment=False, rng=0, cache_features=cached)
        losses.append(history['epoch_loss'])
        changed = [name for name, value in dnn.model.state_dict().items() if not torch.equal(before[name], value)]
        assert changed == ['fc.weight', 'fc.bias']
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_networks_of_ones_own_name_their_auxiliary_heads(small, pictures):
    pixels, labels = pictures
    own = DNN(small.model, img_size=(64, 64), train_transform=_normal, test_transform=_normal)
    own.aux_heads, own.aux_weight = ('aux2.fc2',), 0.0
    a = copy.deepcopy(own).train(pixels, 1, 'classification', method='inception', target=labels, rng=0)
    b = copy.deepcopy(own).train(pixels, 1, 'classification', target=labels, rng=0)
    assert a['step_loss'] == b['step_loss']


def test_auxiliary_classifiers_changed_by_hand(small, pictures):
    pixels, labels = pictures
    small.model.aux1 = None
    small.model.aux2.fc2 = nn.Sequential(nn.Dropout(), nn.Linear(1024, 3))
    history = small.train(pixels, 1, 'classification', method='inception', target=labels, rng=0)
    assert np.isfinite(history['epoch_loss']).all()
