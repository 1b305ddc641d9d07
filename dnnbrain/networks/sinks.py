"""Where activations go, layer by layer and batch by batch: arrays in memory, or a file."""

from __future__ import annotations

import numpy as np
import torch

from dnnbrain.activation.activation import Activation
from dnnbrain.io.act_h5 import ActWriter


class InMemory:
    """Arrays that hold all stimuli."""

    def __init__(self, layers: list[str], n_stim: int, stim_ids, meta: dict):
        self.layers, self.n_stim, self.stim_ids, self.meta = layers, n_stim, stim_ids, meta
        self._values: dict[str, np.ndarray] = {}
        self._filled = dict.fromkeys(layers, 0)

    def __enter__(self) -> InMemory:
        return self

    def __exit__(self, *error) -> None:
        """Nothing to close."""

    def put(self, layer: str, activ: torch.Tensor) -> None:
        """Copy what a layer answers to the next stimuli."""
        if layer not in self._values:
            self._values[layer] = np.empty((self.n_stim, *activ.shape[1:]), np.float32)
        start = self._filled[layer]
        self._filled[layer] += len(activ)
        torch.from_numpy(self._values[layer][start:self._filled[layer]]).copy_(activ)

    def activation(self) -> Activation:
        """What has come."""
        activation = Activation()
        for layer in self.layers:
            activation.set(layer, self._values[layer])
        activation.stim_ids, activation.meta = self.stim_ids, self.meta
        return activation


class ToFile:
    """A ``.act.h5`` that grows batch by batch and appears when it is whole."""

    def __init__(self, fname, layers: list[str], n_stim: int, stim_ids, meta: dict):
        self.fname = fname
        self._writer = ActWriter(fname, n_stim, stim_ids, meta, layers)

    def __enter__(self) -> ToFile:
        self._writer.__enter__()
        return self

    def __exit__(self, *error) -> None:
        self._writer.__exit__(*error)

    def put(self, layer: str, activ: torch.Tensor) -> None:
        """Write what a layer answers to the next stimuli."""
        self._writer.write({layer: activ.float().cpu().contiguous().numpy()})

    def activation(self) -> Activation:
        """The file, unread."""
        activation = Activation()
        activation.load(self.fname)
        return activation
