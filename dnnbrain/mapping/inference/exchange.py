"""What may be exchanged under the null hypothesis, and what is drawn in a bootstrap: rows of stimuli.

Repeats of a stimulus share its signal, so they move together; runs differ in level, so nothing
leaves its run. Both are a matter of which rows may take whose place.
"""

from __future__ import annotations

import math

import numpy as np

from dnnbrain._checks import BadValue, whole_number


def row_orders(n: int, n_perm: int, within=None, together=None, rng=0) -> np.ndarray:
    """Random orders of n rows that keep what must be kept.

    Parameters
    ----------
    n, n_perm : int
    within : array_like of shape (n,), optional
        Runs or sessions: a row stays in its own.
    together : array_like of shape (n,), optional
        Stimulus of each row: its rows move as one, to the rows of a stimulus shown as often (and, with
        `within`, in the same runs).
    rng : int or Generator

    Returns
    -------
    orders : ndarray of shape (n_perm, n), int32

    Raises
    ------
    BadValue
        Nothing can take another's place.
    """
    if whole_number(n_perm, 'n_perm') < 1:
        raise BadValue(f'n_perm must be at least 1, not {n_perm}')
    generator = np.random.default_rng(rng)
    orders = np.tile(np.arange(n, dtype=np.int32), (n_perm, 1))
    classes = _classes(codes(within, n, 'within'), _units(together, n))
    if sum(math.lgamma(len(rows) + 1) for rows in classes) == 0:
        raise BadValue('no row can take the place of another: every stimulus or run differs in how often or where it '
                       'was shown; give fewer restrictions')
    for rows in classes:
        moved = np.argsort(generator.random((n_perm, len(rows))), axis=1)
        orders[:, rows.ravel()] = rows[moved].reshape(n_perm, -1)
    return orders


def bootstrap_weights(n: int, n_boot: int, within=None, together=None, rng=0) -> np.ndarray:
    """How often each row is drawn, (n_boot, n), when stimuli are drawn with replacement.

    Parameters
    ----------
    within : array_like of shape (n,), optional
        Strata, such as folds: each keeps its number of stimuli.
    together : array_like of shape (n,), optional
        Stimulus of each row: its rows are drawn as one.
    """
    if whole_number(n_boot, 'n_boot') < 2:
        raise BadValue(f'n_boot must be at least 2, not {n_boot}')
    generator, unit = np.random.default_rng(rng), _units(together, n)
    weights = np.empty((n_boot, unit.max() + 1), dtype=np.int32)
    stratum = _stratum(codes(within, n, 'within'), unit)
    for number in np.unique(stratum):
        here = np.flatnonzero(stratum == number)
        weights[:, here] = generator.multinomial(len(here), np.full(len(here), 1 / len(here)), size=n_boot)
    return weights[:, unit]


def jackknife_weights(n: int, together=None) -> np.ndarray:
    """Weights (n_unit, n) that leave out one stimulus at a time."""
    unit = _units(together, n)
    return (np.arange(unit.max() + 1)[:, None] != unit).astype(np.int32)


def unit_sums(values: np.ndarray, together=None) -> np.ndarray:
    """Sums (n_unit, n_target) of rows (n, n_target) over the repeats of each stimulus."""
    unit = _units(together, len(values))
    order = np.argsort(unit, kind='stable')
    starts = np.flatnonzero(np.diff(unit[order], prepend=-1))
    return np.add.reduceat(values[order], starts, axis=0)


def codes(labels, n: int, argument: str) -> np.ndarray:
    """Numbers from 0 of a label per row, (n,); all 0 without labels."""
    if labels is None:
        return np.zeros(n, dtype=np.intp)
    labels = np.asarray(labels)
    if labels.shape != (n,):
        raise BadValue(f'{argument} must have a value for each of {n} rows, not shape {labels.shape}')
    return np.unique(labels, return_inverse=True)[1]


def _units(together, n: int) -> np.ndarray:
    if n < 1:
        raise BadValue('there are no rows')
    return np.arange(n) if together is None else codes(together, n, 'together')


def _stratum(within: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """The stratum of each unit, which must lie in one."""
    stratum = np.empty(unit.max() + 1, dtype=np.intp)
    stratum[unit] = within
    if (stratum[unit] != within).any():
        raise BadValue("repeats of a stimulus lie in several folds or strata ('within'), so they cannot be drawn as "
                       'one; make folds that keep them together')
    return stratum


def _classes(within: np.ndarray, unit: np.ndarray) -> list[np.ndarray]:
    """Rows (n_unit, n_repeat) of the units that may take each other's place."""
    order = np.lexsort((within, unit))
    rows_of_unit = np.split(order, np.flatnonzero(np.diff(unit[order])) + 1)
    alike: dict[bytes, list] = {}
    for rows in rows_of_unit:
        alike.setdefault(within[rows].tobytes(), []).append(rows)
    return [np.stack(rows) for rows in alike.values()]
