"""
Transfer learning in three curves
=================================

A network that knows the digits 0-4 learns 5-9 from 20 pictures: finetuned, as a fixed feature extractor, and, for
comparison, from scratch.
"""

# %%
# The network to start from. It stands in for one with ImageNet weights, which are not downloaded here; with them this
# is ``AlexNet()``.

from pathlib import Path
from tempfile import mkdtemp

import torch
import torch.nn as nn
from torchvision import transforms

from dnnbrain import datasets, viz
from dnnbrain.dnn.models import DNN

see = transforms.Compose([transforms.Resize((32, 32)), transforms.ToTensor()])


def network(seed):
    """Random weights under a seed."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(3, 16, 5, stride=2), nn.ReLU(), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
                          nn.Conv2d(32, 64, 3), nn.ReLU(), nn.Flatten(), nn.Linear(1024, 64), nn.ReLU(),
                          nn.Linear(64, 5))
    return DNN(model, layer2loc={'fc1': ('8',), 'fc2': ('10',)}, img_size=(32, 32), train_transform=see,
               test_transform=see)


folder = Path(mkdtemp())
old = datasets.digits(folder / 'old', range(5))
pretrained = network(0)
pretrained.train(old, 5, 'classification', torch.optim.Adam(pretrained.model.parameters(), 0.002), batch_size=32, rng=0)
pretrained.save(folder / 'digits_0_to_4.pth')

# %%
# Three ways to learn five new digits, four pictures of each. A new head alone takes a larger rate.

new = datasets.digits(folder / 'new', range(5, 10))
train, validation = new.split((0.5, 0.5), by='label', rng=0)
train, validation = train.sample(20, by='label', rng=0), validation.sample(300, by='label', rng=0)


def learn(name, rate):
    """The history of ten epochs."""
    dnn = network(1) if name == 'from scratch' else DNN.load(folder / 'digits_0_to_4.pth')
    if name == 'fixed features':
        dnn.freeze()
    dnn.replace_head(5, rng=0)
    learning = [param for param in dnn.model.parameters() if param.requires_grad]
    return dnn.train(train, 10, 'classification', torch.optim.Adam(learning, rate), data_validation=validation,
                     cache_features=name == 'fixed features', batch_size=16, rng=0)


rates = {'finetuned': 0.002, 'fixed features': 0.01, 'from scratch': 0.002}
histories = {name: learn(name, rate) for name, rate in rates.items()}
for name, history in histories.items():
    print(f'{name:15s} accuracy {history["score_validation"][-1]:.2f} of {len(validation)} new digits (chance 0.20)')

# %%
# What was learnt about five digits helps with five others. With 40 pictures instead of 20 the network that starts from
# scratch catches up: pretraining pays where pictures are few.

curves = viz.plot_history(histories, chance=0.2)
