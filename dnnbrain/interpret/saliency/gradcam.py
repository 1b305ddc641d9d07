"""Grad-CAM: where in the picture the maps of a layer speak for a target."""

from __future__ import annotations

from collections import Counter

import torch
import torch.nn as nn
import torch.nn.functional as F

from dnnbrain._checks import BadValue
from dnnbrain.interpret.saliency.gradients import Doorway
from dnnbrain.interpret.saliency.images import SaliencyImage
from dnnbrain.networks.axes import as_patches

_POOLINGS = (nn.modules.pooling._MaxPoolNd, nn.modules.pooling._AvgPoolNd, nn.modules.pooling._AdaptiveAvgPoolNd)
_SPACES = {4: 'bilinear', 5: 'trilinear'}


class GradCAMImage(SaliencyImage):
    """The maps of a layer, weighted by what each of them does for the target, and brought to the size of the picture.

    Parameters
    ----------
    dnn, from_layer, from_chn, unit, target, device
        As in `SaliencyImage`.
    upsample : bool
        Whether maps get the size of what the network takes, or keep their own.

    Notes
    -----
    ``relu(sum_k mean(d target / d A_k) A_k)`` over the maps A_k that to_layer *puts out* (Selvaraju et al. 2017,
    arXiv 1610.02391); `backprop` gives one map, (1, h, w). By default they are the last maps before the target that
    come from no pooling: conv5_relu of AlexNet, layer4 of a ResNet. Tokens of a transformer are laid out as the
    grid of patches that they come from; for these say to_layer, before the last attention
    ('encoder.layers.encoder_layer_11.ln_1' of vit_b_16), since behind it only the class token counts.
    """

    def __init__(self, dnn, from_layer: str | None = None, from_chn=None, *, upsample: bool = True, unit=None,
                 target=None, device=None):
        super().__init__(dnn, from_layer, from_chn, unit=unit, target=target, device=device)
        self.upsample = upsample

    def _doorway(self, answer, inputs: torch.Tensor, to_layer: str | None) -> Doorway:
        return Doorway(self.dnn, to_layer or last_maps(self.dnn, answer, inputs), 'output')

    def _attribute(self, answer, doorway: Doorway, inputs: torch.Tensor) -> torch.Tensor:
        numbers = doorway.numbers(answer, inputs)
        maps = doorway.maps(doorway.value.detach())
        found = []
        for gradient in doorway.gradients(numbers):
            weights = doorway.maps(gradient).flatten(2).mean(2)[(..., *(None,) * (maps.ndim - 2))]
            found.append((weights * maps).sum(1, keepdim=True).relu())
        return torch.stack(found)

    def _shaped(self, doorway: Doorway, maps: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        if doorway.value.ndim == 3:
            maps = as_patches(maps, self.dnn, doorway.layer)
        if maps[0, 0].numel() == 1:
            raise BadValue(f'layer {doorway.layer!r} puts out one number per channel, not maps; choose to_layer among '
                           'convolutional layers before it')
        if not self.upsample:
            return maps
        return F.interpolate(maps.float(), inputs.shape[2:], mode=_SPACES[maps.ndim])


def last_maps(dnn, answer, inputs: torch.Tensor) -> str:
    """The module (as 'path#1', its first use) with the last maps before the target that come from no pooling.

    Raises
    ------
    BadValue
        There are none, or tokens come after them.
    """
    notes, calls = [], Counter()

    def note(path: str):
        def hook(module, args, output):
            calls[path] += 1
            if isinstance(output, torch.Tensor):
                notes.append((f'{path}#{calls[path]}', output, isinstance(module, _POOLINGS)))
        return hook

    handles = [module.register_forward_hook(note(path)) for path, module in dnn.model.named_modules() if path]
    try:
        with torch.no_grad():
            answer(inputs[:1])
    finally:
        for handle in handles:
            handle.remove()
    pooled = {id(output) for _, output, is_pooled in notes if is_pooled}       # containers put out the same
    rows = [row for row, (_, output, _) in enumerate(notes)
            if output.ndim > 3 and output[0, 0].numel() > 1 and id(output) not in pooled]
    if not rows or any(output.ndim == 3 for _, output, _ in notes[rows[-1]:]):
        raise BadValue(f'{dnn.name} has no maps, or tokens behind them, before the target; say by to_layer whose '
                       'output to take')
    return notes[rows[-1]][0]
