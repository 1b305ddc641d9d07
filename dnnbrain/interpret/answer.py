"""A network as the function from inputs to a target, with the network as found afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn as nn

from dnnbrain._checks import BadValue
from dnnbrain.networks.extract import Careful
from dnnbrain.networks.layers import split_call
from dnnbrain.networks.recording import as_maps, channels_first
from dnnbrain.networks.state import as_model, pick_device, visiting


class Answer(nn.Module):
    """Inputs (n, *input_shape) -> numbers of a target (n, n_target); the forward pass stops after its last layer.

    Captum and autograd take it as they take any module. Make it with `answering`, which removes its hooks.
    """

    def __init__(self, dnn, target):
        super().__init__()
        self.model, self.target, self._name = dnn.model, target, dnn.name
        self._held: dict[str, torch.Tensor] = {}
        self._calls: dict[str, int] = {}
        self._n = 0
        self._stops = True
        self._room: torch.Tensor | None = None
        self.handles = [dnn.layer2module(layer).register_forward_hook(self._keep(layer)) for layer in target.layers]

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self._held, self._calls, self._n = {}, {}, len(inputs)
        try:
            self.model(self._own(inputs))
        except _Enough:
            pass
        for layer in self.target.layers:
            if layer not in self._held:
                raise BadValue(f'layer {layer!r} is used {self._calls.get(layer, 0)} times in a forward pass of '
                               f'{self._name}' + ('' if split_call(layer)[1] == 1 else '; ask for an earlier call'))
        held, self._held = self._held, {}
        return self.target(held)

    def whole(self, inputs: torch.Tensor):
        """What the network itself puts out."""
        self._stops = False
        try:
            return self.model(self._own(inputs))
        finally:
            self._stops = True

    def _own(self, inputs: torch.Tensor) -> torch.Tensor:
        """A copy in the type of the network, whose first step may write into it; in memory that is used again."""
        inputs = as_model(self.model, inputs)
        if inputs.requires_grad:
            return inputs.clone()
        room = self._room
        if room is None or len(room) < len(inputs) or (room.shape[1:], room.dtype, room.device) != \
                (inputs.shape[1:], inputs.dtype, inputs.device):
            with torch.inference_mode(False):
                room = self._room = torch.empty(inputs.shape, dtype=inputs.dtype, device=inputs.device)
        return room[:len(inputs)].copy_(inputs)

    def _keep(self, layer: str) -> Callable:
        call = split_call(layer)[1]

        def hook(module, args, output):
            if not self._stops:
                return
            self._calls[layer] = self._calls.get(layer, 0) + 1
            if self._calls[layer] != call:
                return
            maps = as_maps(channels_first(self.model, module, output), layer, self._n)
            last = len(self._held) + 1 == len(self.target.layers)
            self._held[layer] = maps if last else maps.clone()       # what comes next may write in place
            if last:
                raise _Enough
        return hook


class _Enough(Exception):
    """Every layer of the target has answered."""


@contextmanager
def answering(dnn, target, device=None) -> Iterator[Answer]:
    """The network in eval mode as a function to a target, for the block.

    Its parameters need no gradients meanwhile. Modes, device, gradient flags and hooks are as found afterwards,
    also after an error.
    """
    device = pick_device(dnn._network(), device)
    for layer in target.layers:
        dnn.layer2path(layer)
    learning = [p for p in dnn.model.parameters() if p.requires_grad]
    handles = []
    try:
        with visiting(dnn.model, device):
            dnn.model.eval()
            for parameter in learning:
                parameter.requires_grad_(False)
            answer = Answer(dnn, target)
            handles = answer.handles
            yield answer
    finally:
        for handle in handles:
            handle.remove()
        for parameter in learning:
            parameter.requires_grad_(True)


def answers(answer: Answer, make: Callable, n: int, batch_size: int = 64) -> np.ndarray:
    """Numbers (n, n_target) of a target, in batches that become smaller where memory is too small.

    Parameters
    ----------
    make : callable
        ``make(range)`` gives the inputs of these numbers (from 0), on the device of the network.
    """
    found: list[torch.Tensor] = []

    def look(inputs: torch.Tensor) -> None:
        found.append(answer(inputs))

    with torch.inference_mode():
        careful = Careful(look, lambda done: None, batch_size)
        for start in range(0, n, batch_size):
            careful(make(range(start, min(start + batch_size, n))), start)
    return torch.cat(found).float().cpu().numpy()
