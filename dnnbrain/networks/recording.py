"""What layers answer, caught by hooks that are gone afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from dnnbrain._checks import BadValue
from dnnbrain.activation.mask import Mask
from dnnbrain.networks.axes import as_maps, channels_first
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
            activ = as_maps(channels_first(dnn, module, output), layer, n_shown[0], tokens, dnn)
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


class _Enough(Exception):
    """Every layer asked for has answered; the rest of the network need not run."""


def picked(activ: torch.Tensor, picks: dict[int, torch.Tensor]) -> torch.Tensor:
    """The units at indices (from 0) of some axes."""
    for axis, index in picks.items():
        activ = activ.index_select(axis, index)
    return activ


def pooled(activ: torch.Tensor, pool_method: str) -> torch.Tensor:
    return POOL[pool_method](activ.float().flatten(2))[(..., *(None,) * (activ.ndim - 2))]


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
