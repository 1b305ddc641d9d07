"""Folds: shuffled under a seed, and never through a group."""

from __future__ import annotations

import copy
import warnings

import numpy as np
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from dnnbrain._checks import BadValue, whole_number

Split = tuple[np.ndarray, np.ndarray]


def folds(n: int, cv=5, groups=None, rng: int | None = 0, labels=None) -> list[Split]:
    """(train rows, test rows) of each fold.

    Parameters
    ----------
    n : int
        Number of samples.
    cv : int or sklearn splitter
        Number of folds, or anything with ``split(X, y, groups)``.
    groups : array_like of shape (n,), optional
        Runs, sessions, repeated stimuli: what must not be on both sides of a fold.
    rng : int or None
        Seed of the shuffling.
    labels : array_like of shape (n,), optional
        Classes that are to be mixed alike in every fold.

    Raises
    ------
    BadValue
        There are fewer samples or groups than folds, or a splitter divides a group or cannot split
        these samples.
    """
    if groups is not None and len(groups) != n:
        raise BadValue(f'{len(groups)} groups came for {n} samples')
    if isinstance(cv, int | np.integer):
        n_unit = n if groups is None else len(np.unique(groups))
        if not 2 <= cv <= n_unit:
            raise BadValue(f'cv must be from 2 to the number of {"samples" if groups is None else "groups"} '
                           f'({n_unit}), not {cv}')
        maker = {(False, False): KFold, (True, False): GroupKFold, (False, True): StratifiedKFold,
                 (True, True): StratifiedGroupKFold}[groups is not None, labels is not None]
        cv = maker(int(cv), shuffle=True, random_state=rng)
    elif isinstance(cv, str) or not hasattr(cv, 'split'):
        raise BadValue(f'cv must be a number of folds or an sklearn splitter, not {cv!r}')
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', 'The groups parameter is ignored')      # looked after below
            splits = [(np.asarray(train), np.asarray(test)) for train, test in cv.split(np.zeros(n), labels, groups)]
    except (TypeError, ValueError) as error:
        without = '' if labels is not None else ' without labels'
        raise BadValue(f'{type(cv).__name__} cannot split {n} samples{without}: {error}') from None
    for train, test in splits:
        shared = [] if groups is None else np.intersect1d(np.asarray(groups)[train], np.asarray(groups)[test])
        if len(shared):
            raise BadValue(f'{type(cv).__name__} puts group {shared[0]} (a run, or a repeated stimulus) on both sides '
                           'of a fold; use a number of folds, or a splitter that honours groups such as GroupKFold')
    return splits


def steady(cv, rng: int | None) -> tuple:
    """Folds and seed that are drawn once where they would be drawn anew at each use: all layers then share them.

    Returns
    -------
    cv : int or sklearn splitter
        A copy with a seed, of a splitter that has none of its own.
    rng : int

    Raises
    ------
    BadType, BadValue
        `rng` is not a seed.
    """
    if whole_number(rng, 'rng') is not None and not 0 <= rng < 2 ** 32:
        raise BadValue(f'rng must be a seed from 0 to {2 ** 32 - 1}, or None, not {rng}')
    drawn = int(np.random.SeedSequence().generate_state(1)[0])
    state = getattr(cv, 'random_state', 0)
    if state is None or isinstance(state, np.random.RandomState):
        cv = copy.copy(cv)
        cv.random_state = drawn if state is None else int(copy.deepcopy(state).randint(2 ** 31))
    return cv, drawn if rng is None else int(rng)


def inner_folds(n: int, cv: int, groups=None, rng: int | None = 0) -> list[Split]:
    """Folds of the training rows that choose a penalty: `cv`, or one per group where there are fewer."""
    n_unit = n if groups is None else len(np.unique(groups))
    if n_unit < 2:
        raise BadValue('alpha is chosen inside the training folds, which hold a single group; take more folds, '
                       'or give one alpha')
    return folds(n, min(cv, n_unit), groups, rng)


def repeated(ids) -> np.ndarray | None:
    """Groups that keep presentations of the same stimulus together; None if each is shown once."""
    if ids is None:
        return None
    _, member = np.unique(np.asarray(ids), return_inverse=True)
    return member if member.max(initial=-1) + 1 < len(member) else None


def warn_of_split_repeats(ids, groups,
                          mend: str = 'without groups, presentations of a stimulus stay together') -> None:
    """Say so where groups put presentations of a stimulus on both sides of a fold.

    Parameters
    ----------
    ids, groups : array_like of shape (n,)
    mend : str
        What to do, for the sentence.
    """
    (_, stimulus), (_, group) = (np.unique(np.asarray(values), return_inverse=True) for values in (ids, groups))
    several = int((np.bincount(np.unique(np.stack([stimulus, group]), axis=1)[0]) > 1).sum())
    if several:
        warnings.warn(f'{several} stimuli are shown in several groups, so that models are tested on stimuli they were '
                      f'trained on; {mend}', stacklevel=2)
