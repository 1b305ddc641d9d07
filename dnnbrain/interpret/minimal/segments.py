"""Pictures cut into parcels of similar pixels that hang together, by scikit-image."""

from __future__ import annotations

import math
import mmap

import numpy as np

from dnnbrain._checks import BadType, BadValue, choice, positive_number, whole_number


def segments(image: np.ndarray, method: str, **settings) -> np.ndarray:
    """Which parcel each pixel belongs to.

    Parameters
    ----------
    image : ndarray of shape (h, w, 3), uint8
    method : {'felzenszwalb', 'slic', 'quickshift'}
        Felzenszwalb and Huttenlocher 2004, doi 10.1023/B:VISI.0000022288.19776.77 (scale, sigma, min_size); Achanta
        et al. 2012, doi 10.1109/TPAMI.2012.120 (n_segments, compactness, sigma); Vedaldi and Soatto 2008,
        doi 10.1007/978-3-540-88693-8_52 (kernel_size, max_dist, ratio).
    **settings
        Of the function of that name in `skimage.segmentation`; by default as in `DEFAULTS`.

    Returns
    -------
    labels : ndarray of shape (h, w), int
        From 0 without gaps.
    """
    from skimage import segmentation
    settings = checked(method, settings)
    extra = {'rng': 0} if method == 'quickshift' else {'start_label': 0} if method == 'slic' else {}
    labels = getattr(segmentation, method)(image, channel_axis=-1, **settings, **extra)
    return np.unique(labels, return_inverse=True)[1].reshape(image.shape[:2])


DEFAULTS = {
    'felzenszwalb': {'scale': 100, 'sigma': 0.5, 'min_size': 50},
    'slic': {'n_segments': 250, 'compactness': 10, 'sigma': 1},
    'quickshift': {'kernel_size': 3, 'max_dist': 6, 'ratio': 0.5},
}


def checked(method: str, settings: dict) -> dict:
    """All settings of a method, by name.

    Raises
    ------
    BadType, BadValue
        There is no such method or setting, or it cannot have this value.
    """
    defaults = DEFAULTS[choice('method', method, tuple(DEFAULTS))]
    for name in settings:
        choice(f'setting of {method}', name, tuple(defaults))
    settings = defaults | settings
    for name, value in settings.items():
        if name in ('n_segments', 'min_size'):
            if value is None or whole_number(value, name) < 1:
                raise BadValue(f'{name} must be at least 1, not {value!r}')
        elif positive_number(value, name, zero=name in ('sigma', 'ratio')) is None:
            raise BadType(f'{name} must be a number, not None')
    if settings.get('ratio', 0) > 1 or settings.get('kernel_size', 1) < 1:
        raise BadValue('ratio of quickshift goes from 0 to 1, and kernel_size from 1')
    return settings


def parcels_of(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Each parcel alone on black, (n_parcel, h, w, 3), uint8.

    The system gives memory to the pixels of parcels only, not to the black around them.
    """
    n = int(labels.max()) + 1
    try:
        parcels = _black((n, *image.shape))
    except (MemoryError, OSError):
        raise BadValue(f'{n} parcels of {image.shape[0]} x {image.shape[1]} pixels do not fit into memory; make fewer '
                       '(a larger scale, min_size or max_dist, or a smaller n_segments) or a smaller picture') from None
    rows, cols = np.indices(labels.shape)
    parcels[labels, rows, cols] = image
    return parcels


def _black(shape: tuple[int, ...]) -> np.ndarray:
    """Zeros, uint8; of a large array only small pages that are written to become real memory.

    Those of numpy are huge, and one pixel in each would make all of them real.
    """
    n_byte = math.prod(shape)
    if n_byte < 2 ** 26 or not hasattr(mmap, 'MADV_NOHUGEPAGE'):
        return np.zeros(shape, np.uint8)
    memory = mmap.mmap(-1, n_byte, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, 'MAP_NORESERVE', 0))
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(memory, np.uint8).reshape(shape)
