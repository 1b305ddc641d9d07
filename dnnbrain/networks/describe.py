"""A few lines about a file of parameters, without loading them."""

from __future__ import annotations

import math

import torch

from dnnbrain._checks import existing_file, has_suffix, listing
from dnnbrain.networks.record import read_record
from dnnbrain.networks.weights import SUFFIXES, read_state

LONGEST = 20        # tensors that are listed


def describe_weights(fname: str) -> str:
    """Tensors with their shapes, and what the file beside it knows: the network, classes, the last score."""
    shapes, record = _shapes(fname), read_record(fname)
    lines = [f'tensors: {len(shapes)}, {sum(math.prod(shape) for shape in shapes.values()):,} numbers']
    if record:
        made, history = record.get('made') or {}, record.get('history') or {}
        told = {'network': made.get('network') or made.get('kind'), 'classes': listing(record.get('classes') or []),
                'epochs': len(history.get('epoch_loss') or []) or None,
                'last validation score': (history.get('score_validation') or [None])[-1]}
        lines += [f'{key}: {value}' for key, value in told.items() if value not in (None, '')]
    shown = list(shapes.items())[:LONGEST]
    lines += [f'  {name}: {shape}' for name, shape in shown]
    return '\n'.join(lines + ([f'  ... ({len(shapes)} in all)'] if len(shapes) > len(shown) else []))


def _shapes(fname: str) -> dict[str, tuple[int, ...]]:
    path = existing_file(has_suffix(fname, SUFFIXES, 'NAME'), 'NAME')
    try:
        if path.suffix == '.safetensors':
            from safetensors import safe_open
            with safe_open(path, 'pt') as file:
                return {name: tuple(file.get_slice(name).get_shape()) for name in list(file.keys())}
        return {name: tuple(value.shape) for name, value in
                torch.load(path, map_location='cpu', weights_only=True, mmap=True).items()}
    except Exception:                            # an old kind of file is read whole; a bad one is told by read_state
        return {name: tuple(value.shape) for name, value in read_state(path).items()}
