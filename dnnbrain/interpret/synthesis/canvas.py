"""The picture that a network sees pixel by pixel: as large as it sees, or larger where it cuts the middle out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import ceil, floor

import numpy as np
import torch

from dnnbrain.interpret.view import View

_TOLERANCE = 2 / 255            # some transforms round once more


@dataclass(frozen=True)
class Canvas:
    """Where in a picture lies what the network sees of it.

    Attributes
    ----------
    size : tuple of int
        (height, width) of pictures that no resizing changes on their way to the network.
    corner : tuple of int
        (row, column) from 0 of the part that it sees, which has the size of the view.
    exact : bool
        False if there is no such size: the network then sees pictures of this size changed.
    """

    size: tuple[int, int]
    corner: tuple[int, int]
    exact: bool = True

    @classmethod
    def of(cls, view: View) -> Canvas:
        """Found by showing ramps and noise to the transform of a network.

        ``Resize(256), CenterCrop(224)`` has a canvas of 256 x 256; a network that resizes whole pictures to 224 x 224
        has one of 224 x 224.
        """
        size = tuple(round(n / share) for n, share in zip(view.size, _shares(view), strict=True))
        noise = np.random.default_rng(0).integers(0, 256, (3, *size), dtype=np.uint8)
        seen, whole = view.picture(noise), torch.from_numpy(noise) / 255
        rows, columns = ({floor(left / 2), ceil(left / 2)} for left in np.subtract(size, view.size))
        for top, left in product(rows, columns):
            part = whole[:, max(top, 0):, max(left, 0):][:, :view.size[0], :view.size[1]]
            if part.shape == seen.shape and (part - seen).abs().max() < _TOLERANCE:
                return cls(size, (top, left))
        return cls(view.size, (0, 0), exact=False)

    def framed(self, seen: torch.Tensor) -> torch.Tensor:
        """A picture (3, h, w) of the canvas with this in view; beyond, its edges go on."""
        rows, columns = (torch.arange(n).sub(first).clamp(0, length - 1)
                         for n, first, length in zip(self.size, self.corner, seen.shape[1:], strict=True))
        return seen[:, rows[:, None], columns]

    def cut(self, pictures: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """What is in view of pictures (..., height, width)."""
        top, left = self.corner
        return pictures[..., top:top + size[0], left:left + size[1]]


def _shares(view: View) -> list[float]:
    """Which part of the height and of the width reaches the network, from the slope at which ramps arrive."""
    shares = []
    for axis, n in enumerate(view.size):
        ramp = np.linspace(0, 255, n)[:, None] if axis == 0 else np.linspace(0, 255, n)[None]
        seen = view.picture(np.broadcast_to(ramp, (3, *view.size)).round().astype(np.uint8))
        line = seen.mean((0, 2 - axis)).numpy()
        inner = slice(n // 8, n - n // 8)
        slope = np.polyfit(np.arange(n)[inner], line[inner], 1)[0] if n > 3 else 1 / max(n - 1, 1)
        shares.append(float(slope * (n - 1)) or 1.0)
    return shares
