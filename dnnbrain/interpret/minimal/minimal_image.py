"""Minimal pictures of parcels: what of a picture suffices to drive a unit, or a voxel."""

from __future__ import annotations

import numpy as np

from dnnbrain._checks import BadValue
from dnnbrain.interpret.minimal.parts import MinimalImage
from dnnbrain.interpret.minimal.segments import parcels_of, segments
from dnnbrain.interpret.view import as_rgb


class MinimalParcelImage(MinimalImage):
    """The fewest parcels of a picture, on black, that drive a target as much as can be.

    Parcels are put in order by the activation that each has alone; the first, the first two, ... up to all are shown,
    and a criterion says where to stop. Activation is that of the picture as the network sees it.

    Parameters
    ----------
    dnn, layer, channel, unit, target, device
        As in `Algorithm`.
    activaiton_criterion : {'max', 'mean', 'L1', 'L2'}
        What is made of the map of a channel. The spelling is that of 1.0; `activation_criterion` means the same.
    search_criterion : {'max', 'fitting curve'}
        'max': the most activation; 'fitting curve': the elbow of a curve fitted to activation over number of parcels.
    share : float, optional
        Of the activation of the whole picture that is kept at least (`dnnbrain.interpret.minimal.sufficiency.fewest`).

    Examples
    --------
    >>> minimal = MinimalParcelImage(dnn, 'conv5', 3, share=0.9)
    >>> parcels = minimal.felzenszwalb_decompose(picture)       # (n_parcel, h, w, 3)
    >>> found = minimal.generate_minimal_image()                # (h, w, 3)
    """

    def __init__(self, dnn, layer=None, channel=None, activaiton_criterion='max', search_criterion='max', *,
                 activation_criterion=None, share=None, unit=None, target=None, device=None):
        super().__init__(dnn, layer, channel, unit=unit, target=target, device=device)
        self.set_params(activaiton_criterion, search_criterion, activation_criterion=activation_criterion, share=share)
        self.image = self.labels = None

    def set_params(self, activaiton_criterion='max', search_criterion='max', *, activation_criterion=None,
                   share=None) -> None:
        """Criteria, and the share to keep."""
        self._set_criteria(activation_criterion or activaiton_criterion, search_criterion, share)

    def felzenszwalb_decompose(self, image, scale=100, sigma=0.5, min_size=50) -> np.ndarray:
        """Parcels of a picture by graph cuts.

        Parameters
        ----------
        image
            (h, w, 3), or whatever `as_rgb` takes.
        scale, sigma, min_size
            Larger scale: larger parcels; width of smoothing before; fewest pixels of a parcel.

        Returns
        -------
        parcels : ndarray of shape (n_parcel, h, w, 3), uint8
            Each on black; their sum is the picture.
        """
        return self._decompose(image, 'felzenszwalb', scale=scale, sigma=sigma, min_size=min_size)

    def slic_decompose(self, image, n_segments=250, compactness=10, sigma=1) -> np.ndarray:
        """Parcels of a picture by clustering colours and places: about `n_segments`, the more compact the squarer."""
        return self._decompose(image, 'slic', n_segments=n_segments, compactness=compactness, sigma=sigma)

    def quickshift_decompose(self, image, kernel_size=3, max_dist=6, ratio=0.5) -> np.ndarray:
        """Parcels of a picture by seeking modes of colour and place; `ratio` from 0 (place) to 1 (colour)."""
        return self._decompose(image, 'quickshift', kernel_size=kernel_size, max_dist=max_dist, ratio=ratio)

    def sort_parcel(self, order='descending') -> np.ndarray:
        """Put parcels in order; returns them.

        Parameters
        ----------
        order : {'descending', 'ascending'} or sequence of int
            By the activation of each alone, or parcels by number from 0.
        """
        self._sort(order)
        return parcels_of(self.image, np.argsort(self._order)[self.labels])

    def combine_parcel(self, index) -> np.ndarray:
        """The picture (h, w, 3) of some parcels.

        Parameters
        ----------
        index : int, slice or sequence of int
            Places in the present order, from 0.
        """
        return self._combine(index)

    def generate_minimal_image(self) -> np.ndarray:
        """The minimal picture, (h, w, 3), uint8; of several channels or voxels (n_target, h, w, 3).

        Parcels are taken as `sort_parcel` has put them, else with falling activation. What was measured is in
        `activations`, `n_kept`, `activation` and `whole_activation`.

        Raises
        ------
        BadValue
            No picture was decomposed, or the whole picture has no activation of which a share could be kept.
        """
        return self._generate()

    @property
    def _n_part(self) -> int:
        return int(self.labels.max()) + 1

    def _pictures(self, chosen: np.ndarray) -> np.ndarray:
        return self.image * np.take(chosen, self.labels, axis=1)[..., None]

    def _need_parts(self) -> None:
        if self.image is None:
            raise BadValue('decompose a picture first, such as by felzenszwalb_decompose(picture)')

    def _decompose(self, image, method: str, **settings) -> np.ndarray:
        image = np.array(as_rgb(image))
        self.labels = segments(image, method, **settings)
        self.image, self._order = image, None
        return parcels_of(image, self.labels)
