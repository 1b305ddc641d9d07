"""Names of single units, such as conv5_c3_r1_c13: channel 3, row 1, column 13 of conv5."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

import numpy as np

_AXES = {3: ('c', 'r', 'c'), 4: ('c', 'f', 'r', 'c')}
_NAME = re.compile(r'(?P<layer>.+?)_c(\d+)(?:_f(\d+))?_r(\d+)_c(\d+)')


def unit_names(layer: str, units: tuple[int, ...]) -> list[str]:
    """The units of a layer from the first channel to the last, numbers from 1.

    Parameters
    ----------
    layer : str
    units : tuple of int
        (n_chn, n_row, n_col), or (n_chn, n_frame, n_row, n_col) of clips.
    """
    letters = _AXES[len(units)]
    parts = [[f'_{letter}{number}' for number in range(1, n + 1)] for letter, n in zip(letters, units, strict=True)]
    return [layer + ''.join(places) for places in itertools.product(*parts)]


def parse_unit_names(names: Sequence[str]) -> dict[str, tuple[np.ndarray, tuple[int, ...]]] | None:
    """Layer -> which of the names are its units, in their order, and their shape.

    None where a name is of another form, or a layer is not there whole.
    """
    found: dict[str, list] = {}
    for index, name in enumerate(names):
        match = _NAME.fullmatch(name)
        if match is None:
            return None
        places = tuple(int(number) - 1 for number in match.groups()[1:] if number is not None)
        found.setdefault(match['layer'], []).append((places, index))
    layers = {}
    for layer, units in found.items():
        units.sort()
        places, index = zip(*units, strict=True)
        shape = tuple(n + 1 for n in units[-1][0])
        if len({len(place) for place in places}) > 1 or list(places) != list(np.ndindex(shape)):
            return None
        layers[layer] = np.array(index), shape
    return layers
