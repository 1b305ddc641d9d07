"""Scores of predictions, one per target, for any number of targets at once."""

from __future__ import annotations

import numpy as np

from dnnbrain._checks import BadValue, choice, whole_number


def correlation_score(y_true, y_pred, multioutput: str = 'uniform_average'):
    """Pearson correlation of truth and prediction, per target.

    Parameters
    ----------
    y_true, y_pred : array_like of shape (n_sample,) or (n_sample, n_target)
    multioutput : {'uniform_average', 'raw_values'}
        One mean over targets, or an array (n_target,).

    Returns
    -------
    score : float or ndarray of shape (n_target,)
        NaN where the truth is constant; 0 where only the prediction is, which explains nothing.
    """
    choice('multioutput', multioutput, ('uniform_average', 'raw_values'))
    scores = correlation(_columns(y_true), _columns(y_pred))
    return scores if multioutput == 'raw_values' else float(scores.mean())


def topk_accuracy(pred, true, k: int) -> float:
    """The share of stimuli whose true class is among the k most probable.

    Parameters
    ----------
    pred : array_like of shape (n_stim, n_class)
        Classes from most to least probable, such as ``pred_value`` of `DNN.test`.
    true : array_like of shape (n_stim,) or (n_stim, 1)
    k : int
        From 1 to the number of classes in `pred`.
    """
    pred, true = np.asarray(pred), np.asarray(true)
    if pred.ndim != 2 or len(pred) == 0 or true.shape not in ((len(pred),), (len(pred), 1)):
        raise BadValue(f'pred must have shape (n_stim, n_class) and true (n_stim,), not {pred.shape} and {true.shape}')
    if not 1 <= (whole_number(k, 'k') or 0) <= pred.shape[1]:
        raise BadValue(f'k must be from 1 to the number of classes in pred ({pred.shape[1]}), not {k}')
    return float((pred[:, :k] == true.reshape(-1, 1)).any(axis=1).mean())


def correlation(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    """Pearson r of the columns of two (n_sample, n_target) arrays, (n_target,)."""
    t, p = _centred(y_true), _centred(y_pred)
    product = np.einsum('ij,ij->j', t, p)
    spread_t, spread_p = np.linalg.norm(t, axis=0), np.linalg.norm(p, axis=0)
    flat = spread_p <= 1e-12 * np.abs(y_pred).max(axis=0, initial=0)
    with np.errstate(divide='ignore', invalid='ignore'):
        r = np.where(flat, 0.0, product / (spread_t * spread_p))
    return np.where(varies(y_true), np.clip(r, -1, 1), np.nan)


def r2(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    """1 - residual sum of squares / total sum of squares, (n_target,); NaN for constant truth."""
    return _explained(y_true, np.square(y_true - y_pred).sum(axis=0))


def explained_variance(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    """1 - variance of the residual / variance of the truth, (n_target,): r2 without its offset."""
    return _explained(y_true, np.square(_centred(y_true - y_pred)).sum(axis=0))


SCORINGS = {'correlation': correlation, 'r2': r2, 'explained_variance': explained_variance}


def varies(y: np.ndarray) -> np.ndarray:
    """Which columns are finite and not constant, (n_target,) bool."""
    return np.isfinite(y).all(axis=0) & (y != y[:1]).any(axis=0)


def _explained(y_true: np.ndarray, residual: np.ndarray) -> np.ndarray:
    total = np.square(_centred(y_true)).sum(axis=0)
    with np.errstate(divide='ignore', invalid='ignore'):
        return np.where(varies(y_true), 1 - residual / total, np.nan)


def _centred(y: np.ndarray) -> np.ndarray:
    return y - y.mean(axis=0)


def _columns(y) -> np.ndarray:
    y = np.asarray(y, dtype=np.float64)
    return y[:, None] if y.ndim == 1 else y
