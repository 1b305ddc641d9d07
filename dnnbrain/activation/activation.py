"""Activations of layers: in memory or unread on disk, with the same calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from dnnbrain._checks import BadType, BadValue, choice, rows
from dnnbrain.activation.arithmetic import Arithmetic
from dnnbrain.activation.blocks import stim_blocks, unit_blocks
from dnnbrain.activation.exchange.design import export_design
from dnnbrain.activation.exchange.export import export
from dnnbrain.activation.exchange.foreign import from_files
from dnnbrain.activation.mask import as_mask, composed
from dnnbrain.activation.rotation import rotated
from dnnbrain.activation.streamed import convolve_hrf, fe, pooled
from dnnbrain.io.act_h5 import DiskLayer, read_act_h5
from dnnbrain.io.act_merge import merge_activations
from dnnbrain.io.act_writer import ActWriter


class Activation(Arithmetic):
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
    `load` reads names, shapes and IDs only. `get` reads a layer, which then stays in memory and may
    be changed in place; `blocks` streams a layer that does not fit. Indexing, `mask` and `delete`
    of what is on disk stay on disk. A layer of a file may also be named by its module path.
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
            part = self.mask(dmask)
            self._layers, self.meta = part._layers, part.meta

    @classmethod
    def merge(cls, parts: Sequence, out, virtual: bool = False) -> Activation:
        """Join the files of all shards of one extraction, and load the result.

        Parameters
        ----------
        parts : sequence of str
            ``.act.h5`` files, in any order.
        out : str
        virtual : bool
            Write a small file that refers to the parts instead of a copy.
        """
        merge_activations(parts, out, virtual)
        merged = cls()
        merged.load(out)
        return merged

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
        replaced = [layer for layer, source in self._layers.items()
                    if isinstance(source, DiskLayer) and source.path == Path(fname).absolute()]
        if replaced:                                    # they were read from the file that is now another
            saved, _, _ = read_act_h5(fname)
            self._layers |= {layer: saved[layer] for layer in replaced}

    @property
    def layers(self) -> list[str]:
        return list(self._layers)

    def shape(self, layer: str) -> tuple[int, ...]:
        """Shape of a layer, without reading it."""
        return self._source(layer).shape

    def get(self, layer: str) -> np.ndarray:
        """The values of a layer, (n_stim, n_chn, n_row, n_col)."""
        name = self._name(layer)
        self._layers[name] = self._read(name)
        return self._layers[name]

    def set(self, layer: str, value) -> None:
        """Set or replace a layer.

        Another number of stimuli is possible, layer by layer; IDs are then dropped, and until all
        layers agree nothing but `get` and `set` works.
        """
        if value is None:
            raise BadValue(f'layer {layer!r} needs a value of shape (n_stim, n_chn, n_row, n_col)')
        value = np.asarray(value)
        if value.ndim < 4:
            raise BadValue(f'layer {layer!r} must have shape (n_stim, n_chn, n_row, n_col), not {value.shape}')
        if self.stim_ids is not None and len(value) != len(self.stim_ids):
            self.stim_ids = None                        # they belong to other stimuli
        self._layers[layer] = value

    def delete(self, layer: str) -> None:
        del self._layers[self._name(layer)]

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
        return self._made({layer: np.concatenate([part._read(layer) for part in parts])
                           for layer in self.layers}, ids)

    def mask(self, dmask) -> Activation:
        """The layers and units that a mask names, in its order."""
        dmask = as_mask(dmask)
        layers = {}
        before, after = self.meta.get('dmask', {}), {}
        for layer, axes in dmask.to_dict().items():
            name = self._name(layer)
            if name in layers:
                raise BadValue(f'the mask names layer {name!r} twice, by its name and its module path')
            source = self._layers[name]
            for axis, index in dmask.indices(layer, source.shape).items():
                source = source.select(axis, index) if isinstance(source, DiskLayer) else \
                    np.take(source, index, axis=axis)
            layers[name], after[name] = source, composed(before.get(name, {}), axes)
        return self._made(layers, self.stim_ids, dmask=after)

    def pool(self, method: str) -> Activation:
        """Each map pooled to one number, (n_stim, n_chn, 1, 1); method as in `array_statistic`."""
        return pooled(self, method).gather()

    def __len__(self) -> int:
        counts = {layer: source.shape[0] for layer, source in self._layers.items()}
        if len(set(counts.values())) > 1:
            raise BadValue(f'layers disagree in the number of stimuli: {counts}')
        return next(iter(counts.values()), 0)

    def __getitem__(self, key) -> Activation:
        """The stimuli of an int, slice, list, boolean mask or stimulus ID(s), all layers."""
        index = rows(key, len(self), self.stim_ids, 'stimulus')
        ids = None if self.stim_ids is None else np.asarray(self.stim_ids)[index]
        return self._made({layer: source.select(0, index) if isinstance(source, DiskLayer) else source[index]
                           for layer, source in self._layers.items()}, ids)

    def _made(self, layers: dict, ids, **more_meta) -> Activation:
        new = Activation()
        new._layers, new.stim_ids, new.meta = layers, ids, self.meta | more_meta
        return new

    def _name(self, layer: str) -> str:
        """The name of a layer that is given by its name or its module path."""
        if not isinstance(layer, str):
            raise BadType(f'layer must be a name, not {layer!r}')
        if layer not in self._layers:
            paths = self.meta.get('layer_paths', {})
            layer = next((name for name in self._layers if paths.get(name) == layer), layer)
        return choice('layer', layer, self.layers, owner='the activation')

    def _source(self, layer: str) -> np.ndarray | DiskLayer:
        return self._layers[self._name(layer)]

    def _read(self, layer: str) -> np.ndarray:
        source = self._source(layer)
        return source[()] if isinstance(source, DiskLayer) else source

    def __repr__(self) -> str:
        shapes = ', '.join(f'{layer} {self.shape(layer)}' for layer in self.layers)
        n_stim = self.shape(self.layers[0])[0] if self._layers else 0
        return f'<Activation of {n_stim} stimuli: {shapes}>'

    fe = fe
    convolve_hrf = convolve_hrf
    rotated = rotated
    export = export
    export_design = export_design
    from_files = classmethod(from_files)
