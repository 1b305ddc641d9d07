"""What is in a file of activations, as one key: the same key means the same numbers."""

from __future__ import annotations

import hashlib
import json
import sys
from importlib.metadata import version

import numpy as np
import torch
from torch.utils.data import Subset

from dnnbrain import __version__
from dnnbrain._checks import BadInput, BadValue
from dnnbrain.io.act_h5 import read_act_h5
from dnnbrain.networks.ablation import lesions_of
from dnnbrain.networks.weights import state_hash


def described(dnn, dmask, pool_method: str | None, tokens: str = 'all', dtype: str = 'float32', shard=None,
              skipped=(), reduce: str | None = None) -> dict:
    """What a file of activations says of how they came about."""
    return {'network': dnn.name, 'layer_paths': {layer: dnn.layer2path(layer) for layer in dmask.layers},
            'transform': str(dnn.test_transform), 'dmask': dmask.to_dict(), 'pool': pool_method, 'dtype': dtype,
            'tokens': tokens, 'shard': shard, 'skipped': list(skipped), 'lesions': lesions_of(dnn.model),
            'reduce': reduce}


def keyed(dnn, stimuli, meta: dict) -> dict:
    """`described` with what identifies it: the weights, and the key of the whole; versions and command beside."""
    versions = {name: version(name) for name in ('torch', 'torchvision', 'pillow', 'numpy')}
    meta = meta | {'weights': state_hash(dnn.model), 'versions': {'dnnbrain': __version__} | versions,
                   'command': sys.argv}
    return meta | {'key': content_key(dnn, stimuli, meta)}


def content_key(dnn, stimuli, meta: dict) -> str:
    """SHA-256 over network, weights, layers and how they are taken, and the stimuli.

    Parameters
    ----------
    stimuli : Stimulus, ndarray or Dataset
        Files count by name, size and time of change, arrays by their shape and bytes, a Dataset by its
        class and length only (a Subset also by its indices): nothing else can be known of it without
        reading it all.
    meta : dict
        What the file says of itself, with the hash of the weights.
    """
    what = {key: meta.get(key) for key in ('network', 'weights', 'layer_paths', 'transform', 'dmask', 'pool', 'dtype',
                                           'tokens', 'shard', 'lesions', 'reduce')}
    hooks = sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in dnn.model.modules())
    what |= {'hooks': hooks, 'stimuli': _seen(stimuli)}
    return hashlib.sha256(json.dumps(what, default=str).encode()).hexdigest()


def _seen(stimuli):
    if hasattr(stimuli, 'files'):
        files = [(file.name, stat.st_size, stat.st_mtime_ns) for file in stimuli.files() for stat in [file.stat()]]
        return [stimuli.get('stimID').tolist(), files]
    if isinstance(stimuli, np.ndarray | torch.Tensor):
        array = np.ascontiguousarray(stimuli)
        return [str(array.dtype), array.shape, hashlib.sha256(array.view(np.uint8).data).hexdigest()]
    if isinstance(stimuli, Subset):
        return [np.asarray(stimuli.indices).tolist(), _seen(stimuli.dataset)]
    return [type(stimuli).__name__, len(stimuli)]


def same_content(fname, key: str, overwrite: bool) -> bool:
    """Whether a finished file holds what is asked for.

    Raises
    ------
    BadValue
        It holds something else, or is damaged, and may not be overwritten.
    """
    try:
        if read_act_h5(fname)[2].get('key') == key:
            return True
    except BadInput:
        if not overwrite:
            raise
    if overwrite:
        return False
    raise BadValue(f'{str(fname)!r} is there and holds other content (network, weights, layers, stimuli or the like '
                   'differ); give another name, or overwrite')
