"""What learns and what stays: freezing by name, learning rates by name, the mode of frozen parts."""

from __future__ import annotations

from collections.abc import Iterable

import torch.nn as nn

from dnnbrain._checks import BadValue, choice
from dnnbrain.networks.heads import head_paths
from dnnbrain.networks.structure import plan_of

ALL_BUT_HEAD = 'all but head'


def parameters_of(dnn, where: tuple[str, ...]) -> dict[str, nn.Parameter]:
    """Parameters by their path in the network.

    Parameters
    ----------
    where : tuple of str
        Layer names ('conv1'), module paths ('features', 'layer4'), beginnings of layer names
        ('conv', 'layer1_'), or 'all but head'; nothing means all.

    Raises
    ------
    BadValue
        A name is nowhere in the network, or what it names has no parameters.
    """
    named = dict(dnn._network().named_parameters())
    if not where:
        return named
    return {path: named[path] for name in where for path in _paths(dnn, name, list(named))}


def _paths(dnn, where: str, paths: list[str]) -> list[str]:
    if where == ALL_BUT_HEAD:
        heads = tuple(head + '.' for head in whole_head(dnn))
        return [path for path in paths if not path.startswith(heads)]
    modules = [name for name, _ in dnn.model.named_modules() if name]
    if where in dnn.layer2loc or where in modules:
        layers = [where]
    else:
        layers = [layer for layer in dnn.layers if layer.startswith(where)] if where else []
        if not layers:
            choice('layer', where, [*dnn.layers, *modules], owner=dnn.name)
    owners = tuple(dnn.layer2path(layer) + '.' for layer in layers)
    found = [path for path in paths if path.startswith(owners)]
    if not found:
        raise BadValue(f'layer {where!r} of {dnn.name} has no parameters')
    return found


def whole_head(dnn) -> list[str]:
    """Paths of the head with all its new layers: what was joined, or stands in the place of original parts."""
    heads = head_paths(dnn.model)
    if dnn.made and 'join' in dnn.made:
        return ['head', *heads]
    tops = {path.partition('.')[0] for path in heads}
    return [*heads, *(path for path in plan_of(dnn).get('changed', {}) if path.partition('.')[0] in tops)]


def set_learning(dnn, where: tuple[str, ...], learns: bool):
    """Freeze or unfreeze the parameters that `parameters_of` finds; returns the network."""
    for parameter in parameters_of(dnn, where).values():
        parameter.requires_grad_(learns)
    return dnn


def param_groups(dnn, rates: dict[str, float], rest: float | None = None) -> list[dict]:
    """Groups for a torch optimizer, a learning rate each.

    Parameters
    ----------
    rates : dict
        Layers, as `freeze` takes them, -> learning rate. What is named twice takes the later rate.
    rest : float, optional
        Rate of everything else that learns; left out of the optimizer by default.

    Returns
    -------
    groups : list of dict
        name, lr, params. Frozen parameters are in none.
    """
    rate_of: dict[str, str] = {}
    for where, rate in rates.items():
        if rate < 0:
            raise BadValue(f'the learning rate of {where!r} must not be negative, but is {rate}')
        rate_of |= dict.fromkeys(parameters_of(dnn, (where,)), where)
    named = {path: p for path, p in dnn.model.named_parameters() if p.requires_grad}
    groups = [{'name': where, 'lr': rate, 'params': [p for path, p in named.items() if rate_of.get(path) == where]}
              for where, rate in rates.items()]
    empty = [group['name'] for group in groups if not group['params']]
    if empty:
        raise BadValue(f'nothing that learns is left for {empty[0]!r}: it is frozen, or a later entry takes it all')
    others = [p for path, p in named.items() if path not in rate_of]
    if rest is not None and others:
        groups.append({'name': 'rest', 'lr': rest, 'params': others})
    return groups


def train_mode(model: nn.Module, taught: Iterable[nn.Parameter] | None = None) -> None:
    """Training mode for what learns, eval mode for what is frozen.

    A module with parameters of its own is frozen if none of them learns, a container if nothing in
    it does. A module without parameters (dropout, pooling) is frozen if nothing before it, in the
    order of the network, learns: what reaches it are fixed features.

    Parameters
    ----------
    taught : iterable of Parameter, optional
        What the optimizer holds; all by default. Nothing else learns, whatever its requires_grad.
    """
    held = None if taught is None else {id(p) for p in taught}

    def learns(parameters) -> bool:
        return any(p.requires_grad and (held is None or id(p) in held) for p in parameters)

    before = False
    for module in model.modules():
        before = before or learns(module.parameters(recurse=False))
        inside = list(module.parameters())
        module.training = learns(inside) if inside else before
