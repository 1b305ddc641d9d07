"""What the interpretation examples look into: a small network that has learnt handwritten digits, and more digits.

Trained once per folder, in about 25 seconds on one core. The digits are turned, moved and scaled a little while it
learns: a network that has seen every digit in one place only likes blobs, not strokes.
"""

from pathlib import Path

import torch
import torch.nn as nn
from torchvision import transforms

from dnnbrain import datasets
from dnnbrain.dnn.core import Stimulus
from dnnbrain.dnn.models import DNN

SIZE = (32, 32)
NAMES = {'conv1': '0', 'conv1_relu': '1', 'conv2': '3', 'conv2_relu': '4', 'conv3': '6', 'conv3_relu': '7', 'fc': '10'}
COLORS = transforms.Normalize([0.3] * 3, [0.35] * 3)
SEE = transforms.Compose([transforms.Resize(SIZE), transforms.ToTensor(), COLORS])
VARY = transforms.Compose([transforms.Resize(SIZE), transforms.RandomAffine(10, (0.1, 0.1), (0.8, 1.1)),
                           transforms.ToTensor(), transforms.ColorJitter(0.2, 0.2), COLORS])


def untrained() -> DNN:
    """Three convolutions and a readout of ten digits, with random weights."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
                          nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                          nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(4),
                          nn.Flatten(), nn.Linear(1024, 10))
    return DNN(model, layer2loc={name: (place,) for name, place in NAMES.items()}, img_size=SIZE, train_transform=SEE,
               test_transform=SEE)


def digit_network(folder: Path, n_epoch: int = 8) -> tuple[DNN, Stimulus]:
    """The trained network, and 719 digits that it has not seen.

    Parameters
    ----------
    folder : Path
        Where ``digit_network.pth`` is, or is made.
    n_epoch : int
    """
    file = Path(folder) / 'digit_network.pth'
    learn, look = datasets.digits(file.with_suffix(''), range(10)).split((0.6, 0.4), by='label', rng=0)
    if not file.exists():
        dnn = untrained()
        dnn.train_transform = VARY
        optimizer = torch.optim.Adam(dnn.model.parameters(), 0.002)
        dnn.train(learn, n_epoch, 'classification', optimizer, batch_size=32, rng=0)
        dnn.train_transform = SEE                               # what a file of weights can remember
        dnn.save(file)
    dnn = DNN.load(file)
    score = dnn.test(look, 'classification')['score']
    print(f'A network that names {score:.3f} of {len(look)} new digits (chance 0.1)')
    return dnn, look
