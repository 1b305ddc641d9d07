"""From a start to a picture that drives a target: the steps, and the starts that are tried."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from dnnbrain._progress import progress
from dnnbrain.interpret.answer import Answer
from dnnbrain.interpret.synthesis.ascent import OPTIMIZERS
from dnnbrain.interpret.synthesis.canvas import Canvas
from dnnbrain.interpret.synthesis.fourier import KINDS
from dnnbrain.interpret.synthesis.jitter import Jitter
from dnnbrain.interpret.synthesis.regularisers import REGULARISERS, Blur, FourierSmoothing
from dnnbrain.interpret.view import View
from dnnbrain.networks.state import pick_device

LOUDER = (1, 8, 40)             # contrast of the noise that is tried where the one before drove nothing
MOVES = {'fourier': (1 / 32, 0.0, 0.0), 'pixel': (0.0, 0.0, 0.0)}        # jitter (of the shorter side), zoom, rotation


class Climb:
    """The steps of pictures, those of a batch together.

    Everything that the steps share is made before, and nothing in them waits for the device.

    Parameters
    ----------
    settings : SynthesisImage
    view : View
    canvas : Canvas
    starts : list of callables
        Each makes a picture (3, h, w) to start from; the first is for all, others for those that it leaves silent.
    lr : float
    n_iter : int
    rng : Generator
    """

    def __init__(self, settings, view: View, canvas: Canvas, starts, lr: float,
                 n_iter: int, rng: np.random.Generator):
        kind, device = settings._kind(), pick_device(settings.dnn._network(), settings.device)
        more = {'decorrelate': settings.decorrelate} if kind == 'fourier' else {}
        self.starts, self.pictures = starts, lambda start, n: KINDS[kind](start(), n, device, **more)
        usual = MOVES[kind][0] * min(view.size), *MOVES[kind][1:]
        moves = [default if given is None else given for given, default in
                 zip((settings.jitter, settings.zoom, settings.rotation), usual, strict=True)]
        self.jitter = Jitter(canvas, view.size, n_iter, *moves, rng, device)
        self.view = copy.copy(view)
        self.view.gain, self.view.shift = view.gain.to(device), view.shift.to(device)
        self.zero = (-self.view.shift / self.view.gain)[:, None, None]
        self.regular, self.weight = REGULARISERS.get(settings.regular_metric), settings.regular_lambda
        self.blur = Blur(canvas.size, settings.GB_radius, device) if settings.precondition_metric else None
        self.smooth = FourierSmoothing(canvas.size, settings.factor, device) if settings.smooth_metric else None
        self.optimizer, self.lr, self.n_iter, self.device = OPTIMIZERS[kind], lr, n_iter, device

    def __call__(self, answer: Answer, numbers: torch.Tensor, keep, verbose: bool) -> tuple[torch.Tensor, np.ndarray]:
        """Pictures (n, 3, h, w) of targets of these numbers, and losses (2, n_iter, n): target, regulariser.

        Those that did not move, such as of a ReLU that is silent at the start, go again from the next start.
        """
        made, losses = self._from(self.starts[0], answer, numbers, keep, verbose)
        for start in self.starts[1:]:
            silent = still(losses)
            if silent.any():
                again = self._from(start, answer, numbers[silent], keep, verbose)
                made[torch.as_tensor(silent)], losses[..., silent] = again
        return made, losses

    def _from(self, start, answer: Answer, numbers: torch.Tensor, keep, verbose: bool):
        pictures, columns = self.pictures(start, len(numbers)), numbers.to(self.device)[:, None]
        optimizer = self.optimizer(pictures.parameter, self.lr)
        losses = torch.zeros(2, self.n_iter, len(numbers), device=self.device)
        steps = range(self.n_iter)
        for step in progress(steps, 'synthesis', unit='step', leave=False) if verbose else steps:
            if self.blur is not None:
                pictures.parameter.data = self.blur(pictures.parameter.data)
            pixels = pictures()
            values = answer(self.view.inputs(self.jitter(pixels, step))).float()
            loss = -values.gather(1, columns)[:, 0]
            losses[0, step] = loss.detach()
            if self.regular is not None:
                regular = self.regular(pixels - self.zero)
                losses[1, step] = regular.detach()
                loss = loss + self.weight * regular
            optimizer.zero_grad()
            loss.sum().backward()
            if self.smooth is not None:
                pictures.parameter.grad = self.smooth(pictures.parameter.grad)
            optimizer.step()
            pictures.after_step()
            keep(step + 1, numbers, pictures)
        with torch.no_grad():
            return pictures().detach().cpu(), losses.cpu().numpy()


def still(losses: np.ndarray) -> np.ndarray:
    """Whose losses (2, n_iter, n) are numbers that stayed the same over steps."""
    return (losses[0] == losses[0, :1]).all(0) & np.isfinite(losses[0, 0]) & (losses.shape[1] > 1)


def noises(kind: str, canvas: Canvas, rng: np.random.Generator) -> list[Callable]:
    """Starts of the same noise with more and more contrast, made when they are needed."""
    seed = rng.integers(2 ** 63)

    def noise(louder: float) -> torch.Tensor:
        return KINDS[kind].noise(canvas.size, np.random.default_rng(seed), louder)
    return [partial(noise, louder) for louder in LOUDER]
