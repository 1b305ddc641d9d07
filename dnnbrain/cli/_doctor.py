"""What is installed here and whether it computes what it should."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

LIBRARIES = ('torch', 'torchvision', 'numpy', 'scipy', 'pandas', 'scikit-learn', 'h5py', 'nibabel', 'nilearn',
             'himalaya', 'scikit-image', 'matplotlib', 'pillow', 'click')
# What AlexNet(pretrained=False, rng=0) answers in fc3 to the gradient of `_picture`, and the mean correlation of
# `_ridge`: both computed by this file with torch 2.15.0 and numpy 2.4.6 on x86-64.
ANSWERS = (0.00662144, -0.00907246, -0.00290077, -0.01313086, -0.00919046)
RIDGE = 0.76529281


def examination() -> tuple[str, bool]:
    """A report, and whether all that must work does."""
    parts = [('versions', _versions()), ('devices', _devices()), ('weights', _weights()), ('folders', _folders()),
             ('extras', _extras())]
    checks = [('AlexNet', _alexnet), ('ridge', _ridge)]
    found = [(name, *_checked(check)) for name, check in checks]
    lines = [line for title, body in parts for line in (f'{title}:', *(f'  {text}' for text in body))]
    lines += ['self-check:', *(f'  {name}: {text}' for name, _, text in found)]
    return '\n'.join(lines), all(good for _, good, _ in found)


def _versions() -> Iterator[str]:
    from dnnbrain import __version__
    yield f'dnnbrain {__version__}, Python {platform.python_version()}, {platform.platform(terse=True)}'
    yield ', '.join(f'{name} {_version(name)}' for name in LIBRARIES)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return 'missing'


def _devices() -> Iterator[str]:
    import torch
    yield f'cpu: {os.cpu_count()} cores, {torch.get_num_threads()} threads'
    for number in range(torch.cuda.device_count()):
        found = torch.cuda.get_device_properties(number)
        yield f'cuda:{number}: {found.name}, {found.total_memory / 2 ** 30:.0f} GiB'
    if not torch.cuda.is_available():
        yield 'cuda: none'
    if torch.backends.mps.is_available():
        yield 'mps: there'


def _weights() -> Iterator[str]:
    import torch

    from dnnbrain.networks.weights import SUFFIXES, models_folder
    mine = models_folder()
    if not os.environ.get('DNNBRAIN_DATA'):
        yield '$DNNBRAIN_DATA is not set; it may name another folder than ~/.cache/dnnbrain for weights and data sets'
    for folder in [mine, Path(torch.hub.get_dir()) / 'checkpoints']:
        files = sorted(p.name for p in folder.glob('*') if p.suffix in SUFFIXES) if folder.is_dir() else []
        yield f'{folder}: {", ".join(files) or "none"}'


def _folders() -> Iterator[str]:
    import tempfile

    from dnnbrain.io.download import data_home
    for name, folder in (('data sets', data_home() / 'datasets'), ('temporary files', Path(tempfile.gettempdir())),
                         ('here', Path.cwd())):
        nearest = next(p for p in (folder, *folder.absolute().parents) if p.exists())
        free = shutil.disk_usage(nearest).free / 1e9
        yield f'{name}: {folder}{"" if folder.exists() else " (not there yet)"}, {free:.1f} GB free'


def _extras() -> Iterator[str]:
    from dnnbrain._optional import EXTRAS
    for extra in dict.fromkeys(EXTRAS.values()):
        missing = [module for module, owner in EXTRAS.items() if owner == extra and not _imports(module)]
        told = f"missing ({', '.join(missing)}): pip install 'dnnbrain[{extra}]'" if missing else 'works'
        yield f'{extra}: {told}'


def _imports(module: str) -> bool:
    try:
        importlib.import_module(module)
    except Exception:                                # a broken library of the system raises anything
        return False
    return True


def _checked(check) -> tuple[bool, str]:
    start = time.perf_counter()
    try:
        found, expected, tolerance = check()
    except Exception as error:
        return False, f'FAILED: {type(error).__name__}: {error}'
    off = float(np.abs(np.subtract(found, expected)).max())
    took = f'{time.perf_counter() - start:.1f} s'
    if off > tolerance:
        return False, f'FAILED: {np.round(found, 5)} in place of {np.round(expected, 5)} ({took})'
    return True, f'as it should be, to {off:.0e} ({took})'


def _picture() -> np.ndarray:
    """(1, 3, 64, 64), uint8: red grows to the right, green downwards, blue along the diagonal."""
    ramp = np.linspace(0, 255, 64)
    return np.stack([np.tile(ramp, (64, 1)), np.tile(ramp[:, None], (1, 64)),
                     (ramp + ramp[:, None]) / 2]).astype(np.uint8)[None]


def _alexnet() -> tuple:
    """Activations of AlexNet with random weights of a seed."""
    from dnnbrain.networks.zoo.alexnet import AlexNet
    answers = AlexNet(pretrained=False, rng=0).compute_activation(_picture(), ['fc3']).get('fc3')
    return answers[0, :5, 0, 0], ANSWERS, 1e-4


def _ridge() -> tuple:
    """Mean cross-validated correlation of voxels that ridge predicts from random units."""
    from dnnbrain.activation.activation import Activation
    from dnnbrain.brain.encoder import BrainEncoder
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 30))
    Y = X @ rng.standard_normal((30, 5)) + 3 * rng.standard_normal((60, 5))
    found = BrainEncoder(Y, 'mv', 'ridge', cv=5, scoring='correlation', rng=0).encode_dnn(
        Activation('layer', X[:, :, None, None].astype(np.float32)))
    return found['layer']['score'].mean(), RIDGE, 1e-3


if __name__ == '__main__':                           # pragma: no cover, prints what ANSWERS and RIDGE were taken from
    print(_alexnet()[0], _ridge()[0], file=sys.stdout)
