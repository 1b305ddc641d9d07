"""The mean of a saliency map over noisy copies of a picture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from dnnbrain.networks.extract import Careful


def mean_over_noise(look: Callable, inputs: torch.Tensor, n: int, share: float, rng, batch_size: int) -> torch.Tensor:
    """Mean of ``look(inputs + noise)`` over `n` draws of Gaussian noise.

    Parameters
    ----------
    look : callable
        Inputs (n, *input_shape) -> maps (n_target, n, ...), each picture by itself.
    inputs : Tensor of shape (n_input, *input_shape)
        Stay as they are.
    share : float
        Standard deviation of the noise over the range of the inputs.
    rng : int or Generator
        The same seed gives the same noise on any device and in batches of any size.
    batch_size : int
        Copies at a time; halved where memory is too small.
    """
    rng, sigma = np.random.default_rng(rng), share * float(inputs.max() - inputs.min())
    total = 0

    def add(noise: torch.Tensor) -> None:
        nonlocal total
        maps = look((inputs + sigma * noise).flatten(0, 1))
        total = maps.unflatten(1, (len(noise), len(inputs))).sum(1) + total

    careful = Careful(add, batch_size)
    for start in range(0, n, batch_size):
        noise = rng.standard_normal((min(batch_size, n - start), *inputs.shape), dtype=np.float32)
        careful(torch.from_numpy(noise).to(inputs.device), start)
    return total / n
