"""Random parts of a table: with the same mixture of a column, or with each of its values equally often."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dnnbrain._checks import BadValue


def split_rows(ids, strata, fractions: Sequence[float], rng=None) -> list[np.ndarray]:
    """Rows of each part, sorted; rows with the same ID stay together.

    Parameters
    ----------
    ids : ndarray of shape (n,)
    strata : ndarray of shape (n,) or None
        Each part gets its share of every value, NaN included; an ID counts for the value of its
        first row.
    fractions : sequence of float
        Positive, summing to at most 1.
    rng : int or Generator, optional
    """
    fractions = np.asarray(fractions, dtype=float)
    if fractions.ndim != 1 or (fractions <= 0).any() or fractions.sum() > 1 + 1e-9:
        raise BadValue(f'fractions must be positive and sum to at most 1, not {fractions.tolist()}')
    rng = np.random.default_rng(rng)
    unique, first, member = np.unique(ids, return_index=True, return_inverse=True)
    values = np.zeros(len(unique)) if strata is None else np.asarray(strata)[first]
    part_of = np.full(len(unique), -1)
    debt = np.zeros(len(fractions) + 1)
    shares = np.append(fractions, max(0.0, 1 - fractions.sum()))
    distinct, stratum = np.unique(values, return_inverse=True)       # NaN is one value here, and never == itself
    for number in range(len(distinct)):
        here = rng.permutation(np.flatnonzero(stratum == number))
        counts, debt = _apportion(len(here), shares, debt)
        part_of[here] = np.repeat(np.arange(len(shares)), counts)
    parts = [np.flatnonzero(part_of[member] == k) for k in range(len(fractions))]
    if any(len(part) == 0 for part in parts):
        raise BadValue(f'{len(unique)} stimuli are too few for parts of {fractions.tolist()}')
    return parts


def sample_rows(values, n: int, rng=None) -> np.ndarray:
    """Rows of a random part with every value equally often, sorted.

    Parameters
    ----------
    values : ndarray of shape (n_row,)
        NaN is a value like any other.
    n : int
        Where it is no multiple of the number of values, some have one row more; which, is drawn
        from those that hold enough.
    rng : int or Generator, optional

    Raises
    ------
    BadValue
        There are fewer than `n` rows, or a value has too few.
    """
    if not isinstance(n, int | np.integer) or not 1 <= n <= len(values):
        raise BadValue(f'n must be a whole number from 1 to {len(values)}, the stimuli there are, not {n!r}')
    rng = np.random.default_rng(rng)
    distinct, stratum, held = np.unique(values, return_inverse=True, return_counts=True)
    each, over = divmod(int(n), len(distinct))
    richer = np.flatnonzero(held > each)
    needed = each if len(richer) >= over else each + 1
    short = np.flatnonzero(held < needed)
    if short.size:
        most = held.min() * len(distinct) + np.count_nonzero(held > held.min())
        raise BadValue(f'{distinct[short[0]].item()!r} has {held[short[0]]} stimuli, but {needed} are needed for a '
                       f'balanced part of {n}; ask for at most {most}')
    counts = np.full(len(distinct), each)
    counts[rng.choice(richer, over, replace=False)] += 1
    return np.sort(np.concatenate([rng.choice(np.flatnonzero(stratum == number), count, replace=False)
                                   for number, count in enumerate(counts)]))


def _apportion(n: int, shares: np.ndarray, debt: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whole counts that sum to n; what rounding owes to a part is paid by a later stratum."""
    due = n * shares + debt
    counts = np.floor(n * shares).astype(int)
    while counts.sum() < n:
        counts[np.argmax(due - counts)] += 1
    return counts, due - counts
