"""Activations for other tools: numpy, MATLAB, tables."""

from __future__ import annotations

import csv
import itertools
import json
import math
from pathlib import Path

import numpy as np

from dnnbrain._checks import BadValue, has_suffix, listing, writable_file
from dnnbrain.activation.exchange.unit_names import unit_names
from dnnbrain.io.atomic import atomic
from dnnbrain.io.mat import matlab_names, write_mat
from dnnbrain.io.npy import write_npy, write_npz
from dnnbrain.io.streams import ArrayStream, distinct_names

RESERVED = ('stimID', 'layers', 'variables', 'meta')     # what a .npz or .mat holds beside layers
_BLOCK = 2 ** 24


def export(activation, out, layers=None, flat: bool = False) -> None:
    """Write the values for another tool, in bounded memory, with stimulus IDs and the order of layers.

    Parameters
    ----------
    out : str
        The suffix chooses. All numbers count from 1, within this activation.

        - ``.npy``: one layer; IDs and meta go beside it, into ``OUT.npy.json``.
        - ``.npz``: an array per layer; `stimID`; `layers`, their names in order; `variables`, the keys
          of their arrays, which differ only where a name holds '/' or is taken; `meta`, JSON text.
        - ``.mat``: the same as variables of MATLAB, whose names are letters, digits and '_':
          ``layers{i}`` is in the variable ``variables{i}``. Version 5 up to half a gigabyte, 7.3 above.
        - ``.csv``, ``.tsv``: a row per stimulus, first its stimID (without IDs: row, from 1), then units
          as ``LAYER_cCHANNEL_rROW_cCOLUMN``, of clips ``LAYER_cCHANNEL_fFRAME_rROW_cCOLUMN``.
    layers : str, sequence of str, or Mask, optional
        Layers in the order wanted, by name or module path; a Mask also picks units.
    flat : bool
        (n_stim, n_unit) instead of (n_stim, n_chn, n_row, n_col); channels first, columns last. A
        ``.csv`` is flat anyway.

    Raises
    ------
    BadValue, BadPath
        Another suffix, a folder that cannot be written to, an unknown layer, several layers for ``.npy``.
    """
    path = writable_file(has_suffix(out, tuple(_WRITERS), 'out'), 'out')
    part = activation if layers is None else activation.mask(layers)
    if not part.layers or not len(part):
        raise BadValue(f'there is nothing to export: {len(part.layers)} layers and {len(part)} stimuli')
    _WRITERS[path.suffix.lower()](path, part, flat)


def layer_stream(activation, layer: str, flat: bool) -> ArrayStream:
    """A layer, (n_stim, n_chn, n_row, n_col) or (n_stim, n_unit)."""
    shape = activation.shape(layer)
    if flat:
        shape = (shape[0], math.prod(shape[1:]))

    def blocks():
        return (block for _, block in activation.blocks(layer, n_bytes=_BLOCK))
    return ArrayStream(shape, next(iter(activation[:1].blocks(layer)))[1].dtype, blocks)


def _write_npy(path: Path, activation, flat: bool) -> None:
    if len(activation.layers) > 1:
        raise BadValue(f'a .npy holds one layer, and there are {len(activation.layers)}: '
                       f'{listing(activation.layers)}; name one of them (layers), or write a .npz')
    layer, = activation.layers
    ids = None if activation.stim_ids is None else np.asarray(activation.stim_ids).tolist()
    told = {'layers': [layer], 'stimID': ids, 'meta': activation.meta}
    beside = path.with_name(path.name + '.json')
    with atomic(path) as part, atomic(beside) as side:
        side.write_text(json.dumps(told, default=str), encoding='utf-8')
        with part.open('wb') as file:
            write_npy(file, layer_stream(activation, layer, flat))


def _write_npz(path: Path, activation, flat: bool) -> None:
    keys = distinct_names(activation.layers, lambda name: name.replace('/', '_').replace('\\', '_'), RESERVED)
    with atomic(path) as part:
        write_npz(part, _streams(activation, keys, flat), {name: np.array(value, dtype=str) if isinstance(
            value, list) else np.asarray(value) for name, value in _beside(activation, keys).items()})


def _write_mat(path: Path, activation, flat: bool) -> None:
    variables = matlab_names(activation.layers, RESERVED)
    with atomic(path) as part:
        write_mat(part, _streams(activation, variables, flat), _beside(activation, variables))


def _streams(activation, keys: list[str], flat: bool) -> dict[str, ArrayStream]:
    return {key: layer_stream(activation, layer, flat) for key, layer in zip(keys, activation.layers, strict=True)}


def _beside(activation, keys: list[str]) -> dict:
    """What goes beside the layers: text, lists of text, and whole numbers."""
    told = {'layers': activation.layers, 'variables': keys, 'meta': json.dumps(activation.meta, default=str)}
    if activation.stim_ids is None:
        return told
    ids = np.asarray(activation.stim_ids)
    return told | {'stimID': ids if ids.dtype.kind in 'iu' else [str(name) for name in ids]}


def _write_table(path: Path, activation, flat: bool) -> None:
    columns = itertools.chain.from_iterable(
        unit_names(layer, activation.shape(layer)[1:]) for layer in activation.layers)
    known = activation.stim_ids is not None
    ids = activation.stim_ids if known else range(1, len(activation) + 1)
    per_row = sum(stream.nbytes for stream in _streams(activation[:1], activation.layers, True).values())
    step = max(1, _BLOCK // max(per_row, 1))
    with atomic(path) as part, part.open('w', encoding='utf-8', newline='') as file:
        writer = csv.writer(file, delimiter=',' if path.suffix.lower() == '.csv' else '\t', lineterminator='\n')
        writer.writerow(['stimID' if known else 'row', *columns])
        for start in range(0, len(activation), step):
            rows = activation[start:start + step]
            values = [_numbers(rows.get(layer)) for layer in rows.layers]
            for index, name in enumerate(ids[start:start + step]):
                # text per layer, so that each keeps its own precision: the shortest that reads back the same
                writer.writerow([name, *itertools.chain.from_iterable(v[index].astype(str) for v in values)])


def _numbers(values: np.ndarray) -> np.ndarray:
    values = values.reshape(len(values), -1)
    return values.astype(np.uint8) if values.dtype.kind == 'b' else values


_WRITERS = {'.npy': _write_npy, '.npz': _write_npz, '.mat': _write_mat, '.csv': _write_table, '.tsv': _write_table}
