"""What each row of a table of responses shows, looked up in a stimulus table."""

from __future__ import annotations

import numpy as np

from dnnbrain._checks import BadValue, choice, listing
from dnnbrain.stimuli.stimulus import Stimulus

CATEGORIES = ('label', 'condition')


def category_column(stim: Stimulus, column: str | None = None) -> str:
    """The column that holds categories: the one named, else 'label', else 'condition'."""
    if column is not None:
        return choice('column', column, stim.items, owner='the stimulus table')
    found = next((name for name in CATEGORIES if name in stim.items), None)
    if found is None:
        raise BadValue(f"the stimulus table has no column 'label' or 'condition'; name the column with the categories, "
                       f'from {listing(stim.items)}')
    return found


def values_of(stim: Stimulus, column: str, stim_ids=None) -> np.ndarray:
    """A column of a stimulus table for each of some stimuli.

    Parameters
    ----------
    stim_ids : array_like of shape (n,), optional
        Joined by stimID. By default the rows of the table.

    Returns
    -------
    values : ndarray of shape (n,)

    Raises
    ------
    BadValue
        A stimulus is not in the table, or stands there with two values.
    """
    choice('column', column, stim.items, owner='the stimulus table')
    values = np.asarray(stim.get(column))
    if stim_ids is None:
        return values
    known, wanted = np.asarray(stim.get('stimID')).astype(str), np.asarray(stim_ids).astype(str)
    names, first, which = np.unique(known, return_index=True, return_inverse=True)
    differ = (values != values[first][which]) & (values == values)          # NaN is no value
    if differ.any():
        raise BadValue(f'stimulus {str(known[differ][0])!r} stands in the table with different values of {column!r}')
    missing = wanted[~np.isin(wanted, names)]
    if len(missing):
        raise BadValue(f'{len(missing)} stimuli are not in the table: {listing(missing, 5)}')
    return values[first[np.searchsorted(names, wanted)]]
