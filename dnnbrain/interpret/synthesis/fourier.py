"""What pictures are made of while they are optimised: pixels, or gratings in decorrelated colours.

Gratings whose steps shrink with frequency, and colours along the axes in which those of photographs vary, make the
same optimisation find smooth, coloured pictures where pixels end in fine noise: Olah, Mordvintsev and Schubert 2017,
"Feature visualization", doi 10.23915/distill.00007.
"""

from __future__ import annotations

import numpy as np
import torch

# Principal axes and variances of the colours of ImageNet, as used since Krizhevsky et al. 2012 (section 4.1)
_AXES = np.array([[-.5675, .7192, .4009], [-.5808, -.0045, -.8140], [-.5836, -.6948, .4203]])
_VARIANCES = np.array([.2175, .0188, .0045])
_NATURAL = 1.0                  # of photographs: amplitudes go as 1 / frequency
_EVEN = 0.5                     # its root: steps of `PictureAdam` in amplitudes change pixels by the square of it
_CONTRAST = 0.05                # of the noise that a picture starts from, of gratings; of pixels twice as much
_EXTREME = 1 / 512              # black and white, where the logistic curve ends


class PixelPictures:
    """Pictures that are their pixels, kept from 0 to 1 after every step.

    Parameters
    ----------
    start : Tensor of shape (3, h, w)
        Pixels from 0 to 1.
    n : int
        How many pictures begin there.

    Attributes
    ----------
    parameter : Tensor
        What is optimised.
    """

    def __init__(self, start: torch.Tensor, n: int, device=None):
        self.parameter = start.to(device).expand(n, -1, -1, -1).clone().requires_grad_()

    def __call__(self) -> torch.Tensor:
        """Pixels from 0 to 1, (n, 3, h, w)."""
        return self.parameter

    def after_step(self) -> None:
        """Keep pixels from 0 to 1."""
        self.parameter.data.clamp_(0, 1)

    @staticmethod
    def noise(size: tuple[int, int], rng: np.random.Generator, louder: float = 1) -> torch.Tensor:
        """A start (3, h, w): gray with pixel noise."""
        pixels = 0.5 + 2 * louder * _CONTRAST * rng.standard_normal((3, *size), dtype=np.float32)
        return torch.from_numpy(pixels).clamp(0, 1)


class FourierPictures:
    """Pictures that are sums of gratings, squashed to 0..1 by the logistic function.

    Parameters
    ----------
    start : Tensor of shape (3, h, w)
        Pixels from 0 to 1; it is met to a 512th.
    n : int
        How many pictures begin there.
    decorrelate : bool
        Gratings in the principal colours of photographs, instead of red, green and blue.

    Attributes
    ----------
    parameter : Tensor of shape (n, 3, h, w // 2 + 1, 2)
        Amplitudes of cosines and sines, scaled such that a gradient step of `PictureAdam` changes gratings and colours
        by as much as photographs have of them.
    """

    def __init__(self, start: torch.Tensor, n: int, device=None, decorrelate: bool = True):
        self.size, self.colors = tuple(start.shape[1:]), _colors(_EVEN) if decorrelate else torch.eye(3)
        self.scale = _scale(self.size, _EVEN)
        amplitudes = self._amplitudes(start)
        self.colors, self.scale = self.colors.to(device), self.scale.to(device)
        self.parameter = amplitudes.to(device).expand(n, *amplitudes.shape).clone().requires_grad_()

    def __call__(self) -> torch.Tensor:
        """Pixels from 0 to 1, (n, 3, h, w)."""
        mixed = (self.colors @ self.parameter.flatten(2)).view_as(self.parameter) * self.scale
        return torch.fft.irfft2(torch.view_as_complex(mixed), s=self.size, norm='ortho').sigmoid()

    def after_step(self) -> None:
        """Nothing: the logistic function keeps pixels from 0 to 1."""

    def _amplitudes(self, pixels: torch.Tensor) -> torch.Tensor:
        waves = torch.fft.rfft2(pixels.double().clamp(_EXTREME, 1 - _EXTREME).logit(), norm='ortho')
        mixed = torch.view_as_real(waves) / self.scale
        return (torch.linalg.inv(self.colors.double()) @ mixed.flatten(1)).view_as(mixed).float()

    @staticmethod
    def noise(size: tuple[int, int], rng: np.random.Generator, louder: float = 1) -> torch.Tensor:
        """A start (3, h, w): faint coloured clouds, with as much of every frequency as photographs have."""
        amplitudes = louder * _CONTRAST * rng.standard_normal((3, size[0], size[1] // 2 + 1, 2), dtype=np.float32)
        mixed = (_colors(_NATURAL) @ torch.from_numpy(amplitudes).flatten(1)).view(amplitudes.shape)
        mixed = mixed * _scale(size, _NATURAL)
        return torch.fft.irfft2(torch.view_as_complex(mixed), s=size, norm='ortho').sigmoid()


def _colors(power: float) -> torch.Tensor:
    """From principal colours to red, green, blue, (3, 3), such that independent noise of one gives colours of one."""
    mixing = _AXES * _VARIANCES ** (power / 2)
    return torch.from_numpy(mixing / np.linalg.norm(mixing, axis=1).mean()).float()


def _scale(size: tuple[int, int], power: float) -> torch.Tensor:
    """Frequency to minus the power, such that amplitudes of noise of one give a picture of one, (h, w // 2 + 1, 1)."""
    frequency = np.hypot(*np.meshgrid(*(np.fft.fftfreq(n) for n in size), indexing='ij'))
    scale = np.maximum(frequency, 1 / max(size)) ** -power
    half = (scale / np.sqrt(2 * np.mean(scale ** 2)))[:, :size[1] // 2 + 1, None]
    return torch.from_numpy(half).float()


KINDS = {'fourier': FourierPictures, 'pixel': PixelPictures}
