"""Which weights training keeps: the best, the last good ones, and when to stop looking for better."""

from __future__ import annotations

import logging
import math

import torch
import torch.nn as nn

from dnnbrain._checks import BadValue, choice

log = logging.getLogger(__name__)

MEASURES = {'score': ('score_validation', 1), 'loss': ('loss_validation', -1)}


class Keeper:
    """Follows validation from epoch to epoch.

    Parameters
    ----------
    keep_best : {None, 'score', 'loss'} or bool
        By what validation measure the best epoch is chosen, whose weights come back at the end.
        True is 'score'; None or False keeps the last weights.
    patience : int, optional
        Epochs without a better measure (score, or what `keep_best` names) after which to stop.
    """

    def __init__(self, model: nn.Module, keep_best=None, patience: int | None = None, validated: bool = True):
        keep_best = {True: 'score', False: None}.get(keep_best, keep_best)
        if keep_best is not None:
            choice('keep_best', keep_best, tuple(MEASURES))
        if (keep_best or patience is not None) and not validated:
            raise BadValue('keep_best and patience need data_validation to judge by')
        if patience is not None and patience < 1:
            raise BadValue(f'patience must be at least 1 epoch, not {patience}')
        self.model, self.keeps, self.patience = model, keep_best is not None, patience
        self.key, self._sign = MEASURES[keep_best or 'score']
        self.best_epoch: int | None = None
        self._best_value, self._waited = -float('inf'), 0
        self._best: dict[str, torch.Tensor] = {}
        self._good: dict[str, torch.Tensor] = {}

    def begin(self) -> None:
        """Note the weights before the first epoch."""
        self._copy_to(self._good)

    def look(self, history: dict) -> None:
        """Note what the epoch that just ended was worth."""
        epoch = len(history['epoch_loss'])
        if history[self.key]:
            value = self._sign * history[self.key][-1]
            if not math.isfinite(value):
                log.warning('%s is %s in epoch %d, which says nothing of it', self.key, value, epoch)
            elif value > self._best_value or self.best_epoch is None:
                self.best_epoch, self._best_value = epoch, value
                if self.keeps:
                    self._copy_to(self._best)
        self._copy_to(self._good)
        self._waited = 0 if self.best_epoch is None else epoch - self.best_epoch

    @property
    def tired(self) -> bool:
        """Whether patience is at its end."""
        return self.patience is not None and self._waited >= self.patience

    def restore(self, failed: bool = False) -> None:
        """Give the network the best weights, if they are to be kept; after a failure, at least good ones."""
        weights = self._best or (self._good if failed else {})
        with torch.no_grad():
            for name, value in self._changing().items():
                if name in weights:
                    value.copy_(weights[name])

    def state_dict(self) -> dict:
        """What `load_state_dict` needs to go on."""
        return {'best_epoch': self.best_epoch, 'best_value': self._best_value, 'best': self._best,
                'waited': self._waited}

    def load_state_dict(self, state: dict) -> None:
        """Go on where another keeper stopped; the network has its weights already."""
        self.best_epoch, self._best_value, self._best, self._waited = (
            state[key] for key in ('best_epoch', 'best_value', 'best', 'waited'))
        self._copy_to(self._good)

    def _changing(self) -> dict[str, torch.Tensor]:
        """Parameters that learn, and buffers."""
        return {name: p for name, p in self.model.named_parameters() if p.requires_grad} \
            | dict(self.model.named_buffers())

    def _copy_to(self, store: dict[str, torch.Tensor]) -> None:
        """Copy what changes, into the memory of the copy before where there is one."""
        for name, value in self._changing().items():
            if name in store:
                store[name].copy_(value.detach())
            else:
                store[name] = value.detach().clone()
