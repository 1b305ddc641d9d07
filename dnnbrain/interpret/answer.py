"""A network as the function from inputs to a target, with the network as found afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn as nn

from dnnbrain.activation.mask import as_mask
from dnnbrain.networks.extract import Careful
from dnnbrain.networks.recording import recording
from dnnbrain.networks.state import as_model, pick_device, visiting


class Answer(nn.Module):
    """Inputs (n, *input_shape) -> numbers of a target (n, n_target); the forward pass stops after its last layer.

    Captum and autograd take it as they take any module. Make it with `answering`, which removes its hooks.
    """

    def __init__(self, model: nn.Module, name: str, target, look: Callable, held: dict[str, torch.Tensor]):
        super().__init__()
        self.model, self.name, self.target = model, name, target
        self._look, self._held = look, held
        self._room: torch.Tensor | None = None

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self._held.clear()
        self._look(self._own(inputs))
        found = self.target(self._held)
        self._held.clear()
        return found

    def whole(self, inputs: torch.Tensor):
        """What the network itself puts out."""
        return self.model(self._own(inputs))

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


@contextmanager
def answering(dnn, target, device=None) -> Iterator[Answer]:
    """The network in eval mode as a function to a target, for the block.

    Its parameters need no gradients meanwhile. Modes, device, gradient flags and hooks are as found afterwards,
    also after an error.
    """
    device = pick_device(dnn._network(), device)
    learning = [p for p in dnn.model.parameters() if p.requires_grad]
    held: dict[str, torch.Tensor] = {}

    def hold(layer: str, maps: torch.Tensor) -> None:
        held[layer] = maps if len(held) + 1 == len(target.layers) else maps.clone()      # the next may write in place

    try:
        with visiting(dnn.model, device), recording(dnn, as_mask(target.layers), None, hold) as look:
            dnn.model.eval()
            for parameter in learning:
                parameter.requires_grad_(False)
            yield Answer(dnn.model, dnn.name, target, look, held)
    finally:
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
        careful = Careful(look, batch_size)
        for start in range(0, n, batch_size):
            careful(make(range(start, min(start + batch_size, n))), start)
    return torch.cat(found).float().cpu().numpy()
