"""Parameters of networks on disk: finding published ones, reading, writing, fitting a changed head."""

from __future__ import annotations

import codecs
import hashlib
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import torch
import torch.nn as nn

from dnnbrain._checks import BadPath, BadValue, existing_file, has_suffix, listing, writable_file
from dnnbrain.io.atomic import atomic
from dnnbrain.io.download import data_home, download

SUFFIXES = ('.pth', '.pt', '.safetensors')
OTHER_WEIGHTS = 'take a network of your own (load, -weights) or random weights (pretrained=False; -random of ' \
                'dnn_act, -scenario scratch of dnn_train)'


def models_folder() -> Path:
    """``$DNNBRAIN_DATA/models``, else ``~/.cache/dnnbrain/models`` (`data_home`); read when used."""
    return data_home() / 'models'


def find_pretrained(file_name: str, url: str | None, source: str | None = None,
                    read: Callable | None = None) -> dict[str, torch.Tensor]:
    """Published weights: from `models_folder`, else torch.hub's cache, else downloaded to there.

    Parameters
    ----------
    file_name : str
        Name of the file in DNNBrain 1.0, such as 'alexnet.pth'.
    url : str or None
        Where torchvision publishes it; None if it does not.
    source : str, optional
        What to get where there is no `url`, as words for a message.
    read : callable, optional
        What reads the file; `read_state` by default.

    Raises
    ------
    BadPath
        The file is nowhere and cannot be downloaded; the message says where to put it.
    """
    folder = models_folder()
    if (folder / file_name).exists():
        return (read or read_state)(folder / file_name)
    place, instead = place_of(file_name), OTHER_WEIGHTS
    if url is None:
        told = f'torchvision does not publish weights {file_name}; get {source} and put it' if source else \
            f'nobody publishes weights as {file_name}; put yours'
        raise BadPath(f'{told} at {place}, or {instead}')
    name = Path(urlparse(url).path).name
    digest = re.search(r'-([0-9a-f]{8,64})\.', name)            # how it begins, by the custom of torch.hub
    return read_state(download(url, Path(torch.hub.get_dir()) / 'checkpoints' / name, digest[1] if digest else '',
                               name=f'weights {file_name}', place=place, instead=instead))


def place_of(file_name: str) -> str:
    """Where to put a file of weights by hand, in words."""
    here = str(models_folder() / file_name)
    return here if os.environ.get('DNNBRAIN_DATA') else f'{here} (once it is set, $DNNBRAIN_DATA/models/{file_name})'


def read_state(fname) -> dict[str, torch.Tensor]:
    """Tensors by name from a ``.pth`` or ``.safetensors``; never runs code from the file."""
    path = existing_file(has_suffix(fname, SUFFIXES, 'weights file'), 'weights file')
    if path.suffix == '.safetensors':
        return _read_safetensors(path)
    state = read_plain(path, 'weights file', 'save model.state_dict()')
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise BadValue(f'weights file {str(path)!r} does not hold a state dict; save model.state_dict()')
    return state


def read_plain(path: Path, argument: str, hint: str):
    """Plain values and tensors from a file of torch.save; never runs code from the file."""
    try:
        return torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:                   # torch raises many kinds for a bad file
        why = 'is truncated or not a file of torch.save' if not zipfile.is_zipfile(path) else \
            f'does not hold plain tensors; {hint}'
        raise BadValue(f'{argument} {str(path)!r} {why}') from error


def read_arrays(fname) -> dict[str, torch.Tensor]:
    """Tensors by name from a file that may hold numpy arrays of floats; never runs other code from it."""
    rebuild = np.empty(0).__reduce__()[0]
    allowed = [(rebuild, f'numpy.{core}.multiarray._reconstruct') for core in ('core', '_core')]
    with torch.serialization.safe_globals([*allowed, np.ndarray, np.dtype, type(np.dtype('f4')), type(np.dtype('f8')),
                                           codecs.encode]):
        found = read_plain(existing_file(fname, 'weights file'), 'weights file', 'save tensors by name')
    if not isinstance(found, dict) or not all(isinstance(v, torch.Tensor | np.ndarray) for v in found.values()):
        raise BadValue(f'weights file {str(fname)!r} does not hold arrays by name')
    return {name: torch.as_tensor(value) for name, value in found.items()}


def write_state(model: nn.Module, fname) -> None:
    """A plain state dict that `load_state_dict` accepts, by `torch.save`, or as safetensors by its suffix."""
    path = writable_file(has_suffix(fname, SUFFIXES, 'weights file'), 'weights file')
    state = {name: value.detach().cpu() for name, value in model.state_dict().items()}
    with atomic(path) as part:
        if path.suffix == '.safetensors':
            from safetensors.torch import save_file
            save_file({name: value.clone(memory_format=torch.contiguous_format) for name, value in state.items()},
                      part, {'format': 'pt'})    # clones, since the format knows no tensors that share memory
        else:
            torch.save(state, part)


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    try:
        return load_file(path)
    except SafetensorError as error:
        raise BadValue(f'weights file {str(path)!r} is truncated or not of safetensors ({error})') from None


def load_into(model: nn.Module, state: dict[str, torch.Tensor], owner: str) -> None:
    """Put tensors into a model; fully connected layers take the sizes of the file.

    Parameters
    ----------
    model : Module
        May be on the meta device.
    owner : str
        What the model is called in messages.
    """
    fit_linear_layers(model, state)
    have, came = model.state_dict(), dict(state)
    optional = {name for name in have if name.endswith('num_batches_tracked')}
    for name in optional - set(came):            # written only since torch 0.4.1
        came[name] = torch.zeros((), dtype=torch.long)
    missing, extra = set(have) - set(came), set(came) - set(have)
    if missing or extra:
        raise BadValue(f'the weights do not belong to {owner}: '
                       + '; '.join(f'{word} {listing(sorted(names), 4)}' for word, names
                                   in (('missing', missing), ('unexpected', extra)) if names)
                       + ' (rebuild the network as it was trained, then dnn.model.load_state_dict)')
    wrong = [n for n in have if have[n].shape != came[n].shape]
    if wrong:
        raise BadValue(f'the weights do not belong to {owner}: {wrong[0]} has shape '
                       f'{tuple(came[wrong[0]].shape)}, not {tuple(have[wrong[0]].shape)}')
    for name in have:                            # filled in place, since MNASNet asks it for its version
        have[name] = came[name].to(have[name].dtype)
    model.load_state_dict(have, assign=True)


def fit_linear_layers(model: nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Replace what the file holds as a Linear of another shape: a head that was changed and trained.

    That is a Linear, or a whole classifier in whose place the file has one Linear.
    """
    for path, module in list(model.named_modules()):
        weight = state.get(f'{path}.weight')
        if weight is None or weight.ndim != 2:
            continue
        bias = f'{path}.bias' in state
        if isinstance(module, nn.Linear):
            changed = weight.shape != module.weight.shape or bias != (module.bias is not None)
        else:
            changed = any(module.children()) and 'weight' not in dict(module.named_parameters(recurse=False))
        if changed:
            model.set_submodule(path, nn.Linear(weight.shape[1], weight.shape[0], bias, device='meta'))


def state_hash(model: nn.Module) -> str:
    """SHA-256 over names and values of all parameters and buffers."""
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
