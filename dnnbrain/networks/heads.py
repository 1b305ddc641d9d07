"""Transfer learning: a new head on a trained network, and what is frozen below it."""

from __future__ import annotations

import torch.nn as nn

from dnnbrain._checks import BadValue, choice
from dnnbrain.networks.state import home_of, seeded

SCENARIOS = ('finetune', 'fixed', 'scratch')


def head_path(model: nn.Module) -> str:
    """Module path of the last fully connected layer."""
    paths = [path for path, module in model.named_modules() if isinstance(module, nn.Linear)]
    if not paths:
        raise BadValue('the network has no fully connected layer that could be its head')
    return paths[-1]


def replace_head(model: nn.Module, n_out: int, path: str | None = None, rng: int | None = None) -> nn.Linear:
    """Put a fresh fully connected layer in the place of an old one.

    Parameters
    ----------
    n_out : int
        Classes, or outputs of a regression.
    path : str, optional
        Module path of the old one; the last Linear by default.
    rng : int, optional
        Seed of the initial weights.
    """
    path = path or head_path(model)
    old = model.get_submodule(path)
    if not isinstance(old, nn.Linear):
        raise BadValue(f'{path!r} is {type(old).__name__}, not a fully connected layer')
    with seeded(rng):
        new = nn.Linear(old.in_features, n_out, bias=old.bias is not None)
    model.set_submodule(path, new.to(home_of(model)))
    return new


def prepare_transfer(model: nn.Module, scenario: str, n_out: int | None, rng: int | None = None) -> list[nn.Parameter]:
    """Set a network up for a scenario and return the parameters that learn.

    Parameters
    ----------
    scenario : {'finetune', 'fixed', 'scratch'}
        'fixed': everything but the head is frozen (fixed feature extractor); else all learn.
    n_out : int or None
        Outputs of a fresh head; None keeps the head and its weights.
    """
    choice('scenario', scenario, SCENARIOS)
    model.requires_grad_(scenario != 'fixed')
    if n_out is not None:
        replace_head(model, n_out, rng=rng)
    model.get_submodule(head_path(model)).requires_grad_(True)
    return [p for p in model.parameters() if p.requires_grad]


def train_mode(model: nn.Module) -> None:
    """Training mode for what learns, eval mode for what is frozen.

    A module with parameters of its own is frozen if none of them learns. One without (dropout,
    pooling) is frozen if nothing before it, in the order of the network, learns: what reaches it
    are fixed features.
    """
    learning = False
    model.train()
    for module in model.modules():
        own = list(module.parameters(recurse=False))
        learning = learning or any(p.requires_grad for p in own)
        if own or not any(module.children()):
            module.training = any(p.requires_grad for p in own) if own else learning
