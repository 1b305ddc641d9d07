"""A few lines about a file, without loading its arrays."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable

from dnnbrain._checks import BadValue, existing_file, listing
from dnnbrain.io import act_h5, basis_h5, dmask_csv, model_h5, rdm_h5, roi_h5, stim_csv
from dnnbrain.io.h5 import open_h5


def _stim(fname: str) -> str:
    header, table = stim_csv.read_stim_csv(fname)
    lines = [f'{key}: {value}' for key, value in header.items()] + [f'stimuli: {len(table)}']
    for name in table:
        values = table[name]
        if values.dtype.kind in 'iuf':
            detail = f'{values.min():g} to {values.max():g}, {values.nunique()} different' if len(values) else ''
        else:
            detail = f'{values.nunique()} different: {listing(values.unique(), 5)}'
        lines.append(f'  {name}: {detail}')
    return '\n'.join(lines)


def _dmask(fname: str) -> str:
    return '\n'.join(f'{layer}: ' + ', '.join(
        f'{axis} {numbers if isinstance(numbers, str) else listing(numbers)}' for axis, numbers in axes.items())
        for layer, axes in dmask_csv.read_dmask_csv(fname).items())


def _act(fname: str) -> str:
    layers, ids, meta = act_h5.read_act_h5(fname)
    shown = {key: meta[key] for key in ('network', 'weights', 'pool', 'reduce') if meta.get(key)}
    lines = [f'{key}: {value}' for key, value in shown.items()]
    lines.append(f'stimuli: {next(iter(layers.values())).shape[0]}'
                 + (' (without IDs)' if ids is None else f', {listing(ids, 3)}'))
    for name, layer in layers.items():
        size = layer.dtype.itemsize
        for n in layer.shape:
            size *= n
        lines.append(f'  {name}: {layer.shape} {layer.dtype}, {size / 1e6:.1f} MB')
    return '\n'.join(lines)


def _roi(fname: str) -> str:
    names, data = roi_h5.read_roi_h5(fname)
    return f'volumes: {len(data)}\nregions: {len(names)}: {listing(names)}'


def _rdm(fname: str) -> str:
    kind, rdms, ids = rdm_h5.read_rdm_h5(fname)
    lines = [f'type: {kind}'] + ([] if ids is None else [f'items: {listing(ids, 5)}'])
    for key, triangle in rdms.items():
        n_iter = '' if triangle.ndim == 1 else f', {len(triangle)} iterations'
        lines.append(f'  {key}: {rdm_h5.n_items(triangle.shape[-1])} items{n_iter}')
    return '\n'.join(lines)


def _basis(fname: str) -> str:
    layers, meta = basis_h5.read_basis_h5(fname)
    lines = [f'{key}: {meta[key]}' for key in ('network', 'weights', 'reduce', 'seed', 'fit_on') if key in meta]
    for layer, found in layers.items():
        n_feat = {'pca': lambda f: f['components'].shape[0], 'srp': lambda f: len(f['indptr']) - 1}.get(found['kind'])
        kept = 'kept whole' if n_feat is None else f'{n_feat(found)} directions ({found["kind"]})'
        lines.append(f'  {layer}: units {found["shape"]}, {kept}')
    return '\n'.join(lines)


def _model(fname: str) -> str:
    with open_h5(fname, model_h5.SUFFIX, 'model file') as file:
        if 'dnnbrain_model' not in file.attrs:
            return _h5(file)
        lines = [f'model of dnnbrain: {json.loads(file["json"].asstr()[()]).get("kind")}']
        for group in (item for item in file.values() if hasattr(item, 'keys')):
            own = json.loads(group['json'].asstr()[()])
            arrays = ', '.join(f'{name} {data.shape}' for name, data in group.items() if name != 'json')
            lines.append(f'  {own["part"]}: {arrays}')
    return '\n'.join(lines)


def _h5(file) -> str:
    found = []
    file.visititems(lambda name, item: found.append(f'  {name}: {item.shape} {item.dtype}')
                    if hasattr(item, 'shape') else None)
    return '\n'.join(['HDF5, not of dnnbrain', *found])


def _history(fname: str) -> str:
    with open(fname, newline='', encoding='utf-8') as file:
        try:
            rows = list(csv.DictReader(file))
        except (ValueError, csv.Error) as error:
            raise BadValue(f'{fname!r} is damaged: {error}') from None
    last = ', '.join(f'{name} {value}' for name, value in rows[-1].items() if value) if rows else 'nothing'
    return f'epochs: {len(rows)}\nlast: {last}'


def _result(fname: str) -> str:
    with open(fname, encoding='utf-8') as file:
        try:
            record = json.load(file)
        except ValueError as error:
            raise BadValue(f'{fname!r} is damaged: {error}') from None
    if not isinstance(record, dict):
        raise BadValue(f'{fname!r} is not what a command of dnnbrain wrote: it holds no settings')
    told = {key: value for key, value in record.items() if key != 'versions'}
    lines = []
    for key, value in told.items():
        lines += [f'{key}:', *(f'  {name}: {_short(one)}' for name, one in value.items())] \
            if isinstance(value, dict) else [f'{key}: {_short(value)}']
    return '\n'.join(lines)


def _short(value) -> str:
    return listing(value, 8) if isinstance(value, list) else str(value)


_BY_SUFFIX = {stim_csv.SUFFIX: _stim, dmask_csv.SUFFIX: _dmask, act_h5.SUFFIX: _act,
              basis_h5.SUFFIX: _basis,
              roi_h5.SUFFIX: _roi, rdm_h5.SUFFIX: _rdm, '.history.csv': _history, 'result.json': _result,
              model_h5.SUFFIX: _model}               # the last, for the others end in .h5 too
SUFFIXES = tuple(_BY_SUFFIX)


def describer(fname: str) -> Callable[[str], str] | None:
    """The function that describes files of this name; None if the name is of no known format."""
    found = next((tell for suffix, tell in _BY_SUFFIX.items() if fname.lower().endswith(suffix)), None)
    if found is not None:
        existing_file(fname, 'NAME')
    return found
