"""Parts of tensors: for each axis, which of its places belong to them; and the step of a graph that made a tensor."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch.nn as nn
from torch import fx

Box = tuple[np.ndarray, ...]                # for each axis, which places, bool
Parts = list[tuple[fx.Node, Box]]


class Step(NamedTuple):
    """A step of a graph, its module if it has one, and the shapes of all tensors."""

    node: fx.Node
    module: nn.Module | None
    shapes: dict

    @property
    def source(self) -> fx.Node:
        return self.node.all_input_nodes[0]

    @property
    def before(self) -> tuple[int, ...]:
        """Shape of the first input."""
        return self.shapes[self.source]

    @property
    def after(self) -> tuple[int, ...]:
        return self.shapes[self.node]

    @property
    def name(self) -> str:
        target = self.node.target
        return target if isinstance(target, str) else getattr(target, '__name__', str(target))

    def given(self, *names: str) -> dict:
        """Arguments by name, without the first, which is the tensor."""
        return dict(zip(names, self.node.args[1:], strict=False)) | self.node.kwargs


def whole(shape: tuple[int, ...]) -> Box:
    return tuple(np.ones(n, bool) for n in shape)


def places(n: int, chosen) -> np.ndarray:
    """bool (n,), True at indices."""
    found = np.zeros(n, bool)
    found[chosen] = True
    return found


def along(box: Box, *axes: int) -> Box:
    """The box with whole axes."""
    axes = [axis % len(box) for axis in axes]
    return tuple(np.ones(len(part), bool) if axis in axes else part for axis, part in enumerate(box))


def copied(n: int, padding: tuple[int, int], mode: str) -> np.ndarray:
    """Which of n places each place of a padded axis is a copy of."""
    return np.pad(np.arange(n), padding, {'replicate': 'edge', 'circular': 'wrap'}.get(mode, mode))
