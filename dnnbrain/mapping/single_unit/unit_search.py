"""The best unit of each target, among units that come in blocks.

Only the best so far is kept, with its activations, so that memory depends on stimuli and targets
and not on the units of a layer.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from dnnbrain._checks import BadType, BadValue
from dnnbrain.mapping.crossval import Split, folds
from dnnbrain.mapping.single_unit.one_predictor import Line, LineModel

Blocks = Iterable[np.ndarray | tuple[slice, np.ndarray]]
TIE = 1e-6                                    # the first of units within this; above what float32 is off by
_ELEMENTS = 2 ** 21
TARGETS = 1024


class Search:
    """The best unit so far of each target, judged within some rows.

    Parameters
    ----------
    rows : ndarray of int
        A unit that is constant in them is never chosen.
    splits : list of (train, test)
        By which units are scored; within `rows`.
    Y : ndarray of shape (n_sample, n_target)

    Attributes
    ----------
    location : ndarray of shape (n_target,)
        The unit, from 0; -1 where none could be scored.
    x : ndarray of shape (n_sample, n_target)
        Its activations.
    """

    def __init__(self, rows: np.ndarray, splits: list[Split], Y: np.ndarray):
        self.rows, self.splits, self.Y = rows, splits, Y
        self.score = np.full(Y.shape[1], -np.inf)
        self.location = np.full(Y.shape[1], -1)
        self.x = None

    def see(self, X: np.ndarray, first: int, scores: Callable) -> None:
        """Compare with more units, (n_sample, n_unit), of which the first has number `first`."""
        if self.x is None:
            self.x = np.zeros(self.Y.shape, X.dtype)
        inside = X[self.rows]
        usable = (inside != inside[:1]).any(axis=0)
        for start in range(0, len(self.location), TARGETS):
            targets = slice(start, start + TARGETS)
            score = scores(X, self.Y[:, targets], self.splits)
            score[~usable] = -np.inf
            score[np.isnan(score)] = -np.inf
            self._keep(X, first, score, start)

    def _keep(self, X: np.ndarray, first: int, score: np.ndarray, start: int) -> None:
        top = (score >= score.max(axis=0) - TIE).argmax(axis=0)
        best = score[top, np.arange(len(top))]
        better = np.flatnonzero(best > self.score[start:start + len(top)] + TIE)
        self.score[start + better] = best[better]
        self.location[start + better] = first + top[better]
        self.x[:, start + better] = X[:, top[better]]


def run(searches: list[Search], blocks: Blocks | Callable[[], Blocks], n: int, scores: Callable) -> None:
    """Show all units to all searches, in one pass.

    Parameters
    ----------
    blocks : iterable of ndarray (n, n_unit) or (slice, ndarray), or a callable that returns one
        As `unit_tables` and `Activation.blocks(layer, 'unit')` yield them, in the order of the units.
    n : int
        Number of samples.
    scores : callable
        ``scores(X, Y, splits)`` -> (n_unit, n_target), larger is better.
    """
    n_target = max(search.Y.shape[1] for search in searches)
    for first, X in pieces(blocks, n, n_target):
        for search in searches:
            search.see(X, first, scores)


def pieces(blocks: Blocks | Callable[[], Blocks], n: int, n_target: int) -> Iterator[tuple[int, np.ndarray]]:
    """(number of the first unit, units (n, n_unit)): blocks cut so that scores of all targets stay small.

    Raises
    ------
    BadValue
        A block has other rows than `n`, or holds NaN or infinite values.
    """
    step = max(1, min(_ELEMENTS // min(n_target, TARGETS), 2 * _ELEMENTS // n))
    seen = 0
    for item in blocks() if callable(blocks) else blocks:
        block = item[1] if isinstance(item, tuple) else item
        if block.ndim != 2 or len(block) != n:
            raise BadValue(f'a block of units has shape {block.shape}; with {n} responses it must be ({n}, n_unit)')
        if block.dtype.kind not in 'fiub':
            raise BadType(f'units must be numbers, not {block.dtype}')
        for start in range(0, block.shape[1], step):
            X = block[:, start:start + step]
            bad = ~np.isfinite(X).all(axis=1)
            if bad.any():
                raise BadValue(f'the units hold NaN or infinite values for {bad.sum()} stimuli')
            yield seen + start, X
        seen += block.shape[1]


class Each:
    """Fitted estimators, one per target."""

    def __init__(self, models: list):
        self.models = models

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Predictions (n_sample, n_target) from a unit for each target."""
        return np.column_stack([np.ravel(model.predict(x[:, [t]])) for t, model in enumerate(self.models)])

    def each(self) -> list:
        """One model per target."""
        return self.models


def fit_chosen(learner, search: Search, rows: np.ndarray) -> LineModel | Each:
    """The models of the units that a search chose, fitted in some rows."""
    x, y = search.x[rows], search.Y[rows]
    if isinstance(learner, Line):
        return learner.fit(x, y)
    return Each([learner.fit(x[:, t], y[:, t]) for t in range(y.shape[1])])


def inner_folds(train: np.ndarray, cv: int, groups=None, rng=0, labels=None) -> list[Split]:
    """Folds of training rows, as rows of all; at most `cv`, fewer where these are few.

    Raises
    ------
    BadValue
        The training rows cannot be divided.
    """
    own = None if groups is None else np.asarray(groups)[train]
    n_part = len(train) // 2 if own is None else len(np.unique(own))
    if n_part < 2:
        raise BadValue("the unit is chosen inside the training folds, which are too small or hold a single group; "
                       "take more folds, or selection='in_sample'")
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'The least populated class')                 # the outer folds said so
        inner = folds(len(train), min(cv, n_part), own, rng, None if labels is None else labels[train])
    return [(train[a], train[b]) for a, b in inner]
