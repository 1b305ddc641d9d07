"""Which targets can be predicted, and results of these among all."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dnnbrain._checks import BadType, BadValue
from dnnbrain.mapping.scorers import Scorer, one_each
from dnnbrain.mapping.scoring import varies


def measures(Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Y (n_sample, n_target) as float64, and which targets are finite and vary, (n_target,) bool."""
    if Y.dtype.kind not in 'fiub':
        raise BadType(f'Y must be numbers for this estimator, not {Y.dtype}; labels need a classifier')
    Y = Y.astype(np.float64)
    return Y, varies(Y)


def labels(Y: np.ndarray) -> np.ndarray:
    """Which targets (n_sample, n_target) are complete and have at least two classes, (n_target,) bool."""
    if Y.dtype.kind == 'f':
        if (Y[:, np.isfinite(Y).all(axis=0)] % 1).any():
            raise BadValue('a classifier predicts labels: Y must be whole numbers or text; for measures take a '
                           'regressor such as glm')
        return varies(Y)
    return (Y != Y[:1]).any(axis=0) & ~pd.isna(Y).any(axis=0)


def prediction_type(Y: np.ndarray) -> np.dtype:
    """float32, or float64 where a target (n_sample, n_target) lies far from 0, as raw BOLD does: small differences
    between predictions would be lost in rounding.
    """
    values = Y[:, varies(Y)]
    far = np.abs(values.mean(axis=0, dtype=np.float64)) > 10 * values.std(axis=0, dtype=np.float64)
    return np.dtype(np.float64 if far.any() else np.float32)


def scored(found: np.ndarray, score: Scorer, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Scores (n_target,) of the targets that have a prediction; NaN for others and for a constant truth."""
    found = found & varies(truth)
    values = np.full(len(found), np.nan)
    if found.any():
        values[found] = one_each(score(truth[:, found], predicted[:, found]), int(found.sum()))
    return values


def among_all(values: np.ndarray, good: np.ndarray, fill, *rest: int) -> np.ndarray:
    """Values of the good targets among all, (n_target, *rest); `fill` is NaN, -1 or None for the others."""
    dtype = object if fill is None else np.intp if fill == -1 else np.float64
    whole = np.full((len(good), *rest), fill, dtype=dtype)
    if good.any():
        whole[good] = values
    return whole
