"""The files a mapping leaves: arrays and models of each layer, a tidy table, and how it was made."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from dnnbrain import __version__
from dnnbrain._checks import output_folder
from dnnbrain.activation.activation import Activation
from dnnbrain.io.atomic import atomic
from dnnbrain.mapping.crossval import folds
from dnnbrain.mapping.model_sets import save_models

LIBRARIES = ('numpy', 'scipy', 'scikit-learn', 'himalaya', 'nibabel', 'h5py')
MODEL_BYTES = 2 ** 28
SHORT = {'channel': 'chn', 'row': 'row', 'column': 'col'}          # in masks


def save_layers(folder, result: Mapping[str, dict], axis: str | None = None) -> dict[str, Path]:
    """Write what a mapping returned for each layer, under ``folder/LAYER[/AXIS]``.

    A ``.npy`` per key; confusion matrices as one array, of the shape of the scores and two axes of
    classes, filled up with 0 where targets have fewer classes. Models go to ``model.h5``, which
    `load_models` reads, and one model of all layers (banded ridge) to ``model.h5`` of `folder`.

    Returns
    -------
    places : dict
        Layer -> its folder.
    """
    folder, places = Path(folder), {}
    for layer, found in result.items():
        places[layer] = place = output_folder(folder / layer / axis if axis else folder / layer)
        for key, values in found.items():
            at = folder if 'joint' in found and key in ('joint', 'model') else place       # of all layers together
            if key == 'product' and 'joint' in found:                                      # the score by another name
                continue
            if key == 'model':
                _save_models(at, values)
            else:
                save_array(at / f'{key}.npy', _stacked(values) if key == 'conf_m' else values)
    return places


def _save_models(place: Path, models) -> None:
    if any(model is not None for model in np.ravel(models)):
        save_models(place / 'model.h5', models)


def save_array(path: Path, values: np.ndarray) -> None:
    """Write a ``.npy``."""
    with atomic(path) as part:
        np.save(part, values, allow_pickle=False)


def _stacked(matrices: np.ndarray) -> np.ndarray:
    """Matrices (k, k), or None, of an object array as (..., k, k), padded to the largest with 0."""
    largest = max((len(matrix) for matrix in matrices.ravel() if matrix is not None), default=0)
    table = np.zeros((*matrices.shape, largest, largest), dtype=np.int64)
    for place, matrix in np.ndenumerate(matrices):
        if matrix is not None:
            table[place][:len(matrix), :len(matrix)] = matrix
    return table


def keep_models(n_iter: int, n_row: int, n_target: int) -> bool:
    """Whether the models of all iterations are few enough to be kept in memory; one always is."""
    return n_iter == 1 or 8 * n_iter * n_row * n_target <= MODEL_BYTES


def iteration_numbers(activ: Activation, layer: str, axis: str | None) -> dict[str, np.ndarray]:
    """What the iterations of a layer are: column of a table -> numbers from 1 in the network, (n_iter,).

    Channels, rows and columns that a mask left out are counted too.
    """
    shape, kept = activ.shape(layer), activ.meta.get('dmask', {}).get(layer, {})
    if axis is None:
        return {}
    names = ['channel'] if axis == 'channel' else ['frame', 'row', 'column'][-len(shape[2:]):]
    sizes = shape[1:2] if axis == 'channel' else shape[2:]
    found = dict(zip(names, np.indices(sizes).reshape(len(names), -1) + 1, strict=True))
    for name, size in zip(names, sizes, strict=True):
        numbers = kept.get(SHORT.get(name), 'all')
        if not isinstance(numbers, str) and len(numbers) == size:
            found[name] = np.asarray(numbers)[found[name] - 1]
    return found


def tidy_scores(result: Mapping[str, dict], names: Sequence[str] | None = None, called: str = 'measure',
                iterations: Mapping[str, dict] | None = None) -> pd.DataFrame:
    """Scores with one row per layer, iteration, target and fold; of nameless targets their mean and median.

    Correlations without folds have their sign with a name, and count by their size without.

    Parameters
    ----------
    result : dict
        Layer -> dict with score (n_iter, n_target) or (n_iter, n_target, n_fold).
    names : sequence of str, optional
        Of the targets: regions, or measures of behaviour.
    called : str
        What they are, the name of a column.
    iterations : dict, optional
        Layer -> what `iteration_numbers` gives.
    """
    return pd.concat([_tidy(layer, found['score'], names, called, (iterations or {}).get(layer, {}))
                      for layer, found in result.items()], ignore_index=True)


def _tidy(layer: str, score: np.ndarray, names, called: str, numbers: dict) -> pd.DataFrame:
    cells = score if score.ndim == 3 else score[..., None]
    if names is None:
        cells = cells if score.ndim == 3 else np.abs(cells)
        values = {'n': np.isfinite(cells).sum(axis=1), 'mean': _over(np.nanmean, cells, 1),
                  'median': _over(np.nanmedian, cells, 1)}
        iteration, fold = (place.ravel() for place in np.indices(values['n'].shape))
        target = {}
    else:
        iteration, which, fold = (place.ravel() for place in np.indices(cells.shape))
        values, target = {'score': cells}, {called: np.asarray(names)[which]}
    folded = {'fold': fold + 1} if score.ndim == 3 else {}
    return pd.DataFrame({'layer': layer, **{name: known[iteration] for name, known in numbers.items()}, **target,
                         **folded, **{name: column.ravel() for name, column in values.items()}})


def write_scores(folder, result: Mapping[str, dict], settings: Mapping, names: Sequence[str] | None = None,
                 axis: str | None = None, iterations: Mapping[str, dict] | None = None, count: str = 'n_measure',
                 **more) -> pd.DataFrame:
    """Write a decoding or probing: `save_layers`, ``scores.csv``, and ``result.json`` with `more` in it.

    Parameters
    ----------
    result : dict
        Layer -> dict whose score is (n_iter, n_beh[, n_fold]), or without `names` (n_chn, n_row, n_col[, n_fold]).
    settings, names, iterations
        As in `write_record` and `tidy_scores`.
    count : str
        What targets are, in the table returned.

    Returns
    -------
    table : DataFrame
        A row per layer, and measure: of the mean over folds (of correlations, the size), and the best iteration.
    """
    folder = output_folder(folder)
    save_layers(folder, result, axis)
    if names is None:
        result = {layer: {'score': _of_units(found)} for layer, found in result.items()}
    write_table(folder, 'scores', tidy_scores(result, names, iterations=iterations))
    write_record(folder, settings, layers=list(result), **more)
    column = 'best' if any(len(found['score']) > 1 for found in result.values()) else 'score'
    return pd.concat([_summary(layer, found['score'], names, column, count) for layer, found in result.items()],
                     ignore_index=True)


def _of_units(found: dict) -> np.ndarray:
    """Scores of units in maps as one iteration, (1, n_unit) or (1, n_unit, n_fold)."""
    n_axis = found['location' if 'location' in found else 'model'].ndim
    return found['score'].reshape(1, -1, *found['score'].shape[n_axis:])


def _summary(layer: str, score: np.ndarray, names, column: str, count: str) -> pd.DataFrame:
    means = _over(np.nanmean, score, 2) if score.ndim == 3 else np.abs(score)
    best = means[0] if len(means) == 1 else _over(np.nanmax, means, 0)
    if names is not None:
        return pd.DataFrame({'layer': layer, 'measure': list(names), column: best})
    return pd.DataFrame([{'layer': layer, 'mean': float(_over(np.nanmean, best)),
                          'median': float(_over(np.nanmedian, best)), 'max': float(_over(np.nanmax, best)),
                          count: int(np.isfinite(best).sum())}])


def _over(statistic, values: np.ndarray, axis: int | None = None) -> np.ndarray:
    """A statistic that leaves out NaN; NaN where nothing is left."""
    known = np.isfinite(values)
    found = np.asarray(statistic(np.where(known.any(axis=axis, keepdims=True), values, 0), axis=axis))
    return np.where(known.any(axis=axis), found, np.nan)


def held_out_fold(n: int, cv: int, groups=None, rng: int | None = 0, labels=None) -> list[int]:
    """Number (from 1) of the fold that holds out each of n rows."""
    numbers = np.zeros(n, dtype=int)
    for number, (_, test) in enumerate(folds(n, cv, groups, rng, labels), 1):
        numbers[test] = number
    return numbers.tolist()


def write_table(folder, name: str, table: pd.DataFrame) -> None:
    """Write a table as ``.csv``."""
    with atomic(Path(folder) / f'{name}.csv') as part:
        table.to_csv(part, index=False)


def write_record(folder, settings: Mapping, **more) -> None:
    """Write ``result.json``: settings, counts and folds in `more`, and versions. Last, when all it describes is there.

    Parameters
    ----------
    settings : dict
        Every option, with its value.
    """
    versions = {'dnnbrain': __version__, 'python': platform.python_version()}
    record = {'settings': dict(settings), **more, 'dnnbrain': __version__,
              'versions': versions | {name: version(name) for name in LIBRARIES}}
    with atomic(Path(folder) / 'result.json') as part:
        text = json.dumps(record, indent=1, default=_plain)
        part.write_text(re.sub(r'\[[\d\s,.-]+\]', lambda numbers: ' '.join(numbers[0].split()), text) + '\n')


def _plain(value):
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)
