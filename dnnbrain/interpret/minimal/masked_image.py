"""The part of a picture that a channel needs: a soft mask around its contrasts, as small as the activation allows.

After the masks of Walker et al. 2019, "Inception loops discover what excites neurons most using deep predictive
models", doi 10.1038/s41593-019-0517-x.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from scipy import ndimage

from dnnbrain._checks import BadValue, positive_number, whole_number
from dnnbrain.interpret.algorithm import Algorithm
from dnnbrain.interpret.answer import Answer, answering, answers
from dnnbrain.interpret.view import View
from dnnbrain.networks.state import pick_device

_GRAY = torch.tensor([0.299, 0.587, 0.114])         # luma of ITU-R BT.601, as PIL has it
_AT_ONCE = 16
_SPECKS = np.ones((3, 3), bool)


class MaskedImage(Algorithm):
    """A gray picture of which a target sees as little as keeps a share of its activation.

    Parameters
    ----------
    dnn, layer, channel, unit, target, device
        As in `Algorithm`.
    stdev_size_thr : float
        Contrasts are what differs from the mean gray by more than so many standard deviations.
    filter_sigma : float
        Softness of the edge of the mask, in pixels.
    target_reduction_ratio : float
        Share of the activation by the whole gray picture that is to be kept, above 0, at most 1.

    Attributes
    ----------
    activ_whole, activ_masked : float or ndarray of shape (n_target,)
        Of the whole gray picture and of the last masked one, after `put_mask`.
    image_mask : ndarray of shape (h, w) or (n_target, h, w)
        From 0 (mean gray) to 1 (picture).
    """

    def __init__(self, dnn, layer=None, channel=None, unit=None, stdev_size_thr=1.0, filter_sigma=1.0,
                 target_reduction_ratio=0.9, *, target=None, device=None):
        super().__init__(dnn, layer, channel, unit=unit, target=target, device=device)
        self.set_parameters(self.unit, stdev_size_thr, filter_sigma, target_reduction_ratio)

    def set_parameters(self, unit=None, stdev_size_thr=1.0, filter_sigma=1.0, target_reduction_ratio=0.9) -> None:
        """Unit (row, column) from 1 or none, threshold of contrasts, softness, and the share to be kept."""
        if self.layer is not None:
            self.set_layer(self.layer, self.channel, unit)
        elif unit is not None:
            raise BadValue('a unit needs a layer and channel')
        self.stdev_size_thr = positive_number(stdev_size_thr, 'stdev_size_thr', zero=True)
        self.filter_sigma = positive_number(filter_sigma, 'filter_sigma', zero=True)
        self.target_reduction_ratio = positive_number(target_reduction_ratio, 'target_reduction_ratio')
        if None in (self.stdev_size_thr, self.filter_sigma, self.target_reduction_ratio) or target_reduction_ratio > 1:
            raise BadValue('stdev_size_thr and filter_sigma must be numbers from 0, target_reduction_ratio one above 0 '
                           'and at most 1')

    def put_mask(self, initial_image, maxiteration: int = 100) -> np.ndarray:
        """The picture behind the smallest mask.

        The mask begins as the blob around all contrasts. It is eroded pixel by pixel up to where the activation would
        fall below the share; where the blob itself falls short, it grows until the share is reached.

        Parameters
        ----------
        initial_image
            As `as_rgb` takes it; it is resized and cropped as the network sees it, and made gray.
        maxiteration : int
            Pixels by which the blob may shrink or grow. A warning tells if the share is not reached.

        Returns
        -------
        masked : ndarray of shape (3, h, w), uint8
            Shown as it is, it has the activation `activ_masked`. Of several channels or voxels (n_target, 3, h, w).

        Raises
        ------
        BadValue
            The picture is of one gray, or does not drive the target.
        """
        if whole_number(maxiteration, 'maxiteration') is None or maxiteration < 0:
            raise BadValue(f'maxiteration must be a whole number from 0, not {maxiteration}')
        view = View(self.dnn)
        gray = (view.picture(initial_image) * _GRAY[:, None, None]).sum(0).numpy()
        depth = _depth(_blob(gray, self.stdev_size_thr))
        with answering(self.dnn, self.target(), self.device) as answer:
            show = Shown(self, answer, view, gray, depth)
            whole = show.activations([-np.inf])[0].astype(float)
            if not (whole > 0).all():
                name = answer.target.names[int(np.argmin(whole))]
                raise BadValue(f'{name} answers {whole.min():.4g} to the whole gray picture: there is no activation to '
                               'keep; take a picture that drives it, or another channel')
            cuts = [self._cut(show, which, whole[which], maxiteration) for which in range(len(whole))]
            found = np.diagonal(show.activations(cuts)).astype(float)
        pictures, masks = np.stack([show.picture(cut) for cut in cuts]), np.stack([show.mask(cut) for cut in cuts])
        one = 0 if self.single else slice(None)
        self.activ_whole, self.activ_masked, self.image_mask = whole[one], found[one], masks[one]
        return np.repeat(pictures[:, None], 3, axis=1)[one]

    def _cut(self, show: Shown, which: int, whole: float, most: int) -> float:
        """The depth at which the mask ends, in pixels inside (below 0: outside) of the blob."""
        least = self.target_reduction_ratio * whole
        inward = show.activations([0.0])[0, which] >= least
        steps = np.arange(1, most + 1) * (1.0 if inward else -1.0)
        best = 0.0
        for start in range(0, most, _AT_ONCE):
            part = steps[start:start + _AT_ONCE]
            enough = show.activations(part)[:, which] >= least
            if not inward and enough.any():
                return float(part[enough.argmax()])
            if inward and not enough.all():
                n_good = int(enough.argmin())
                return float(part[n_good - 1]) if n_good else best
            best = float(part[-1])
        name = show.answer.target.names[which]
        if not inward:
            warnings.warn(f'a mask grown by {most} pixels keeps less than {self.target_reduction_ratio:.0%} of what '
                          f'{name} answers; allow more with maxiteration', stacklevel=3)
        elif best >= show.depth.max():
            warnings.warn(f'{name} answers as much to mean gray alone: the mask hides the whole picture', stacklevel=3)
        return best


class Shown:
    """A gray picture behind masks of different depths, and what it does to a target.

    Parameters
    ----------
    settings : MaskedImage
    answer : Answer
    view : View
    gray : ndarray of shape (h, w)
        From 0 to 1.
    depth : ndarray of shape (h, w)
        Of pixels in the blob: above 0 inside, 0 or below outside.
    """

    def __init__(self, settings: MaskedImage, answer: Answer, view: View, gray: np.ndarray, depth: np.ndarray):
        self.answer, self.view, self.gray, self.depth = answer, view, gray, depth
        self.sigma, self.device = settings.filter_sigma, pick_device(settings.dnn._network(), settings.device)

    def mask(self, cut: float) -> np.ndarray:
        """The soft mask (h, w) of what is deeper than `cut`."""
        return ndimage.gaussian_filter((self.depth > cut).astype(np.float32), self.sigma)

    def picture(self, cut: float) -> np.ndarray:
        """The masked picture (h, w), uint8, so that its activation is the one that it has when it is saved."""
        mean = self.gray.mean()
        return (255 * (mean + self.mask(cut) * (self.gray - mean))).round().clip(0, 255).astype(np.uint8)

    def activations(self, cuts) -> np.ndarray:
        """What the target answers to masks of these depths, (n, n_target)."""
        def make(rows: range) -> torch.Tensor:
            pixels = torch.from_numpy(np.stack([self.picture(cuts[row]) for row in rows])) / 255
            return self.view.inputs(pixels[:, None].expand(-1, 3, -1, -1)).to(self.device)
        return answers(self.answer, make, len(cuts), _AT_ONCE)


def _blob(gray: np.ndarray, threshold: float) -> np.ndarray:
    """The convex hull (h, w) of what stands out from the mean, without specks."""
    from skimage.morphology import convex_hull_image
    away, spread = np.abs(gray - gray.mean()), gray.std()
    if spread < 1e-4:
        raise BadValue('the picture is of one gray: there is no contrast to put a mask around')
    contrasts = away > threshold * spread
    if not contrasts.any():
        raise BadValue(f'nothing in the picture differs from its mean by more than {threshold:g} standard deviations; '
                       'take a smaller stdev_size_thr')
    solid = ndimage.binary_opening(contrasts, _SPECKS)
    return convex_hull_image(solid if solid.any() else contrasts)


def _depth(blob: np.ndarray) -> np.ndarray:
    """How deep pixels lie in a blob: distance to the nearest outside, or minus that to it, plus 1."""
    inside = ndimage.distance_transform_edt(np.pad(blob, 1))[1:-1, 1:-1]        # the border of the picture is an edge
    return np.where(blob, inside, 1 - ndimage.distance_transform_edt(~blob))
