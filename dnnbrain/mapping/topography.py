"""Where in the picture: the position in the maps of layers that predicts each target best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dnnbrain._checks import BadValue, choice, listing
from dnnbrain._progress import progress
from dnnbrain.activation.activation import Activation
from dnnbrain.mapping.crossval import folds
from dnnbrain.mapping.engine import as_design, as_targets
from dnnbrain.mapping.inference.refit import Refit
from dnnbrain.mapping.kernel import designed, finite, gather_kernels
from dnnbrain.mapping.ridge import as_alphas, default_alphas
from dnnbrain.mapping.scoring import SCORINGS, correlation, varies
from dnnbrain.mapping.single_unit.one_predictor import Standard
from dnnbrain.mapping.single_unit.unit_search import TIE, inner_folds
from dnnbrain.mapping.tables import n_iterations, unit_tables

MODELS = ('ridge', 'glm', 'corr')
_TARGETS, _UNITS = 8192, 2048


@dataclass(frozen=True)
class Positions:
    """The best position of each target.

    Attributes
    ----------
    layers : list of str
    layer : ndarray of shape (n_target,)
        Number (from 1) of the layer; NaN where a target is constant or not finite.
    row, column : ndarray of shape (n_target,)
        From 1, chosen on all samples.
    score : ndarray of shape (n_target, n_fold)
        Held out: of the position that was chosen on the training samples of each fold.
    sizes : ndarray of int of shape (n_layer, 2)
        Rows and columns of each layer's maps.
    """

    layers: list[str]
    layer: np.ndarray
    row: np.ndarray
    column: np.ndarray
    score: np.ndarray
    sizes: np.ndarray

    def polar(self) -> tuple[np.ndarray, np.ndarray]:
        """Eccentricity and polar angle, each (n_target,).

        Returns
        -------
        eccentricity : ndarray
            From the middle of the map, in fractions of half its width.
        angle : ndarray, degrees
            From 0 to 360, counter-clockwise from the right horizontal meridian, as the picture is seen;
            NaN in the very middle.
        """
        size = np.full((len(self.layer), 2), np.nan)
        known = np.isfinite(self.layer)
        size[known] = self.sizes[self.layer[known].astype(int) - 1]
        half = size[:, 1] / 2
        right, up = (self.column - 0.5) / half - 1, (size[:, 0] / 2 - self.row + 0.5) / half
        eccentricity = np.hypot(right, up)
        angle = np.degrees(np.arctan2(up, right)) % 360
        return eccentricity, np.where(eccentricity > 1e-12, angle, np.nan)


def best_positions(activ: Activation, Y, layers: Sequence[str] | None = None, model: str = 'ridge', cv=3,
                   scoring: str = 'correlation', *, rows=None, groups=None, hrf=None, alphas=None, inner_cv: int = 3,
                   rng: int | None = 0) -> Positions:
    """Find the layer and the position in its map that predict each target best.

    Layer and position are chosen within the training samples of each fold and scored on the others;
    once more on all samples for the position that is returned.

    Parameters
    ----------
    activ : Activation
        Layers with maps; each is read once, in blocks.
    Y : array_like of shape (n_row, n_target)
    layers : sequence of str, optional
        All by default.
    model : {'ridge', 'glm', 'corr'}
        All channels at a position together, compared by inner folds (penalties of ridge are chosen by
        generalised cross-validation); or the single unit that correlates best with the training samples.
    cv : int or sklearn splitter
    scoring : {'correlation', 'r2', 'explained_variance'}
        'corr' has 'correlation' only.
    rows, groups, hrf
        As in `map_layer`.
    alphas : float or sequence of float, optional
        Penalties of ridge.
    inner_cv : int
    rng : int or None
        Seed of all folds.

    Raises
    ------
    BadValue
        A layer has no maps, or a setting is not possible.
    """
    choice('model', model, MODELS)
    choice('scoring', scoring, tuple(SCORINGS))
    if model == 'corr' and scoring != 'correlation':
        raise BadValue(f"model 'corr' is scored by correlation, not {scoring!r}")
    if alphas is not None and model != 'ridge':
        raise BadValue(f'alphas are penalties of ridge, not of {model!r}')
    alphas = np.zeros(1) if model == 'glm' else None if alphas is None else as_alphas(alphas, 1.0)
    layers = activ.layers if layers is None else list(layers)
    flat = [layer for layer in layers if min(activ.shape(layer)[-2:]) < 2]
    if flat:
        raise BadValue(f'layer {listing(flat)} has no maps of at least 2 x 2 positions, which would say where in the '
                       'picture; name convolutional layers (-layer)')
    kept = activ.meta.get('dmask', {})
    cut = [layer for layer in layers if any(kept.get(layer, {}).get(axis, 'all') != 'all' for axis in ('row', 'col'))]
    if cut:
        raise BadValue(f'layer {listing(cut)} was masked to some rows or columns, whose place in the picture is lost; '
                       'keep whole maps, and mask channels only')
    design = as_design(len(activ), rows, hrf)
    Y = as_targets(Y, len(activ) if design is None else len(design)).astype(np.float64)
    splits = folds(len(Y), cv, groups, rng)
    if any(len(test) < 2 for _, test in splits):
        raise BadValue('a fold with one sample cannot be scored; take fewer folds')
    good = varies(Y)
    if not good.any():
        raise BadValue('no target varies; there is nothing to predict')
    own = ((Y[:, good] - Y[:, good].mean(axis=0)) / Y[:, good].std(axis=0)).astype(np.float32)
    if model == 'corr':
        found = _units(activ, layers, own, splits, design)
    else:
        inner = [inner_folds(train, inner_cv, groups, rng) for train, _ in splits]
        found = _places(activ, layers, own, splits, inner, design, alphas, scoring)
    best = [_Best(own.shape[1]) for _ in range(len(splits) + 1)]
    for layer, candidates in found:
        for one, candidate in zip(best, candidates, strict=True):
            one.see(layer, *candidate)
    return _positions(activ, layers, best, good)


class _Best:
    """What was best so far for each target, within one fold or on all samples."""

    def __init__(self, n: int):
        self.by, self.score = np.full(n, -np.inf), np.full(n, np.nan)
        self.layer, self.place = np.full(n, -1), np.zeros(n, dtype=np.intp)

    def see(self, layer: int, place, by: np.ndarray, score: np.ndarray) -> None:
        """Compare with a place (one, or one per target), chosen by `by` and worth `score` on held-out samples."""
        better = np.nan_to_num(by, nan=-np.inf) > self.by + TIE
        self.by[better], self.score[better], self.layer[better] = by[better], score[better], layer
        self.place[better] = np.broadcast_to(place, better.shape)[better]


def _positions(activ: Activation, layers: list[str], best: list[_Best], good: np.ndarray) -> Positions:
    shapes, last = [activ.shape(layer)[2:] for layer in layers], best[-1]
    table = np.full((3 + len(best) - 1, len(good)), np.nan)
    where = np.zeros((2, len(last.layer)))
    for number, shape in enumerate(shapes):
        here = last.layer == number
        where[:, here] = np.unravel_index(last.place[here], shape)[-2:]
    found = last.layer >= 0
    columns = np.flatnonzero(good)[found]
    table[:, columns] = np.stack([last.layer, *where, *(one.score for one in best[:-1])])[:, found]
    return Positions(layers, *(table[:3] + 1), table[3:].T, np.array([shape[-2:] for shape in shapes]))


def _places(activ, layers, Y, splits, inner, design, alphas, scoring) -> Iterator[tuple]:
    """Layer and, per fold and for all samples, (place, what it is chosen by, held-out score), place by place."""
    total = sum(n_iterations(activ.shape(layer), 'row_col') for layer in layers)
    with progress(None, 'positions', total=total, unit='position') as bar:
        for number, layer in enumerate(layers):
            for place, blocks in enumerate(unit_tables(activ, layer, 'row_col')):
                K = gather_kernels(blocks, layer, design).whole
                penalties = default_alphas(K) if alphas is None else alphas
                held_out = [_scores(K, [split], penalties, scoring, Y) for split in splits]
                chosen_by = [_scores(K, own, penalties, scoring, Y) for own in inner]
                mean = np.mean(held_out, axis=0)
                yield number, [(place, by, score) for by, score in
                               zip([*chosen_by, mean], [*held_out, mean], strict=True)]
                bar.update()


def _scores(K: np.ndarray, splits: list, alphas: np.ndarray, scoring: str, Y: np.ndarray) -> np.ndarray:
    """Mean held-out score (n_target,)."""
    machine, order = Refit(K, splits, alphas, scoring), np.arange(len(Y))[None]
    return np.concatenate([machine.scores(Y[:, start:start + _TARGETS])(order)[0]
                           for start in range(0, Y.shape[1], _TARGETS)])


def _units(activ, layers, Y, splits, design) -> Iterator[tuple]:
    """As `_places`, for the best of some units at a time."""
    everything = np.arange(len(Y))
    with progress(None, 'layers', total=len(layers), unit='layer') as bar:
        for number, layer in enumerate(layers):
            n_place, start = n_iterations(activ.shape(layer), 'row_col'), 0
            for block in next(unit_tables(activ, layer)):
                X = designed(finite(block, layer), design)
                for first in range(0, X.shape[1], _UNITS):
                    units = X[:, first:first + _UNITS]
                    found = [_best_unit(units, Y, *split) for split in [*splits, (everything, everything)]]
                    yield number, [((start + first + unit) % n_place, by, score) for unit, by, score in found]
                start += X.shape[1]
            bar.update()


def _best_unit(X: np.ndarray, Y: np.ndarray, train: np.ndarray, test: np.ndarray) -> tuple:
    """Unit, its absolute correlation in training, and the correlation of its predictions; each (n_target,)."""
    units, parts = Standard.of(X[train]).z.T, []
    for start in range(0, Y.shape[1], _TARGETS):
        some = Y[:, start:start + _TARGETS]
        r = units @ Standard.of(some[train]).z
        top = np.abs(r).argmax(axis=0)
        chosen = np.take_along_axis(r, top[None], axis=0)[0]
        by = np.where(chosen == 0, -np.inf, np.abs(chosen))
        parts.append((top, by, np.sign(chosen) * correlation(some[test], X[test][:, top].astype(np.float64))))
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))
