"""Activations of any number of layers in one forward pass.

Hooks pick the units of the mask and pool on the device, and store what is left before the next
module can touch it (an in-place ReLU would). The pass stops after the last layer asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version

import torch

from dnnbrain import __version__
from dnnbrain._checks import BadType, BadValue, choice, writable_file
from dnnbrain._progress import progress
from dnnbrain.activation.activation import Activation
from dnnbrain.activation.mask import Mask, as_mask
from dnnbrain.activation.pool import POOLINGS
from dnnbrain.networks.layers import split_call
from dnnbrain.networks.sinks import InMemory, ToFile
from dnnbrain.networks.state import as_model, pick_device, visiting
from dnnbrain.networks.weights import state_hash
from dnnbrain.stimuli.loaders import batches, picture_set

BATCH_SIZE = 32


def compute_activation(dnn, stimuli, dmask, pool_method: str | None = None, cuda: bool = False, *,
                       device=None, batch_size: int = BATCH_SIZE, n_worker: int | None = None,
                       out=None) -> Activation:
    """What layers answer to stimuli.

    Parameters
    ----------
    stimuli : Stimulus, ndarray of shape (n_stim, 3, height, width), uint8, or torch Dataset
    dmask : Mask, str or sequence of str
        Layers and the units of them; names alone mean whole layers. 'relu#2' is the second time a
        shared module is used.
    pool_method : {'max', 'mean', 'median', 'L1', 'L2'}, optional
        Pool each map to one number.
    cuda : bool
        1.0's way to say ``device='cuda'``.
    device : str or torch.device, optional
        Where to compute; by default where the network is. It is moved back afterwards.
    batch_size : int
    n_worker : int, optional
        Threads that decode pictures; as many as cores by default.
    out : str, optional
        A ``.act.h5`` to stream to. Memory then does not grow with the number of stimuli, and the
        file appears when it is complete.

    Returns
    -------
    activation : Activation
        Layers (n_stim, n_chn, n_row, n_col), float32, in the order of the mask; fully connected
        ones (n_stim, n_feat, 1, 1). With `out`, still on disk.
    """
    dmask = as_mask(dmask)
    if pool_method is not None:
        choice('pool_method', pool_method, POOLINGS)
    if not dmask.layers:
        raise BadValue('the mask names no layer')
    if batch_size < 1:
        raise BadValue(f'batch_size must be at least 1, not {batch_size}')
    paths = {layer: dnn.layer2path(layer) for layer in dmask.layers}
    if out is not None:
        writable_file(out, 'out')
    device = pick_device(dnn._network(), device, cuda)
    pictures = picture_set(stimuli, dnn.test_transform)
    ids = stimuli.get('stimID') if hasattr(stimuli, 'get') else None
    meta = {'network': dnn.name, 'layer_paths': paths, 'transform': str(dnn.test_transform),
            'dmask': dmask.to_dict(), 'pool': pool_method, 'dtype': 'float32'}
    if out is not None:
        meta |= {'weights': state_hash(dnn.model), 'versions': _versions(), 'command': sys.argv}
    about = dmask.layers, len(pictures), ids, meta
    sink = InMemory(*about) if out is None else ToFile(out, *about)
    bar = progress(None, f'{dnn.name} activations', total=len(pictures), unit='img')
    with bar, visiting(dnn.model, device), torch.inference_mode(), sink:
        dnn.model.eval()
        with recording(dnn, dmask, pool_method, sink.put) as look:
            for pixels in batches(pictures, batch_size, n_worker, device):
                look(pixels)
                bar.update(len(pixels))
    return sink.activation()


@contextmanager
def recording(dnn, dmask: Mask, pool_method: str | None, put: Callable) -> Iterator[Callable]:
    """A function that shows a batch of transformed pictures; hooks are gone afterwards.

    Parameters
    ----------
    put : callable
        ``put(layer, activ)`` takes what a layer answers to the batch, (n, n_chn, n_row, n_col), as
        long as it is valid: before the next module can write into it.
    """
    calls: dict[str, int] = {}
    picks: dict[str, dict[int, torch.Tensor]] = {}
    n_shown = [0]
    answered: set[str] = set()

    def keep(layer: str):
        call = split_call(layer)[1]

        def hook(module, args, output):
            calls[layer] = calls.get(layer, 0) + 1
            if calls[layer] != call:
                return
            activ = as_maps(output, layer, n_shown[0])
            if layer not in picks:
                picks[layer] = {axis: torch.as_tensor(index, device=activ.device)
                                for axis, index in dmask.indices(layer, tuple(activ.shape)).items()}
            activ = picked(activ, picks[layer])
            put(layer, activ if pool_method is None else _pooled(activ, pool_method))
            answered.add(layer)
            if len(answered) == len(dmask.layers):
                raise _Enough
        return hook

    def look(pixels: torch.Tensor) -> None:
        answered.clear()
        calls.clear()
        n_shown[0] = len(pixels)
        try:
            dnn.model(as_model(dnn.model, pixels))
        except _Enough:
            return
        layer = next(layer for layer in dmask.layers if layer not in answered)
        raise BadValue(f'layer {layer!r} is used {calls.get(layer, 0)} times in a forward pass of {dnn.name}'
                       + ('' if split_call(layer)[1] == 1 else '; ask for an earlier call'))

    handles = [dnn.layer2module(layer).register_forward_hook(keep(layer)) for layer in dmask.layers]
    try:
        yield look
    finally:
        for handle in handles:
            handle.remove()


class _Enough(Exception):
    """Every layer asked for has answered; the rest of the network need not run."""


def as_maps(output, layer: str, n: int) -> torch.Tensor:
    """The output of a module for n stimuli as (n, n_chn, n_row, n_col); clips keep (n, n_chn, n_frame, n_row, n_col).

    Fully connected layers get one position; tokens (n, n_token, n_feat) become n_feat channels
    with a row per token.
    """
    if not isinstance(output, torch.Tensor):
        raise BadType(f'layer {layer!r} puts out {type(output).__name__}, not one tensor; choose a layer inside it')
    if output.ndim < 2 or len(output) != n:
        raise BadValue(f'layer {layer!r} puts out {tuple(output.shape)} for {n} stimuli: not one answer per stimulus')
    if output.ndim == 3:
        return output.transpose(1, 2)[..., None]
    return output[..., None, None] if output.ndim == 2 else output


def picked(activ: torch.Tensor, picks: dict[int, torch.Tensor]) -> torch.Tensor:
    """The units at indices (from 0) of some axes."""
    for axis, index in picks.items():
        activ = activ.index_select(axis, index)
    return activ


def _pooled(activ: torch.Tensor, pool_method: str) -> torch.Tensor:
    return _POOL[pool_method](activ.float().flatten(2))[(..., *(None,) * (activ.ndim - 2))]


_POOL = {
    'max': lambda maps: maps.amax(2),
    'mean': lambda maps: maps.mean(2),
    'median': lambda maps: _median(maps),
    'L1': lambda maps: maps.abs().sum(2),
    'L2': lambda maps: maps.square().sum(2).sqrt(),
}


def _median(maps: torch.Tensor) -> torch.Tensor:
    """The mean of the two middle ones, as numpy's; torch's median takes the lower, its quantile few values."""
    ordered, n = maps.sort(2).values, maps.shape[2]
    return (ordered[:, :, (n - 1) // 2] + ordered[:, :, n // 2]) / 2


def _versions() -> dict[str, str]:
    return {'dnnbrain': __version__} | {name: version(name) for name in ('torch', 'torchvision', 'pillow', 'numpy')}


def output_of(dnn, pictures, device: torch.device, batch_size: int, n_worker: int | None,
              desc: str) -> torch.Tensor:
    """What the whole network puts out for pictures, in eval mode, on the CPU, float32."""
    return torch.cat(list(answers(dnn.model, dnn.name, pictures, device, batch_size, n_worker, desc)))


def answers(model: torch.nn.Module, owner: str, pictures, device: torch.device, batch_size: int,
            n_worker: int | None, desc: str) -> Iterator[torch.Tensor]:
    """What a module puts out for batches of pictures, in eval mode, on the CPU, float32.

    Parameters
    ----------
    owner : str
        What the module is called in messages.
    """
    bar = progress(None, desc, total=len(pictures), unit='img', leave=False)
    with bar, visiting(model, device):
        model.eval()
        for pixels in batches(pictures, batch_size, n_worker, device):
            with torch.inference_mode():                # not around the yield: who asks may want gradients
                output = model(as_model(model, pixels))
            if not isinstance(output, torch.Tensor) or output.ndim < 2 or len(output) != len(pixels):
                came = tuple(getattr(output, 'shape', ())) or type(output).__name__
                raise BadValue(f'{owner} puts out {came} for {len(pixels)} pictures: not one vector per picture')
            yield output.float().cpu()
            bar.update(len(pixels))
