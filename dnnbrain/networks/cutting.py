"""A network up to a layer, and a head behind it: embeddings once, then a head, then one network again."""

from __future__ import annotations

import copy
from collections import OrderedDict

import torch
import torch.nn as nn
from torch import fx

from dnnbrain._checks import BadType, BadValue
from dnnbrain.networks.layers import split_call
from dnnbrain.networks.state import home_of, visiting


class _Tracer(fx.Tracer):
    """Opens only the modules that hold the one to cut behind; all others stay as they are, hooks included."""

    def __init__(self, path: str):
        super().__init__()
        self.path = path

    def is_leaf_module(self, module: nn.Module, path: str) -> bool:
        return not self.path.startswith(path + '.')


def cut(model: nn.Module, path: str, call: int, owner: str) -> nn.Module:
    """A copy of a model that ends with what a module puts out; what comes after it is gone.

    Parameters
    ----------
    path : str
        Module path; modules that stay keep theirs.
    call : int
        Which use of the module, from 1.
    owner : str
        What the model is called in messages.
    """
    model = copy.deepcopy(model)
    graph = traced(model, _Tracer(path), f'{owner} cannot be cut')
    uses = [node for node in graph.nodes if node.op == 'call_module' and node.target == path]
    if len(uses) < call:
        raise BadValue(f'layer {path!r} is used {len(uses)} times in a forward pass of {owner}, not {call}')
    last, end = uses[call - 1], next(node for node in graph.nodes if node.op == 'output')
    end.args = (last,)
    nodes = list(graph.nodes)
    for node in reversed(nodes[nodes.index(last) + 1:]):
        if node is not end:
            graph.erase_node(node)
    drop_dead_code(graph, model)
    module = fx.GraphModule(model, graph, class_name=type(model).__name__)
    module.delete_all_unused_submodules()
    return module


def traced(model: nn.Module, tracer: fx.Tracer, trouble: str) -> fx.Graph:
    """The forward pass of a model in eval mode as a graph; its modes are as before afterwards."""
    try:
        with visiting(model, home_of(model)):
            graph = tracer.trace(model.eval())
    except (fx.proxy.TraceError, TypeError, RuntimeError, AttributeError) as error:
        raise BadValue(f'{trouble}, since its forward pass depends on what it is shown: {error}') from None
    if any('dropout' in getattr(node.target, '__name__', '') for node in graph.nodes if node.op == 'call_function'):
        raise BadValue(f'{trouble}: its dropout is a function; make it a torch.nn.Dropout')
    return graph


def drop_dead_code(graph: fx.Graph, model: nn.Module) -> None:
    """Take out steps whose result nobody uses, but for those that change what they are given."""
    graph.eliminate_dead_code(lambda node: node.op in ('placeholder', 'output') or _writes(node, model))


def _writes(node: fx.Node, model: nn.Module) -> bool:
    """Whether a step changes what it is given, so that its own result need not be used."""
    name = node.target if isinstance(node.target, str) else getattr(node.target, '__name__', '')
    if node.op == 'call_module':
        return getattr(model.get_submodule(name), 'inplace', False)
    return bool(node.kwargs.get('inplace')) or (name.endswith('_') and not name.endswith('__'))


def cut_dnn(dnn, layer: str):
    """The network up to a layer, as a DNN of its own with the names of the layers that stay.

    Its output is what the layer answers: maps (n, n_chn, n_row, n_col), or vectors (n, n_feat).
    Parameters are copied: training one network leaves the other alone.
    """
    path = dnn.layer2path(layer)
    trunk = cut(dnn._network(), path, split_call(layer)[1], dnn.name)
    opened = {name for name in dnn.layer2loc if path.startswith(dnn.layer2path(name) + '.')}
    return _like(dnn, trunk, {name: loc for name, loc in dnn.layer2loc.items() if name not in opened})


def join(dnn, head):
    """The network with a head behind it, as a DNN that shares the parameters of both.

    Parameters
    ----------
    head : Module or DNN
        Takes what the network puts out; maps are flattened before a fully connected layer.

    Returns
    -------
    dnn : DNN
        Module paths begin with 'trunk' and 'head'; names of layers stay, and 'head' is one.
    """
    module = getattr(head, 'model', head)
    if not isinstance(module, nn.Module):
        raise BadType(f'a head must be a torch.nn.Module or a DNN, not {type(head).__name__}')
    trunk = dnn._network()
    first = next(m for m in module.modules() if not any(m.children()))
    shape = output_shape(dnn)
    parts = OrderedDict(trunk=trunk)
    if isinstance(first, nn.Linear) and len(shape) > 1:
        parts['flatten'] = nn.Flatten()
    if isinstance(first, nn.Linear) and first.in_features != (came := torch.Size(shape).numel()):
        raise BadValue(f'the head takes {first.in_features} features, but {dnn.name} puts out {came}')
    parts['head'] = module.to(home_of(trunk))
    names = {name: ('trunk', *loc) for name, loc in dnn.layer2loc.items()} | {'head': ('head',)}
    return _like(dnn, nn.Sequential(parts), names)


def output_shape(dnn) -> tuple[int, ...]:
    """Shape of what the network puts out for one picture."""
    home = home_of(dnn._network())
    with visiting(dnn.model, home), torch.inference_mode():
        return tuple(dnn.model.eval()(torch.zeros(1, 3, *dnn.img_size, device=home)).shape[1:])


def _like(dnn, model: nn.Module, names: dict):
    """A DNN that looks at pictures as another does."""
    from dnnbrain.networks.dnn import DNN
    new = DNN(model, layer2loc=names, img_size=dnn.img_size, train_transform=dnn.train_transform,
              test_transform=dnn.test_transform)
    new._name_layers()
    return new
