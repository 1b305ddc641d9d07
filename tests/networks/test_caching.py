"""A head trained on stored features is the head that the whole network would have got."""

import copy

import numpy as np
import pytest
import torch
import torch.nn as nn
from torchvision.transforms import Compose, Resize, ToTensor

from dnnbrain._checks import BadValue
from dnnbrain.dnn.models import DNN, AlexNet, Resnet10
from dnnbrain.networks import caching


def prepared(name):
    """A network of which only what is behind the trunk learns."""
    if name == 'AlexNet':
        dnn = AlexNet(pretrained=False, rng=0)
        dnn.replace_head(2, rng=0)
        return dnn.freeze('all but head')
    dnn = Resnet10(rng=0)
    dnn.replace_head(2, rng=0)
    if name == 'Resnet10':
        return dnn.freeze('all but head')
    joined = dnn.cut('avgpool').join(nn.Sequential(nn.Linear(512, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5),
                                                   nn.Linear(8, 2)))
    return joined.freeze('trunk')


@pytest.mark.parametrize('name', ['AlexNet', 'Resnet10', 'joined'])
def test_equals_training_without_the_cache(stim, name):
    torch.manual_seed(0)
    one = prepared(name)
    two = copy.deepcopy(one)
    before = {path: value.clone() for path, value in one.model.state_dict().items()}
    histories = []
    for dnn, cache in ((one, True), (two, False)):
        optimizer = torch.optim.Adam([p for p in dnn.model.parameters() if p.requires_grad], 1e-3)
        histories.append(dnn.train(stim, 3, 'classification', optimizer, data_train=True, data_validation=stim[:6],
                                   batch_size=5, augment=False, cache_features=cache, rng=0))
    np.testing.assert_allclose(*(sum(h['step_loss'], []) for h in histories), rtol=1e-5, atol=1e-6)
    for key in ('score_train', 'score_validation'):
        assert histories[0][key] == histories[1][key]
    np.testing.assert_allclose(*(h['loss_validation'] for h in histories), rtol=1e-5)
    for path, value in one.model.state_dict().items():
        torch.testing.assert_close(value, two.model.state_dict()[path], rtol=1e-5, atol=1e-5)
        learns = path.startswith(('classifier.6', 'fc', 'head'))
        assert torch.equal(value, before[path]) != learns, path


def test_the_trunk_runs_once_per_picture_in_eval_mode(stim):
    dnn, shown = prepared('AlexNet'), []
    dnn.model.features.register_forward_hook(lambda m, args, out: shown.append((len(args[0]), m.training)))
    dnn.train(stim, 5, 'classification', data_validation=stim[:4], batch_size=5, cache_features=True, rng=0)
    assert sum(n for n, _ in shown) == 12 + 4 + 1                       # 1 to learn the shape of the output
    assert not any(training for _, training in shown)


def test_large_features_go_to_a_memory_map(stim, monkeypatch):
    kept = []
    monkeypatch.setattr(caching, 'IN_MEMORY', 1000)
    room = caching.Features._room
    monkeypatch.setattr(caching.Features, '_room', lambda self, shape: kept.append(room(self, shape)) or kept[-1])
    dnn = prepared('Resnet10')
    history = dnn.train(stim, 2, 'classification', batch_size=5, cache_features=True, augment=False, rng=0)
    again = prepared('Resnet10').train(stim, 2, 'classification', batch_size=5, augment=False, rng=0)
    assert isinstance(kept[0], np.memmap) and not list(caching.Path(kept[0].filename).parent.glob('*'))
    np.testing.assert_allclose(history['epoch_loss'], again['epoch_loss'], rtol=1e-5)


def test_mistakes(stim):
    dnn = prepared('Resnet10').unfreeze('layer4')
    with pytest.raises(BadValue, match=r'needs a frozen trunk, but layer4.0.conv1.weight of Resnet10 learns'):
        dnn.train(stim, 1, 'classification', cache_features=True)
    with pytest.raises(BadValue, match='but the first layer of DNN learns'):
        look = Compose([Resize((4, 4)), ToTensor(), torch.flatten])
        dnn = DNN(nn.Sequential(nn.Linear(48, 2)), img_size=(4, 4), train_transform=look, test_transform=look)
        dnn.train(stim, 1, 'classification', cache_features=True)


def test_frozen_steps_that_write_in_place_stay(stim):
    """A function like relu_ whose result nobody takes, in a part that has to be opened; and double precision."""
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 6, 12), nn.Linear(6, 2)

        def forward(self, x):
            x = self.conv(x).flatten(1)
            torch.relu_(x)
            return self.fc(x)
    torch.manual_seed(0)
    look = Compose([Resize((12, 12)), ToTensor()])
    dnn = DNN(Net().double(), img_size=(12, 12), train_transform=look, test_transform=look).freeze('conv')
    other, losses = copy.deepcopy(dnn), []
    for net, cache in ((dnn, True), (other, False)):
        optimizer = torch.optim.SGD(net.model.fc.parameters(), 0.1)
        losses.append(net.train(stim, 2, 'classification', optimizer, batch_size=5, augment=False, cache_features=cache,
                                rng=0)['epoch_loss'])
    np.testing.assert_allclose(*losses, rtol=1e-5)
