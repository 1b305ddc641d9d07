"""What keeps made pictures plain: norms, total variation, and smoothing of pictures and gradients."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d


def l1(pictures: torch.Tensor) -> torch.Tensor:
    """Sum of absolute values, (n,) of pictures (n, 3, h, w)."""
    return pictures.abs().sum((1, 2, 3))


def l2(pictures: torch.Tensor) -> torch.Tensor:
    """Root of the sum of squares, (n,) of pictures (n, 3, h, w); its gradient at zero is zero."""
    return torch.linalg.vector_norm(pictures, dim=(1, 2, 3))


def total_variation(pictures: torch.Tensor) -> torch.Tensor:
    """Sum of absolute differences of neighbours down and across, (n,) of pictures (n, 3, h, w)."""
    return l1(pictures[..., 1:, :] - pictures[..., :-1, :]) + l1(pictures[..., 1:] - pictures[..., :-1])


REGULARISERS = {'L1': l1, 'L2': l2, 'TV': total_variation}


class Blur:
    """Gaussian blur of each colour by itself, as `scipy.ndimage.gaussian_filter` of a plane.

    A matrix for rows and one for columns: exact at the edges, for any radius.

    Parameters
    ----------
    size : tuple of int
        (height, width)
    radius : float
        Standard deviation in pixels.
    """

    def __init__(self, size: tuple[int, int], radius: float, device=None):
        self.down, self.across = (
            torch.as_tensor(gaussian_filter1d(np.eye(n), radius, axis=0), dtype=torch.float32, device=device)
            for n in size)

    def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
        """Blurred pictures (..., height, width)."""
        return self.down @ pictures @ self.across.T


class FourierSmoothing:
    """Gradients with less of what is fine in them.

    A grating of f cycles per picture keeps ``max(1, f) ** (-2 factor)`` of its amplitude, over the mean of that
    (Walker et al. 2019, doi 10.1038/s41593-019-0517-x).
    """

    def __init__(self, size: tuple[int, int], factor: float, device=None):
        self.size = size
        cycles = np.hypot(*np.meshgrid(*(np.fft.fftfreq(n, 1 / n) for n in size), indexing='ij'))
        gain = np.maximum(cycles, 1) ** (-2 * factor)
        half = (gain / gain.mean())[:, :size[1] // 2 + 1]
        self.gain = torch.as_tensor(half, dtype=torch.float32, device=device)

    def __call__(self, gradients: torch.Tensor) -> torch.Tensor:
        """Smoothed gradients (..., height, width)."""
        return torch.fft.irfft2(torch.fft.rfft2(gradients) * self.gain, s=self.size)
