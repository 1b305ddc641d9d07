"""``.basis.h5``: directions onto which layers are projected. A group per layer, and `meta` as JSON.

A group has the attributes `kind` (srp, pca, whole) and `shape` (of the units); pca holds `components`
(n_feat, n_unit), `mean` (n_unit,) and `explained` (n_feat,), srp a sparse matrix in compressed rows as `data`,
`indices`, `indptr`, whole nothing.
"""

from __future__ import annotations

import json
import math

import h5py
import numpy as np

from dnnbrain._checks import BadValue, has_suffix
from dnnbrain.io.atomic import atomic
from dnnbrain.io.h5 import open_h5, safe_name

SUFFIX = '.basis.h5'
PARTS = {'pca': ('components', 'mean', 'explained'), 'srp': ('data', 'indices', 'indptr'), 'whole': ()}


def write_basis_h5(fname, layers: dict[str, dict], meta: dict) -> None:
    """Write a basis.

    Parameters
    ----------
    layers : dict
        layer -> dict of kind, shape, and the arrays of this kind.
    meta : dict
        Anything JSON can hold.
    """
    with atomic(has_suffix(fname, [SUFFIX], 'basis file')) as part, h5py.File(part, 'w', track_order=True) as file:
        file.attrs['meta'] = json.dumps(meta, default=str)
        for layer, found in layers.items():
            group = file.create_group(safe_name(layer, 'layer'))
            group.attrs['kind'], group.attrs['shape'] = found['kind'], np.array(found['shape'], dtype=np.int64)
            for name in PARTS[found['kind']]:
                group[name] = found[name]


def read_basis_h5(fname) -> tuple[dict[str, dict], dict]:
    """What `write_basis_h5` was given."""
    with open_h5(fname, SUFFIX, 'basis file') as file:
        try:
            meta = json.loads(file.attrs['meta'])
            layers = {layer: {'kind': group.attrs['kind'], 'shape': tuple(int(n) for n in group.attrs['shape'])}
                      | {name: group[name][()] for name in PARTS[group.attrs['kind']]}
                      for layer, group in file.items()}
        except (KeyError, ValueError, TypeError, AttributeError, OSError) as error:
            raise BadValue(f'{str(fname)!r} is not a basis that dnnbrain wrote ({error})') from None
    wrong = next((layer for layer, found in layers.items() if not _fits(found)), None)
    if wrong is not None:
        raise BadValue(f'{str(fname)!r} is damaged: what it holds of layer {wrong!r} does not fit together; fit or '
                       'draw it anew')
    return layers, meta


def _fits(found: dict) -> bool:
    """Whether the arrays of a layer are of its units."""
    n_unit = math.prod(found['shape'])
    if found['kind'] == 'pca':
        return found['components'].ndim == 2 and found['components'].shape[1] == n_unit == found['mean'].size
    if found['kind'] == 'srp':
        n = len(found['data'])
        return n == len(found['indices']) == found['indptr'][-1] and (not n or (
            0 <= found['indices'].min() and found['indices'].max() < n_unit))
    return True
