"""Looking up the rows of stimuli by their IDs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

import numpy as np

from dnnbrain._checks import BadType, BadValue, listing


def id_array(ids, argument: str = 'stim_ids') -> np.ndarray:
    """IDs as a 1-D array.

    Raises
    ------
    BadType
        A table, a single name or anything else that is not a sequence of IDs.
    """
    known = isinstance(ids, list | tuple) or hasattr(ids, 'tolist')
    array = np.asarray(ids) if known else np.empty(())
    if array.ndim != 1:
        raise BadType(f"{argument} must be a sequence of stimulus IDs, such as stim.get('stimID'), not "
                      f'{type(ids).__name__}')
    return array


def without_suffix(name) -> str:
    place = PurePosixPath(str(name))
    return str(place.parent / place.stem)


def without_folder(name) -> str:
    """Nor suffix."""
    return PurePosixPath(str(name)).stem


def rows_of(wanted: np.ndarray, ids: Sequence, where: str,
            rules: Sequence[Callable[[object], str]] = (str,)) -> np.ndarray:
    """Rows of the stimuli wanted, by the first rule that finds all of them, each once.

    Parameters
    ----------
    wanted : ndarray of shape (n,)
        A stimulus may come again.
    ids : sequence
        IDs of the rows.
    where : str
        What has the rows, for the error.
    rules : sequence of callable
        What of an ID is compared, the strictest first.

    Raises
    ------
    BadValue
        A stimulus is not there, or may be two rows, or two stimuli may be one row.
    """
    different = len({str(name) for name in wanted})
    for rule in rules:
        place: dict[str, list[int]] = {}
        for row, name in enumerate(ids):
            place.setdefault(rule(name), []).append(row)
        found = [place.get(rule(name), []) for name in wanted]
        if all(len(rows) == 1 for rows in found) and len({rule(name) for name in wanted}) == different:
            return np.array([rows[0] for rows in found], dtype=int)
    exact = Counter(str(name) for name in ids)
    lacking = [name for name in dict.fromkeys(str(name) for name in wanted) if exact[name] != 1]
    raise BadValue(f'{len(lacking)} of {different} stimuli cannot be found in {where}, or not without doubt: '
                   f'{listing(lacking, 3)}; it has {listing(exact, 3)}')
