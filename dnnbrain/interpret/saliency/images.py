"""Saliency: what a change of each pixel, or of what goes into a layer, does to a target."""

from __future__ import annotations

import numpy as np
import torch

from dnnbrain._checks import BadValue, positive_number, whole_number
from dnnbrain.interpret.algorithm import Algorithm
from dnnbrain.interpret.answer import answering
from dnnbrain.interpret.saliency.gradients import Doorway
from dnnbrain.interpret.saliency.relus import guide
from dnnbrain.interpret.saliency.smoothing import mean_over_noise
from dnnbrain.interpret.view import stimulus_inputs
from dnnbrain.networks.state import home_of
from dnnbrain.stimuli.loaders import kind_taken

BATCH_SIZE = 16
_MAPS = 256              # of all numbers of a target, at a time


class SaliencyImage(Algorithm):
    """What all saliency methods share: a map of one picture, or its mean over noisy copies of the picture.

    Parameters
    ----------
    dnn : DNN
    from_layer : str, optional
        Layer of the target.
    from_chn : int or sequence of int, optional
        Its channels, from 1. What is looked at is the mean of a channel's map.
    unit : tuple of int, optional
        (row, column) from 1: one unit of each channel in place of the mean.
    target : ChannelTarget or ModelTarget, optional
        In place of layer and channels: any numbers, such as what an encoding model predicts for voxels.
    device : str or torch.device, optional
        Where to compute; by default where the network is.

    Notes
    -----
    The picture, the network, its mode, device and hooks are left as they are found.
    """

    def __init__(self, dnn, from_layer: str | None = None, from_chn=None, *, unit=None, target=None, device=None):
        super().__init__(dnn, from_layer, from_chn, unit=unit, target=target, device=device)

    def backprop(self, image, to_layer: str | None = None) -> np.ndarray:
        """The saliency map of a picture.

        Parameters
        ----------
        image : PIL picture, path, or ndarray or tensor of shape (h, w), (3, h, w) or (h, w, 3)
            Of a network of clips also a film or an array (3, n_frame, h, w); of one of sounds a sound file or
            examples (n, 1, 96, 64).
        to_layer : str, optional
            Ask about what goes into this layer, in place of the picture.

        Returns
        -------
        saliency : ndarray of shape (n_chn, h, w)
            Of what the network takes for the picture (resized and normalised), or of the input of to_layer (tokens:
            features as channels, a row per token). Clips (n_chn, n_frame, h, w); sounds (n, n_chn, h, w), one of
            each example. With a list of channels, or a target of several numbers, there is a leading axis for them.
        """
        return self._saliency(image, to_layer)

    def backprop_smooth(self, image, n_iter: int, sigma_multiplier: float = 0.1, to_layer: str | None = None, *,
                        rng=0, batch_size: int = BATCH_SIZE) -> np.ndarray:
        """The mean saliency map over noisy copies of a picture (SmoothGrad).

        Parameters
        ----------
        image, to_layer
            As in `backprop`. Noise is always that of the picture.
        n_iter : int
            Number of copies.
        sigma_multiplier : float
            Standard deviation of the noise, as a share of the range (maximum - minimum) of what the network takes.
        rng : int or Generator
            Of the noise. The batch size does not change it.
        batch_size : int
            Copies at a time; halved where memory is too small.

        Returns
        -------
        saliency : ndarray, shaped as that of `backprop`

        Notes
        -----
        Smilkov et al. 2017, arXiv 1706.03825.
        """
        for name, number in (('n_iter', n_iter), ('batch_size', batch_size)):
            if whole_number(number, name) is None or number < 1:
                raise BadValue(f'{name} must be at least 1, not {number}')
        if positive_number(sigma_multiplier, 'sigma_multiplier', zero=True) is None:
            raise BadValue('sigma_multiplier must be a number from 0, not None')
        smooth = {'n': int(n_iter), 'share': sigma_multiplier, 'rng': rng, 'batch_size': int(batch_size)}
        return self._saliency(image, to_layer, smooth)

    def _saliency(self, image, to_layer: str | None, smooth: dict | None = None) -> np.ndarray:
        target = self.target()
        if to_layer is not None:
            self.dnn.layer2path(to_layer)
        inputs = stimulus_inputs(self.dnn, image).float()
        one = inputs.ndim == len(self.dnn.input_shape) + 1 and kind_taken(self.dnn.test_transform) != 'audio'
        with answering(self.dnn, target, self.device) as answer, torch.inference_mode(False), torch.enable_grad():
            inputs = inputs.to(home_of(answer.model), copy=True)
            with self._doorway(answer, inputs, to_layer) as doorway:
                def look(batch: torch.Tensor) -> torch.Tensor:
                    return torch.stack([self._shaped(doorway, maps, batch) for maps in
                                        self._attribute(answer, doorway, batch)])
                if smooth is not None:
                    smooth['batch_size'] = self._at_once(target, smooth['batch_size'])
                found = look(inputs) if smooth is None else mean_over_noise(look, inputs, **smooth)
        found = (found[:, 0] if one else found).float().cpu().numpy()
        return found[0] if self.single else found

    @staticmethod
    def _at_once(target, batch_size: int = BATCH_SIZE) -> int:
        """How many pictures to look at at a time, fewer where a target has many numbers."""
        return max(1, min(batch_size, _MAPS // len(target.names)))

    def _doorway(self, answer, inputs: torch.Tensor, to_layer: str | None) -> Doorway:
        """Where in the network saliency is asked for."""
        return Doorway(self.dnn, to_layer)

    def _attribute(self, answer, doorway: Doorway, inputs: torch.Tensor) -> torch.Tensor:
        """The method: maps (n_target, n, *shape of the value at the doorway) of inputs (n, *input_shape)."""
        raise NotImplementedError

    def _shaped(self, doorway: Doorway, maps: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """Maps (n, ...) of one number as they are given back."""
        return doorway.maps(maps)


class VanillaSaliencyImage(SaliencyImage):
    """The gradient of a target with respect to the picture, or to what goes into a layer.

    Parameters are those of `SaliencyImage`.

    Notes
    -----
    Simonyan, Vedaldi and Zisserman 2014, arXiv 1312.6034.
    """

    def _attribute(self, answer, doorway: Doorway, inputs: torch.Tensor) -> torch.Tensor:
        return doorway.gradients(doorway.numbers(answer, inputs))


class GuidedSaliencyImage(SaliencyImage):
    """The gradient of guided backpropagation: at every ReLU only what raises the target goes on down.

    Parameters are those of `SaliencyImage`. ReLUs are found whether they are modules, functions or both; a network
    without any (a transformer, ConvNeXt) is refused.

    Notes
    -----
    Springenberg et al. 2015, arXiv 1412.6806. Guided maps are sharp partly because they restore edges of the
    picture whatever the target is (Adebayo et al. 2018, arXiv 1810.03292): compare them with those of other channels.
    """

    def _attribute(self, answer, doorway: Doorway, inputs: torch.Tensor) -> torch.Tensor:
        numbers = doorway.numbers(answer, inputs)
        if numbers.requires_grad:
            guide(numbers, answer, inputs)
        return doorway.gradients(numbers)
