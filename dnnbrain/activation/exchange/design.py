"""Units as regressors of a scan, in the forms that nilearn, SPM and FSL read."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dnnbrain._checks import BadValue, choice, creatable_folder, has_suffix, listing, writable_file
from dnnbrain.activation.exchange.stimulus_ids import id_array, rows_of
from dnnbrain.activation.exchange.unit_names import unit_names
from dnnbrain.activation.hrf import hrf_matrix
from dnnbrain.io.atomic import atomic
from dnnbrain.io.mat import write_mat
from dnnbrain.io.streams import distinct_names

HRFS = ('spm', 'glover')
DRIFTS = ('cosine', 'polynomial', 'none')
MAIN = 'events'


@dataclass(frozen=True)
class Regressors:
    """Units of a network as regressors of one run.

    Attributes
    ----------
    names : list of str
        Units as `unit_names` calls them, then 'events' if asked for.
    onsets, durations : ndarray of shape (n_event,), seconds
    amplitudes : ndarray of shape (n_event, n_regressor), float64
    values : ndarray of shape (n_vol, n_regressor), float64
        After convolution.
    tr : float, seconds
    """

    names: list[str]
    onsets: np.ndarray
    durations: np.ndarray
    amplitudes: np.ndarray
    values: np.ndarray
    tr: float


def regressors(activation, onsets, durations, n_vol: int, tr: float, hrf: str = 'spm', layers=None, stim_ids=None,
               center: bool = False, main: bool = False, limit: int = 300) -> Regressors:
    """Events whose amplitudes are activations, convolved with a haemodynamic response.

    Parameters
    ----------
    onsets, durations : array_like of shape (n_event,), seconds
        From the first volume on.
    n_vol : int
    tr : float, seconds
    hrf : {'spm', 'glover'}
    layers : str, sequence of str, or Mask, optional
    stim_ids : sequence, optional
        The stimulus of each event, which may come again; the event takes the row of this ID. By
        default row i of the activation is event i.
    center : bool
        Subtract the mean over events of each unit, so that it is not mistaken for the response to
        any stimulus; `main` then belongs into the model.
    main : bool
        Add a regressor 'events' with amplitude 1.
    limit : int
        Most units allowed.

    Raises
    ------
    BadValue
        Too many units, an event without a row, times outside the scan, NaN.
    """
    choice('hrf', hrf, HRFS)
    part = activation if layers is None else activation.mask(layers)
    n_unit = sum(int(np.prod(part.shape(layer)[1:])) for layer in part.layers)
    if not 0 < n_unit <= limit:
        raise BadValue(f'{n_unit} units would become as many regressors, and 1 to {limit} are allowed; pool, mask or '
                       'reduce the activation first, or raise the limit')
    onsets, durations = (np.atleast_1d(np.asarray(times, dtype=float)) for times in (onsets, durations))
    rows = event_rows(part, stim_ids, len(onsets))
    matrix = hrf_matrix(onsets, durations, n_vol, tr, hrf)
    if not matrix.any():
        raise BadValue(f'no event reaches into the scan of {n_vol * tr:g} s; onsets must be seconds from its first '
                       f'volume on, not {onsets.min():g} to {onsets.max():g}')
    names = [name for layer in part.layers for name in unit_names(layer, part.shape(layer)[1:])]
    flat = [part.get(layer).reshape(len(part), -1) for layer in part.layers]
    amplitudes = np.concatenate(flat, axis=1).astype(np.float64)[rows]
    _usable(amplitudes, names)
    if center:
        amplitudes -= amplitudes.mean(axis=0)
    if main:
        names, amplitudes = [*names, MAIN], np.column_stack([amplitudes, np.ones(len(rows))])
    return Regressors(names, onsets, durations, amplitudes, matrix @ amplitudes, float(tr))


def export_design(activation, out, tool: str, onsets, durations, n_vol: int, tr: float, hrf: str = 'spm', layers=None,
                  stim_ids=None, center: bool = False, main: bool = False, limit: int = 300,
                  drift: str = 'cosine', high_pass: float = 0.01) -> None:
    """Write units as regressors of one run, for a first-level model of another tool.

    Parameters
    ----------
    out : str
        See `tool`. Columns and files are named as in a ``.csv`` of `export`.
    tool : {'nilearn', 'spm', 'fsl'}
        - nilearn: a ``.tsv`` or ``.csv``, a column per regressor, then drift and constant, which nilearn
          adds to no matrix it is given: ``FirstLevelModel().fit(bold, design_matrices=out)``.
        - spm: a ``.mat`` for 'Multiple regressors', with `R` (n_vol, n_regressor) and `names`.
        - fsl: a new folder. ``events/NAME.txt`` are custom EVs of 3 columns (onset, duration, value),
          which FEAT convolves; ``volumes/NAME.txt`` have one convolved value per volume ('Custom (1
          entry per volume)', convolution none). Take one or the other. ``regressors.tsv`` lists them.
    onsets, durations, n_vol, tr, hrf, layers, stim_ids, center, main, limit
        As in `dnnbrain.activation.exchange.design.regressors`.
    drift : {'cosine', 'polynomial', 'none'}
        For nilearn.
    high_pass : float, hertz
        Cut-off of cosine drifts.
    """
    check, write = _TOOLS[choice('tool', tool, tuple(_TOOLS))]
    path = check(out)
    choice('drift', drift, DRIFTS)
    made = regressors(activation, onsets, durations, n_vol, tr, hrf, layers, stim_ids, center, main, limit)
    rank = int(np.linalg.matrix_rank(made.values))
    if rank < len(made.names):
        silent = [name for name, values in zip(made.names, made.values.T, strict=True) if not values.any()]
        why = f' {len(silent)} are 0 throughout ({listing(silent, 3)}).' if silent else ''
        warnings.warn(f'the {len(made.names)} regressors have rank {rank}, so that no model can tell their weights; '
                      f'reduce the activation to fewer components than there are stimuli.{why}', stacklevel=2)
    write(path, made, drift, high_pass)


def event_rows(activation, stim_ids, n_event: int) -> np.ndarray:
    """The row of the activation that each event shows."""
    ids, wanted = activation.stim_ids, None if stim_ids is None else id_array(stim_ids)
    if wanted is not None and len(wanted) != n_event:
        raise BadValue(f'each event needs a stimulus and an onset, but there are {len(wanted)} and {n_event}')
    if wanted is None or ids is None:
        if len(activation) != n_event:
            raise BadValue(f'{n_event} events need as many rows, but the activation has {len(activation)}; give the '
                           'stimulus of each event (stim_ids), and an activation with IDs')
        return np.arange(n_event)
    if [str(name) for name in wanted] == [str(name) for name in ids]:      # though the same one may come again
        return np.arange(n_event)
    return rows_of(wanted, ids, 'the activation')


def _usable(amplitudes: np.ndarray, names: list[str]) -> None:
    bad = [name for name, good in zip(names, np.isfinite(amplitudes).all(axis=0), strict=True) if not good]
    if bad:
        raise BadValue(f'{len(bad)} units hold NaN or infinity and cannot be regressors: {listing(bad, 5)}; mask them')


def _nilearn_path(out) -> Path:
    return writable_file(has_suffix(out, ('.tsv', '.csv'), 'out'), 'out')


def _write_nilearn(path: Path, made: Regressors, drift: str, high_pass: float) -> None:
    from nilearn.glm.first_level import make_first_level_design_matrix
    times = np.arange(len(made.values)) * made.tr
    drifts = make_first_level_design_matrix(times, drift_model=None if drift == 'none' else drift, high_pass=high_pass)
    frame = pd.concat([pd.DataFrame(made.values, drifts.index, made.names), drifts], axis=1)
    with atomic(path) as part:
        frame.to_csv(part, sep=',' if path.suffix.lower() == '.csv' else '\t', index=False)


def _spm_path(out) -> Path:
    return writable_file(has_suffix(out, ('.mat',), 'out'), 'out')


def _write_spm(path: Path, made: Regressors, *_) -> None:
    names = np.empty((1, len(made.names)), dtype=object)
    names[0] = made.names
    with atomic(path) as part:
        write_mat(part, {}, {'R': made.values, 'names': names})


def _fsl_path(out) -> Path:
    path = creatable_folder(out, 'out')
    if path.exists() and any(path.iterdir()):
        raise BadValue(f'folder {str(path)!r} is not empty; give a new one, so that no old EVs stay among the new')
    return path


def _write_fsl(path: Path, made: Regressors, *_) -> None:
    files = distinct_names(made.names, lambda name: re.sub(r'[^A-Za-z0-9_.-]', '_', name).lstrip('.-'))
    with _new_folder(path) as folder:
        for form in ('events', 'volumes'):
            (folder / form).mkdir()
        for index, name in enumerate(files):
            event = np.column_stack([made.onsets, made.durations, made.amplitudes[:, index]])
            np.savetxt(folder / 'events' / f'{name}.txt', event, fmt='%.10g', delimiter='\t')
            np.savetxt(folder / 'volumes' / f'{name}.txt', made.values[:, index], fmt='%.10g')
        pd.DataFrame({'file': [f'{name}.txt' for name in files], 'regressor': made.names}).to_csv(
            folder / 'regressors.tsv', sep='\t', index=False)


@contextmanager
def _new_folder(path: Path) -> Iterator[Path]:
    """A hidden folder that gets its name when all files are there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'.part-{secrets.token_hex(4)}-{path.name}')
    part.mkdir()
    try:
        yield part
        os.replace(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


_TOOLS = {'nilearn': (_nilearn_path, _write_nilearn), 'spm': (_spm_path, _write_spm), 'fsl': (_fsl_path, _write_fsl)}
