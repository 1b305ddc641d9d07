"""A new head on a trained network, and the scenarios of transfer learning."""

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
    """Put a fresh fully connected layer in the place of an old one, or of a whole classifier.

    Parameters
    ----------
    n_out : int
        Classes, or outputs of a regression.
    path : str, optional
        Module path of the old one; the last Linear by default. Of a container, such as
        'classifier', the new layer takes the inputs of the first Linear in it.
    rng : int, optional
        Seed of the initial weights.
    """
    path = path or head_path(model)
    if n_out < 1:
        raise BadValue(f'a head needs at least 1 output, not {n_out}')
    old = next((m for m in model.get_submodule(path).modules() if isinstance(m, nn.Linear)), None)
    if old is None:
        raise BadValue(f'{path!r} is {type(model.get_submodule(path)).__name__}, which is no fully connected '
                       'layer and holds none')
    with seeded(rng):
        new = nn.Linear(old.in_features, n_out, bias=old.bias is not None)
    new.to(home_of(model), old.weight.dtype)
    model.set_submodule(path, new)
    return new


def prepare_transfer(dnn, scenario: str, n_out: int | None, rng: int | None = None) -> list[nn.Parameter]:
    """Set a DNN up for a scenario and return the parameters that learn.

    Parameters
    ----------
    scenario : {'finetune', 'fixed', 'scratch'}
        'fixed': everything but the head is frozen (fixed feature extractor); else all learn.
    n_out : int or None
        Outputs of a fresh head; None keeps the head and its weights.
    """
    choice('scenario', scenario, SCENARIOS)
    model = dnn._network().requires_grad_(scenario != 'fixed')
    if n_out is not None:
        dnn.replace_head(n_out, rng=rng)
    for path in dnn.aux_paths() if scenario == 'fixed' else ():
        model.get_submodule(path).requires_grad_(False)
    model.get_submodule(head_path(model)).requires_grad_(True)
    return [p for p in model.parameters() if p.requires_grad]
