"""How a network came to be, as plain values: which one, what was changed, where it was cut, what was joined to it.

A plan is one of ``{'network': 'AlexNet'}``, ``{'cut': layers, 'of': plan}``, ``{'join': description, 'to': plan}``,
each with ``'changed': {module path: description}`` where parts were replaced since.
"""

from __future__ import annotations

from dnnbrain._checks import BadValue
from dnnbrain.networks.blueprint import changes, make_module
from dnnbrain.networks.registry import NETWORKS, network_class


def plan_of(dnn) -> dict:
    """The plan of a network; of one that nobody knows by name, the name alone."""
    made = dnn.made or {'network': dnn.name}
    if leaf(made) not in NETWORKS:
        return made
    changed = changes(build(made).model, dnn.model)
    return made | ({'changed': changed} if changed else {})


def leaf(plan: dict) -> str:
    """Name of the network at the bottom of a plan."""
    while 'network' not in plan:
        plan = plan['of'] if 'cut' in plan else plan['to']
    return plan['network']


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
    if 'network' in plan:
        dnn = (network or network_class(plan['network']))._empty(**kwargs)
    elif 'cut' in plan:
        dnn = build(plan['of'], network, **kwargs).cut(*plan['cut'])
    else:
        dnn = build(plan['to'], network, **kwargs).join(make_module(plan['join']).to('meta'))
    for path, description in plan.get('changed', {}).items():
        try:
            module = make_module(description).to('meta')
        except BadValue:
            raise BadValue(f'{path or "the whole network"} was replaced by {description.get("type")}, which cannot be '
                           'made from its description; make the network as it was trained, then use '
                           'dnn.model.load_state_dict') from None
        if path:
            dnn.model.set_submodule(path, module)
        else:
            dnn.model = module
    dnn._name_layers()
    return dnn
