"""``.dmask.csv``: which channels, rows and columns of which layers are meant.

::

    conv5=chn,row
    1,2,3
    4,5
    fc3=

A line ``layer=axes`` names the restricted axes; below it stands one line of numbers per axis, in
that order. Numbers count from 1. A layer without axes is meant whole.
"""

from __future__ import annotations

import numpy as np

from dnnbrain._checks import BadValue, existing_file, has_suffix, positions
from dnnbrain.io.atomic import atomic

SUFFIX = '.dmask.csv'
AXES = ('chn', 'row', 'col')
WORDS = {'chn': 'channel', 'row': 'row', 'col': 'column'}


def read_dmask_csv(fname) -> dict[str, dict[str, str | list[int]]]:
    """Layer -> {'chn':, 'row':, 'col':}, each 'all' or a list of numbers from 1."""
    path = existing_file(has_suffix(fname, [SUFFIX], 'mask file'), 'mask file')
    try:
        text = path.read_text(encoding='utf-8-sig')
    except UnicodeDecodeError:
        raise BadValue(f'mask file {str(path)!r} is not UTF-8 text; save it as CSV in UTF-8') from None
    lines = iter([line.strip() for line in text.split('\n') if line.strip()])
    dmask = {}
    for line in lines:
        layer, found, axes = line.partition('=')
        if not found:
            raise BadValue(f"line {line!r} of {str(path)!r} must name a layer, as in 'conv5=chn'")
        axes = [a.strip() for a in axes.split(',') if a.strip()]
        if set(axes) - set(AXES) or len(set(axes)) < len(axes):
            raise BadValue(f'axes {axes} of layer {layer!r} in {str(path)!r} must be out of chn, row, col')
        if layer in dmask:
            raise BadValue(f'layer {layer!r} stands twice in {str(path)!r}')
        dmask[layer] = dict.fromkeys(AXES, 'all') | {a: _numbers(next(lines, ''), layer, a, path) for a in axes}
    return dmask


def write_dmask_csv(fname, dmask: dict) -> None:
    """Write layer -> {'chn':, 'row':, 'col':}; a missing axis is 'all'."""
    path = has_suffix(fname, [SUFFIX], 'mask file')
    lines = []
    for layer, axes in dmask.items():
        named = [a for a in AXES if not isinstance(axes.get(a, 'all'), str)]
        lines.append(f'{layer}={",".join(named)}')
        lines += [','.join(str(int(i)) for i in axes[a]) for a in named]
    with atomic(path) as part:
        part.write_text('\n'.join(lines) + '\n', encoding='utf-8')


def unit_indices(axes: dict, shape: tuple[int, ...], layer: str) -> dict[int, np.ndarray]:
    """Axis of an activation -> indices from 0, for the axes that are not meant whole.

    Parameters
    ----------
    axes : dict
        {'chn':, 'row':, 'col':}, each 'all' or numbers from 1.
    shape : tuple of int
        (n_stim, n_chn, n_row, n_col), or (n_stim, n_chn, n_frame, n_row, n_col) for clips.

    Raises
    ------
    BadValue
        A number is 0 or beyond the layer.
    """
    places = dict(zip(AXES, (1, len(shape) - 2, len(shape) - 1), strict=True))
    chosen = {axis: positions(axes.get(name, 'all'), shape[axis], f'{WORDS[name]} of layer {layer!r}')
              for name, axis in places.items()}
    return {axis: index for axis, index in chosen.items() if index is not None}


def _numbers(line: str, layer: str, axis: str, path) -> list[int]:
    try:
        numbers = [int(field) for field in line.split(',')]
    except ValueError:
        raise BadValue(f'layer {layer!r} in {str(path)!r}: the line of {axis} numbers is {line!r}, '
                       'not whole numbers separated by commas') from None
    if min(numbers) < 1:
        raise BadValue(f'layer {layer!r} in {str(path)!r}: {axis} {min(numbers)} is out of range; '
                       'they count from 1')
    return numbers
