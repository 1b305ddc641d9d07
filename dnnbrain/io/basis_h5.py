"""``.basis.h5``: directions onto which layers are projected. A group per layer, and `meta` as JSON.

A group has the attributes `kind` (srp, pca, whole) and `shape` (of the units); pca holds `components`
(n_feat, n_unit), `mean` (n_unit,) and `explained` (n_feat,), srp a sparse matrix in compressed rows as `data`,
`indices`, `indptr`, whole nothing.
"""

from __future__ import annotations

import json

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
        except (KeyError, ValueError) as error:
            raise BadValue(f'{str(fname)!r} is not a basis that dnnbrain wrote ({error})') from None
    return layers, meta
