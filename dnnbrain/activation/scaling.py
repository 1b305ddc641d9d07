"""Arrays brought to a common range."""

from __future__ import annotations

import numpy as np

from dnnbrain._checks import BadType, BadValue


def normalize(array) -> np.ndarray:
    """Values from 0 to 1, the smallest and the largest of the whole array; zeros where all are the same.

    Parameters
    ----------
    array : array_like
        Of any shape. NaN stays NaN and counts for neither end.

    Returns
    -------
    scaled : ndarray of the same shape
        Float as given, integers as float64.

    Raises
    ------
    BadValue
        Infinite values.
    """
    array = np.asarray(array)
    if array.dtype.kind not in 'biuf':
        raise BadType(f'array must hold real numbers, not {array.dtype}')
    if np.isinf(array).any():
        raise BadValue('array holds infinite values, which have no place between 0 and 1; replace them first')
    kind = array.dtype if array.dtype.kind == 'f' else np.float64
    array = array.astype(np.float64)                            # an end minus the other may overflow float16
    known = array[~np.isnan(array)]
    low, high = (known.min(), known.max()) if known.size else (0.0, 0.0)
    spread = high / 2 - low / 2                                 # halves, which cannot overflow
    return ((array / 2 - low / 2) / (spread if spread > 0 else 1)).astype(kind)
