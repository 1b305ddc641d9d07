"""Minimal pictures of components: what a picture shares with a set of pictures, and how little of it suffices.

A picture is the mean of the set plus its components, each a pattern of the set with a weight, plus what the patterns do
not hold. Principal components: Turk and Pentland 1991, doi 10.1162/jocn.1991.3.1.71; independent ones: Hyvarinen 1999,
doi 10.1109/72.761722.
"""

from __future__ import annotations

import logging
import warnings

import numpy as np

from dnnbrain._checks import BadType, BadValue, choice, integers, whole_number
from dnnbrain.interpret.minimal.parts import MinimalImage
from dnnbrain.interpret.view import View

log = logging.getLogger(__name__)

_MOST_BYTES, _BLOCK = 2 ** 32, 2 ** 26
_LEAST = 1e-3           # of white, a quarter of a step of a byte: a remainder below it is rounding


class MinimalComponentImage(MinimalImage):
    """The fewest components of a picture that drive a target as much as can be.

    Components are put in order by the activation that the mean picture has with each alone; the mean with the first,
    the first two, ... up to all are shown, and a criterion says where to stop. What of the picture no component
    holds comes last, as a component of its own, so that all together are the picture.

    Parameters
    ----------
    dnn, layer, channel, unit, target, device
        As in `Algorithm`.
    meth : {'pca', 'ica'}
        What `decompose` does.
    criterion : {'max', 'fitting curve'}
        As `search_criterion` of `MinimalParcelImage`.
    activation_criterion : {'max', 'mean', 'L1', 'L2'}
        What is made of the map of a channel.
    share : float, optional
        Of the activation of the whole picture that is kept at least (`dnnbrain.interpret.minimal.sufficiency.fewest`).

    Attributes
    ----------
    mean : ndarray of shape (h, w, 3)
        Of the set, from 0 to 1, as all that follows in the size that the network sees.
    components : ndarray of shape (n_component, h, w, 3), float32
    weights : ndarray of shape (n_picture, n_component)
        Of each component in each picture of the set.
    """

    def __init__(self, dnn, layer=None, channel=None, meth='pca', criterion='max', *, activation_criterion='max',
                 share=None, unit=None, target=None, device=None):
        super().__init__(dnn, layer, channel, unit=unit, target=target, device=device)
        self.set_params(meth, criterion, activation_criterion=activation_criterion, share=share)
        self.mean = self.components = self.weights = self._pixels = self._parts = None

    def set_params(self, meth='pca', criterion='max', *, activation_criterion='max', share=None) -> None:
        """Method of `decompose`, criteria, and the share to keep."""
        self.meth = choice('meth', meth, ('pca', 'ica'))
        self._set_criteria(activation_criterion, criterion, share)

    def decompose(self, images, n_component: int | None = None, rng: int = 0) -> np.ndarray:
        """Components of a set of pictures, by the method that is set."""
        if self.meth == 'ica':
            return self.ica_decompose(images, n_component, rng)
        return self.pca_decompose(images, n_component)

    def pca_decompose(self, images, n_component: int | None = None) -> np.ndarray:
        """Principal components of a set of pictures, exact.

        Parameters
        ----------
        images : Stimulus, ndarray of shape (n, 3, h, w), uint8, or sequence of pictures as `as_rgb` takes them
            Kept as bytes, in the size that the network sees.
        n_component : int, optional
            As many as there can be, one less than pictures, but at most 100, by default.

        Returns
        -------
        components : ndarray of shape (n_component, h, w, 3), float32
            Of length 1, that with the most variance first.
        """
        view = View(self.dnn)
        pixels = _bytes_of(images, view)
        n_component = _n_component(n_component, len(pixels))
        mean, rows, scores = _principal(pixels, n_component)
        return self._learnt(view, pixels, mean, rows, scores)

    def ica_decompose(self, images, n_component: int | None = None, rng: int = 0) -> np.ndarray:
        """Independent components of a set of pictures: patterns whose weights vary independently over pictures.

        FastICA of scikit-learn, in the space of the first `n_component` principal components.

        Parameters
        ----------
        images, n_component
            As in `pca_decompose`.
        rng : int
            Seed of the start of FastICA.
        """
        from sklearn.decomposition import FastICA
        from sklearn.exceptions import ConvergenceWarning
        view = View(self.dnn)
        pixels = _bytes_of(images, view)
        mean, rows, scores = _principal(pixels, _n_component(n_component, len(pixels)))
        ica = FastICA(whiten='unit-variance', random_state=rng, max_iter=1000)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always', ConvergenceWarning)
            weights = ica.fit_transform(scores)
        if caught:
            log.warning('FastICA did not converge; fewer components (n_component) or more pictures help')
        return self._learnt(view, pixels, mean, ica.mixing_.T @ rows, weights)

    def set_picture(self, image=0) -> np.ndarray:
        """Take the picture whose components are sorted and combined; returns its components.

        Parameters
        ----------
        image : int, or a picture as `as_rgb` takes it
            A number is that of a picture of the set, from 0.

        Returns
        -------
        parts : ndarray of shape (n_component, h, w, 3), float32
            Patterns times weights; one more, at the end, for what no component holds. With the mean they sum up to
            the picture (0 to 1).
        """
        if self.components is None:
            raise BadValue('decompose a set of pictures first, by pca_decompose(pictures) or ica_decompose(pictures)')
        rows = self.components.reshape(len(self.components), -1)
        if isinstance(image, int | np.integer) and not isinstance(image, bool):
            if not 0 <= image < len(self._pixels):
                raise BadValue(f'picture {image} is out of range; the set has {len(self._pixels)}, counted from 0')
            pixels, weights = self._pixels[image], self.weights[image]
        else:
            pixels = _bytes_of([image], View(self.dnn))[0]
            weights = np.linalg.lstsq(rows.T, pixels / 255 - self.mean.ravel(), rcond=None)[0]
        parts = rows * weights[:, None].astype(np.float32)
        rest = (pixels / 255 - self.mean.ravel() - parts.sum(0)).astype(np.float32)
        self._n_last = int(np.abs(rest).max() > _LEAST)
        self._parts = np.concatenate([parts, rest[None]]) if self._n_last else parts
        self._order = None
        return self._parts.reshape(-1, *self.mean.shape)

    def sort_componet(self, order='descending') -> np.ndarray:
        """Put the components of the picture in order; returns them, (n_component, h, w, 3).

        Parameters
        ----------
        order : {'descending', 'ascending'} or sequence of int
            By the activation of the mean with each alone, what no component holds last; or by number from 0.
        """
        self._need_parts()
        self._sort(order)
        return self._parts[self._order].reshape(-1, *self.mean.shape)

    sort_component = sort_componet              # 1.0 misspelt it

    def combine_component(self, index) -> np.ndarray:
        """The picture (h, w, 3), uint8, of the mean and some components, by their places (from 0) in the order."""
        self._need_parts()
        return self._combine(index)

    def generate_minimal_image(self, image=None) -> np.ndarray:
        """The minimal picture, (h, w, 3), uint8, in the size that the network sees.

        Parameters
        ----------
        image : int or picture, optional
            As in `set_picture`; by default that which was set, or the first of the set.

        Returns
        -------
        picture : ndarray of shape (h, w, 3), uint8; of several channels or voxels (n_target, h, w, 3)
            What was measured is in `activations`, `n_kept`, `activation` and `whole_activation`.
        """
        if image is not None:
            self.set_picture(image)
        return self._generate()

    @property
    def _n_part(self) -> int:
        return len(self._parts)

    def _pictures(self, chosen: np.ndarray) -> np.ndarray:
        pictures = chosen.astype(np.float32) @ self._parts + self.mean.ravel()
        return (pictures * 255).round().clip(0, 255).astype(np.uint8).reshape(-1, *self.mean.shape)

    def _need_parts(self) -> None:
        if self._parts is None:
            self.set_picture(0)

    def _learnt(self, view: View, pixels, mean, rows, weights) -> np.ndarray:
        shape = (*view.size, 3)
        self._pixels, self.weights, self.mean = pixels, weights, mean.reshape(shape)
        self.components = rows.astype(np.float32).reshape(-1, *shape)
        self._parts = self._order = None
        return self.components


def _bytes_of(images, view: View) -> np.ndarray:
    """Pictures as the network sees them, (n, h * w * 3), uint8."""
    if hasattr(images, 'header') or getattr(images, 'ndim', 0) == 4:
        from dnnbrain.stimuli.loaders import picture_set
        found = picture_set(images)
        n, read = len(found), found.picture
    elif isinstance(images, list | tuple):
        n, read = len(images), images.__getitem__
    else:
        raise BadType('images must be a Stimulus, a uint8 array (n, 3, h, w) or a list of pictures, '
                      f'not {type(images).__name__}')
    n_byte = n * view.size[0] * view.size[1] * 3
    if n_byte > _MOST_BYTES:
        raise BadValue(f'{n} pictures of {view.size[0]} x {view.size[1]} take {n_byte / 2 ** 30:.1f} GB, and 4 are '
                       'allowed; take fewer pictures')
    pixels = np.empty((n, n_byte // max(n, 1)), np.uint8)
    for i in range(n):
        pixels[i] = (view.picture(read(i)) * 255).round().byte().permute(1, 2, 0).numpy().ravel()
    return pixels


def _n_component(n_component: int | None, n: int) -> int:
    if n < 2:
        raise BadValue(f'components of a set need at least 2 pictures, not {n}')
    if n_component is None:
        return min(n - 1, 100)
    if not 1 <= integers(whole_number(n_component, 'n_component'), 'n_component')[0] <= n - 1:
        raise BadValue(f'n_component must be from 1 to {n - 1}, one less than pictures, not {n_component}')
    return n_component


def _principal(pixels: np.ndarray, n_component: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean (n_pixel,), directions (n_component, n_pixel), scores (n, n_component), from inner products of pictures.

    In blocks of pixels; components without variance are left out.
    """
    n, n_pixel = pixels.shape
    spans = [slice(start, start + _BLOCK // (8 * n) + 1) for start in range(0, n_pixel, _BLOCK // (8 * n) + 1)]
    mean, K = np.empty(n_pixel, np.float32), np.zeros((n, n))
    for span in spans:
        block = pixels[:, span] / 255
        mean[span] = block.mean(0)
        K += (block - mean[span]) @ (block - mean[span]).T
    values, vectors = np.linalg.eigh(K)
    values, vectors = values[::-1][:n_component], vectors[:, ::-1][:, :n_component]
    kept = values > 1e-9 * max(values[0], 1e-12)
    if not kept.any() or values[0] < 1e-9:
        raise BadValue('all pictures of the set are the same; there is nothing to decompose')
    values, vectors = values[kept], vectors[:, kept]
    rows = np.concatenate([(vectors / np.sqrt(values)).T @ (pixels[:, span] / 255 - mean[span]) for span in spans], 1)
    return mean, rows.astype(np.float32), vectors * np.sqrt(values)
