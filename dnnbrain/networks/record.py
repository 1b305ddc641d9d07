"""What stands beside saved parameters, for people to read: which network, its classes, how it was trained."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

from dnnbrain import __version__
from dnnbrain._checks import BadValue
from dnnbrain.io.atomic import atomic
from dnnbrain.networks.history import History


def write_record(dnn, fname) -> None:
    """Write ``NAME.pth.json`` beside ``NAME.pth``."""
    record = {
        'network': dnn.name, 'classes': dnn.classes, 'img_size': dnn.img_size,
        'transform': str(dnn.test_transform), 'history': dnn.history,
        'versions': {'dnnbrain': __version__} | {name: version(name) for name in ('torch', 'torchvision')},
    }
    with atomic(_beside(fname)) as part:
        part.write_text(json.dumps(record, indent=1) + '\n', encoding='utf-8')


def read_record(dnn, fname) -> None:
    """Take class names and history from the file beside; nothing happens where there is none."""
    path = _beside(fname)
    if not path.exists():
        return
    try:
        record = json.loads(path.read_text(encoding='utf-8'))
        dnn.classes = record['classes']
        dnn.history = None if record['history'] is None else History(**record['history'])
    except (ValueError, KeyError, TypeError) as error:
        raise BadValue(f'{str(path)!r} beside the weights cannot be read ({error}); mend or remove it') from None


def _beside(fname) -> Path:
    return Path(f'{fname}.json')
