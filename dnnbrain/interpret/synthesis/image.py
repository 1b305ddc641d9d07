"""The picture that drives a channel, a unit or a voxel most.

Erhan et al. 2009 ("Visualizing higher-layer features of a deep network"); in gratings and decorrelated colours after
Olah, Mordvintsev and Schubert 2017, "Feature visualization", doi 10.23915/distill.00007.
"""

from __future__ import annotations

import logging
import warnings
from functools import partial

import numpy as np
import pandas as pd
import torch

from dnnbrain._checks import BadValue, choice, positive_number, whole_number
from dnnbrain.interpret.algorithm import Algorithm
from dnnbrain.interpret.answer import Answer, answering, answers
from dnnbrain.interpret.synthesis.canvas import Canvas
from dnnbrain.interpret.synthesis.climb import Climb, noises, still
from dnnbrain.interpret.synthesis.fourier import KINDS
from dnnbrain.interpret.synthesis.picture_saving import PictureFiles
from dnnbrain.interpret.synthesis.regularisers import REGULARISERS
from dnnbrain.interpret.target import ChannelTarget
from dnnbrain.interpret.view import View, as_rgb, stimulus_inputs
from dnnbrain.networks.extract import Careful
from dnnbrain.networks.state import pick_device

log = logging.getLogger(__name__)

BATCH_SIZE = 32


class SynthesisImage(Algorithm):
    """Pictures made from noise, or from a picture, by climbing the gradient of a target.

    Parameters
    ----------
    dnn, layer, channel, unit, target, device
        As in `Algorithm`. Several channels or voxels are climbed as one batch, a picture each.
    activ_metric : {'mean', 'max'}
        What of the map of a channel is to grow.
    regular_metric : {'L1', 'L2', 'TV'}, optional
        What the picture is to have little of: sum of absolute values, root of the sum of squares (both of what differs
        from the colour that the network gets as zero), or sum of absolute differences of neighbours; of pixels from 0
        to 1.
    regular_lambda : float, optional
        What it counts against the target; needed with `regular_metric`.
    precondition_metric : {'GB'}, optional
        Gaussian blur of the picture before each look.
    GB_radius : float, optional
        Its standard deviation in pixels; needed with 'GB'.
    smooth_metric : {'Fourier'}, optional
        Gradients lose what is fine in them (`FourierSmoothing`).
    factor : float, optional
        How much, such as 0.5: a frequency f counts ``f ** (-2 factor)``; needed with 'Fourier'.
    parametrisation : {'fourier', 'pixel'}, optional
        What is optimised: gratings, squashed to 0..1 by the logistic function, or pixels, clipped to 0..1. By default
        pixels where blur or smoothing is asked for, which are about pixels, else gratings.
    decorrelate : bool
        Gratings in the colours along which photographs vary.
    jitter, zoom, rotation : float, optional
        Most pixels, part of the size and degrees by which pictures are moved at random before each look. By default
        they are only shifted, by up to a 32nd of the shorter side, and not at all with pixels. Zoom and rotation (0.03
        and 3, say) cost a tenth more.
    batch_size : int
        Pictures at a time; fewer where memory is too small.

    Attributes
    ----------
    activ_losses : ndarray of shape (n_iter,), of several (n_iter, n_target)
        The target with its sign turned, in each step before it.
    regular_losses : ndarray of the same shape
        The regulariser, without `regular_lambda`; 0 without one.
    activation : float, of several ndarray of shape (n_target,)
        The target for the returned picture, as read from its file, through the transform of the network.
    names : list of str
        What each picture was made for.
    files : list of Path
        Where the pictures are, with `save_path`.

    Notes
    -----
    Pictures have the size that reaches the network unchanged: `img_size` where it sees whole pictures (as in 1.0), and
    more where it cuts the middle out (256 x 256 with ``Resize(256), CenterCrop(224)``), so that the picture shown to
    the network, or saved and listed for `dnn_act`, is the picture that was optimised. R3D sees a still clip.
    """

    def __init__(self, dnn, layer=None, channel=None, activ_metric='mean', regular_metric=None, regular_lambda=None,
                 precondition_metric=None, GB_radius=None, smooth_metric=None, factor=None, *, unit=None, target=None,
                 parametrisation=None, decorrelate=True, jitter=None, zoom=None, rotation=None, device=None,
                 batch_size=BATCH_SIZE):
        super().__init__(dnn, layer, channel, unit=unit, target=target, device=device)
        self._forget()
        self.precondition_metric = self.smooth_metric = self.parametrisation = None
        self.set_loss(activ_metric, regular_metric, regular_lambda)
        self.set_precondition(precondition_metric, GB_radius)
        self.set_smooth_gradient(smooth_metric, factor)
        self.set_parametrisation(parametrisation, decorrelate, jitter, zoom, rotation)
        if whole_number(batch_size, 'batch_size') is None or batch_size < 1:
            raise BadValue(f'batch_size must be at least 1, not {batch_size}')
        self.batch_size = int(batch_size)

    def set_loss(self, activ_metric='mean', regular_metric=None, regular_lambda=None) -> None:
        """What is to grow, and what the picture is to have little of."""
        self.activ_metric = choice('activ_metric', activ_metric, ('mean', 'max'))
        self.regular_metric, self.regular_lambda = _pair('regular_metric', regular_metric, tuple(REGULARISERS),
                                                         'regular_lambda', regular_lambda)

    def set_precondition(self, precondition_metric=None, GB_radius=None) -> None:
        """Whether the picture is blurred before each look, and how much."""
        self.precondition_metric, self.GB_radius = _pair('precondition_metric', precondition_metric, ('GB',),
                                                         'GB_radius', GB_radius)
        self._kind()

    def set_smooth_gradient(self, smooth_metric=None, factor=None) -> None:
        """Whether gradients lose what is fine in them, and how much."""
        self.smooth_metric, self.factor = _pair('smooth_metric', smooth_metric, ('Fourier',), 'factor', factor)
        self._kind()

    def set_parametrisation(self, parametrisation=None, decorrelate=True, jitter=None, zoom=None,
                            rotation=None) -> None:
        """What is optimised, and how pictures move before each look."""
        if parametrisation is not None:
            choice('parametrisation', parametrisation, tuple(KINDS))
        self.parametrisation, self.decorrelate = parametrisation, bool(decorrelate)
        self._kind()
        self.jitter, self.zoom, self.rotation = (positive_number(value, name, zero=True) for name, value in
                                                 (('jitter', jitter), ('zoom', zoom), ('rotation', rotation)))
        if self.zoom is not None and self.zoom >= 1:
            raise BadValue(f'zoom must be below 1, a part of the size, not {zoom}')

    def synthesize(self, init_image=None, unit=None, lr=0.1, n_iter=30, verbose=True, save_path=None, save_step=None, *,
                   rng=0) -> np.ndarray:
        """Make the pictures.

        Parameters
        ----------
        init_image : optional
            Where to start: a picture as `as_rgb` takes it, brought to the size and part that the network sees, or
            taken as it is if it has the size of the result. Faint noise by default, and stronger noise for channels
            that this leaves silent.
        unit : tuple of int, optional
            (row, column) from 1: this unit of each channel instead of the map.
        lr : float
            Rate: of Adam in pixels from 0 to 1, or of `PictureAdam` in amplitudes of gratings.
        n_iter : int
            Steps. Thirty show what a channel likes; some hundreds at a rate of 0.05 make finer pictures.
        verbose : bool
            Show a progress bar, and log what was reached.
        save_path : str or Path, optional
            A file (.png, .jpg) for one picture, or a folder: ``<layer>_chn<channel>.png``, ``voxel_<number>.png``.
        save_step : int, optional
            Every so many steps, pictures on the way are written beside: ``<name>_step0010.png``.
        rng : int or Generator
            Of the starting noise and the movements, the same for each picture of a batch. On a CPU the same seed gives
            the same picture.

        Returns
        -------
        picture : ndarray of shape (3, h, w), uint8, red, green, blue
            As saved. Of a list of channels, or several voxels, (n_target, 3, h, w).
        """
        if positive_number(lr, 'lr') is None:
            raise BadValue('lr must be a positive number, not None')
        for name, value in (('n_iter', n_iter), ('save_step', save_step)):
            if whole_number(value, name) is None and name == 'n_iter' or value is not None and value < 1:
                raise BadValue(f'{name} must be at least 1, not {value}')
        if save_step is not None and save_path is None:
            raise BadValue('save_step needs save_path, a folder or a file ending in .png or .jpg')
        self._forget()
        target, single = self._target(unit), self.single
        view, rng = View(self.dnn), np.random.default_rng(rng)
        canvas = Canvas.of(view)
        if not canvas.exact:
            warnings.warn(f'the test_transform of {self.dnn.name} changes pictures of any size; the activation is that '
                          'of the saved picture, but not quite what was optimised', stacklevel=2)
        if init_image is None:
            starts = noises(self._kind(), canvas, rng)
        else:
            starts = [partial(torch.clone, _start(canvas, view, init_image))]
        files = PictureFiles(save_path, target.names)
        climb = Climb(self, view, canvas, starts, float(lr), int(n_iter), rng)
        made, losses = [], []

        def look(numbers: torch.Tensor) -> None:
            def keep(step: int, some: torch.Tensor, pictures) -> None:
                if save_step and step % save_step == 0:
                    files.write(some.tolist(), _rounded(pictures), step)
            pictures, curves = climb(answer, numbers, keep, verbose)
            made.append(files.write(numbers.tolist(), _rounded(pictures)))
            losses.append(curves)

        with torch.enable_grad(), answering(self.dnn, target, self.device) as answer:
            Careful(look, self.batch_size)(torch.arange(len(target.names)), 0)
            pictures = np.concatenate(made)
            activation = self._seen_again(answer, pictures)
        self._report(target.names, np.concatenate(losses, axis=2), activation, files.files, single, verbose)
        return pictures[0] if single else pictures

    def loss_table(self) -> pd.DataFrame:
        """The curves, a row per picture and step: target, step, activation, regular."""
        columns = (np.atleast_2d(values.T).ravel() for values in (-self.activ_losses, self.regular_losses))
        n_iter = len(self.activ_losses)
        table = {'target': np.repeat(self.names, n_iter), 'step': np.tile(np.arange(1, n_iter + 1), len(self.names))}
        return pd.DataFrame(table | dict(zip(('activation', 'regular'), columns, strict=True)))

    def _forget(self) -> None:
        self.activ_losses = self.regular_losses = np.empty(0)
        self.activation, self.names, self.files = None, [], []

    def _kind(self) -> str:
        """The parametrisation, chosen or by default."""
        about_pixels = self.precondition_metric or self.smooth_metric
        if self.parametrisation == 'fourier' and about_pixels:
            raise BadValue(f"{about_pixels!r} smooths pixels; leave parametrisation out, or give 'pixel'")
        return self.parametrisation or ('pixel' if about_pixels else 'fourier')

    def _target(self, unit):
        if unit is None:
            return self.target(self.activ_metric)
        return ChannelTarget(*self.get_layer(), unit, self.activ_metric)

    def _seen_again(self, answer: Answer, pictures: np.ndarray) -> np.ndarray:
        """The target of each picture, looked at as any picture is."""
        device = pick_device(self.dnn.model, self.device)

        def make(numbers: range) -> torch.Tensor:
            return torch.cat([stimulus_inputs(self.dnn, pictures[number]) for number in numbers]).to(device)
        return np.diagonal(answers(answer, make, len(pictures), self.batch_size)).copy()

    def _report(self, names, losses, activation, files, single, verbose) -> None:
        silent = np.flatnonzero(still(losses))
        if silent.size:
            warnings.warn(f'{silent.size} targets, the first {names[silent[0]]}, gave the same answer in every step, '
                          'so that there was nothing to climb; try another rng or an init_image that drives them',
                          stacklevel=3)
        wild = np.flatnonzero(~np.isfinite(losses[0]).all(0))
        if wild.size:
            warnings.warn(f'{wild.size} targets, the first {names[wild[0]]}, became NaN or infinite, so that their '
                          'pictures mean nothing; take a smaller lr, or single precision (dnn.model.float())',
                          stacklevel=3)
        self.activ_losses, self.regular_losses = losses[..., 0] if single else losses
        self.activation, self.names, self.files = float(activation[0]) if single else activation, names, files
        if verbose:
            for name, first, last in zip(names, -losses[0, 0], activation, strict=True):
                log.info('%s: activation %.4g at the start, %.4g of the picture', name, first, last)


def _start(canvas: Canvas, view: View, image) -> torch.Tensor:
    """A picture (3, h, w) to start from, of the size of the canvas."""
    picture = as_rgb(image)
    if picture.size[::-1] == canvas.size:
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 255
    return canvas.framed(view.picture(picture))


def _rounded(pictures) -> np.ndarray:
    """Pixels from 0 to 1 (n, 3, h, w), or what makes them, as uint8."""
    with torch.no_grad():
        pixels = pictures() if callable(pictures) else pictures
        return (pixels * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()


def _pair(name: str, metric, allowed: tuple[str, ...], needed: str, value) -> tuple:
    """A metric with the number it needs, or (None, None)."""
    if metric is None:
        return None, None               # scripts for 1.0 had to give the number all the same
    choice(name, metric, allowed)
    if positive_number(value, needed, zero=True) is None:
        raise BadValue(f'{name} {metric!r} needs {needed}, a number from 0')
    return metric, float(value)
