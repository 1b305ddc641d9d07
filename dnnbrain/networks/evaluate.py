"""How well a network answers: accuracy, or explained variance."""

from __future__ import annotations

import numpy as np
import torch

from dnnbrain.networks.extract import BATCH_SIZE, output_of
from dnnbrain.networks.state import pick_device
from dnnbrain.networks.targets import fit_output, targets, vector_size
from dnnbrain.stimuli.loaders import picture_set


def test(dnn, data, task: str, target=None, cuda: bool = False, *, device=None,
         batch_size: int = BATCH_SIZE, n_worker: int | None = None) -> dict:
    """Show a network stimuli and score what it answers.

    Parameters
    ----------
    data : Stimulus, ndarray of shape (n_stim, 3, height, width), uint8, or torch Dataset
    task : {'classification', 'regression'}
    target : array_like of shape (n_stim,) or (n_stim, n_out), optional
        Instead of the column 'label'.
    cuda, device, batch_size, n_worker
        As in `compute_activation`.

    Returns
    -------
    result : dict
        pred_value : (n_stim, n_class) classes from most to least probable; regression:
        (n_stim, n_out) values. true_value : (n_stim,) or (n_stim, n_out). score : accuracy, or the
        mean over outputs that vary of the explained variance (r2).

        Classification has also score_top5 (the true class is among the five most probable; fewer
        where there are fewer classes), confusion (n_class, n_class), stimuli of class i taken for
        j, and score_classes (n_class,), NaN for classes no stimulus shows.

        Regression has also score_outputs (n_out,), the r2 of each, correlation (n_out,), and
        squared_pearson, the figure that 1.0 called score: the squared correlation over all values
        of all outputs together.
    """
    y = targets(data, target, task, 'data')
    pictures = picture_set(data, dnn.test_transform)
    device = pick_device(dnn._network(), device, cuda)
    output = pictures.by_stimulus(output_of(dnn, pictures, device, batch_size, n_worker, 'testing'))
    fit_output(y, vector_size(output, dnn.name), task, 'data', dnn.name)
    result = scored(output, y, task)
    return result | (_by_class if task == 'classification' else _by_output)(result['pred_value'], y)


def scored(output: torch.Tensor, y: np.ndarray, task: str) -> dict:
    """The dict of `test` from the output of a network (n_stim, n_out)."""
    if task == 'classification':
        ranked = output.argsort(dim=1, descending=True).numpy()
        return {'pred_value': ranked, 'true_value': y, 'score': float((ranked[:, 0] == y).mean())}
    predicted = output.numpy()
    r2 = r2_outputs(y, predicted)
    score = float(np.nanmean(r2)) if np.isfinite(r2).any() else float('nan')
    return {'pred_value': predicted, 'true_value': y, 'score': score, 'score_outputs': r2,
            'squared_pearson': _squared_pearson(y, predicted)}


def _by_class(ranked: np.ndarray, y: np.ndarray) -> dict:
    n_class = ranked.shape[1]
    confusion = np.bincount(y * n_class + ranked[:, 0], minlength=n_class ** 2).reshape(n_class, n_class)
    shown = confusion.sum(axis=1)
    return {'score_top5': float((ranked[:, :5] == y[:, None]).any(axis=1).mean()), 'confusion': confusion,
            'score_classes': np.diag(confusion) / np.where(shown > 0, shown, np.nan)}


def _by_output(predicted: np.ndarray, y: np.ndarray) -> dict:
    y, predicted = y - y.mean(axis=0, dtype=np.float64), predicted - predicted.mean(axis=0, dtype=np.float64)
    spread = np.linalg.norm(y, axis=0) * np.linalg.norm(predicted, axis=0)
    return {'correlation': (y * predicted).sum(axis=0) / np.where(spread > 0, spread, np.nan)}


def r2_outputs(y: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Explained variance of each output, (n_out,); NaN where the truth does not vary."""
    residual = np.square(y - predicted, dtype=np.float64).sum(axis=0)
    total = np.square(y - y.mean(axis=0, dtype=np.float64)).sum(axis=0)
    return 1 - residual / np.where(total > 0, total, np.nan)


def _squared_pearson(y: np.ndarray, predicted: np.ndarray) -> float:
    if np.ptp(y) == 0 or np.ptp(predicted) == 0:
        return float('nan')
    return float(np.corrcoef(y.ravel(), predicted.ravel())[0, 1] ** 2)
