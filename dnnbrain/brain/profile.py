"""From scores per layer to a table and a map: how well each layer does, and which does best where."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd


def fold_means(result: dict[str, dict]) -> dict[str, np.ndarray]:
    """Layer -> score of each voxel, the mean over folds, (n_meas,), of an encoding without iterations."""
    return {layer: nan_mean(found['score'][0], axis=-1) for layer, found in result.items()}


def nan_mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean over an axis leaving out NaN; NaN where nothing is left, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', RuntimeWarning)
        return np.nanmean(values, axis=axis)


def preferred_layer(scores: dict[str, np.ndarray], threshold: float = -np.inf) -> np.ndarray:
    """Number (from 1) of the layer that predicts each voxel best.

    Parameters
    ----------
    scores : dict
        Layer -> (n_meas,), in the order of the network.
    threshold : float
        Voxels whose best score is not above it get NaN, as do those without any score.

    Returns
    -------
    preferred : ndarray of shape (n_meas,), float32
    """
    table = np.stack(list(scores.values()))
    filled = np.where(np.isnan(table), -np.inf, table)
    return np.where(filled.max(axis=0) > threshold, filled.argmax(axis=0) + 1, np.nan).astype(np.float32)


def layer_table(scores: dict[str, np.ndarray]) -> pd.DataFrame:
    """One row per layer: mean, median and maximum score, voxels scored, voxels that prefer it."""
    preferred = preferred_layer(scores)
    return pd.DataFrame([{
        'layer': layer, 'mean': _or_nan(np.nanmean, values), 'median': _or_nan(np.nanmedian, values),
        'max': _or_nan(np.nanmax, values), 'n_voxel': int(np.isfinite(values).sum()),
        'n_preferred': int((preferred == number).sum()),
    } for number, (layer, values) in enumerate(scores.items(), 1)])


def _or_nan(statistic, values: np.ndarray) -> float:
    return float(statistic(values)) if np.isfinite(values).any() else float('nan')
