"""Units silenced in activations, and random lesions to compare with."""

from __future__ import annotations

import numpy as np

from dnnbrain._checks import BadValue
from dnnbrain.activation.activation import Activation
from dnnbrain.activation.mask import Mask, as_mask
from dnnbrain.io.act_writer import ActWriter
from dnnbrain.io.dmask_csv import AXES, WORDS


def save_lesioned(activation: Activation, dmask, fname) -> None:
    """Write an activation with the units of a mask at zero, block by block.

    Parameters
    ----------
    dmask : Mask, or what `as_mask` takes
        Numbers count within the activation. Layers that it does not name stay as they are.
    fname : str
        A ``.act.h5`` with the same layers, IDs and meta, which also tells the mask ('ablated').
    """
    dmask = as_mask(dmask)
    found = dict(zip(activation.mask(dmask).layers, dmask.layers, strict=True))
    meta = {key: value for key, value in activation.meta.items() if key != 'key'}      # the content is another
    meta['ablated'] = {name: dmask.get(layer) for name, layer in found.items()}
    with ActWriter(fname, len(activation), activation.stim_ids, meta, activation.layers) as writer:
        for name in activation.layers:
            for _, block in activation.blocks(name):
                if name in found:
                    block = block.copy()
                    chosen = dmask.indices(found[name], block.shape)
                    block[np.ix_(*(chosen.get(axis, np.arange(n)) for axis, n in enumerate(block.shape)))] = 0
                writer.write({name: block})


def other_units(dmask, shapes: dict[str, tuple[int, ...]], rng=None) -> Mask:
    """A mask of as many other units of the same layers, drawn at random.

    Parameters
    ----------
    dmask : Mask, or what `as_mask` takes
        Of a layer with channels, other channels are drawn, at the same rows and columns; else other
        rows, or else other columns.
    shapes : dict
        Layer -> shape of its activation, (n_stim, n_chn, n_row, n_col).
    rng : int or Generator, optional

    Raises
    ------
    BadValue
        A layer is meant whole, or fewer units are left than it names.
    """
    dmask, rng = as_mask(dmask), np.random.default_rng(rng)
    others = dmask.copy()
    for layer in dmask.layers:
        axes, shape = dmask.get(layer), shapes[layer]
        axis = next((axis for axis in AXES if axes[axis] != 'all'), None)
        if axis is None:
            raise BadValue(f'the mask takes layer {layer!r} whole; a random lesion of the same size needs other units, '
                           'so name channels, rows or columns')
        place = {'chn': 1, 'row': -2, 'col': -1}[axis]
        dmask.indices(layer, shape)                     # refuses what is beyond the layer
        named = np.unique(axes[axis])
        left = np.setdiff1d(np.arange(1, shape[place] + 1), named)
        if len(left) < len(named):
            raise BadValue(f'the mask names {len(named)} of {shape[place]} {WORDS[axis]}s of layer {layer!r}; only '
                           f'{len(left)} others are left, too few for a random lesion of the same size')
        drawn = np.sort(rng.choice(left, len(named), replace=False))
        others.set(layer, **{{'chn': 'channels', 'row': 'rows', 'col': 'columns'}[axis]: drawn})
    return others
