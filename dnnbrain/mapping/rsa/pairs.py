"""RDMs in whatever form they come, as vectors of pairs."""

from __future__ import annotations

import warnings

import numpy as np

from dnnbrain._checks import BadType, BadValue
from dnnbrain.mapping.triangles import n_items, triangles


def vectors(rdms, argument: str = 'rdms') -> np.ndarray:
    """RDMs in any form as an array (n_rdm, n_pair), float64.

    Parameters
    ----------
    rdms : array_like
        Of shape (n_pair,), (n_rdm, n_pair), (n_item, n_item) or (n_rdm, n_item, n_item). A matrix is taken for
        a square where it is one and symmetric, or filled above the diagonal only.

    Raises
    ------
    BadValue
        A square is not symmetric, the diagonal is not 0, or the numbers of pairs differ or fit no number of items.
    """
    for one in rdms if isinstance(rdms, list | tuple) else [rdms]:
        if hasattr(one, 'keys') and not hasattr(one, 'to_numpy'):           # an RDM or dict, not a table of pandas
            raise BadType(f'{argument} must be arrays of numbers, not {type(one).__name__}; take one RDM of it, as in '
                          'rdm.get(key)')
    try:
        array = np.asarray(rdms)
    except ValueError as error:
        raise BadValue(f'{argument} must be RDMs of the same items; their sizes differ') from error
    if array.dtype.kind not in 'biuf':
        raise BadType(f'{argument} must be arrays of numbers, not {type(rdms).__name__} of {array.dtype}; of an RDM '
                      'take rdm.get(key)')
    array = array.astype(np.float64)
    if not 1 <= array.ndim <= 3 or 0 in array.shape:
        raise BadValue(f'{argument} must have shape (n_pair,), (n_rdm, n_pair), (n_item, n_item) or (n_rdm, n_item, '
                       f'n_item), not {array.shape}')
    if array.ndim == 3 or (array.ndim == 2 and _is_square(array)):
        return _upper(array if array.ndim == 3 else array[None], argument)
    array = np.atleast_2d(array)
    if len(array) == array.shape[1] > 1 and not np.diagonal(array).any():
        raise BadValue(f'{argument} is a square that is not symmetric; fill both triangles')
    n_items(array.shape[1])
    return array


def two_sides(first, second, names: tuple[str, str] = ('first', 'second'), least: int = 4) -> tuple:
    """Vectors of both sides, (n_first, n_pair) and (n_second, n_pair), which must be of the same items."""
    one, two = vectors(first, names[0]), vectors(second, names[1])
    if one.shape[1] != two.shape[1]:
        raise BadValue(f'{names[0]} and {names[1]} must be RDMs of the same items, not of {n_items(one.shape[1])} and '
                       f'{n_items(two.shape[1])}')
    if n_items(one.shape[1]) < least:
        raise BadValue(f'RDMs of {n_items(one.shape[1])} items are too small to compare; {least} items are needed')
    return one, two


def warn_unusable(rows: np.ndarray, usable: np.ndarray, argument: str) -> None:
    """Count, in one warning, the RDMs that cannot be compared."""
    bad = np.flatnonzero(~usable)
    if bad.size:
        warnings.warn(f'{bad.size} of {len(rows)} RDMs of {argument} hold NaN or do not vary, the first at place '
                      f'{bad[0]}; their results are NaN', RuntimeWarning, stacklevel=4)


def _is_square(array: np.ndarray) -> bool:
    return len(array) == array.shape[-1] > 1 and bool(_mirrored(array[None])[0])


def _mirrored(full: np.ndarray) -> np.ndarray:
    """Which squares are symmetric, or filled above the diagonal only, (n_rdm,) bool."""
    turned = np.swapaxes(full, 1, 2)
    symmetric = np.isclose(full, turned, rtol=1e-6, atol=1e-8, equal_nan=True).all(axis=(1, 2))
    return symmetric | ~np.tril(full).any(axis=(1, 2))


def _upper(full: np.ndarray, argument: str) -> np.ndarray:
    if full.shape[1] != full.shape[2] or full.shape[1] < 2:
        raise BadValue(f'{argument} must be squares (n_rdm, n_item, n_item), not {full.shape}')
    if not _mirrored(full).all():
        raise BadValue(f'{argument} holds a square that is not symmetric; fill both triangles')
    diagonal = np.abs(np.diagonal(full, axis1=1, axis2=2))
    if (diagonal > 1e-6 * np.nanmax(np.abs(full), initial=0)).any():
        raise BadValue(f'{argument} holds a square whose diagonal is not 0; an item is at distance 0 from itself '
                       '(give 1 - r, not correlations)')
    return triangles(full)
