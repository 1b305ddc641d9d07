"""Parts of an extraction, each from a run of its own, as one ``.act.h5``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from dnnbrain._checks import BadValue
from dnnbrain.io.act_h5 import SUFFIX, DiskLayer, read_act_h5
from dnnbrain.io.act_writer import ActWriter, write_meta
from dnnbrain.io.atomic import atomic

SAME = ('network', 'weights', 'layer_paths', 'transform', 'dmask', 'pool', 'dtype', 'tokens', 'lesions', 'reduce',
        'layers')


def merge_activations(parts: Sequence, out, virtual: bool = False) -> None:
    """Join the files of the shards of one extraction, in their order.

    Parameters
    ----------
    parts : sequence of str
        All shards, in any order.
    out : str
        The ``.act.h5`` to write.
    virtual : bool
        Write a small file that refers to the parts, which must then stay where they are, instead
        of a copy.

    Raises
    ------
    BadValue
        A shard is missing or there twice, or comes from another extraction (network, weights,
        layers, mask, basis, ...) or another list of stimuli; or a virtual file would replace a part.
    """
    if len(parts) < 2:
        raise BadValue(f'give all the parts to merge, not {len(parts)}')
    found = sorted(((*read_act_h5(path), Path(path)) for path in parts), key=lambda part: _shard(part[2], part[3])[0])
    n = _shard(found[0][2], found[0][3])[1]
    numbers = [_shard(info, path) for _, _, info, path in found]
    if numbers != [(i, n) for i in range(1, n + 1)]:
        told = ', '.join(f'{i}/{of}' for i, of in numbers)
        raise BadValue(f'these are shards {told}; all from 1/{n} to {n}/{n} are needed, each once')
    first = found[0][2]
    for _, _, info, path in found:
        other = [key for key in SAME if info.get(key) != first.get(key)]
        if other:
            raise BadValue(f'{str(path)!r} comes from another extraction than {str(found[0][3])!r}: {other[0]} differs')
    _one_list([info for _, _, info, _ in found])
    if virtual and any(_is_file(part, out) for *_, part in found):
        raise BadValue(f'{str(out)!r} is one of the parts, to which a virtual file refers; give another name')
    ids = None if any(i is None for _, i, _, _ in found) else np.concatenate([i for _, i, _, _ in found])
    skipped = [entry for _, _, info, _ in found for entry in info.get('skipped') or []]
    meta = {key: value for key, value in first.items() if key not in ('shard', 'whole', 'key', 'layers')}
    meta['skipped'] = [entry for number, entry in enumerate(skipped) if entry not in skipped[:number]]
    (_refer if virtual else _copy)([layers for layers, *_ in found], ids, meta, Path(out))


def _shard(info: dict, path: Path) -> tuple[int, int]:
    if not info.get('shard'):
        raise BadValue(f'{str(path)!r} is no shard of an extraction (dnn_act -shard i/n)')
    return tuple(info['shard'])


def _one_list(infos: list[dict]) -> None:
    """Refuse shards of different lists, or of one list that was cut in batches of different size."""
    wholes = [info['whole'] for info in infos if 'whole' in info]
    rows = [tuple(whole['rows']) for whole in wholes]
    ends = [0, *(stop for _, stop in rows)]
    if wholes and (ends[:-1] != [start for start, _ in rows] or len({(w['n_stim'], w['list']) for w in wholes}) > 1):
        told = ', '.join(f'{start + 1} to {stop} of {whole["n_stim"]}'
                         for (start, stop), whole in zip(rows, wholes, strict=True))
        raise BadValue(f'the parts do not make up one list of stimuli (rows {told}); extract all from the same list, '
                       'with the same batch size')


def _is_file(path: Path, other: Path) -> bool:
    return os.path.realpath(path) == os.path.realpath(other)


def _copy(parts: list[dict[str, DiskLayer]], ids, meta: dict, out: Path) -> None:
    """Block by block, so that memory does not grow with the files."""
    n_stim = sum(next(iter(layers.values())).shape[0] for layers in parts)
    with ActWriter(out, n_stim, ids, meta, list(parts[0])) as writer:
        for layers in parts:
            for name, layer in layers.items():
                for start in range(0, layer.shape[0], layer.chunks[0]):
                    writer.write({name: layer[start:start + layer.chunks[0]]})


def _refer(parts: list[dict[str, DiskLayer]], ids, meta: dict, out: Path) -> None:
    """A virtual dataset per layer; paths are relative where a file lies beside the new one."""
    if not out.name.lower().endswith(SUFFIX):
        raise BadValue(f'activation file {str(out)!r} must end in {SUFFIX}')
    with atomic(out) as part, h5py.File(part, 'w', libver='latest', track_order=True) as file:
        for name in parts[0]:
            sources = [layers[name] for layers in parts]
            shape = (sum(s.shape[0] for s in sources), *sources[0].shape[1:])
            layout = h5py.VirtualLayout(shape, sources[0].dtype)
            start = 0
            for source in sources:
                beside = os.path.realpath(source.path.parent) == os.path.realpath(out.absolute().parent)
                place = source.path.name if beside else str(source.path)
                place, inside = place.replace('%', '%%'), name.replace('%', '%%')     # HDF5 reads these as formats
                layout[start:start + source.shape[0]] = h5py.VirtualSource(place, inside, source.shape)
                start += source.shape[0]
            file.create_virtual_dataset(name, layout)
        write_meta(file, meta, list(parts[0]), ids)
