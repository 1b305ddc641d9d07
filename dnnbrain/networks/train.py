"""Training: a loop that reads from top to bottom."""

from __future__ import annotations

import copy
import gc
import logging

import numpy as np
import pandas as pd
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

from dnnbrain._checks import BadValue, choice
from dnnbrain._progress import progress
from dnnbrain.io.atomic import atomic
from dnnbrain.networks.evaluate import scored
from dnnbrain.networks.extract import output_of
from dnnbrain.networks.freezing import train_mode
from dnnbrain.networks.state import pick_device, seeded, visiting
from dnnbrain.networks.targets import fit_output, targets
from dnnbrain.stimuli.images import PictureSet
from dnnbrain.stimuli.loaders import picture_set

log = logging.getLogger(__name__)
METHODS = ('tradition',)
_LOSS = {'classification': nn.CrossEntropyLoss, 'regression': nn.MSELoss}


def train(dnn, data, n_epoch: int, task: str, optimizer: torch.optim.Optimizer | None = None,
          method: str = 'tradition', target=None, data_train: bool = False, data_validation=None, *,
          target_validation=None, batch_size: int = 64, n_worker: int = 0, device=None,
          augment: bool = True, rng: int | None = None) -> dict:
    """Teach a network.

    Parameters
    ----------
    data : Stimulus or ndarray of shape (n_stim, 3, height, width), uint8
    n_epoch : int
        How often all stimuli are shown.
    task : {'classification', 'regression'}
        Cross-entropy, or mean squared error.
    optimizer : torch Optimizer, optional
        Adam over all parameters by default. What has ``requires_grad = False`` stays as it is, and
        frozen batch norm and dropout run in eval mode.
    method : {'tradition'}
        For networks with one output.
    target : array_like of shape (n_stim,) or (n_stim, n_out), optional
        Instead of the column 'label'.
    data_train : bool
        Whether to score the training stimuli after each epoch.
    data_validation : Stimulus or ndarray, optional
        Scored after each epoch, by its own labels or `target_validation`.
    batch_size : int
        A last batch of a single stimulus joins the one before it (batch norm needs two).
    n_worker : int
        Processes that decode and augment; the result does not depend on it.
    device : str or torch.device, optional
        Where to compute; by default where the network is. It is moved back afterwards.
    augment : bool
        True: `train_transform`, anew in every epoch. False: `test_transform`.
    rng : int, optional
        Seed of order, augmentation and dropout. Without it torch's own seed decides.

    Returns
    -------
    result : dict
        step_loss : list per epoch of the loss of each batch. epoch_loss : mean over stimuli.
        score_train, score_validation : per epoch, accuracy or explained variance (empty if not
        asked for).
    """
    choice('method', method, METHODS)
    if n_epoch < 1 or batch_size < 1:
        raise BadValue(f'n_epoch and batch_size must be at least 1, not {n_epoch} and {batch_size}')
    model, device = dnn._network(), pick_device(dnn._network(), device)
    y = targets(data, target, task, 'data')
    looked_at = picture_set(data, dnn.test_transform)
    judged = {'score_train': (looked_at, y)} if data_train else {}
    if data_validation is not None:
        y_validation = targets(data_validation, target_validation, task, 'data_validation')
        judged['score_validation'] = (picture_set(data_validation, dnn.test_transform), y_validation)
    _fit_together(dnn, looked_at, {'data': y} | {key: values for key, (_, values) in judged.items()}, task, device)
    optimizer = _checked(optimizer, model)
    loss_of = _LOSS[task]()
    lesson = _Lesson(looked_at.seen_through(dnn.train_transform) if augment else looked_at, y)
    result = {'step_loss': [], 'epoch_loss': [], 'score_train': [], 'score_validation': []}

    n_worker = n_worker if looked_at.forkable else 0
    if n_worker:
        gc.collect()                # what a forked worker frees may wait for threads it does not have
    bar = progress(None, 'training', total=n_epoch * len(lesson), unit='img')
    with bar, visiting(model, device), seeded(rng, device) as seed:
        order = np.random.default_rng(seed)
        for epoch in range(n_epoch):
            keys = shuffled_batches(len(lesson), batch_size, order)
            train_mode(model)
            losses, sizes = [], []
            for pixels, wanted in DataLoader(lesson, batch_sampler=keys, num_workers=n_worker):
                pixels, wanted = pixels.to(device), wanted.to(device)
                loss = loss_of(model(pixels), wanted)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
                sizes.append(len(pixels))
                bar.update(len(pixels))
            result['step_loss'].append(losses)
            result['epoch_loss'].append(float(np.average(losses, weights=sizes)))
            for key, (pictures, values) in judged.items():
                output = output_of(dnn, pictures, device, batch_size, None, 'scoring')
                result[key].append(scored(output, values, task)['score'])
            _say(bar, epoch, n_epoch, result)
    return result


def shuffled_batches(n: int, batch_size: int, rng: np.random.Generator) -> list[list[tuple[int, int]]]:
    """Batches of (index, seed of its augmentation) for one epoch.

    A list, not a sampler: DataLoader walks through a sampler more than once when it has workers.
    """
    keys = list(zip(rng.permutation(n).tolist(), rng.integers(2 ** 62, size=n).tolist(), strict=True))
    cuts = [*range(0, n, batch_size), n]
    if len(cuts) > 2 and cuts[-1] - cuts[-2] == 1:
        del cuts[-2]
    return [keys[a:b] for a, b in zip(cuts[:-1], cuts[1:], strict=True)]


class _Lesson(Dataset):
    """(picture, target) for keys (index, seed): the same key gives the same picture in any process."""

    def __init__(self, pictures: PictureSet, y: np.ndarray):
        self.pictures, self.y = pictures, y

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, key: tuple[int, int]):
        index, seed = key
        before = torch.get_rng_state()
        torch.default_generator.manual_seed(seed)        # torch.manual_seed would reset a GPU's dropout too
        try:
            return self.pictures[index][0], self.y[index]
        finally:
            torch.set_rng_state(before)


def _fit_together(dnn, pictures: PictureSet, wanted: dict[str, np.ndarray], task: str, device: torch.device) -> None:
    """Refuse targets that the network cannot express, before anything is learnt."""
    first = copy.copy(pictures)
    first.n = 1
    output = output_of(dnn, first, device, 1, 0, 'looking')
    if output.ndim != 2:
        raise BadValue(f'{dnn.name} puts out {tuple(output.shape[1:])} per picture; training needs a vector')
    for owner, values in wanted.items():
        fit_output(values, output.shape[1], task, owner.replace('score_', 'data_'), dnn.name)


def _checked(optimizer, model: nn.Module) -> torch.optim.Optimizer:
    """Adam over everything by default; refuse an optimizer that would teach nothing of this network."""
    if not any(p.requires_grad for p in model.parameters()):
        raise BadValue('every parameter of the network is frozen; set requires_grad = True for what should learn')
    if optimizer is None:
        return torch.optim.Adam(model.parameters())
    own = {id(p) for p in model.parameters()}
    taught = [p for group in optimizer.param_groups for p in group['params']]
    if not all(id(p) in own for p in taught):
        raise BadValue('the optimizer holds parameters that are not in the network; make it after replacing layers')
    if not any(p.requires_grad for p in taught):
        raise BadValue('every parameter of the optimizer is frozen; give it those that should learn')
    return optimizer


def _say(bar, epoch: int, n_epoch: int, result: dict) -> None:
    told = {'loss': result['epoch_loss'][-1]}
    told |= {key.removeprefix('score_'): result[key][-1] for key in ('score_train', 'score_validation')
             if result[key]}
    bar.set_description(f'epoch {epoch + 1}/{n_epoch}')
    bar.set_postfix({key: f'{value:.3f}' for key, value in told.items()})
    log.info('epoch %d of %d: %s', epoch + 1, n_epoch, ', '.join(f'{k} {v:.4f}' for k, v in told.items()))


def write_history(history: dict, fname) -> None:
    """The scores and losses of `train`, a row per epoch, as CSV."""
    columns = {'epoch': range(1, len(history['epoch_loss']) + 1)}
    columns |= {key: history[key] for key in ('epoch_loss', 'score_train', 'score_validation') if history[key]}
    with atomic(fname) as part:
        pd.DataFrame(columns).to_csv(part, index=False)
