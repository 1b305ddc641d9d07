"""What stands beside saved parameters, for people and for `load`: which network, its classes, how it was trained."""

from __future__ import annotations

import json
import logging
from importlib.metadata import version
from pathlib import Path

from dnnbrain import __version__
from dnnbrain._checks import BadValue
from dnnbrain.io.atomic import atomic
from dnnbrain.networks.blueprint import describe_transform, make_transform
from dnnbrain.networks.history import History
from dnnbrain.networks.structure import leaf, plan_of

log = logging.getLogger(__name__)


def record_of(dnn) -> str:
    """What is known of a network, as JSON."""
    plan = plan_of(dnn)
    types = {str(p.dtype).removeprefix('torch.') for p in dnn._network().parameters()}
    record = {
        'network': leaf(plan), 'made': plan, 'dtype': types.pop() if len(types) == 1 else None,
        'classes': dnn.classes, 'img_size': dnn.img_size,
        'transforms': {kind: describe_transform(getattr(dnn, f'{kind}_transform')) for kind in ('train', 'test')},
        'training': getattr(dnn.history, 'settings', None), 'history': dnn.history,
        'versions': {'dnnbrain': __version__} | {name: version(name) for name in ('torch', 'torchvision')},
    }
    return json.dumps(record, indent=1, default=lambda value: value.tolist()) + '\n'


def write_record(text: str, fname) -> None:
    """Write ``NAME.pth.json`` beside ``NAME.pth``."""
    with atomic(_beside(fname)) as part:
        part.write_text(text, encoding='utf-8')


def read_record(fname) -> dict | None:
    """What stands beside a file of parameters; None where nothing does."""
    path = _beside(fname)
    if not path.exists():
        return None
    try:
        record = json.loads(path.read_text(encoding='utf-8'))
        record['history'] = None if record['history'] is None else History(**record['history'])
        if record['history'] is not None:
            record['history'].settings = record['training'] or {}
        if not {'made', 'classes', 'transforms', 'img_size'} <= set(record):
            raise ValueError('it is not complete')
    except (ValueError, KeyError, TypeError) as error:
        raise BadValue(f'{str(path)!r} beside the weights cannot be read ({error}); mend or remove it') from None
    return record


def apply_record(dnn, record: dict, transforms: bool = True) -> None:
    """Give a network the class names, the history and, if asked for, the transforms of a record."""
    dnn.classes, dnn.history = record['classes'], record['history']
    if not transforms:
        return
    dnn.img_size = None if record['img_size'] is None else tuple(record['img_size'])
    for kind, plan in record['transforms'].items():
        try:
            if plan is not None:
                setattr(dnn, f'{kind}_transform', make_transform(plan))
        except BadValue:
            log.warning('the %s_transform of this network cannot be made from its description (%s); set it before use',
                        kind, json.dumps(plan))


def _beside(fname) -> Path:
    return Path(f'{fname}.json')
