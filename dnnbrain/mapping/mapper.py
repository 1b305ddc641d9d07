"""What encoding, decoding and probing share: a mapping by its name, rows joined by ID, all layers in one call."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable

import numpy as np

from dnnbrain._checks import BadType, BadValue, choice, listing, n_missing
from dnnbrain.activation.activation import Activation
from dnnbrain.mapping.banded import BandedMapping
from dnnbrain.mapping.crossval import repeated, steady, warn_of_split_repeats
from dnnbrain.mapping.estimators import NAMES
from dnnbrain.mapping.multivariate import MultivariateMapping
from dnnbrain.mapping.single_unit.univariate import TYPES, UnivariateMapping

log = logging.getLogger(__name__)
MAP_TYPES = ('uv', 'mv')
ESTIMATORS = {'uv': tuple(TYPES), 'mv': (*NAMES, 'banded')}
MAKERS: dict[str, Callable] = {
    'uv': UnivariateMapping,
    'mv': MultivariateMapping,
    'banded': lambda estimator, cv, scoring, **settings: BandedMapping(cv, scoring, **settings),
}
SETTINGS = {kind: {name for name, parameter in inspect.signature(maker).parameters.items()
                   if parameter.kind is parameter.KEYWORD_ONLY} - {'n_perm'}
            for kind, maker in (MAKERS | {'banded': BandedMapping}).items()}
Mapping = UnivariateMapping | MultivariateMapping | BandedMapping


class Mapper:
    """Holds how to map; what is mapped comes with its children."""

    def __init__(self, stim_ids=None, groups=None, rng: int | None = 0, settings: dict | None = None):
        self.stim_ids, self.groups = as_column(stim_ids, 'stim_ids'), as_column(groups, 'groups')
        self._settings = {'rng': rng} | (settings or {})
        self.map_type = self.mapping = None

    def set_mapper(self, map_type: str, estimator, cv=5, scoring=None, **settings) -> None:
        """Choose how targets are predicted and scored.

        Parameters
        ----------
        map_type : {'uv', 'mv'}
        estimator, cv, scoring
            As when this object was made.
        **settings
            Of the mapping; those given before stay where the new mapping has them.
        """
        kind = _kind(map_type, estimator)
        kept = {name: value for name, value in self._settings.items() if name in SETTINGS[kind]}
        self.mapping = make_mapping(map_type, estimator, cv, scoring, **(kept | settings))
        self.map_type = map_type
        self._settings |= settings

    def fold_groups(self, same: np.ndarray | None) -> np.ndarray | None:
        """What no fold may split: the groups given, or else repeats of a stimulus, (n_row,)."""
        if self.groups is None:
            return same
        if same is not None and self.mapping.estimator_type != 'correlation':
            warn_of_split_repeats(same, self.groups)
        return self.groups

    def _first_mapper(self, map_type, estimator, cv, scoring) -> None:
        """As `set_mapper`, but every setting must be one of this mapping."""
        given, self._settings = self._settings, {}
        self.set_mapper(map_type, estimator, cv, scoring, **given)


def make_mapping(map_type: str, estimator, cv=5, scoring=None, **settings) -> Mapping:
    """A mapping by its names.

    Parameters
    ----------
    map_type : {'uv', 'mv'}
        The best single unit, or all units together.
    estimator : str or estimator of scikit-learn
        One of ``ESTIMATORS[map_type]``. 'banded' predicts from all layers together.
    cv : int or sklearn splitter
    scoring : str or callable, optional
    **settings
        Keyword arguments of `UnivariateMapping`, `MultivariateMapping` or `BandedMapping`; None is the default.

    Raises
    ------
    BadValue, BadType
        A name is not known, or the mapping has no such setting.
    """
    kind = _kind(map_type, estimator)
    if estimator is None:
        raise BadValue(f'estimator must be one of {listing(ESTIMATORS[map_type])}, or one of scikit-learn')
    if isinstance(cv, str | bool) or not (isinstance(cv, int | np.integer) or hasattr(cv, 'split')):
        raise BadValue(f'cv must be a number of folds or an sklearn splitter, not {cv!r}')
    if isinstance(cv, int | np.integer) and cv < 2:
        raise BadValue(f'cv must be 2 folds or more, not {cv}')
    given = {name: value for name, value in settings.items() if value is not None or name == 'rng'}
    wrong = sorted(set(given) - SETTINGS[kind])
    if wrong:
        raise BadValue(f'{estimator!r} of map_type {map_type!r} has no setting {listing(wrong)}; it has '
                       f'{listing(sorted(SETTINGS[kind]))}')
    cv, given['rng'] = steady(cv, given.get('rng', 0))
    return MAKERS[kind](estimator, cv, scoring, **given)


def _kind(map_type, estimator) -> str:
    if choice('map_type', map_type, MAP_TYPES) == 'uv' and isinstance(estimator, str) and estimator not in TYPES:
        more = "; map_type 'mv' has it" if estimator in ESTIMATORS['mv'] else ''
        raise BadValue(f"estimator {estimator!r} is not one of map_type 'uv'; choose from {listing(TYPES)}{more}")
    return 'banded' if isinstance(estimator, str) and estimator == 'banded' else map_type


def as_column(values, name: str) -> np.ndarray | None:
    """Names or numbers of rows, one axis and nothing missing; None stays None."""
    if values is None:
        return None
    values = np.asarray(values)
    if values.ndim != 1:
        raise BadValue(f'{name} must be a list with an entry for each row, not of shape {values.shape}')
    missing = n_missing(values)
    if missing:
        raise BadValue(f'{name} has no entry for {missing} rows; leave these rows out')
    whole = values.dtype.kind == 'f' and (values == np.floor(values)).all()
    return values.astype(np.int64) if whole else values                         # '1' as everywhere, never '1.0'


def as_table(values, name: str, shape: str) -> np.ndarray:
    """Numbers with two axes, or a sentence that says what they should be."""
    values = np.asarray(values)
    if values.ndim != 2:
        raise BadValue(f'{name} must have shape {shape}, not {values.shape}')
    if values.dtype.kind not in 'biuf':
        raise BadType(f'{name} must be numbers, not {values.dtype}')
    if not values.size:
        raise BadValue(f'{name} is empty, of shape {values.shape}')
    return values


def joined(activ: Activation, stim_ids, n_row: int, table: str, rows: str) -> np.ndarray:
    """Which stimulus of the activations each row of a table answers, (n_row,).

    Parameters
    ----------
    stim_ids : array_like of shape (n_row,), or None
        Without it, or without IDs of the activations, the order of rows is trusted.
    table, rows : str
        What they are, for sentences: 'brain' and 'volumes', say.

    Raises
    ------
    BadValue
        Numbers differ, or an ID is not among the activations.
    """
    if not isinstance(activ, Activation):
        raise BadType(f'dnn_activ must be an Activation, not {type(activ).__name__}')
    n_stim = len(activ)
    if stim_ids is not None and len(stim_ids) != n_row:
        raise BadValue(f'{len(stim_ids)} stim_ids came for {n_row} {rows}')
    if stim_ids is None or activ.stim_ids is None:
        if n_stim != n_row:
            raise BadValue(f'the activations have {n_stim} stimuli and the {table} {n_row} {rows}; give as many, or '
                           'stim_ids to join them')
        log.info('stimuli and %s are joined by their order, for lack of IDs', rows)
        return np.arange(n_row)
    if np.array_equal(np.asarray(stim_ids, str), np.asarray(activ.stim_ids, str)):
        return np.arange(n_row)                                 # repeats that were presented anew stay themselves
    place = {str(name): row for row, name in enumerate(activ.stim_ids)}
    missing = [str(name) for name in stim_ids if str(name) not in place]
    if missing:
        raise BadValue(f'{len(missing)} stimuli of the {table} are not in the activations: {listing(missing, 5)}')
    return np.array([place[str(name)] for name in stim_ids])


def same_stimulus(activ: Activation, stim_ids) -> np.ndarray | None:
    """The stimulus of each row as a number, (n_row,), if some are shown more than once."""
    return repeated(activ.stim_ids if stim_ids is None else stim_ids)


def map_tables(mapping: Mapping, X: np.ndarray, Y: np.ndarray, groups=None) -> dict[str, np.ndarray]:
    """`mapping.map` with locations from 1, 0 for none; 'banded' is refused."""
    if isinstance(mapping, BandedMapping):
        raise BadValue("estimator 'banded' predicts from several layers; for a single table take 'ridge'")
    found = mapping.map(X, Y, groups)
    return found | {key: found[key] + 1 for key in ('location', 'fold_location') if key in found}
