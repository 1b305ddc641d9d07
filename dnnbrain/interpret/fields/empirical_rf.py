"""Receptive fields as they are measured: maps of many pictures, each centred on the unit that answers most, averaged.

Zhou, Khosla, Lapedriza, Oliva and Torralba 2015, "Object detectors emerge in deep scene CNNs", arXiv:1412.6856.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

from dnnbrain._checks import BadType, BadValue, has_suffix, positive_number, writable_file
from dnnbrain._progress import progress
from dnnbrain.interpret.answer import Answer, answering
from dnnbrain.interpret.fields.occlusion import OccluderDiscrepancyMapping
from dnnbrain.interpret.fields.upsampling import UpsamplingActivationMapping
from dnnbrain.interpret.target import ChannelTarget
from dnnbrain.interpret.view import View
from dnnbrain.io.atomic import atomic
from dnnbrain.networks.fields import Axis, receptive_fields
from dnnbrain.networks.layers import split_call
from dnnbrain.networks.state import pick_device
from dnnbrain.stimuli.loaders import picture_set

_NOISE = 1e-6                # of the peak: what counts as nothing
SUFFIXES = ('.npy', '.png', '.jpg', '.jpeg')


class EmpiricalReceptiveField:
    """The part of the picture that a unit of a channel depends on, measured over pictures.

    Parameters
    ----------
    engine : OccluderDiscrepancyMapping or UpsamplingActivationMapping
        Its target is what is measured. Occlusion measures by how much (in absolute value) the unit that answers most
        changes, or the unit of the engine; its metric plays no part. Upsampling shows where the channel answers, which
        depends on the content of pictures as much as on the network.
    level : float
        Share of the peak, from 0 to 1, above which a place belongs to the field: 0.5 is its width at half height,
        0 all that is above the lowest value of maps.

    Attributes
    ----------
    size : float or ndarray of shape (n_target,)
        Of the last field: the square root of its area, in pixels that the network sees.
    theoretical_size : tuple of int
        (height, width) of the patch.
    """

    def __init__(self, engine, level: float = 0.5):
        self.set_params(engine, level)

    def set_params(self, engine, level: float = 0.5) -> None:
        """The engine that makes maps, and the share of the peak that counts."""
        if not isinstance(engine, OccluderDiscrepancyMapping | UpsamplingActivationMapping):
            raise BadType('engine must be an OccluderDiscrepancyMapping or UpsamplingActivationMapping, '
                          f'not {type(engine).__name__}')
        self.engine, self.level = engine, positive_number(level, 'level', zero=True)
        if level is None or level >= 1:
            raise BadValue(f'level must be a share of the peak from 0 to below 1, not {level!r}')
        self.size = self.theoretical_size = None

    def generate_rf(self, all_thresed_act) -> float:
        """The size of a field: maps are centred on their peaks and averaged.

        Parameters
        ----------
        all_thresed_act : ndarray of shape (n, h, w)
            Maps of pictures, of an engine.

        Returns
        -------
        size : float
            Square root of the area around the centre that is above `level`, in pixels.
        """
        maps = np.asarray(all_thresed_act, dtype=np.float64)
        if maps.ndim != 3 or maps.size == 0 or not np.isfinite(maps).all():
            raise BadValue(f'maps must be finite numbers of shape (n, h, w), not {np.shape(all_thresed_act)}')
        mean = Centred(1, (2 * maps.shape[1] - 1, 2 * maps.shape[2] - 1))
        for one in maps:
            mean.add(0, one, [np.median(places) for places in np.nonzero(one == one.max())])
        return field_size(mean.values()[0], maps.min((1, 2)).mean(), self.level)

    def compute(self, stimuli, save_path=None, batch_size: int = 64) -> np.ndarray:
        """The mean map around the unit that answers most, over pictures.

        Parameters
        ----------
        stimuli : Stimulus, ndarray of shape (n, 3, h, w), uint8, or torch Dataset of PIL pictures
            Best those that drive the channel most. They are read one after the other.
        save_path : str, optional
            Where the patch goes: numbers (``.npy``) or a picture (``.png``, ``.jpg``), white at its peak.
        batch_size : int
            Windows at a time.

        Returns
        -------
        patch : ndarray of shape (side, side), float32
            `side` is the theoretical size of the receptive field, or that of the picture where the layer, or a voxel,
            has no smaller one; maps are then not moved. NaN where every picture had its border. Of several channels
            or voxels (n_target, side, side).
        """
        if save_path is not None:
            save_path = writable_file(has_suffix(save_path, SUFFIXES, 'save_path'), 'save_path')
            if not self.engine.single and save_path.suffix.lower() != '.npy':
                raise BadValue('save_path of several channels or voxels must end in .npy')
        engine, view, pictures = self.engine, View(self.engine.dnn), picture_set(stimuli)
        target, measure = _by_occlusion(engine) if isinstance(engine, OccluderDiscrepancyMapping) \
            else _by_upsampling(engine)
        axes = _field(engine, view.size)
        mean = Centred(len(target.names), tuple(axis.high - axis.low + 1 for axis in axes))
        floors = np.zeros(len(target.names))
        with answering(engine.dnn, target, engine.device) as answer:
            for number in progress(range(len(pictures)), 'receptive field', unit='img', leave=False):
                maps, centres = measure(answer, view, view.picture(pictures.picture(number)), axes, batch_size)
                floors += maps.min((1, 2)) / len(pictures)
                for which, centre in enumerate(centres):
                    mean.add(which, maps[which], centre)
        patches = mean.values().astype(np.float32)
        sizes = np.array([field_size(*one, self.level) for one in zip(patches, floors, strict=True)])
        self.theoretical_size = patches.shape[1:]
        self.size, patch = (float(sizes[0]), patches[0]) if engine.single else (sizes, patches)
        if save_path is not None:
            _save(save_path, patch)
        return patch


class Centred:
    """Means of maps that are moved so that a place of each comes to the middle.

    Parameters
    ----------
    n : int
        How many means.
    size : tuple of int
        (height, width) of each.
    """

    def __init__(self, n: int, size: tuple[int, int]):
        self._sum, self._count = np.zeros((n, *size)), np.zeros((n, *size), dtype=np.int64)

    def add(self, which: int, values: np.ndarray, centre) -> None:
        """Add a map (h, w) around a place (row, column), in pixels."""
        spans = [_overlap(*one) for one in zip(values.shape, self._sum.shape[1:], centre, strict=True)]
        target, source = tuple(span[0] for span in spans), tuple(span[1] for span in spans)
        self._sum[which][target] += values[source]
        self._count[which][target] += 1

    def values(self) -> np.ndarray:
        """Means (n, height, width); NaN where no map had a value."""
        return np.divide(self._sum, self._count, out=np.full_like(self._sum, np.nan), where=self._count > 0)


def _overlap(n: int, size: int, place: float) -> tuple[slice, slice]:
    """Where a map of length n comes to lie in one of length `size` with `place` in its middle, and from where."""
    first = int(np.floor(place - (size - 1) / 2 + 0.5))
    start, stop = max(first, 0), min(first + size, n)
    return slice(start - first, max(stop, start) - first), slice(start, max(stop, start))


def field_size(field: np.ndarray, floor: float, level: float) -> float:
    """Square root of the area around the peak of a map that is above `level` of its height over the floor.

    NaN counts as outside.
    """
    high = np.nanmax(field)
    if not high > floor:
        return 0.0
    inside = np.nan_to_num(field, nan=floor) > floor + max(level, _NOISE) * (high - floor)
    blobs, _ = ndimage.label(inside, np.ones((3, 3)))
    return float(np.sqrt((blobs == blobs[np.unravel_index(np.nanargmax(field), field.shape)]).sum()))


class PeakUnits:
    """The unit of each channel that answers most to a picture, in the place of the numbers of a target."""

    def __init__(self, target: ChannelTarget):
        self.layers, self.names, self._target = target.layers, target.names, target
        self.places: tuple[torch.Tensor, ...] | None = None

    def __call__(self, answers) -> torch.Tensor:
        """Numbers (n, n_chn); whole maps before it is known which units are meant."""
        maps = self._target.maps(answers)
        return maps if self.places is None else maps[(slice(None), torch.arange(maps.shape[1], device=maps.device),
                                                      *self.places)]

    def find(self, answer: Answer, inputs: torch.Tensor) -> np.ndarray:
        """(row, column) of the units that answer most to one picture, from 0; they are meant from now on."""
        self.places = None
        with torch.inference_mode():
            maps = answer(inputs)[0]
        self.places = torch.unravel_index(maps.flatten(1).argmax(1), maps.shape[1:])
        return torch.stack(self.places[-2:], dim=1).cpu().numpy()


def _by_occlusion(engine: OccluderDiscrepancyMapping) -> tuple:
    """The target to look at, and what gives changes at pixels and the centres of the units that were looked at."""
    target = engine.target(engine.metric)
    any_unit = isinstance(target, ChannelTarget) and target.unit is None
    target = PeakUnits(target) if any_unit else target

    def measure(answer, view, picture, axes, batch_size):
        if any_unit:
            inputs = view.inputs(picture[None]).to(pick_device(engine.dnn._network(), engine.device))
            units = target.find(answer, inputs)
        else:
            unit = getattr(target, 'unit', None) or (1, 1)
            units = np.full((len(target.names), 2), np.subtract(unit[-2:], 1))
        jump, middle = [axis.jump for axis in axes], [(axis.low + axis.high) / 2 for axis in axes]
        changes = np.abs(engine.lost(answer, view, picture, batch_size))
        return engine.at_pixels(changes), units * jump + middle
    return target, measure


def _by_upsampling(engine: UpsamplingActivationMapping) -> tuple:
    """The same of upsampled maps, whose units lie where upsampling has them."""
    target = engine.maps_target()

    def measure(answer, view, picture, axes, batch_size):
        maps = engine.maps(answer, view, picture)
        middle = [(side - 1) / 2 for side in view.size]
        if not axes[0].jump:
            return engine.upsampled(maps, view.size), [middle] * len(target.names)
        shape = maps[0].shape[1:]
        units = np.stack(np.unravel_index(maps[0].flatten(1).argmax(1).cpu().numpy(), shape), axis=1)
        return engine.upsampled(maps, view.size), (units + 0.5) * np.divide(view.size, shape) - 0.5
    return target, measure


def _field(engine, size: tuple[int, int]) -> tuple[Axis, Axis]:
    """Theoretical field of units along rows and columns; the whole picture where no smaller one is known."""
    field, target = None, engine.target()
    if isinstance(target, ChannelTarget):
        found = receptive_fields(engine.dnn.model).get(engine.dnn.layer2path(target.layer), [])
        call = split_call(target.layer)[1]
        field = found[call - 1] if len(found) >= call else None
    return tuple(Axis(0, side - 1, 0) for side in size) if field is None else field.axes[-2:]


def _save(path: Path, patch: np.ndarray) -> None:
    from PIL import Image
    with atomic(path) as part:
        if path.suffix.lower() == '.npy':
            np.save(part, patch)
            return
        low, high = np.nanmin(patch), np.nanmax(patch)
        shares = (np.nan_to_num(patch, nan=low) - low) / (high - low if high > low else 1)
        Image.fromarray((255 * shares).round().astype(np.uint8)).save(part)
