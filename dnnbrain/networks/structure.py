"""How a network came to be, as plain values: which one, what was changed, where it was cut, what was joined to it.

A plan is one of ``{'network': 'AlexNet'}``, ``{'cut': layers, 'of': plan}``, ``{'join': description, 'to': plan}``,
each with ``'changed': {module path: description}`` where parts were replaced since.
"""

from __future__ import annotations

import json

import torch

from dnnbrain._checks import BadValue
from dnnbrain.networks.blueprint import changes, describe_module, make_module
from dnnbrain.networks.registry import is_known, network_class
from dnnbrain.networks.state import home_of


def plan_of(dnn) -> dict:
    """The plan of a network. Of one that was made by hand, the whole model, if it can be described."""
    made = dnn.made or {'network': dnn.name}
    if is_known(leaf(made)):
        fresh = build(made)
    elif dnn.made is None and any(is_known(base.__name__) for base in type(dnn).__mro__):
        try:
            fresh = type(dnn)._empty()
        except TypeError:                        # a class of the user's own that wants arguments
            return made
    else:
        return made if dnn.made else _by_hand(dnn)
    kept = {name: getattr(dnn.model, name) for name in type(dnn).kept if not dnn.made and hasattr(dnn.model, name)}
    changed = changes(fresh.model, dnn.model)
    return made | ({'kept': kept} if kept else {}) | ({'changed': changed} if changed else {})


def _by_hand(dnn) -> dict:
    plan = {'network': dnn.name}
    if type(dnn).__name__ != 'DNN' or dnn.model is None:
        return plan
    module = describe_module(dnn.model)
    return plan if 'unknown' in json.dumps(module) else \
        plan | {'module': module, 'names': {name: '.'.join(map(str, loc)) for name, loc in dnn.layer2loc.items()},
                'img_size': dnn.img_size}


def bottom(plan: dict) -> dict:
    """What a plan begins with."""
    while 'network' not in plan:
        plan = plan['of'] if 'cut' in plan else plan['to']
    return plan


def leaf(plan: dict) -> str:
    """Name of the network at the bottom of a plan."""
    return bottom(plan)['network']


def can_be_built(plan: dict) -> bool:
    """Whether a plan says all that is needed, so that no class of the user's own is."""
    return is_known(leaf(plan)) or 'module' in bottom(plan)


def build(plan: dict, network: type | None = None, **kwargs):
    """The network of a plan, without memory for its parameters.

    Parameters
    ----------
    network : type, optional
        Class of the network at the bottom; by its name by default.
    **kwargs
        Go to that class.

    Raises
    ------
    BadValue
        A part was replaced by something that has no description.
    """
    if 'module' in plan:
        from dnnbrain.networks.dnn import DNN
        with torch.device('meta'):
            dnn = DNN(make_module(plan['module']))
        dnn.layer2loc = {name: tuple(path.split('.')) for name, path in plan['names'].items()}
        dnn.img_size = plan['img_size'] and tuple(plan['img_size'])
    elif 'network' in plan:
        dnn = (network or network_class(plan['network']))._empty(**kwargs)
    elif 'cut' in plan:
        dnn = build(plan['of'], network, **kwargs).cut(*plan['cut'])
    else:
        with torch.device('meta'):
            head = make_module(plan['join'])
        dnn = build(plan['to'], network, **kwargs)
        dnn = dnn.join(_beside(dnn, head))
    for name, value in plan.get('kept', {}).items():
        setattr(dnn.model, name, value)
    for path, description in plan.get('changed', {}).items():
        try:
            with torch.device('meta'):           # nothing is initialised in vain, no random number drawn
                module = None if description.get('type') == 'None' else make_module(description)
        except BadValue:
            raise BadValue(f'{path or "the whole network"} was replaced by {description.get("type")}, which cannot be '
                           'made from its description; make the network as it was trained, then use '
                           'dnn.model.load_state_dict') from None
        if module is None:
            parent, _, name = path.rpartition('.')
            setattr(dnn.model.get_submodule(parent), name, None)
        elif path:
            dnn.model.set_submodule(path, _beside(dnn, module))
        else:
            dnn.model = module
    dnn._name_layers()
    return dnn


def _beside(dnn, module: torch.nn.Module) -> torch.nn.Module:
    """A module without memory, with what a network has: some cannot be made without."""
    return module.to_empty(device=home_of(dnn.model))
