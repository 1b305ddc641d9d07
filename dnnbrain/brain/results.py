"""The files an encoding leaves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from dnnbrain import __version__
from dnnbrain._checks import output_folder
from dnnbrain.brain.profile import fold_means, layer_table, nan_mean, preferred_layer
from dnnbrain.brain.responses import Responses
from dnnbrain.io.atomic import atomic


def write_encoding(folder, result: dict[str, dict], responses: Responses, settings: dict,
                   source: dict) -> pd.DataFrame:
    """Write what `BrainEncoder.encode_dnn` found.

    Under ``folder/LAYER[/AXIS]``: ``score.npy`` (n_iter, n_meas, cv), ``score`` as a map in the
    format of the responses (mean over folds; with an iteration axis a volume per iteration) and,
    for whole layers, ``model.npz`` (dual_coef, intercept, alpha). In `folder`: ``scores.csv``,
    ``preferred_layer`` as a map (several whole layers) and ``result.json`` (settings, versions).

    Parameters
    ----------
    settings : dict
        How it was computed; its 'iteraxis' names the subfolder.
    source : dict
        Where the activations came from, `Activation.meta`.

    Returns
    -------
    table : DataFrame
        What ``scores.csv`` holds: one row per layer.
    """
    folder, axis = output_folder(folder), settings.get('iteraxis')
    for layer, found in result.items():
        place = output_folder(folder / layer / axis if axis else folder / layer)
        _save(np.save, place / 'score.npy', found['score'])
        means = nan_mean(found['score'], axis=-1)
        responses.write(place, 'score', means if axis else means[0])
        if not axis:
            model = found['model'][0, 0]
            _save(np.savez_compressed, place / 'model.npz', dual_coef=model.dual_coef.astype(np.float32),
                  intercept=model.intercept, alpha=model.alpha)
    best = fold_means(result) if not axis else \
        {layer: best_iteration(nan_mean(found['score'], axis=-1)) for layer, found in result.items()}
    if len(result) > 1 and not axis:
        responses.write(folder, 'preferred_layer', preferred_layer(best))
    table = layer_table(best)
    with atomic(folder / 'scores.csv') as part:
        table.to_csv(part, index=False)
    record = {'settings': settings, 'layers': list(result), 'n_vol': len(responses.values),
              'n_meas': responses.values.shape[1], 'n_nan': int(np.isnan(next(iter(best.values()))).sum()),
              'dnnbrain': __version__, 'activations': source}
    with atomic(folder / 'result.json') as part:
        part.write_text(json.dumps(record, indent=1, default=str) + '\n')
    return table


def best_iteration(means: np.ndarray) -> np.ndarray:
    """Highest score of each voxel over iterations, (n_meas,) from (n_iter, n_meas)."""
    filled = np.where(np.isnan(means), -np.inf, means).max(axis=0)
    return np.where(np.isinf(filled), np.nan, filled)


def _save(writer, path: Path, *args, **kwargs) -> None:
    with atomic(path) as part:
        writer(part, *args, **kwargs)
