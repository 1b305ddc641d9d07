"""Activations of layers: in memory or unread on disk, with the same calls."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence

import numpy as np

from dnnbrain._checks import BadType, BadValue, choice, rows, same_ids
from dnnbrain.activation.blocks import stim_blocks, unit_blocks
from dnnbrain.activation.mask import as_mask
from dnnbrain.activation.pool import POOLINGS, pool_maps
from dnnbrain.io.act_h5 import ActWriter, DiskLayer, read_act_h5


class Activation:
    """What layers answered to stimuli.

    Parameters
    ----------
    layer : str, optional
    value : ndarray of shape (n_stim, n_chn, n_row, n_col), optional
        Fully connected layers are (n_stim, n_feat, 1, 1).

    Attributes
    ----------
    stim_ids : ndarray of shape (n_stim,) or None
        Every result keeps them; two activations with different IDs are never combined.
    meta : dict
        How it came about: network, weights, transform, mask, pooling, versions.

    Notes
    -----
    `load` reads names, shapes and IDs only. `get` reads a layer anew at each call, so keep the
    array while you work on it; `blocks` streams a layer that does not fit in memory. Indexing,
    `mask` and `delete` of an activation on disk stay on disk.
    """

    def __init__(self, layer: str | None = None, value=None):
        self._layers: dict[str, np.ndarray | DiskLayer] = {}
        self.stim_ids: np.ndarray | None = None
        self.meta: dict = {}
        if layer is not None:
            self.set(layer, value)

    def load(self, fname, dmask=None) -> None:
        """Open a ``.act.h5`` without reading its values.

        Parameters
        ----------
        dmask : Mask or anything `as_mask` takes, optional
            Keeps its layers and units only.
        """
        self._layers, self.stim_ids, self.meta = read_act_h5(fname)
        if dmask is not None:
            self._layers = self.mask(dmask)._layers

    def save(self, fname, compression: str = 'auto') -> None:
        """Write a ``.act.h5``, layer by layer in bounded memory.

        Parameters
        ----------
        compression : {'auto', 'lzf', 'gzip', 'none'}
            gzip is slower to write and can be read without h5py (MATLAB, R).
        """
        with ActWriter(fname, len(self), self.stim_ids, self.meta, compression=compression) as writer:
            for layer in self.layers:
                for _, block in self.blocks(layer):
                    writer.write({layer: block})

    @property
    def layers(self) -> list[str]:
        return list(self._layers)

    def shape(self, layer: str) -> tuple[int, ...]:
        """Shape of a layer, without reading it."""
        return self._source(layer).shape

    def get(self, layer: str) -> np.ndarray:
        """The values of a layer, (n_stim, n_chn, n_row, n_col)."""
        source = self._source(layer)
        return source[()] if isinstance(source, DiskLayer) else source

    def set(self, layer: str, value) -> None:
        """Set or replace a layer."""
        if value is None:
            raise BadValue(f'layer {layer!r} needs a value of shape (n_stim, n_chn, n_row, n_col)')
        value = np.asarray(value)
        if value.ndim < 4:
            raise BadValue(f'layer {layer!r} must have shape (n_stim, n_chn, n_row, n_col), not {value.shape}')
        others = [layer_ for layer_ in self.layers if layer_ != layer]
        if others and len(value) != self.shape(others[0])[0]:
            raise BadValue(f'layer {layer!r} has {len(value)} stimuli, the others {self.shape(others[0])[0]}')
        self._layers[layer] = value

    def delete(self, layer: str) -> None:
        self._source(layer)
        del self._layers[layer]

    def blocks(self, layer: str, axis: str = 'stim',
               n_bytes: int = 2 ** 26) -> Iterator[tuple[slice, np.ndarray]]:
        """Stream a layer in blocks of at most about `n_bytes`.

        Parameters
        ----------
        axis : {'stim', 'unit'}
            'stim' yields (rows, (n, n_chn, n_row, n_col)); 'unit' yields (units, (n_stim, n_unit))
            where units are the flattened channels, rows and columns.
        """
        reader = {'stim': stim_blocks, 'unit': unit_blocks}[choice('axis', axis, ('stim', 'unit'))]
        return reader(self._source(layer), n_bytes)

    def concatenate(self, activations: Sequence[Activation]) -> Activation:
        """Stimuli of this activation followed by those of others with the same layers."""
        parts = [self, *activations]
        for part in parts[1:]:
            if set(part.layers) != set(self.layers):
                raise BadValue(f'layers differ: {self.layers} and {part.layers}')
            for layer in self.layers:
                if part.shape(layer)[1:] != self.shape(layer)[1:]:
                    raise BadValue(f'layer {layer!r} has units {self.shape(layer)[1:]} in one and '
                                   f'{part.shape(layer)[1:]} in the other')
        known = all(part.stim_ids is not None for part in parts)
        ids = np.concatenate([np.asarray(part.stim_ids) for part in parts]) if known else None
        return self._made({layer: np.concatenate([part.get(layer) for part in parts])
                           for layer in self.layers}, ids)

    def mask(self, dmask) -> Activation:
        """The layers and units that a mask names, in its order."""
        dmask = as_mask(dmask)
        layers = {}
        for layer in dmask.layers:
            source = self._source(layer)
            for axis, index in dmask.indices(layer, source.shape).items():
                source = source.select(axis, index) if isinstance(source, DiskLayer) else \
                    np.take(source, index, axis=axis)
            layers[layer] = source
        return self._made(layers, self.stim_ids, dmask=dmask.to_dict())

    def pool(self, method: str) -> Activation:
        """Each map pooled to one number, (n_stim, n_chn, 1, 1); method as in `array_statistic`."""
        choice('method', method, POOLINGS)
        return self._made({layer: np.concatenate([pool_maps(block, method) for _, block in self.blocks(layer)])
                           for layer in self.layers}, self.stim_ids, pool=method)

    def __len__(self) -> int:
        return self.shape(self.layers[0])[0] if self._layers else 0

    def __getitem__(self, key) -> Activation:
        """The stimuli of an int, slice, list, boolean mask or stimulus ID(s), all layers."""
        index = rows(key, len(self), self.stim_ids, 'stimulus')
        ids = None if self.stim_ids is None else np.asarray(self.stim_ids)[index]
        return self._made({layer: source.select(0, index) if isinstance(source, DiskLayer) else source[index]
                           for layer, source in self._layers.items()}, ids)

    def __add__(self, other) -> Activation:
        return self._combined(other, operator.add)

    def __sub__(self, other) -> Activation:
        return self._combined(other, operator.sub)

    def __mul__(self, other) -> Activation:
        return self._combined(other, operator.mul)

    def __truediv__(self, other) -> Activation:
        return self._combined(other, operator.truediv)

    def _combined(self, other, operation) -> Activation:
        """Elementwise with a number or an activation of the same layers, shapes and stimuli."""
        if np.isscalar(other):
            return self._made({layer: operation(self.get(layer), other) for layer in self.layers}, self.stim_ids)
        if not isinstance(other, Activation):
            return NotImplemented
        if set(self.layers) != set(other.layers):
            raise BadValue(f'layers differ: {self.layers} and {other.layers}')
        if self.stim_ids is not None and other.stim_ids is not None:
            same_ids(self.stim_ids, other.stim_ids, ('the first activation', 'the second'))
        for layer in self.layers:
            if self.shape(layer) != other.shape(layer):
                raise BadValue(f'layer {layer!r} has shapes {self.shape(layer)} and {other.shape(layer)}')
        ids = other.stim_ids if self.stim_ids is None else self.stim_ids
        return self._made({layer: operation(self.get(layer), other.get(layer)) for layer in self.layers}, ids)

    def _made(self, layers: dict, ids, **more_meta) -> Activation:
        new = Activation()
        new._layers, new.stim_ids, new.meta = layers, ids, self.meta | more_meta
        return new

    def _source(self, layer: str) -> np.ndarray | DiskLayer:
        if not isinstance(layer, str):
            raise BadType(f'layer must be a name, not {layer!r}')
        choice('layer', layer, self.layers, owner='the activation')
        return self._layers[layer]

    def __repr__(self) -> str:
        shapes = ', '.join(f'{layer} {self.shape(layer)}' for layer in self.layers)
        return f'<Activation of {len(self)} stimuli: {shapes}>'
