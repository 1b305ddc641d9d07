"""The course of training: epoch by epoch, a loop that reads from top to bottom."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn as nn

from dnnbrain._checks import BadValue
from dnnbrain._progress import progress
from dnnbrain.networks.checkpoint import Checkpoint
from dnnbrain.networks.evaluate import scored
from dnnbrain.networks.extract import output_of
from dnnbrain.networks.freezing import train_mode
from dnnbrain.networks.history import History
from dnnbrain.networks.keeper import Keeper
from dnnbrain.networks.lessons import FeatureLesson, PictureLesson, shuffled_batches
from dnnbrain.networks.state import visiting
from dnnbrain.networks.steps import Rates, Step
from dnnbrain.stimuli.images import Part, PictureSet

log = logging.getLogger(__name__)


@dataclass
class Course:
    """Everything that training needs, checked and in place.

    Attributes
    ----------
    judged : dict
        'train' or 'validation' -> (PictureSet, or stored features, and their targets).
    """

    dnn: object
    lesson: PictureLesson | FeatureLesson
    judged: dict[str, tuple[PictureSet | np.ndarray, np.ndarray]]
    task: str
    learn: Step
    rates: Rates
    keeper: Keeper
    saved: Checkpoint
    order: np.random.Generator
    batch_size: int
    log_every: int | None = None
    callback: Callable | None = None
    settings: dict | None = None

    def run(self, n_epoch: int) -> History:
        """Train until the end, until patience is over, or until the callback says so."""
        history = History()
        history.settings = self.settings or {}
        self.saved.resume(history)
        team = self.learn.team
        n_done = len(history['epoch_loss'])
        with progress(None, 'training', total=n_epoch * len(self.lesson), unit='img',
                      initial=n_done * len(self.lesson)) as bar:
            for epoch in range(n_done, n_epoch):
                if self.keeper.tired:
                    break
                began = time.perf_counter()
                history['lr'].append(self.rates.begin_epoch())
                try:
                    losses, sizes = self._epoch(epoch, bar)
                except BaseException:
                    self.rates.break_off()
                    raise
                history['step_loss'].append(losses)
                history['epoch_loss'].append(float(np.average(losses, weights=sizes)))
                self._judge(history)
                self.rates.end_epoch((history['loss_validation'] or history['epoch_loss'])[-1])
                history['seconds'].append(time.perf_counter() - began)
                self.keeper.look(history)
                history['best_epoch'] = self.keeper.best_epoch
                self.saved.save(history)
                if team.first:
                    _say(bar, epoch, n_epoch, history)
                stop = self.callback is not None and self.callback(self.dnn, history) is True
                if any(team.gather(stop)):
                    break
        self.keeper.restore()
        return history

    def _epoch(self, epoch: int, bar) -> tuple[list[float], list[int]]:
        """Show every stimulus once: loss and size of each batch."""
        team = self.learn.team
        keys = shuffled_batches(len(self.lesson), self.batch_size, self.order, max(2, team.size))
        train_mode(self.dnn.model, self.learn.taught)
        losses, own = [], [team.share(batch) for batch in keys]
        for number, (inputs, wanted) in enumerate(self.lesson.batches(own), 1):
            self.rates.before_step(epoch, number, len(keys))
            losses.append(self.learn(inputs, wanted))
            if not np.isfinite(losses[-1]):
                self.keeper.restore(failed=True)
                kept = 'the best weights so far' if self.keeper.keeps else 'the weights of the last whole epoch'
                raise BadValue(f'the loss became {losses[-1]} in epoch {epoch + 1}, batch {number} of {len(keys)}; '
                               f'try a smaller learning rate. The network has {kept}')
            bar.update(len(keys[number - 1]))
            if self.log_every and number % self.log_every == 0 and team.first:
                log.info('epoch %d, batch %d of %d: loss %.4f', epoch + 1, number, len(keys),
                         np.mean(losses[-self.log_every:]))
        return losses, [len(batch) for batch in keys]

    def _judge(self, history: History) -> None:
        """Score what is to be scored after an epoch."""
        for key, (shown, y) in self.judged.items():
            output = self._answers(shown)
            history[f'score_{key}'].append(scored(output, y, self.task)['score'])
            if key == 'validation':
                history['loss_validation'].append(self.learn.loss_value(output, torch.from_numpy(y)))

    def _answers(self, shown: PictureSet | np.ndarray) -> torch.Tensor:
        """What the network puts out for pictures, or what its head does for stored features."""
        team = self.learn.team
        if team.size > 1 and len(shown) >= team.size:
            own = team.share(np.arange(len(shown)))
            part = Part(shown, own) if isinstance(shown, PictureSet) else shown[own]
            return torch.cat(team.gather(self._own_answers(part)))
        return self._own_answers(shown)

    def _own_answers(self, shown: PictureSet | np.ndarray) -> torch.Tensor:
        device = self.learn.device
        if isinstance(shown, PictureSet):
            return output_of(self.dnn, shown, device, self.batch_size, None, 'scoring')
        return head_output(self.dnn.model, self.learn.model, shown, device, self.batch_size)


def head_output(model: nn.Module, head: nn.Module, features: np.ndarray, device: torch.device,
                batch_size: int) -> torch.Tensor:
    """What a head puts out for stored features, in eval mode, on the CPU."""
    with visiting(model, device), torch.inference_mode():
        model.eval()
        return torch.cat([head(torch.from_numpy(features[i:i + batch_size]).to(device)).float().cpu()
                          for i in range(0, len(features), batch_size)])


def _say(bar, epoch: int, n_epoch: int, history: History) -> None:
    scores = ('score_train', 'score_validation')
    told = {'loss': history['epoch_loss'][-1]}
    told |= {key.removeprefix('score_'): history[key][-1] for key in scores if history[key]}
    bar.set_description(f'epoch {epoch + 1}/{n_epoch}')
    bar.set_postfix({key: f'{value:.3f}' for key, value in told.items()})
    log.info('epoch %d of %d: %s', epoch + 1, n_epoch, ', '.join(f'{k} {v:.4f}' for k, v in told.items()))
