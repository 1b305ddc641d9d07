"""A frozen trunk need run only once per picture: its features are stored, and the rest trains on them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
from torch import fx

from dnnbrain._checks import BadValue
from dnnbrain.networks.cutting import drop_dead_code, traced
from dnnbrain.networks.extract import answers
from dnnbrain.networks.heads import head_paths
from dnnbrain.networks.tracing import OneInput, unmarked
from dnnbrain.stimuli.images import PictureSet

IN_MEMORY = 2 ** 30     # bytes of features, above which they go to a memory map


class _Opener(OneInput):
    """Opens only what learns: frozen modules are run as they are."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.opened = {id(m) for m in model.modules() if any(p.requires_grad for p in m.parameters())}

    def is_leaf_module(self, module: nn.Module, path: str) -> bool:
        return id(module) not in self.opened or super().is_leaf_module(module, path)


def split_frozen(model: nn.Module, owner: str) -> tuple[nn.Module, nn.Module]:
    """The frozen trunk of a network and the rest behind it, two modules that share its parameters.

    Raises
    ------
    BadValue
        Something before the head learns, or the forward pass cannot be divided.
    """
    heads = tuple(head.partition('.')[0] + '.' for head in head_paths(model))
    early = [path for path, p in model.named_parameters() if p.requires_grad and not path.startswith(heads)]
    if early:
        raise BadValue(f"cache_features needs a frozen trunk, but {early[0]} of {owner} learns: "
                       "dnn.freeze('all but head')")
    with unmarked(model):
        return _divided(model, owner)


def _divided(model: nn.Module, owner: str) -> tuple[nn.Module, nn.Module]:
    graph = traced(model, _Opener(model), f'the features of {owner} cannot be cached')
    learns = {path for path, m in model.named_modules() if any(p.requires_grad for p in m.parameters(recurse=False))}
    late: set[fx.Node] = set()
    for node in graph.nodes:
        if node.op == 'output' or node.target in learns or late & set(node.all_input_nodes):
            late.add(node)
    border = {source for node in late for source in node.all_input_nodes} - late
    if len(border) != 1:
        raise BadValue(f'the features of {owner} cannot be cached: {len(border)} values flow from its trunk '
                       'to its head')
    edge = border.pop()
    if edge.op == 'placeholder':
        raise BadValue(f'cache_features needs a frozen trunk, but the first layer of {owner} learns')
    trunk, rest = fx.Graph(), fx.Graph()
    made: dict[fx.Node, fx.Node] = {}
    for node in graph.nodes:
        if node not in late:
            made[node] = trunk.node_copy(node, made.__getitem__)
    trunk.output(made[edge])
    drop_dead_code(trunk, model)
    made = {edge: rest.placeholder('features')}
    for node in graph.nodes:
        if node in late:
            made[node] = rest.node_copy(node, made.__getitem__)
    return fx.GraphModule(model, trunk), fx.GraphModule(model, rest)


class Features:
    """Stores what a trunk answers to pictures, in memory or, when large, in a temporary memory map."""

    def __init__(self, trunk: nn.Module, device: torch.device, batch_size: int, n_worker: int | None = None):
        self.trunk, self.device, self.batch_size, self.n_worker = trunk, device, batch_size, n_worker
        self._folder = tempfile.TemporaryDirectory(prefix='dnnbrain-')

    def __enter__(self) -> Features:
        return self

    def __exit__(self, *error) -> None:
        self._folder.cleanup()

    def of(self, pictures: PictureSet) -> np.ndarray:
        """Features (n, ...), float32, in eval mode and through the transform of the pictures."""
        features, start = None, 0
        for block in answers(self.trunk, 'the trunk', pictures, self.device, self.batch_size, self.n_worker,
                             'features'):
            if features is None:
                features = self._room((len(pictures), *block.shape[1:]))
            features[start:start + len(block)] = block
            start += len(block)
        return features

    def _room(self, shape: tuple[int, ...]) -> np.ndarray:
        if 4 * np.prod(shape, dtype=np.int64) <= IN_MEMORY:
            return np.empty(shape, np.float32)
        n = len(list(Path(self._folder.name).iterdir()))
        return np.lib.format.open_memmap(Path(self._folder.name) / f'{n}.npy', 'w+', np.float32, shape)
