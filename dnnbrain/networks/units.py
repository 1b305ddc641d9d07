"""The units of a mask as a module: what a readout reads."""

from __future__ import annotations

import torch
import torch.nn as nn

from dnnbrain.activation.mask import Mask, as_mask
from dnnbrain.networks.axes import as_maps
from dnnbrain.networks.recording import picked


class Units(nn.Module):
    """Picks units of layers: (n, n_unit) from the output of each layer of the mask, in its order.

    Parameters
    ----------
    dmask : Mask, or what `as_mask` takes
        Channels, rows and columns from 1.
    """

    def __init__(self, dmask):
        super().__init__()
        self.dmask: Mask = as_mask(dmask)

    def forward(self, outputs: torch.Tensor | tuple[torch.Tensor, ...]) -> torch.Tensor:
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        return torch.cat([self._units(layer, output) for layer, output in zip(self.dmask.layers, outputs, strict=True)],
                         dim=1)

    def _units(self, layer: str, output: torch.Tensor) -> torch.Tensor:
        maps = as_maps(output, layer, len(output))
        picks = self.dmask.indices(layer, tuple(maps.shape))
        return picked(maps, {axis: torch.as_tensor(index, device=maps.device)
                             for axis, index in picks.items()}).flatten(1)

    def extra_repr(self) -> str:
        return ', '.join(self.dmask.layers)
