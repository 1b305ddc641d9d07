"""The files an encoding leaves: those of any mapping, and maps in the format of the responses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from dnnbrain._checks import output_folder
from dnnbrain.brain.profile import layer_table, nan_mean, preferred_layer
from dnnbrain.brain.responses import Responses
from dnnbrain.mapping.inference.ceiling import normalise
from dnnbrain.mapping.saving import save_array, save_layers, tidy_scores, write_record, write_table
from dnnbrain.mapping.topography import Positions

MAPPED = ('p', 'p_family')


def write_encoding(folder, result: dict[str, dict], responses: Responses, settings: dict, source: dict, *,
                   ceiling: np.ndarray | None = None, scoring: str = 'correlation',
                   iterations: Mapping[str, dict] | None = None, fold=None) -> pd.DataFrame:
    """Write what `BrainEncoder.encode_dnn` found.

    Under ``folder/LAYER[/AXIS]``: ``score.npy`` (n_iter, n_meas, cv) and what else there is
    (``location.npy``, ``p.npy``, ...), ``model.h5`` (`load_model`, `load_models`), and in the format of
    the responses ``score`` (mean over folds; with an iteration axis a volume per iteration), ``p`` and
    ``p_family``, ``unique``, and with a ceiling ``score_normalised``. In `folder`: ``preferred_layer``
    (several whole layers), ``ceiling`` and ``joint`` as maps, ``scores.csv`` (a row per layer, iteration,
    region and fold; of voxels their mean), ``layers.csv`` and ``result.json`` (settings, folds, versions).

    Parameters
    ----------
    settings : dict
        How it was computed; its 'iteraxis' names the subfolder.
    source : dict
        Where the activations came from, `Activation.meta`.
    ceiling : ndarray of shape (n_meas,), optional
        On the scale of the score.
    scoring : str
        That scale.
    iterations : dict, optional
        Layer -> what `iteration_numbers` gives.
    fold : list of int, optional
        Number of the fold that held out each volume.

    Returns
    -------
    table : DataFrame
        What ``layers.csv`` holds: one row per layer.
    """
    folder, axis = output_folder(folder), settings.get('iteraxis')
    places, means = save_layers(folder, result, axis), {}
    for layer, place in places.items():
        means[layer] = mean_scores(result[layer])
        _write_maps(place, result[layer], means[layer], responses, ceiling, scoring)
    if ceiling is not None:
        responses.write(folder, 'ceiling', ceiling)
    first = next(iter(result.values()))
    if 'joint' in first:
        responses.write(folder, 'joint', nan_mean(first['joint'][0], axis=-1))
    best = {layer: best_iteration(_strength(result[layer], values)) for layer, values in means.items()}
    if len(result) > 1 and not axis:
        responses.write(folder, 'preferred_layer', preferred_layer(best))
    table = layer_table(best)
    write_table(folder, 'layers', table)
    write_table(folder, 'scores', tidy_scores(result, responses.names, 'roi', iterations))
    write_record(folder, settings, layers=list(result), n_vol=len(responses.values),
                 n_meas=responses.values.shape[1], n_nan=int(np.isnan(next(iter(best.values()))).sum()), fold=fold,
                 activations=source)
    return table


def _write_maps(place: Path, found: dict, mean: np.ndarray, responses: Responses, ceiling, scoring: str) -> None:
    maps = {'score': mean} | {key: found[key] for key in MAPPED if key in found}
    if 'unique' in found:
        maps['unique'] = nan_mean(found['unique'], axis=-1)
    if ceiling is not None:
        maps['score_normalised'] = normalise(mean, ceiling, scoring)
    for name, values in maps.items():
        responses.write(place, name, values if len(values) > 1 else values[0])


def write_positions(folder, found: Positions, responses: Responses, settings: dict, source: dict,
                    fov: float | None = None) -> pd.DataFrame:
    """Write where in the maps of layers each voxel is predicted best.

    Maps in the format of the responses: ``layer`` (number, from 1), ``row``, ``column`` (from 1),
    ``eccentricity`` (in half-widths of the map), ``polar_angle`` (degrees), ``score`` (held out, mean over
    folds), and ``eccentricity_degrees`` where `fov` is known. Also ``score.npy``, ``scores.csv`` and
    ``result.json``.

    Parameters
    ----------
    fov : float, degrees, optional
        Visual angle of the width of the pictures.

    Returns
    -------
    table : DataFrame
        What ``scores.csv`` holds: a row per layer, with the voxels that it predicts best.
    """
    folder = output_folder(folder)
    eccentricity, angle = found.polar()
    mean = nan_mean(found.score, axis=-1)
    maps = {'layer': found.layer, 'row': found.row, 'column': found.column, 'eccentricity': eccentricity,
            'polar_angle': angle, 'score': mean}
    if fov is not None:
        maps['eccentricity_degrees'] = eccentricity * fov / 2
    for name, values in maps.items():
        responses.write(folder, name, values)
    save_array(folder / 'score.npy', found.score)
    table = pd.DataFrame([_best_of(layer, size, mean[found.layer == number]) for number, (layer, size) in
                          enumerate(zip(found.layers, found.sizes.tolist(), strict=True), 1)])
    write_table(folder, 'scores', table)
    write_record(folder, settings, layers=found.layers, n_meas=len(mean), n_nan=int(np.isnan(found.layer).sum()),
                 activations=source)
    return table


def _best_of(layer: str, size: list[int], scores: np.ndarray) -> dict:
    return {'layer': layer, 'n_row': size[0], 'n_col': size[1], 'n_best': len(scores),
            'mean': float(scores.mean()) if len(scores) else float('nan')}


def mean_scores(found: dict) -> np.ndarray:
    """Scores (n_iter, n_meas), the mean over folds where there are any."""
    return found['score'] if found['score'].ndim == 2 else nan_mean(found['score'], axis=-1)


def best_iteration(means: np.ndarray) -> np.ndarray:
    """Highest score of each voxel over iterations, (n_meas,) from (n_iter, n_meas)."""
    filled = np.where(np.isnan(means), -np.inf, means).max(axis=0)
    return np.where(np.isinf(filled), np.nan, filled)


def _strength(found: dict, means: np.ndarray) -> np.ndarray:
    """A correlation without folds counts by its size."""
    return np.abs(means) if found['score'].ndim == 2 else means
