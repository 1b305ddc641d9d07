"""Which part of a picture matters: what a target loses when a small window covers it.

Zeiler and Fergus 2014, "Visualizing and understanding convolutional networks", doi 10.1007/978-3-319-10590-1_53.
"""

from __future__ import annotations

from numbers import Real

import numpy as np
import torch

from dnnbrain._checks import BadValue, choice, integers, positive_number, whole_number
from dnnbrain._progress import progress
from dnnbrain.interpret.algorithm import Algorithm
from dnnbrain.interpret.answer import Answer, answering, answers
from dnnbrain.interpret.target import METRICS
from dnnbrain.interpret.view import View
from dnnbrain.networks.state import pick_device

BATCH_SIZE = 64
FILLS = {'mean': lambda picture: picture.mean((1, 2)), 'black': lambda picture: torch.zeros(3),
         'gray': lambda picture: torch.full((3,), 0.5)}


class OccluderDiscrepancyMapping(Algorithm):
    """Activation lost when a window covers a place of the picture.

    Parameters
    ----------
    dnn, layer, channel, unit, target, device
        As in `Algorithm`.
    window, stride : tuple of int
        (width, height) of the window, and its steps in these directions, in pixels that the network sees.
    metric : {'mean', 'max', 'L1', 'L2'}
        What is made of the map of a channel of `layer`; a `target` says so itself.
    fill : {'mean', 'black', 'gray'}, float or sequence of 3 floats
        What the window shows: the mean colour of the picture, or a gray or colour from 0 to 1.

    Notes
    -----
    The sign is that of a loss: positive where the target falls without this part. Windows that would leave the picture
    are left out.
    """

    def __init__(self, dnn, layer=None, channel=None, window=(11, 11), stride=(2, 2), metric='mean', *, fill='mean',
                 unit=None, target=None, device=None):
        super().__init__(dnn, layer, channel, unit=unit, target=target, device=device)
        self.set_params(window, stride, metric, fill)

    def set_params(self, window=(11, 11), stride=(2, 2), metric='mean', fill='mean') -> None:
        """Window and stride (width, height), metric and fill."""
        self.window, self.stride = _pair(window, 'window'), _pair(stride, 'stride')
        self.metric, self.fill = choice('metric', metric, tuple(METRICS)), _checked_fill(fill)

    def compute(self, image, batch_size: int = BATCH_SIZE) -> np.ndarray:
        """The map of what is lost.

        Parameters
        ----------
        image
            As `as_rgb` takes it; it is resized and cropped as the network sees it.
        batch_size : int
            Windows at a time. Memory is that of a batch, for any number of windows.

        Returns
        -------
        lost : ndarray of shape (n_row, n_col), float32
            ``n_row = (height - window height) // stride + 1``; of several channels or voxels (n_target, n_row, n_col).
        """
        if whole_number(batch_size, 'batch_size') is None or batch_size < 1:
            raise BadValue(f'batch_size must be at least 1, not {batch_size}')
        view = View(self.dnn)
        with answering(self.dnn, self.target(self.metric), self.device) as answer:
            lost = self.lost(answer, view, view.picture(image), batch_size)
        return lost[0] if self.single else lost

    def at_pixels(self, lost: np.ndarray) -> np.ndarray:
        """The map (..., n_row, n_col) at every pixel that the network sees, (..., h, w), linear between windows."""
        rows, cols = (_between(n, size, window, stride) for n, size, window, stride in
                      zip(lost.shape[-2:], View(self.dnn).size, self.window[::-1], self.stride[::-1], strict=True))
        return rows @ lost @ cols.T

    def lost(self, answer: Answer, view: View, picture: torch.Tensor, batch_size: int = BATCH_SIZE) -> np.ndarray:
        """The map (n_target, n_row, n_col) of a picture (3, h, w) of pixels from 0 to 1, by an open answer."""
        starts = _starts(picture.shape[1:], self.window[::-1], self.stride[::-1])
        n_row, n_col = map(len, starts)
        device = pick_device(self.dnn._network(), self.device)
        fill = FILLS[self.fill](picture) if isinstance(self.fill, str) else torch.tensor(self.fill)
        whole, cover = (view.inputs(pixels[None]).to(device) for pixels in (picture, fill[:, None, None]))
        windows = Windows(whole, cover, starts, self.window[::-1], min(batch_size, n_row * n_col))
        before = answers(answer, lambda numbers: whole, 1)
        with progress(None, 'occlusion', total=n_row * n_col, unit='window', leave=False) as bar:
            def make(numbers: range) -> torch.Tensor:
                bar.update(len(numbers))
                return windows(numbers)
            after = answers(answer, make, n_row * n_col, batch_size)
        return (before - after).T.reshape(-1, n_row, n_col)


class Windows:
    """Batches of one picture with a window somewhere, made in the same memory again and again.

    Parameters
    ----------
    whole : Tensor of shape (1, 3, h, w), of clips (1, 3, n_frame, h, w)
        What the network takes.
    fill : Tensor of shape (1, 3, 1, 1), or with n_frame
        What the window shows, in the same numbers.
    starts : tuple of Tensor
        First rows and first columns; windows count along rows.
    size : tuple of int
        (height, width)
    batch_size : int
    """

    def __init__(self, whole: torch.Tensor, fill: torch.Tensor, starts, size: tuple[int, int], batch_size: int):
        self.whole, self.fill = whole, fill[0, ..., 0, 0]
        self.rows, self.cols = (start.to(whole.device)[:, None] + torch.arange(length, device=whole.device)
                                for start, length in zip(starts, size, strict=True))
        self.batch = whole.repeat(batch_size, *[1] * (whole.ndim - 1))
        self.between = (slice(None),) * (whole.ndim - 3)
        self.covered: tuple | None = None                        # where the windows of the last call are

    def __call__(self, numbers: range) -> torch.Tensor:
        """The pictures with windows of these numbers, from 0; valid until the next call."""
        if self.covered is not None:
            self.batch[self.covered] = self.whole.expand_as(self.batch)[self.covered]
        batch = self.batch[:len(numbers)]
        chosen = torch.arange(numbers.start, numbers.stop, device=batch.device)
        rows, cols = self.rows[chosen // len(self.cols)], self.cols[chosen % len(self.cols)]
        each = torch.arange(len(batch), device=batch.device)
        self.covered = each[:, None, None], *self.between, rows[:, :, None], cols[:, None, :]
        batch[self.covered] = self.fill
        return batch


def _pair(value, argument: str) -> tuple[int, int]:
    """(width, height), both at least 1; one number means both."""
    numbers = integers(value, argument).tolist()
    numbers = numbers * 2 if len(numbers) == 1 else numbers
    if len(numbers) != 2 or min(numbers) < 1:
        raise BadValue(f'{argument} must be (width, height) in pixels, both at least 1, not {value!r}')
    return tuple(numbers)


def _checked_fill(fill):
    """A name, or a colour as three numbers from 0 to 1."""
    if isinstance(fill, str):
        return choice('fill', fill, tuple(FILLS))
    numbers = [fill] * 3 if isinstance(fill, Real) else list(fill) if np.ndim(fill) == 1 else []
    if len(numbers) != 3 or not all(0 <= positive_number(number, 'fill', zero=True) <= 1 for number in numbers):
        raise BadValue(f"fill must be 'mean', 'black', 'gray', a number from 0 (black) to 1 (white), or three of them "
                       f'(red, green, blue), not {fill!r}')
    return tuple(float(number) for number in numbers)


def _starts(size, window: tuple[int, int], stride: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """First rows and first columns of the windows that fit."""
    if any(length > side for length, side in zip(window, size, strict=True)):
        raise BadValue(f'window of {window[1]} x {window[0]} (width x height) is larger than the {size[1]} x {size[0]} '
                       'picture that the network sees')
    return tuple(torch.arange(0, side - length + 1, step)
                 for side, length, step in zip(size, window, stride, strict=True))


def _between(n: int, size: int, window: int, stride: int) -> np.ndarray:
    """Weights (size, n) of windows at each pixel of an axis."""
    centres = np.arange(n) * stride + (window - 1) / 2
    return np.stack([np.interp(np.arange(size), centres, one) for one in np.eye(n)], axis=1)
