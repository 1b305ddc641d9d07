"""Small random movements of a picture before each look, so that what is made does not hang on single pixels."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from dnnbrain.interpret.synthesis.canvas import Canvas


class Jitter:
    """What a network sees of a picture that is moved, zoomed and turned at random, another way in each step.

    Parameters
    ----------
    canvas : Canvas
    size : tuple of int
        (height, width) that the network sees.
    n_step : int
    shift : float
        Most pixels down and across.
    zoom : float
        Most growth or shrinking, as a part of the size.
    rotation : float
        Most degrees.
    rng : Generator

    Notes
    -----
    All pictures of a batch move the same way, so that a picture is the same alone and among others. Without zoom and
    rotation they move by whole pixels, and what leaves at one side comes in at the other, which costs next to nothing;
    with them pixels are interpolated, and what comes from beyond a picture is its mirror image.
    """

    def __init__(self, canvas: Canvas, size: tuple[int, int], n_step: int, shift: float, zoom: float, rotation: float,
                 rng: np.random.Generator, device=None):
        self.canvas, self.size = canvas, size
        moves = rng.uniform(-1, 1, (n_step, 4)) * [shift, shift, zoom, np.deg2rad(rotation)]
        self.plain = not (zoom or rotation)
        self.shifts = moves[:, :2].round().astype(int).tolist()
        self.maps = torch.as_tensor(self._maps(moves), dtype=torch.float32, device=device)

    def __call__(self, pictures: torch.Tensor, step: int) -> torch.Tensor:
        """(n, 3, h, w) of pictures (n, 3, height, width) of the canvas."""
        if self.plain:
            shift = self.shifts[step]
            return self.canvas.cut(torch.roll(pictures, shift, (2, 3)) if any(shift) else pictures, self.size)
        planes = pictures.flatten(0, 1)[None]                     # one picture of many planes: one grid for all
        grid = F.affine_grid(self.maps[step:step + 1], [1, len(planes[0]), *self.size], align_corners=False)
        moved = F.grid_sample(planes, grid, padding_mode='reflection', align_corners=False)
        return moved.view(*pictures.shape[:2], *self.size)

    def _maps(self, moves: np.ndarray) -> np.ndarray:
        """(n_step, 2, 3) from places in view to places of the canvas, both from -1 to 1, x before y."""
        down, across, zoom, angle = moves.T
        view, whole = np.array(self.size[::-1], float), np.array(self.canvas.size[::-1], float)
        turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * (1 + zoom)
        linear = turned.transpose(2, 0, 1) * view / whole[:, None]
        middle = np.array(self.canvas.corner[::-1]) + view / 2 - whole / 2
        shift = (middle + np.stack([across, down], 1)) * 2 / whole
        return np.concatenate([linear, shift[:, :, None]], axis=2)
