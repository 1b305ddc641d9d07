"""A linear readout of units of a network, to be trained with it or on top of it."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn as nn

from dnnbrain._checks import BadValue
from dnnbrain.activation.mask import as_mask
from dnnbrain.networks.cutting import output_shape
from dnnbrain.networks.heads import head_path
from dnnbrain.networks.state import as_model, home_of, seeded, visiting
from dnnbrain.networks.units import Units


def readout(dnn, dmask, n_out: int, rng: int | None = None):
    """The network up to some layers, and a fresh fully connected layer that reads units of them.

    Parameters
    ----------
    dmask : Mask, str or sequence of str
        Layers, and which channels, rows and columns of them, from 1. Units of several layers are
        read together.
    n_out : int
        Classes, voxels, or other values to predict.
    rng : int, optional
        Seed of the initial weights.

    Returns
    -------
    dnn : DNN
        A copy: the network it came from stays as it is. Layers keep their names; the readout is 'head'.
    """
    dmask = as_mask(dmask)
    trunk = dnn.cut(*dmask.layers)
    n_unit = output_shape(trunk.join(Units(dmask)))[0]
    with seeded(rng):
        head = nn.Sequential(Units(dmask), nn.Linear(n_unit, n_out))
    head.to(home_of(trunk.model), next(p.dtype for p in trunk.model.parameters()))
    return trunk.join(head)


@torch.inference_mode()
def check_ends_in_head(dnn) -> None:
    """Refuse a network whose output is not what its last fully connected layer puts out."""
    seen, home = [], home_of(dnn.model)
    head = dnn.model.get_submodule(head_path(dnn.model))
    handle = head.register_forward_hook(lambda module, args, output: seen.append(output))
    try:
        with visiting(dnn.model, home):
            shown = as_model(dnn.model, torch.rand(2, *dnn.input_shape, generator=torch.Generator().manual_seed(0)))
            output = dnn.model.eval()(shown.to(home))
    finally:
        handle.remove()
    if not isinstance(head, nn.Linear) or not seen or not torch.equal(seen[-1], output):
        raise BadValue(f'something follows the last fully connected layer of {dnn.name}, so that it cannot be scaled '
                       'to values; use standardize=False')


@torch.no_grad()
def rescale_head(dnn, mean: np.ndarray, spread: np.ndarray) -> None:
    """Let a head that predicts z-scores predict values: ``z * spread + mean`` for each output.

    Parameters
    ----------
    mean, spread : ndarray of shape (n_out,)
    """
    head = dnn.model.get_submodule(head_path(dnn.model))
    mean, spread = (torch.as_tensor(v, dtype=head.weight.dtype, device=head.weight.device) for v in (mean, spread))
    head.weight.mul_(spread[:, None])
    if head.bias is None:
        head.bias = nn.Parameter(torch.zeros_like(mean))
    head.bias.mul_(spread).add_(mean)
