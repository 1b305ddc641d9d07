"""One step of learning: the loss, the precision it is computed in, and how long the step is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn as nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from dnnbrain._checks import BadType, BadValue, choice
from dnnbrain.networks.parallel import ALONE, Team
from dnnbrain.networks.state import as_model

PRECISIONS = {'float32': None, 'bf16': torch.bfloat16, 'fp16': torch.float16}


def loss_function(task: str, y: np.ndarray, n_out: int, class_weight=None, label_smoothing: float = 0.0) -> nn.Module:
    """Cross-entropy of classes, or mean squared error of values.

    Parameters
    ----------
    y : ndarray of shape (n_stim,)
        Training labels.
    n_out : int
        Number of classes the network knows.
    class_weight : 'balanced' or array_like of shape (n_out,), optional
        'balanced' weighs a class by n_stim / (n_class * its stimuli), over the classes that occur.
    label_smoothing : float
        Share of the target that is spread over all classes, from 0 to 1.
    """
    if task == 'regression':
        if class_weight is not None or label_smoothing:
            raise BadValue("class_weight and label_smoothing go with task='classification'")
        return nn.MSELoss()
    if not 0 <= label_smoothing < 1:
        raise BadValue(f'label_smoothing must be from 0 to below 1, not {label_smoothing}')
    if isinstance(class_weight, str):
        choice('class_weight', class_weight, ('balanced',))
        counts = np.bincount(y, minlength=n_out)
        class_weight = np.where(counts > 0, len(y) / ((counts > 0).sum() * np.maximum(counts, 1)), 0)
    if class_weight is not None:
        class_weight = torch.as_tensor(np.asarray(class_weight), dtype=torch.float32)
        if class_weight.shape != (n_out,) or (class_weight < 0).any():
            raise BadValue(f"class_weight must be 'balanced' or {n_out} weights that are not negative, one per class "
                           f'of the network, not of shape {tuple(class_weight.shape)}')
    return nn.CrossEntropyLoss(class_weight, label_smoothing=label_smoothing)


class Step:
    """Gradient descent on one batch.

    Parameters
    ----------
    precision : {'float32', 'bf16', 'fp16'}
        Of the forward and backward pass; parameters stay as they are.
    aux_weight : float, optional
        Weight of the losses of auxiliary outputs; without it they are not looked at.
    team : Team
        Processes that take a share of the batch each.
    arrive : callable, optional
        Waits for the gradients of the team (`Team.one_batch`).
    """

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, loss_of: nn.Module, device: torch.device,
                 precision: str = 'float32', aux_weight: float | None = None, team: Team = ALONE,
                 arrive: Callable[[], None] | None = None):
        self.model, self.optimizer, self.loss_of, self.device = model, optimizer, loss_of, device
        self.aux_weight, self.team, self._arrive = aux_weight, team, arrive
        self.dtype = PRECISIONS[choice('precision', precision, tuple(PRECISIONS))]
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == 'fp16')

    @property
    def taught(self) -> list[nn.Parameter]:
        """The parameters in the optimizer."""
        return [p for group in self.optimizer.param_groups for p in group['params']]

    def loss(self, inputs: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """The loss of a batch: of the output, and of the auxiliary outputs that come with it, weighted."""
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None):
            output = self.model(as_model(self.model, inputs.to(self.device, non_blocking=True)))
        main, *auxiliary = output if isinstance(output, tuple) else (output,)
        wanted = wanted.to(self.device)
        loss = self.loss_of(main.float(), wanted)
        if self.aux_weight is not None:
            loss = loss + self.aux_weight * sum(self.loss_of(out.float(), wanted) for out in auxiliary
                                                if out is not None)
        return loss

    def loss_value(self, output: torch.Tensor, wanted: torch.Tensor) -> float:
        """The loss of what was put out before."""
        with torch.inference_mode():
            return self.loss_of(output.to(self.device), wanted.to(self.device)).item()

    def __call__(self, inputs: torch.Tensor, wanted: torch.Tensor) -> float:
        """Learn from a batch; its loss before the step. Nothing is learnt from a loss that is not finite."""
        loss = self.loss(inputs, wanted)
        value = loss.item()
        if self.team.size > 1:
            own = self._weight(wanted)
            summed, whole = self.team.total(own * value, own)
            loss, value = loss * (own / whole), summed / whole
        if np.isfinite(value):
            self.optimizer.zero_grad()
            self.scaler.scale(loss).backward()
            if self._arrive is not None:
                self._arrive()
            self.scaler.step(self.optimizer)
            self.scaler.update()
        return value

    def _weight(self, wanted: torch.Tensor) -> float:
        """By what the mean loss of this process counts among those of the others."""
        weight = getattr(self.loss_of, 'weight', None)
        return float(len(wanted) if weight is None else weight.cpu()[wanted].sum())


def plain_groups(optimizer: torch.optim.Optimizer) -> list[dict]:
    """The settings of each group of an optimizer that are plain values, such as lr and momentum."""
    return [{key: list(value) if isinstance(value, tuple) else value for key, value in group.items()
             if isinstance(value, int | float | str | bool | tuple)} for group in optimizer.param_groups]


class Rates:
    """Learning rates from step to step: a gradual start from zero, then what a scheduler says.

    Parameters
    ----------
    scheduler : torch scheduler, optional
        Stepped after each epoch; `ReduceLROnPlateau` by the validation loss, or else the training loss.
    warmup : float
        Epochs in which rates grow linearly from zero to what the scheduler says.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, scheduler=None, warmup: float = 0):
        if scheduler is not None and not hasattr(scheduler, 'step'):
            raise BadType(f'scheduler must be one of torch.optim.lr_scheduler, not {type(scheduler).__name__}')
        if scheduler is not None and getattr(scheduler, 'optimizer', optimizer) is not optimizer:
            raise BadValue('the scheduler belongs to another optimizer; make it from the one that trains')
        if warmup < 0:
            raise BadValue(f'warmup must not be negative, but is {warmup}')
        self.optimizer, self.scheduler, self.warmup = optimizer, scheduler, warmup
        self._full: list[float] = []

    def begin_epoch(self) -> list[float]:
        """Rates of this epoch when the start is over, one per group."""
        self._full = [group['lr'] for group in self.optimizer.param_groups]
        return [float(rate) for rate in self._full]

    def before_step(self, epoch: int, step: int, n_step: int) -> None:
        """Set the rates of step `step` (from 1) of an epoch (from 0); the last one of the warm-up has the full rate."""
        if epoch >= self.warmup:
            return
        share = min(1.0, (epoch * n_step + step) / (self.warmup * n_step))
        self._set([rate * share for rate in self._full])

    def end_epoch(self, loss: float) -> None:
        """Let the scheduler have its say."""
        self._set(self._full)
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(loss)
        elif self.scheduler is not None:
            self.scheduler.step()

    def break_off(self) -> None:
        """After an end within an epoch: the optimizer has its full rates again."""
        if self._full:
            self._set(self._full)

    def _set(self, rates: list[float]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group['lr'] = rate
