"""What a network should answer: labels of classes, or values of a regression."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch.utils.data import Dataset

from dnnbrain._checks import BadType, BadValue, choice
from dnnbrain.stimuli.torch_data import dataset_labels

TASKS = ('classification', 'regression')


def targets(stimuli, target, task: str, owner: str) -> np.ndarray:
    """Labels (n_stim,) int64, or values (n_stim, n_out) float32.

    Parameters
    ----------
    stimuli : Stimulus, array or Dataset
    target : array_like or None
        If None, the column 'label' of the table, or the labels of the Dataset.
    task : {'classification', 'regression'}
    owner : str
        Whose targets they are, in messages ('data', 'data_validation').

    Raises
    ------
    BadValue
        None are there, their number differs from the stimuli, labels are no whole numbers, or
        values are not finite.
    """
    choice('task', task, TASKS)
    if target is None:
        if isinstance(stimuli, Dataset):
            target = dataset_labels(stimuli)
        elif not hasattr(stimuli, 'items') or 'label' not in stimuli.items:
            raise BadValue(f"{owner} has no targets: give a table with a column 'label', or "
                           f"target{'_validation' if owner == 'data_validation' else ''}=")
        else:
            target = stimuli.get('label')
    target = np.atleast_1d(np.asarray(target.cpu() if isinstance(target, torch.Tensor) else target))
    if target.dtype.kind not in 'iufb':
        raise BadType(f'targets of {owner} must be numbers, not {target.dtype}')
    if len(target) != len(stimuli):
        raise BadValue(f'{owner} has {len(stimuli)} stimuli, but {len(target)} targets')
    return _labels(target, owner) if task == 'classification' else _values(target, owner)


def _labels(target: np.ndarray, owner: str) -> np.ndarray:
    if target.ndim == 2 and target.shape[1] == 1:
        target = target[:, 0]
    if target.ndim != 1 or (target != np.round(target)).any():
        raise BadValue(f'labels of {owner} must be one whole number per stimulus, counted from 0; '
                       "for other values use task='regression'")
    return target.astype(np.int64)


def _values(target: np.ndarray, owner: str) -> np.ndarray:
    target = target.astype(np.float32)
    if target.ndim > 2 or not np.isfinite(target).all():
        raise BadValue(f'targets of {owner} must be finite and of shape (n_stim,) or (n_stim, n_out), '
                       f'not {target.shape}')
    return target[:, None] if target.ndim == 1 else target


def digest(stimuli, y: np.ndarray) -> str:
    """Tells one set of stimuli and targets from another: IDs, or pixels of arrays, and targets."""
    known = hashlib.sha256(np.ascontiguousarray(y).tobytes())
    if hasattr(stimuli, 'get') and hasattr(stimuli, 'items'):
        known.update('\n'.join(map(str, stimuli.get('stimID'))).encode())
    elif isinstance(stimuli, np.ndarray):
        known.update(np.ascontiguousarray(stimuli).tobytes())
    return known.hexdigest()


def vector_size(output: torch.Tensor, network: str) -> int:
    """How many values a network puts out per picture."""
    if output.ndim != 2:
        raise BadValue(f'{network} puts out {tuple(output.shape[1:])} per picture; targets need a vector')
    return output.shape[1]


def fit_output(y: np.ndarray, n_out: int, task: str, owner: str, network: str) -> None:
    """Refuse targets that the output of a network cannot express."""
    if task == 'regression' and y.shape[1] != n_out:
        raise BadValue(f'{owner} has {y.shape[1]} values per stimulus, but {network} puts out {n_out}')
    if task == 'classification' and (y.min() < 0 or y.max() >= n_out):
        wrong = y.min() if y.min() < 0 else y.max()
        raise BadValue(f'label {wrong} of {owner} is outside the {n_out} classes of {network} '
                       f'(0 to {n_out - 1}); replace its head: dnn.replace_head({y.max() + 1})')
