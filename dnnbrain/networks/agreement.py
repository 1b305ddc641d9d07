"""What a training is told, for its history, and what of it a checkpoint and all processes must agree in."""

from __future__ import annotations

import numpy as np
import torch

from dnnbrain._checks import BadValue
from dnnbrain.networks.parallel import Team
from dnnbrain.networks.steps import plain_groups
from dnnbrain.networks.targets import digest

MAY_CHANGE = ('n_epoch', 'n_process', 'groups', 'keep_best', 'patience', 'warmup')      # where training goes on


def described(dnn, data, judged: dict, optimizer: torch.optim.Optimizer, scheduler, class_weight, **asked) -> dict:
    """Settings of a training that JSON can hold.

    Parameters
    ----------
    judged : dict
        What is scored: 'validation' -> (pictures, targets).
    asked
        Arguments of `train` that are told as they are.
    """
    return {
        'network': dnn.name, 'n_param': sum(p.numel() for p in dnn.model.parameters()), 'n_stim': len(data), **asked,
        'n_validation': len(judged['validation'][1]) if 'validation' in judged else 0,
        'n_learning': sum(p.numel() for group in optimizer.param_groups for p in group['params'] if p.requires_grad),
        'optimizer': type(optimizer).__name__, 'groups': plain_groups(optimizer),
        'scheduler': None if scheduler is None else type(scheduler).__name__,
        'class_weight': class_weight if isinstance(class_weight, str | None) else np.asarray(class_weight).tolist()}


def must_agree(told: dict, digests: dict[str, str], optimizer: torch.optim.Optimizer, scheduler) -> dict:
    """What a checkpoint must have been made with for training to go on from it.

    A schedule changes the learning rates on its way; they count where their beginning is known.
    """
    same = {key: value for key, value in told.items() if key not in MAY_CHANGE} | digests
    if scheduler is None or all('initial_lr' in group for group in optimizer.param_groups):
        same['lr'] = [float(group.get('initial_lr', group['lr'])) for group in optimizer.param_groups]
    return same


def same_for_all(team: Team, data, y: np.ndarray, data_validation, judged: dict) -> dict[str, str]:
    """Digests of stimuli and targets.

    Raises
    ------
    BadValue
        The processes were given different ones.
    """
    found = {'data': digest(data, y)}
    if 'validation' in judged:
        found['data_validation'] = digest(data_validation, judged['validation'][1])
    if any(other != found for other in team.gather(found)):
        raise BadValue('the processes were given different stimuli or targets; seed what divides them, such as '
                       'stim.split(..., rng=0)')
    return found
