"""Training that is judged on stimuli it did not see: folds, each with a network of its own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import numpy as np

from dnnbrain._checks import BadType, BadValue
from dnnbrain.networks.evaluate import test
from dnnbrain.networks.history import History
from dnnbrain.networks.readout import check_ends_in_head, rescale_head
from dnnbrain.networks.targets import targets
from dnnbrain.networks.train import train
from dnnbrain.stimuli.loaders import part_of


def cross_validate(dnn, data, n_epoch: int, task: str, splits: Sequence[tuple[np.ndarray, np.ndarray]],
                   optimizer: Callable | None = None, target=None, standardize: bool = True, **kwargs) -> dict:
    """Train a copy of the network per fold, and score it on the stimuli left out.

    Parameters
    ----------
    data : Stimulus, ndarray of shape (n_stim, 3, height, width), uint8, or torch Dataset
    n_epoch, task, target, **kwargs
        As in `train`; `target` may be a voxel matrix (n_stim, n_voxel).
    splits : sequence of (train rows, test rows)
        Rows from 0, such as those of an sklearn splitter. Keep repeats of a stimulus on one side.
    optimizer : callable, optional
        ``optimizer(dnn)`` gives the torch Optimizer of a fold; Adam by default.
    standardize : bool
        Regression: learn z-scores of the training stimuli (outputs of any size then count alike); the
        head is scaled back afterwards, so that predictions are values.

    Returns
    -------
    result : dict
        score : (n_out, cv) explained variance (r2) of each output, or (1, cv) accuracy.
        correlation : (n_out, cv), regression only. pred_value, true_value : (n_stim, n_out) values, or
        (n_stim,) labels, predicted while left out (NaN, or -1, where no fold left a stimulus out).
        history : list of History. The network itself stays as it is.
    """
    for name in ('scheduler', 'checkpoint', 'data_validation'):
        if kwargs.get(name) is not None:
            raise BadValue(f'cross_validate takes no {name}: each fold has its own')
    if optimizer is not None and (isinstance(optimizer, type) or not callable(optimizer)):
        raise BadType('optimizer must be a function of a network, since each fold has its own: '
                      'lambda dnn: torch.optim.Adam(dnn.model.parameters(), 1e-4)')
    y = targets(data, target, task, 'data')
    regression = task == 'regression'
    scores, correlations, histories = [], [], []
    predicted = np.full(y.shape, np.nan, np.float32) if regression else np.full(len(y), -1)
    for learn, judge in splits:
        fold = copy.deepcopy(dnn)
        histories.append(fit(fold, part_of(data, learn), n_epoch, task, optimizer and optimizer(fold), y[learn],
                             standardize, **kwargs))
        found = test(fold, part_of(data, judge), task, y[judge], device=kwargs.get('device'))
        predicted[judge] = found['pred_value'] if regression else found['pred_value'][:, 0]
        scores.append(found['score_outputs'] if regression else [found['score']])
        correlations.append(found.get('correlation'))
    result = {'score': np.stack(scores, axis=1), 'pred_value': predicted, 'true_value': y, 'history': histories}
    return result | ({'correlation': np.stack(correlations, axis=1)} if regression else {})


def fit(dnn, data, n_epoch: int, task: str, optimizer=None, target=None, standardize: bool = True, **kwargs) -> History:
    """Train a network as `train` does, but in regression, if asked for, on z-scores; its head is scaled back."""
    y = targets(data, target, task, 'data')
    if task == 'classification' or not standardize:
        return train(dnn, data, n_epoch, task, optimizer, target=y, **kwargs)
    check_ends_in_head(dnn)
    y, (mean, spread) = standardized(y)
    history = train(dnn, data, n_epoch, task, optimizer, target=y, **kwargs)
    rescale_head(dnn, mean, spread)
    return history


def standardized(y: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """z-scores of columns, and their means and standard deviations; what does not vary is only centred."""
    mean, spread = y.mean(axis=0, dtype=np.float64), y.std(axis=0, dtype=np.float64)
    spread = np.where(spread > 0, spread, 1.0)
    return ((y - mean) / spread).astype(np.float32), (mean, spread)
