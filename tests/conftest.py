"""Small real files that many tests look at."""

import logging
import os
import warnings

if 'PYTEST_XDIST_WORKER' in os.environ:
    os.environ.setdefault('OMP_NUM_THREADS', '1')        # before torch comes; for scripts of tests too

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope='session')
def pictures(tmp_path_factory):
    """A folder of 12 noisy PNG pictures, 00.png to 11.png, 40 x 50 pixels."""
    folder = tmp_path_factory.mktemp('pictures')
    noise = np.random.default_rng(1)
    for i in range(12):
        Image.fromarray(noise.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(folder / f'{i:02d}.png')
    return folder


@pytest.fixture
def stim(pictures):
    """A table of the pictures with two labels."""
    from dnnbrain.dnn.core import Stimulus
    return Stimulus({'type': 'image', 'path': str(pictures)},
                    {'stimID': [f'{i:02d}.png' for i in range(12)], 'label': np.arange(12) % 2,
                     'condition': ['cat', 'dog'] * 6})


@pytest.fixture
def stim_file(stim, tmp_path):
    stim.save(tmp_path / 'x.stim.csv')
    return str(tmp_path / 'x.stim.csv')


@pytest.fixture(scope='session')
def models(tmp_path_factory):
    """A DNNBRAIN_DATA whose models folder holds an AlexNet with seeded random weights."""
    import torch
    from torchvision.models import alexnet
    root = tmp_path_factory.mktemp('dnnbrain_data')
    (root / 'models').mkdir()
    with torch.random.fork_rng():
        torch.manual_seed(7)
        torch.save(alexnet(weights=None).state_dict(), root / 'models' / 'alexnet.pth')
    return root


@pytest.fixture
def published(models, monkeypatch):
    """AlexNet() finds 'published' weights; returns the same network as torchvision makes it."""
    import torch
    from torchvision.models import alexnet
    monkeypatch.setenv('DNNBRAIN_DATA', str(models))
    net = alexnet(weights=None)
    net.load_state_dict(torch.load(models / 'models' / 'alexnet.pth', weights_only=True))
    return net.eval()


@pytest.fixture
def tiny():
    """A DNN small enough to compute by hand: conv 3 -> 4, in-place ReLU, pooling to 2 x 2, fc 16 -> 3."""
    import torch
    import torch.nn as nn
    from torchvision import transforms

    from dnnbrain.dnn.models import DNN
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(2),
                              nn.Flatten(), nn.Linear(16, 3))
    look = transforms.Compose([transforms.Resize((12, 12)), transforms.ToTensor()])
    learn = transforms.Compose([transforms.RandomResizedCrop(12), transforms.ToTensor()])
    return DNN(model, layer2loc={'conv': ('0',), 'relu': ('1',), 'fc': ('4',)}, img_size=(12, 12),
               train_transform=learn, test_transform=look)


@pytest.fixture
def run():
    """Run a command in this process: (exit code, standard output, standard error)."""
    import importlib

    from click.testing import CliRunner

    def call(name, *args):
        main = importlib.import_module(f'dnnbrain.cli.{name}').main
        root = logging.getLogger()
        handlers, level = root.handlers[:], root.level
        with warnings.catch_warnings():
            result = CliRunner().invoke(main, [str(a) for a in args])
        root.handlers[:] = handlers
        root.setLevel(level)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr
    return call
