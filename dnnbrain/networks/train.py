"""Training: what is asked for is checked and put together here; the loop itself is in `course`."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
import torch
import torch.nn as nn

from dnnbrain._checks import BadType, BadValue, choice, whole_number
from dnnbrain.networks.agreement import described, must_agree, same_for_all
from dnnbrain.networks.caching import Features, split_frozen
from dnnbrain.networks.checkpoint import Checkpoint
from dnnbrain.networks.course import Course
from dnnbrain.networks.extract import output_of
from dnnbrain.networks.history import History
from dnnbrain.networks.keeper import Keeper
from dnnbrain.networks.lessons import FeatureLesson, PictureLesson
from dnnbrain.networks.parallel import find_team
from dnnbrain.networks.predict import class_names
from dnnbrain.networks.state import pick_device, seeded, visiting
from dnnbrain.networks.steps import Rates, Step, loss_function
from dnnbrain.networks.targets import fit_output, targets, vector_size
from dnnbrain.stimuli.images import PictureSet
from dnnbrain.stimuli.loaders import picture_set

METHODS = ('tradition', 'inception')


def train(dnn, data, n_epoch: int, task: str, optimizer: torch.optim.Optimizer | None = None,
          method: str = 'tradition', target=None, data_train: bool = False, data_validation=None, *,
          target_validation=None, batch_size: int = 64, n_worker: int = 0, device=None,
          precision: str = 'float32', augment: bool = True, cache_features: bool = False,
          scheduler=None, warmup: float = 0, class_weight=None, label_smoothing: float = 0.0,
          keep_best: bool | str = False, patience: int | None = None, checkpoint=None,
          log_every: int | None = None, callback: Callable | None = None, rng: int | None = None) -> History:
    """Teach a network.

    Parameters
    ----------
    data : Stimulus, ndarray of shape (n_stim, 3, height, width), uint8, or torch Dataset
        A Dataset gives (picture, label). PIL pictures go through the transforms of the network; tensors
        are taken as they are, since the Dataset has transformed them.
    n_epoch : int
        How often all stimuli are shown.
    task : {'classification', 'regression'}
        Cross-entropy, or mean squared error.
    optimizer : torch Optimizer, optional
        Adam over all parameters by default, or that of the scheduler. What has
        ``requires_grad = False`` stays as it is, and frozen batch norm and dropout run in eval mode.
    method : {'tradition', 'inception'}
        'inception' also learns from the auxiliary classifiers of GoogLeNet (two, weight 0.3 each:
        Szegedy et al. 2015) and InceptionV3 (one, 0.4); see `DNN.aux_heads`. 'tradition' from the
        one output.
    target : array_like of shape (n_stim,) or (n_stim, n_out), optional
        Instead of the column 'label'.
    data_train : bool
        Whether to score the training stimuli after each epoch.
    data_validation : Stimulus, ndarray or Dataset, optional
        Scored after each epoch, by its own labels or `target_validation`.
    batch_size : int
        Of all processes together, where ``torchrun`` or ``accelerate launch`` started several. A last
        batch of a single stimulus (or with fewer than processes) joins the one before it.
    n_worker : int
        Processes that decode and augment; the result does not depend on it.
    device : str or torch.device, optional
        Where to compute; by default where the network is. It is moved back afterwards.
    precision : {'float32', 'bf16', 'fp16'}
        Of the passes; parameters, loss and validation stay float32.
    augment : bool
        True: `train_transform`, anew in every epoch. False: `test_transform`.
    cache_features : bool
        Run the frozen trunk once per picture, unaugmented, and train the head on what it answered.
        The trained head is in the network like any other. More than a gigabyte of features goes to
        a temporary memory map.
    scheduler : torch scheduler, optional
        Stepped after each epoch; ReduceLROnPlateau by the validation loss, or else the training loss.
    warmup : float
        Epochs in which learning rates grow from zero.
    class_weight : 'balanced' or array_like of shape (n_class,), optional
    label_smoothing : float
    keep_best : {False, 'score', 'loss', True}
        End with the weights of the epoch that validated best; True is 'score'.
    patience : int, optional
        Stop after so many epochs without a better validation score (or loss, if `keep_best` says so).
    checkpoint : str, optional
        A ``.ckpt`` written after each epoch. If it is there, training goes on from it, and gives
        what it would have given unbroken.
    log_every : int, optional
        Log the loss every so many batches.
    callback : callable, optional
        ``callback(dnn, history)`` after each epoch; training stops if it returns True.
    rng : int, optional
        Seed of order, augmentation and dropout. Without it torch's own seed decides.

    Returns
    -------
    history : History
        1.0's dict (step_loss, epoch_loss, score_train, score_validation) with loss_validation, lr,
        seconds and best_epoch; `table` and `to_csv` make a table of it.

    Raises
    ------
    BadValue
        Something does not fit, found before anything is learnt; or the loss is no longer finite: the
        network then has the best weights, or those of the last whole epoch.
    """
    choice('method', method, METHODS)
    team, rng = find_team(), whole_number(rng, 'rng')
    n_epoch, batch_size = whole_number(n_epoch, 'n_epoch'), whole_number(batch_size, 'batch_size')
    if n_epoch < 1 or batch_size < 1 or (log_every is not None and log_every < 1):
        raise BadValue('n_epoch, batch_size and log_every must be at least 1, '
                       f'not {n_epoch}, {batch_size}, {log_every}')
    if min(batch_size, len(data)) < team.size:
        raise BadValue(f'{team.size} processes cannot share batches of {min(batch_size, len(data))}; start fewer')
    model, device = dnn._network(), pick_device(dnn._network(), device)
    y = targets(data, target, task, 'data')
    looked_at = picture_set(data, dnn.test_transform)
    y = looked_at.for_each_shown(y)
    judged = {'train': (looked_at, y)} if data_train else {}
    if data_validation is not None:
        y_validation = targets(data_validation, target_validation, task, 'data_validation')
        shown = picture_set(data_validation, dnn.test_transform)
        judged['validation'] = (shown, shown.for_each_shown(y_validation))
    n_out = _fit_together(dnn, looked_at, {'data': y} | {f'data_{key}': values for key, (_, values) in judged.items()},
                          task, device)
    if method == 'inception':
        _check_auxiliaries(dnn, n_out, task, class_weight)
    if precision == 'fp16' and any(p.dtype == torch.float16 for p in model.parameters()):
        raise BadValue("precision='fp16' needs parameters in float32; use dnn.model.float() before")
    optimizer = _checked(optimizer or getattr(scheduler, 'optimizer', None), model)
    rates = Rates(optimizer, scheduler, warmup)
    loss_of = loss_function(task, y, n_out, class_weight, label_smoothing).to(device)
    keeper = Keeper(model, keep_best, patience, 'validation' in judged)
    told = described(dnn, data, judged, optimizer, scheduler, class_weight, task=task, n_epoch=n_epoch,
                     batch_size=batch_size, augment=augment, precision=precision, rng=rng, method=method,
                     cache_features=cache_features, n_process=team.size, warmup=warmup,
                     label_smoothing=label_smoothing, keep_best=keep_best, patience=patience)
    agreed = must_agree(told, same_for_all(team, data, y, data_validation, judged), optimizer, scheduler)
    trunk, head = split_frozen(model, dnn.name) if cache_features else (None, model)

    with visiting(model, device), seeded(rng, device) as seed, ExitStack() as stack:
        order = np.random.default_rng(team.agreed(seed))
        if not team.first:
            torch.manual_seed(seed + team.rank)         # dropout of its own
        team.equalise(model)
        keeper.begin()
        arrive = stack.enter_context(team.one_batch(model))
        learn = Step(head, optimizer, loss_of, device, precision, dnn.aux_weight if method == 'inception' else None,
                     team, arrive)
        parts = {'model': model, 'optimizer': optimizer, 'keeper': keeper, 'scaler': learn.scaler}
        parts |= {} if scheduler is None else {'scheduler': scheduler}
        saved = Checkpoint(checkpoint, parts, order, device, agreed, team)
        if cache_features:
            features = stack.enter_context(Features(trunk, device, batch_size))
            lesson = FeatureLesson(features.of(looked_at), y)
            judged = {key: (lesson.features if shown is looked_at else features.of(shown), values)
                      for key, (shown, values) in judged.items()}
        else:
            lesson = PictureLesson(looked_at.seen_through(dnn.train_transform) if augment else looked_at, y, n_worker)
            if lesson.n_worker:
                gc.collect()        # what a forked worker frees may wait for threads it does not have
        dnn.history = Course(dnn, lesson, judged, task, learn, rates, keeper, saved, order, batch_size, log_every,
                             callback, told).run(n_epoch)
    if task == 'classification' and target is None:
        dnn.classes = class_names(data, n_out)
    return dnn.history


def _fit_together(dnn, pictures: PictureSet, wanted: dict[str, np.ndarray], task: str, device: torch.device) -> int:
    """Refuse targets that the network cannot express, before anything is learnt; its number of outputs."""
    first = copy.copy(pictures)
    first.n = 1
    n_out = vector_size(output_of(dnn, first, device, 1, 0, 'looking'), dnn.name)
    for owner, values in wanted.items():
        fit_output(values, n_out, task, owner, dnn.name)
    return n_out


def _check_auxiliaries(dnn, n_out: int, task: str, class_weight) -> None:
    """Refuse auxiliary classifiers that cannot learn what the head learns."""
    if not dnn.aux_paths():
        raise BadValue(f"method='inception' needs auxiliary classifiers, and {dnn.name} has none; "
                       "use method='tradition'")
    for path in dnn.aux_paths():
        n = [m.out_features for m in dnn.model.get_submodule(path).modules() if isinstance(m, nn.Linear)][-1]
        if n != n_out and (task == 'regression' or class_weight is not None or n < n_out):
            raise BadValue(f'the auxiliary classifier {path} of {dnn.name} puts out {n} values and its head {n_out}; '
                           f'dnn.replace_head({n_out}) replaces them together')


def _checked(optimizer, model: nn.Module) -> torch.optim.Optimizer:
    """Adam over everything by default; refuse an optimizer that would teach nothing of this network."""
    if not any(p.requires_grad for p in model.parameters()):
        raise BadValue('every parameter of the network is frozen; set requires_grad = True for what should learn')
    if optimizer is None:
        return torch.optim.Adam(model.parameters())
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise BadType('optimizer must be made of the parameters that learn, such as '
                      f'torch.optim.Adam(dnn.model.parameters(), 1e-4), not {optimizer!r}')
    if isinstance(optimizer, torch.optim.LBFGS):
        raise BadValue('LBFGS goes over a batch several times in a step, which training here does not; use Adam or SGD')
    own = {id(p) for p in model.parameters()}
    taught = [p for group in optimizer.param_groups for p in group['params']]
    if not all(id(p) in own for p in taught):
        raise BadValue('the optimizer holds parameters that are not in the network; make it after replacing layers')
    if not any(p.requires_grad for p in taught):
        raise BadValue('every parameter of the optimizer is frozen; give it those that should learn')
    return optimizer
