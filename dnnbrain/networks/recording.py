"""What layers answer, caught by hooks that are gone afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn as nn
from torchvision.ops import Permute

from dnnbrain._checks import BadType, BadValue
from dnnbrain.activation.mask import Mask
from dnnbrain.networks.layers import split_call
from dnnbrain.networks.state import as_model


@contextmanager
def recording(dnn, dmask: Mask, pool_method: str | None, put: Callable, tokens: str = 'all') -> Iterator[Callable]:
    """A function that shows a batch of transformed pictures; hooks are gone afterwards.

    Parameters
    ----------
    tokens : {'all', 'cls', 'mean', 'patch'}
        What is taken of layers that put out tokens.
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
            if not n_shown[0]:                               # the network runs for somebody else
                return
            calls[layer] = calls.get(layer, 0) + 1
            if calls[layer] != call:
                return
            activ = as_maps(channels_first(dnn.model, module, output), layer, n_shown[0], tokens)
            if layer not in picks:
                picks[layer] = {axis: torch.as_tensor(index, device=activ.device)
                                for axis, index in dmask.indices(layer, tuple(activ.shape)).items()}
            activ = picked(activ, picks[layer])
            put(layer, activ if pool_method is None else pooled(activ, pool_method))
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
        finally:
            n_shown[0] = 0
        layer = next(layer for layer in dmask.layers if layer not in answered)
        raise BadValue(f'layer {layer!r} is used {calls.get(layer, 0)} times in a forward pass of {dnn.name}'
                       + ('' if split_call(layer)[1] == 1 else '; ask for an earlier call'))

    handles = [dnn.layer2module(layer).register_forward_hook(keep(layer)) for layer in dmask.layers]
    try:
        yield look
    finally:
        for handle in handles:
            handle.remove()


def channels_first(model: nn.Module, module: nn.Module, output):
    """What a part of a Swin transformer puts out, (n, row, column, channel), in the order of all others."""
    if isinstance(output, torch.Tensor) and output.ndim == 4 and 'swin_transformer' in type(model).__module__ \
            and not isinstance(module, nn.Conv2d | Permute):
        return output.permute(0, 3, 1, 2)
    return output


class _Enough(Exception):
    """Every layer asked for has answered; the rest of the network need not run."""


def as_maps(output, layer: str, n: int, tokens: str = 'all') -> torch.Tensor:
    """The output of a module for n stimuli as (n, n_chn, n_row, n_col); clips keep (n, n_chn, n_frame, n_row, n_col).

    Fully connected layers get one position; tokens (n, n_token, n_feat) become n_feat channels
    with a row per token. Of several outputs (attention puts out its weights too) the first counts.

    Parameters
    ----------
    tokens : {'all', 'cls', 'mean', 'patch'}
        All of them, the first (the class token), their mean, or all but the first.
    """
    if isinstance(output, tuple | list | dict) and len(output):
        output = next(iter(output.values() if isinstance(output, dict) else output))
    if not isinstance(output, torch.Tensor):
        raise BadType(f'layer {layer!r} puts out {type(output).__name__}, not one tensor; choose a layer inside it')
    if output.ndim < 2 or len(output) != n:
        raise BadValue(f'layer {layer!r} puts out {tuple(output.shape)} for {n} stimuli: not one answer per stimulus')
    if output.ndim == 3:
        return TOKENS[tokens](output.transpose(1, 2))[..., None]
    return output[..., None, None] if output.ndim == 2 else output


def picked(activ: torch.Tensor, picks: dict[int, torch.Tensor]) -> torch.Tensor:
    """The units at indices (from 0) of some axes."""
    for axis, index in picks.items():
        activ = activ.index_select(axis, index)
    return activ


def pooled(activ: torch.Tensor, pool_method: str) -> torch.Tensor:
    return POOL[pool_method](activ.float().flatten(2))[(..., *(None,) * (activ.ndim - 2))]


TOKENS = {
    'all': lambda tokens: tokens,
    'cls': lambda tokens: tokens[:, :, :1],
    'mean': lambda tokens: tokens.mean(2, keepdim=True),
    'patch': lambda tokens: tokens[:, :, 1:],
}
POOL = {
    'max': lambda maps: maps.amax(2),
    'mean': lambda maps: maps.mean(2),
    'median': lambda maps: _median(maps),
    'L1': lambda maps: maps.abs().sum(2),
    'L2': lambda maps: torch.linalg.vector_norm(maps, dim=2),          # its gradient is 0 where all are, not NaN
}


def _median(maps: torch.Tensor) -> torch.Tensor:
    """The mean of the two middle ones, as numpy's; torch's median takes the lower, its quantile few values."""
    ordered, n = maps.sort(2).values, maps.shape[2]                         # NaN comes last
    middle = (ordered[:, :, (n - 1) // 2] + ordered[:, :, n // 2]) / 2
    return middle.where(~ordered[:, :, -1].isnan(), torch.nan)
