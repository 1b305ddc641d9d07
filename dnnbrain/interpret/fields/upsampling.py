"""Where a channel answers, or what predicts a voxel, on the picture: maps of a layer brought to its size."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from dnnbrain._checks import BadValue, choice, positive_number
from dnnbrain.interpret.algorithm import Algorithm
from dnnbrain.interpret.answer import Answer, answering
from dnnbrain.interpret.target import ChannelTarget, ModelTarget
from dnnbrain.interpret.view import View
from dnnbrain.networks.axes import as_patches
from dnnbrain.networks.state import pick_device

METHODS = {'nearest': {}, 'bilinear': {'align_corners': False}, 'bicubic': {'align_corners': False}, 'area': {}}


class UpsamplingActivationMapping(Algorithm):
    """The map of a channel, or of what each position adds to the prediction of a voxel, in the size of the picture.

    Parameters
    ----------
    dnn, layer, channel, target, device
        As in `Algorithm`.
    interp_meth : {'nearest', 'bilinear', 'bicubic', 'area'}
    interp_threshold : float, optional
        A quantile from 0 to 1; values under that of the map are raised to it.

    Notes
    -----
    Of a voxel (`ModelTarget`), the maps of a layer times their weights, summed over channels: the positions add up to
    the prediction without its intercept; layers of a banded model are added after upsampling. Patches of a transformer
    stand in their grid, without the class token; frames of a clip are averaged (of voxels: summed).
    """

    def __init__(self, dnn, layer=None, channel=None, interp_meth='bicubic', interp_threshold=None, *, target=None,
                 device=None):
        super().__init__(dnn, layer, channel, target=target, device=device)
        self.set_params(interp_meth, interp_threshold)

    def set_params(self, interp_meth='bicubic', interp_threshold=None) -> None:
        """Interpolation, and the quantile below which values are raised to it."""
        self.interp_meth = choice('interp_meth', interp_meth, tuple(METHODS))
        self.interp_threshold = positive_number(interp_threshold, 'interp_threshold', zero=True)
        if (self.interp_threshold or 0) > 1:
            raise BadValue(f'interp_threshold is a quantile from 0 to 1, not {interp_threshold}')

    def compute(self, image) -> np.ndarray:
        """The map of a picture.

        Parameters
        ----------
        image
            As `as_rgb` takes it; it is resized and cropped as the network sees it.

        Returns
        -------
        maps : ndarray of shape (h, w), float32
            Of the picture that the network sees; of several channels or voxels (n_target, h, w).
        """
        view = View(self.dnn)
        with answering(self.dnn, self.maps_target(), self.device) as answer:
            maps = self.upsampled(self.maps(answer, view, view.picture(image)), view.size)
        return maps[0] if self.single else maps

    def maps_target(self):
        """What gives the maps of the target in place of its numbers."""
        target = self.target()
        if isinstance(target, ModelTarget):
            return _contributions(target, self.dnn)
        if getattr(target, 'unit', None) is not None:
            raise BadValue('a unit has no map; leave unit out, or use OccluderDiscrepancyMapping')
        if not isinstance(target, ChannelTarget):
            raise BadValue('maps are of channels (ChannelTarget) or of voxels (ModelTarget)')
        return ChannelMaps(target, self.dnn)

    def maps(self, answer: Answer, view: View, picture: torch.Tensor) -> list[torch.Tensor]:
        """Maps (n_target, n_row, n_col) of each layer for a picture (3, h, w), by an open answer of `maps_target`."""
        with torch.inference_mode():
            inputs = view.inputs(picture[None]).to(pick_device(self.dnn._network(), self.device))
            return [maps[0].float() for maps in answer(inputs)]

    def upsampled(self, maps: list[torch.Tensor], size: tuple[int, int]) -> np.ndarray:
        """Maps (n_target, h, w) of this size: upsampled, added over layers, thresholded."""
        settings = METHODS[self.interp_meth]
        large = sum(F.interpolate(one[None], size, mode=self.interp_meth, **settings)[0] for one in maps).cpu().numpy()
        if self.interp_threshold is None:
            return large
        floor = np.quantile(large, self.interp_threshold, axis=(1, 2), keepdims=True)
        return np.maximum(large, floor.astype(large.dtype))


class ChannelMaps:
    """Maps of channels, in the place of the numbers of a target."""

    def __init__(self, target: ChannelTarget, dnn):
        self.layers, self.names, self._target, self._dnn = target.layers, target.names, target, dnn

    def __call__(self, answers) -> list[torch.Tensor]:
        """[(n, n_chn, n_row, n_col)]"""
        maps = _placed(self._target.maps(answers), self._dnn, self._target.layer)
        return [maps.mean(2) if maps.ndim == 5 else maps]


class ContributionMaps:
    """What each position of layers adds to the predictions of voxels."""

    def __init__(self, target: ModelTarget, dnn):
        self.layers, self.names, self._target, self._dnn = target.layers, target.names, target, dnn

    def __call__(self, answers) -> list[torch.Tensor]:
        """A tensor (n, n_voxel, n_row, n_col) per layer."""
        found = [self._of_layer(layer, answers[layer]) for layer in self.layers]
        return [maps.mean(1, keepdim=True) if self._target.mean else maps for maps in found]

    def _of_layer(self, layer: str, maps: torch.Tensor) -> torch.Tensor:
        part, read = self._target.parts[layer], self._target._units(layer, maps)
        part(read)                                               # says if this network has other units
        read = read[:, [part.iteration]] if part.iter_axis == 'channel' else read
        weights = part.weights.to(read.device).reshape(read.shape[1], -1, part.weights.shape[1])
        added = torch.einsum('ncp,cpv->nvp', read.flatten(2).float(), weights)
        added = added.reshape(len(read), -1, *read.shape[2:])
        if self._target.dmask is not None:
            added = _back(added, self._target.dmask.indices(layer, tuple(maps.shape)), maps.shape)
        added = _placed(added, self._dnn, layer)
        return added.sum(2) if added.ndim == 5 else added


def _contributions(target: ModelTarget, dnn) -> ContributionMaps:
    """Maps of voxels, where the model knows of positions."""
    if target.pool_method is not None:
        raise BadValue(f'this model was fitted on maps pooled by {target.pool_method!r} and knows of no positions; fit '
                       'one on whole maps, or use OccluderDiscrepancyMapping')
    if any(part.iter_axis == 'row_col' for part in target.parts.values()):
        raise BadValue("this model is of a single position (iter_axis 'row_col'), which has no map; use "
                       'OccluderDiscrepancyMapping')
    return ContributionMaps(target, dnn)


def _back(added: torch.Tensor, picks: dict[int, np.ndarray], shape) -> torch.Tensor:
    """Contributions of some rows and columns (or frames) at their places, 0 elsewhere."""
    for axis in (axis for axis in picks if axis >= 2):
        whole = added.new_zeros(*added.shape[:axis], shape[axis], *added.shape[axis + 1:])
        added = whole.index_add(axis, torch.as_tensor(picks[axis], device=added.device), added)
    return added


def _placed(maps: torch.Tensor, dnn, layer: str) -> torch.Tensor:
    """Maps with places: patches of a transformer, (n, n_chn, n_token, 1), in their grid."""
    n_place = maps[0, 0].numel()
    if n_place == 1:
        raise BadValue(f'layer {layer!r} has one position, so that its map says nothing of places; choose a '
                       'convolutional layer, or use OccluderDiscrepancyMapping')
    return maps if maps.ndim > 4 or maps.shape[3] > 1 else as_patches(maps, dnn, layer)
