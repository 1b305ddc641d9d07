"""Optimizers and schedules by name, for commands and configuration files."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, ReduceLROnPlateau, StepLR

from dnnbrain._checks import BadValue, choice

OPTIMIZERS = ('adam', 'adamw', 'sgd')
SCHEDULES = ('step', 'cosine', 'plateau')


def optimizer_by_name(dnn, name: str = 'adam', lr: float = 1e-4, rates: dict[str, float] | None = None,
                      momentum: float = 0.0) -> torch.optim.Optimizer:
    """An optimizer over everything that learns.

    Parameters
    ----------
    name : {'adam', 'adamw', 'sgd'}
    lr : float
    rates : dict, optional
        Layers, as `freeze` takes them, -> rates of their own; the others have `lr`.
    momentum : float
        Of sgd.
    """
    choice('optimizer', name, OPTIMIZERS)
    if momentum and name != 'sgd':
        raise BadValue(f"momentum goes with optimizer 'sgd'; {name!r} has its own")
    learning = dnn.param_groups(rates, rest=lr) if rates else \
        [{'params': [p for p in dnn.model.parameters() if p.requires_grad]}]
    if name == 'sgd':
        return torch.optim.SGD(learning, lr, momentum=momentum)
    return {'adam': torch.optim.Adam, 'adamw': torch.optim.AdamW}[name](learning, lr)


def scheduler_by_name(optimizer: torch.optim.Optimizer, text: str, n_epoch: int) -> LRScheduler | ReduceLROnPlateau:
    """A schedule from text.

    Parameters
    ----------
    text : str
        'step:7:0.1' multiplies rates by 0.1 every 7 epochs; 'cosine' lets them fall to zero until
        the last epoch; 'plateau' or 'plateau:5:0.1' multiplies by 0.1 after 5 epochs without a
        lower loss.
    n_epoch : int
    """
    name, *numbers = text.split(':')
    choice('schedule', name, SCHEDULES)
    every, factor = _numbers(text, numbers, {'step': (7, 0.1), 'plateau': (10, 0.1), 'cosine': ()}[name])
    if name == 'step':
        return StepLR(optimizer, every, factor)
    if name == 'plateau':
        return ReduceLROnPlateau(optimizer, factor=factor, patience=every)
    return CosineAnnealingLR(optimizer, n_epoch)


def layer_rates(texts: Iterable[str]) -> dict[str, float]:
    """Layer -> learning rate from 'layer4=1e-4'."""
    rates = {}
    for text in texts:
        layer, found, rate = text.rpartition('=')
        try:
            rates[layer] = float(rate)
        except ValueError:
            found = ''
        if not (found and layer) or not 0 < rates[layer] < float('inf'):
            raise BadValue(f"a rate of a layer must read like layer4=1e-4, not {text!r}")
    return rates


def _numbers(text: str, given: list[str], usual: tuple) -> tuple[int, float]:
    """The number of epochs and the factor of a schedule."""
    try:
        every, factor = (int(given[0]) if given else usual[0], float(given[1]) if given[1:] else usual[1]) \
            if usual else (1, 0.5)
    except ValueError:
        every = factor = 0
    if len(given) > len(usual) or every < 1 or not 0 < factor < 1:
        raise BadValue(f"schedule {text!r} must read like step:7:0.1 (epochs, factor), cosine, or plateau:5:0.1")
    return every, factor
