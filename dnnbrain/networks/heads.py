"""A new head on a trained network, and the scenarios of transfer learning."""

from __future__ import annotations

import torch.nn as nn

from dnnbrain._checks import BadValue, choice
from dnnbrain.networks.state import home_of, seeded

SCENARIOS = ('finetune', 'fixed', 'scratch')


def head_path(model: nn.Module) -> str:
    """Module path of the (first) head."""
    return head_paths(model)[0]


def head_paths(model: nn.Module) -> list[str]:
    """Module paths of what answers: nearly always one, the last fully connected layer.

    A network of timm says itself what it is, and may have two whose answers are averaged (distilled
    transformers). SqueezeNet has a 1 x 1 convolution before its last pooling.

    Raises
    ------
    BadValue
        There is none.
    """
    named = dict(model.named_modules())
    told = _told_by_timm(model)
    found = [path for path, module in named.items() if any(module is head for head in told)]
    if found:
        return found
    linear = [path for path, module in named.items() if isinstance(module, nn.Linear)] or _pooled_convs(named)
    if not linear:
        raise BadValue('the network has no fully connected layer that could be its head')
    return linear[-1:]


def _told_by_timm(model: nn.Module) -> tuple[nn.Module, ...]:
    try:
        told = model.get_classifier()
    except (AttributeError, TypeError):          # of another make, or the part that held it was replaced
        return ()
    return tuple(told) if isinstance(told, tuple | list | nn.ModuleList) else (told,)


def _pooled_convs(named: dict[str, nn.Module]) -> list[str]:
    """The last convolution, if it is 1 x 1 and pooling to one position follows."""
    convs = [path for path, module in named.items() if isinstance(module, nn.Conv2d)][-1:]
    paths = list(named)
    return [path for path in convs if _is_pointwise(named[path])
            and any(isinstance(named[later], nn.AdaptiveAvgPool2d) and named[later].output_size in (1, (1, 1))
                    for later in paths[paths.index(path):])]


def _is_pointwise(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1) and module.groups == 1


def replace_head(model: nn.Module, n_out: int, path: str | None = None,
                 rng: int | None = None) -> nn.Linear | nn.Conv2d:
    """Put a fresh layer in the place of an old one, or of a whole classifier.

    Parameters
    ----------
    n_out : int
        Classes, or outputs of a regression.
    path : str, optional
        Module path of the old one; all of `head_paths` by default. Of a container, such as
        'classifier', the new layer takes the inputs of the first Linear in it.
    rng : int, optional
        Seed of the initial weights.

    Returns
    -------
    head : Linear, or Conv2d where that was one
        The first, if there are several.
    """
    if n_out < 1:
        raise BadValue(f'a head needs at least 1 output, not {n_out}')
    paths = head_paths(model) if path is None else [path]
    with seeded(rng):
        fresh = [_like(model.get_submodule(path), n_out, model, path) for path in paths]
    home, dtype = home_of(model), next(model.parameters()).dtype
    for path, new in zip(paths, fresh, strict=True):
        model.set_submodule(path, new.to(home, dtype))
    return fresh[0]


def _like(part: nn.Module, n_out: int, model: nn.Module, path: str) -> nn.Linear | nn.Conv2d:
    """A layer that takes what `part` takes."""
    if _is_pointwise(part):
        return nn.Conv2d(part.in_channels, n_out, 1, part.stride, bias=part.bias is not None)
    old = next((m for m in part.modules() if isinstance(m, nn.Linear)), None)
    if old is not None:
        return nn.Linear(old.in_features, n_out, bias=old.bias is not None)
    if isinstance(part, nn.Identity) and any(part is head for head in _told_by_timm(model)):
        return nn.Linear(getattr(model, 'head_hidden_size', model.num_features), n_out)
    raise BadValue(f'{path!r} is {type(part).__name__}, which is no fully connected layer and holds none')


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
    for path in head_paths(model):
        model.get_submodule(path).requires_grad_(True)
    return [p for p in model.parameters() if p.requires_grad]
