"""A network up to a layer, and a head behind it: embeddings once, then a head, then one network again."""

from __future__ import annotations

import copy
import operator
from collections import Counter, OrderedDict
from collections.abc import Container

import torch
import torch.nn as nn
from torch import fx

from dnnbrain._checks import BadType, BadValue
from dnnbrain.networks.ablation import has_lesions
from dnnbrain.networks.axes import channels_last, told_by_kind, told_by_timm, told_prefix
from dnnbrain.networks.blueprint import describe_module
from dnnbrain.networks.layers import split_call
from dnnbrain.networks.state import as_model, home_of, visiting
from dnnbrain.networks.structure import plan_of
from dnnbrain.networks.tracing import OneInput, follow_the_input

_KEEP_SHAPE = (nn.Identity, nn.modules.dropout._DropoutNd, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU,
               nn.Hardswish, nn.Softplus, nn.Tanh, nn.Sigmoid, nn.PReLU)


class _Tracer(OneInput):
    """Opens only the modules that hold those to cut behind; all others stay as they are, hooks included."""

    def __init__(self, paths: list[str]):
        super().__init__()
        self.paths = paths

    def is_leaf_module(self, module: nn.Module, path: str) -> bool:
        return not any(wanted.startswith(path + '.') for wanted in self.paths)


def cut(model: nn.Module, ends: list[tuple[str, int]], owner: str,
        several: Container[tuple[str, int]] = ()) -> nn.Module:
    """A copy of a model that ends with what modules put out; what comes after them is gone.

    Parameters
    ----------
    ends : list of (str, int)
        Module path, and which use of the module, from 1. Modules that stay keep their paths. For
        one end the output is its tensor, for several a tuple in this order.
    owner : str
        What the model is called in messages.
    several : container of (str, int)
        The ends that put out several tensors, of which the first counts.
    """
    for path, _ in ends:
        inside = next((other for other, _ in ends if other.startswith(path + '.')), None)
        if inside:
            raise BadValue(f'layer {path!r} of {owner} holds {inside!r}; cut behind one of them')
    model = copy.deepcopy(model)
    graph = traced(model, _Tracer([path for path, _ in ends]), f'{owner} cannot be cut')
    nodes, end = list(graph.nodes), next(node for node in graph.nodes if node.op == 'output')
    found = []
    for path, call in ends:
        uses = [node for node in nodes if node.op == 'call_module' and node.target == path]
        if len(uses) < call:
            raise BadValue(f'layer {path!r} is used {len(uses)} times in a forward pass of {owner}, not {call}')
        found.append(uses[call - 1])
        if (path, call) in several:
            with graph.inserting_after(found[-1]):
                found[-1] = graph.call_function(operator.getitem, (found[-1], 0))
    nodes = list(graph.nodes)
    last = max(found, key=nodes.index)
    for number, node in enumerate(found):
        if node is not last:                     # what comes next may write in place
            with graph.inserting_after(node):
                found[number] = graph.call_method('clone', (node,))
    end.args = (found[0] if len(found) == 1 else tuple(found),)
    nodes = list(graph.nodes)
    for node in reversed(nodes[nodes.index(last) + 1:]):
        if node is not end:
            graph.erase_node(node)
    drop_dead_code(graph, model)
    module = fx.GraphModule(model, graph, class_name=type(model).__name__)
    module.delete_all_unused_submodules()
    module.meta |= {'num_prefix_tokens': told_prefix(model),                     # attributes are lost in copies
                    'mask_spatial_shape': told_by_timm(model, 'mask_spatial_shape')}
    return module


def traced(model: nn.Module, tracer: fx.Tracer, trouble: str) -> fx.Graph:
    """The forward pass of a model in eval mode as a graph; its modes are as before afterwards."""
    if has_lesions(model):
        raise BadValue(f'{trouble} while it is ablated; dnn.restore() first')
    try:
        with visiting(model, home_of(model)):
            graph = tracer.trace(model.eval())
    except (fx.proxy.TraceError, TypeError, RuntimeError, AttributeError) as error:
        raise BadValue(f'{trouble}, since its forward pass depends on what it is shown: {error}') from None
    if any('dropout' in getattr(node.target, '__name__', '') for node in graph.nodes if node.op == 'call_function'):
        raise BadValue(f'{trouble}: its dropout is a function; make it a torch.nn.Dropout')
    follow_the_input(graph)
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


def cut_dnn(dnn, *layers: str):
    """The network up to a layer, as a DNN of its own with the names of the layers that stay.

    Its output is what the layer answers: maps (n, n_chn, n_row, n_col), channels first also where the layer has
    them last, or vectors (n, n_feat); of several layers, a tuple (to be joined to a head that takes it, as
    `readout` does).
    Parameters are copied: training one network leaves the other alone.
    """
    if not layers:
        raise BadValue(f'name the layer to cut {dnn.name} behind')
    paths = [dnn.layer2path(layer) for layer in layers]
    ends = [(path, split_call(layer)[1]) for path, layer in zip(paths, layers, strict=True)]
    trunk, outputs = cut(dnn._network(), ends, dnn.name), _outputs(dnn, ends)
    several = {one for one, output in outputs.items() if isinstance(output, tuple | list)}
    if several:
        trunk = cut(dnn.model, ends, dnn.name, several)
    _put_channels_first(dnn, trunk, ends, outputs)
    opened = {name for name in dnn.layer2loc if any(path.startswith(dnn.layer2path(name) + '.') for path in paths)}
    return _like(dnn, trunk, {name: loc for name, loc in dnn.layer2loc.items() if name not in opened},
                 {'cut': list(layers), 'of': plan_of(dnn)})


def _outputs(dnn, ends: list[tuple[str, int]]) -> dict[tuple[str, int], object]:
    """What layers put out for an empty picture; nothing where it is known that these are maps, channels first."""
    modules = {path: dnn.model.get_submodule(path) for path, _ in ends}
    if dnn.img_size is None or all(told_by_kind(module) is False for module in modules.values()):
        return {}
    outputs, calls = {}, Counter()

    def note(path: str):
        def hook(module, args, output):
            calls[path] += 1
            outputs[path, calls[path]] = output
        return hook

    handles = [module.register_forward_hook(note(path)) for path, module in modules.items()]
    try:
        _shown_nothing(dnn.model, dnn.input_shape)
    finally:
        for handle in handles:
            handle.remove()
    return {one: outputs[one] for one in ends if one in outputs}


def _put_channels_first(dnn, trunk: fx.GraphModule, ends: list[tuple[str, int]], outputs: dict) -> None:
    """Maps leave the network with channels first, where layers have them last: heads read units as masks count them."""
    end = next(node for node in trunk.graph.nodes if node.op == 'output')
    nodes = [end.args[0]] if len(ends) == 1 else list(end.args[0])
    for number, one in enumerate(ends):
        output = outputs.get(one)
        output = output[0] if isinstance(output, tuple | list) else output
        if getattr(output, 'ndim', 0) == 4 and channels_last(dnn, dnn.model.get_submodule(one[0]), output.shape[1:]):
            with trunk.graph.inserting_before(end):
                nodes[number] = trunk.graph.call_method('permute', (nodes[number], 0, 3, 1, 2))
    end.args = (nodes[0] if len(ends) == 1 else tuple(nodes),)
    trunk.recompile()


def join(dnn, head):
    """The network with a head behind it, as a DNN that shares the parameters of both.

    Parameters
    ----------
    head : Module or DNN
        Takes what the network puts out; maps are flattened if it begins with a fully connected layer
        or a BatchNorm1d, dropout and activations before it or not.

    Returns
    -------
    dnn : DNN
        Module paths begin with 'trunk' and 'head'; names of layers stay, and 'head' is one.
    """
    module = head if isinstance(head, nn.Module) else getattr(head, 'model', None)
    if not isinstance(module, nn.Module):
        raise BadType(f'a head must be a torch.nn.Module or a DNN, not {type(head).__name__}')
    trunk = dnn._network()
    first = next((m for m in module.modules() if not any(m.children()) and not isinstance(m, _KEEP_SHAPE)), None)
    parts = OrderedDict(trunk=trunk)
    if isinstance(first, nn.Linear | nn.BatchNorm1d):
        shape = output_shape(dnn)
        if len(shape) > 1:
            parts['flatten'] = nn.Flatten()
        takes = first.in_features if isinstance(first, nn.Linear) else first.num_features
        if takes != (came := torch.Size(shape).numel()):
            raise BadValue(f'the head takes {takes} features, but {dnn.name} puts out {came}')
    parts['head'] = module.to(home_of(trunk))
    names = {name: ('trunk', *loc) for name, loc in dnn.layer2loc.items()} | {'head': ('head',)}
    return _like(dnn, nn.Sequential(parts), names, {'join': describe_module(module), 'to': plan_of(dnn)})


def output_shape(dnn) -> tuple[int, ...]:
    """Shape of what the network puts out for one picture."""
    return tuple(_shown_nothing(dnn._network(), dnn.input_shape).shape[1:])


@torch.inference_mode()
def _shown_nothing(model: nn.Module, shape: tuple[int, ...]):
    """What a model puts out for zeros, in eval mode."""
    home = home_of(model)
    with visiting(model, home):
        return model.eval()(as_model(model, torch.zeros(1, *shape, device=home)))


def _like(dnn, model: nn.Module, names: dict, made: dict):
    """A DNN that looks at pictures as another does."""
    new = dnn._plain()(model, layer2loc=names, img_size=dnn.img_size, train_transform=dnn.train_transform,
                       test_transform=dnn.test_transform)
    new.made = made
    new._name_layers()
    return new
