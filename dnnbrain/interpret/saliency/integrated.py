"""Integrated gradients: what each pixel adds to a target, on the way from a picture without content."""

from __future__ import annotations

import warnings

import numpy as np
import torch

from dnnbrain._checks import BadValue, whole_number
from dnnbrain.interpret.saliency.gradients import Doorway
from dnnbrain.interpret.saliency.images import SaliencyImage
from dnnbrain.interpret.view import stimulus_inputs
from dnnbrain.networks.extract import Careful

ALLOWED = 0.1       # of the rise, that may be missing


class IntegratedGradientsImage(SaliencyImage):
    """The gradient integrated along the straight way from a baseline to the picture, times the way.

    Pixels add up to what the target answers to the picture more than to the baseline.

    Parameters
    ----------
    dnn, from_layer, from_chn, unit, target, device
        As in `SaliencyImage`.
    baseline : picture, or what `SaliencyImage.backprop` takes, optional
        Where the way begins: a black, gray or blurred picture. By default zeros of what the network takes, which is
        the mean colour where it normalises pictures by it. Along the way to a layer (`to_layer`), what goes into the
        layer from the baseline.
    n_step : int
        Points of Gauss-Legendre quadrature. A warning says where they are too few for pixels to add up, as in networks
        full of normalisation.

    Notes
    -----
    Sundararajan, Taly and Yan 2017, arXiv 1703.01365.
    """

    def __init__(self, dnn, from_layer: str | None = None, from_chn=None, *, baseline=None, n_step: int = 50,
                 unit=None, target=None, device=None):
        super().__init__(dnn, from_layer, from_chn, unit=unit, target=target, device=device)
        if whole_number(n_step, 'n_step') is None or n_step < 1:
            raise BadValue(f'n_step must be at least 1, not {n_step}')
        self.baseline, self.n_step = baseline, int(n_step)

    def _attribute(self, answer, doorway: Doorway, inputs: torch.Tensor) -> torch.Tensor:
        start, end = (self._passing(answer, doorway, one) for one in (self._begin(inputs), inputs))
        places, weights = np.polynomial.legendre.leggauss(self.n_step)
        places, weights = torch.from_numpy((places + 1) / 2), torch.from_numpy(weights / 2)
        total = 0

        def add(steps: torch.Tensor) -> None:
            nonlocal total
            share, weight = (values[steps].to(end)[(..., *(None,) * end.ndim)] for values in (places, weights))
            points = (start + share * (end - start)).flatten(0, 1)
            shown = inputs.repeat(len(steps), *(1,) * (inputs.ndim - 1))
            gradients = doorway.gradients(doorway.numbers(answer, shown, put=points))
            total = (gradients.unflatten(1, (len(steps), len(end))) * weight).sum(1) + total

        at_once = max(1, self._at_once(answer.target) // len(end))
        careful = Careful(add, at_once)
        for step in range(0, self.n_step, at_once):
            careful(torch.arange(step, min(step + at_once, self.n_step)), step)
        found = total * (end - start)
        self._check_sum(found, answer, doorway, inputs, start, end)
        return found

    def _check_sum(self, found: torch.Tensor, answer, doorway: Doorway, inputs: torch.Tensor, start, end) -> None:
        """Say so where the quadrature is too coarse for pixels to add up to what the target rises by."""
        with torch.no_grad():
            rise = (doorway.numbers(answer, inputs, put=end) - doorway.numbers(answer, inputs, put=start)).T
        parts, size = found.flatten(2).sum(2), found.flatten(2).abs().sum(2)
        gap = (parts - rise).abs()
        off = gap > ALLOWED * rise.abs() + ALLOWED / 10 * size              # rises near 0 have no share
        if off.any():
            worst = (gap * off).flatten().argmax()
            came, whole = (float(numbers.flatten()[worst]) for numbers in (parts, rise))
            warnings.warn(f'integrated gradients add up to {came:.3g} where the target rises by {whole:.3g}: '
                          f'{self.n_step} steps are too few for this network; raise n_step (-steps)', stacklevel=2)

    def _begin(self, inputs: torch.Tensor) -> torch.Tensor:
        if self.baseline is None:
            return torch.zeros_like(inputs)
        found = stimulus_inputs(self.dnn, self.baseline).to(inputs)
        if found.shape[1:] != inputs.shape[1:] or len(inputs) % len(found):
            raise BadValue(f'the network takes {tuple(found.shape)} for the baseline and {tuple(inputs.shape)} for the '
                           'stimulus; give a baseline of the same length')
        return found.repeat(len(inputs) // len(found), *(1,) * (inputs.ndim - 1))

    @staticmethod
    def _passing(answer, doorway: Doorway, inputs: torch.Tensor) -> torch.Tensor:
        """What passes the doorway of inputs."""
        if doorway.layer is None:
            return inputs.detach()
        with torch.no_grad():
            doorway.numbers(answer, inputs)
        return doorway.value.detach()
