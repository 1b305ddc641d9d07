"""Small real files that many tests look at."""

import logging
import os
import warnings

if 'PYTEST_XDIST_WORKER' in os.environ:
    os.environ.setdefault('OMP_NUM_THREADS', '1')        # before torch comes; for scripts of tests too

import numpy as np
import pytest
from PIL import Image


def pytest_collection_modifyitems(items):
    """Slow tests first: none of them is left for the end, when the other process has nothing more to do."""
    items.sort(key=lambda item: item.get_closest_marker('slow') is None)


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
    with torch.device('meta'):
        net = alexnet(weights=None)                      # its own random weights would take as long as reading these
    net.load_state_dict(torch.load(models / 'models' / 'alexnet.pth', weights_only=True), assign=True)
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


@pytest.fixture(scope='session')
def small_92images(tmp_path_factory):
    """Files built as those of `fetch_92images`, with 12 pictures and 3 subjects.

    Returns their folder, the pictures, upper triangles of monkey and human, and squares (subject, session).
    """
    from scipy.io import savemat
    from scipy.spatial.distance import squareform
    folder, rng, n = tmp_path_factory.mktemp('small_92images'), np.random.default_rng(0), 12
    categories = np.repeat(['human bodypart', 'human face', 'nonhuman face', 'natural inanimate'], 3)
    pixels = rng.integers(0, 256, (n, 20, 20, 3), dtype=np.uint8)
    shared = rng.random(n * (n - 1) // 2)
    sessions = np.array([[squareform(shared + rng.random(len(shared))) for _ in range(2)] for _ in range(3)])
    pairs = shared + rng.random((2, len(shared)))
    savemat(folder / 'Kriegeskorte_Neuron2008_supplementalData.mat', {
        'stimuli_92objs': _structs([{'category': category, 'human': int(i < 6), 'face': int(3 <= i < 9),
                                     'animal': int(i < 9), 'natural': 1, 'image': pixels[i]}
                                    for i, category in enumerate(categories)]),
        'RDMs_mIT_hIT_fig1': _structs([{'name': 'mIT_674neurons', 'color': [0, 0, 0], 'RDM': pairs[0]},
                                       {'name': 'hITvisStim_316vx', 'color': [0, 0, 0], 'RDM': pairs[1]}])})
    savemat(folder / '92_brainRDMs.mat', {'RDMs': _structs([
        [{'RDM': sessions[i, j].astype(np.float32), 'name': f'hIT | {name} | Session: {j + 1}', 'color': [0, 0, 1]}
         for j in range(2)] for i, name in enumerate(('BE', 'KO', 'SN'))])})
    return folder, pixels, pairs, sessions


def _structs(rows):
    """A MATLAB struct array of rows with the same fields."""
    rows = np.asarray(rows, dtype=object)
    out = np.empty(rows.shape, dtype=[(name, object) for name in rows.flat[0]])
    for place, row in np.ndenumerate(rows):
        out[place] = tuple(row.values())
    return out
