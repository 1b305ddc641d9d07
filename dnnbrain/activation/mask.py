"""Which channels, rows and columns of which layers are meant."""

from __future__ import annotations

import copy as _copy
from collections.abc import Iterable

import numpy as np

from dnnbrain._checks import BadType, BadValue, choice, integers, listing
from dnnbrain.io.dmask_csv import AXES, WORDS, read_dmask_csv, unit_indices, write_dmask_csv


class Mask:
    """Units of layers, in numbers that count from 1.

    Parameters
    ----------
    layer : str, optional
        A first layer to set.
    channels, rows, columns : 'all' or integer or sequence of integers, optional
        Any kind of sequence: list, tuple, range, array; the order given is the order got.
    """

    def __init__(self, layer: str | None = None, channels='all', rows='all', columns='all'):
        self._dmask: dict[str, dict[str, str | list[int]]] = {}
        if layer is not None:
            self.set(layer, channels, rows, columns)

    def load(self, fname) -> None:
        """Replace what is here by a ``.dmask.csv``."""
        self._dmask = read_dmask_csv(fname)

    def save(self, fname) -> None:
        """Write a ``.dmask.csv``."""
        write_dmask_csv(fname, self._dmask)

    @property
    def layers(self) -> list[str]:
        return list(self._dmask)

    def get(self, layer: str) -> dict[str, str | list[int]]:
        """{'chn':, 'row':, 'col':} of a layer, each 'all' or a list of numbers from 1."""
        choice('layer', layer, self.layers, owner='the mask')
        return _copy.deepcopy(self._dmask[layer])

    def set(self, layer: str, channels=None, rows=None, columns=None) -> None:
        """Set axes of a layer; one left out stays as it is ('all' in a new layer), 'all' resets it."""
        if not isinstance(layer, str):
            raise BadType(f'layer must be a name, not {layer!r}')
        given = {axis: _from_one(numbers, WORDS[axis])
                 for axis, numbers in zip(AXES, (channels, rows, columns), strict=True) if numbers is not None}
        self._dmask[layer] = self._dmask.get(layer, dict.fromkeys(AXES, 'all')) | given

    def copy(self) -> Mask:
        return _copy.deepcopy(self)

    def delete(self, layer: str) -> None:
        choice('layer', layer, self.layers, owner='the mask')
        del self._dmask[layer]

    def clear(self) -> None:
        self._dmask.clear()

    def indices(self, layer: str, shape: tuple[int, ...]) -> dict[int, np.ndarray]:
        """Axis of an activation of this shape -> indices from 0, where the mask restricts it."""
        return unit_indices(self._dmask[layer], shape, layer)

    def to_dict(self) -> dict[str, dict[str, str | list[int]]]:
        return _copy.deepcopy(self._dmask)

    def __repr__(self) -> str:
        return f'Mask({self._dmask})'


def _from_one(numbers, word: str) -> str | list[int]:
    if isinstance(numbers, str) and numbers == 'all':
        return 'all'
    array = integers(numbers, word)
    if array.min() < 1:
        raise BadValue(f'{word} {array.min()} is out of range; they count from 1')
    return array.tolist()


def as_mask(dmask) -> Mask:
    """A Mask from a Mask, a layer name, several names, or a dict as `Mask.get` gives them."""
    if isinstance(dmask, Mask):
        return dmask
    mask = Mask()
    if isinstance(dmask, str):
        mask.set(dmask)
    elif isinstance(dmask, dict):
        for layer, axes in dmask.items():
            mask.set(layer, *(axes.get(axis, 'all') for axis in AXES))
    elif isinstance(dmask, Iterable):
        for layer in dmask:
            mask.set(layer)
    else:
        raise BadType(f'dmask must be a Mask or names of layers, not {type(dmask).__name__}')
    return mask


def composed(first: dict, second: dict) -> dict:
    """The mask that does at once what two do one after the other; numbers from 1 per axis, or 'all'."""
    both = dict(first)
    for axis, numbers in second.items():
        before = first.get(axis, 'all')
        if numbers != 'all':
            both[axis] = list(numbers) if before == 'all' else [before[number - 1] for number in numbers]
        else:
            both[axis] = before
    return both


def gen_dmask(layers=None, channels='all', dmask_file=None) -> Mask:
    """A mask from layers and channels, or from a file.

    Parameters
    ----------
    layers : str or sequence of str, optional
    channels : 'all' or sequence of int
        Numbers from 1. For one layer all of them; for several layers one channel per layer, pairwise.
    dmask_file : str, optional
        A ``.dmask.csv``, instead of layers and channels.
    """
    if (layers is None or len(layers) == 0) == (dmask_file is None):
        raise BadValue('give either layers or a mask file (.dmask.csv)')
    dmask = Mask()
    if dmask_file is not None:
        dmask.load(dmask_file)
        if not dmask.layers:
            raise BadValue(f'mask file {str(dmask_file)!r} names no layer')
        return dmask
    layers = [layers] if isinstance(layers, str) else list(layers)
    if len(set(layers)) < len(layers):
        raise BadValue(f'a layer stands twice among {listing(layers)}; name it once, with all its channels')
    if isinstance(channels, str) or channels is None or len(layers) == 1:
        for layer in layers:
            dmask.set(layer, channels)
        return dmask
    channels = integers(channels, 'channels')
    if len(channels) != len(layers):
        raise BadValue(f'{len(layers)} layers take one channel each, pairwise, but {len(channels)} channels '
                       'came; give as many, or a mask file')
    for layer, channel in zip(layers, channels, strict=True):
        dmask.set(layer, [channel])
    return dmask


def dnn_mask(acts: np.ndarray, channels='all', rows='all', columns='all') -> np.ndarray:
    """The channels, rows and columns of an activation array, by numbers from 1.

    Parameters
    ----------
    acts : ndarray of shape (n_stim, n_chn, n_row, n_col)
    channels, rows, columns : 'all' or integer or sequence of integers
    """
    for axis, index in Mask('acts', channels, rows, columns).indices('acts', acts.shape).items():
        acts = np.take(acts, index, axis=axis)
    return acts
