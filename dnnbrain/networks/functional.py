"""Operations of a forward pass that no module computes (a functional relu, a sum, cat, flatten).

Hooks catch what modules put out, so such an operation is no layer. Tracing the forward pass tells which there are
and which modules stand next to them; the result of many is what the module around them puts out.
"""

from __future__ import annotations

import re
from collections import Counter

import pandas as pd
from torch import fx

from dnnbrain._checks import BadValue, listing
from dnnbrain.networks.fields import Tracer
from dnnbrain.networks.state import home_of, visiting
from dnnbrain.networks.tracing import unmarked

COLUMNS = ['operation', 'kind', 'inside', 'before', 'after', 'layer']
ABOUT_SHAPES = frozenset(('getattr', 'size', 'dim', 'numel', 'len', '_assert'))
SAME = {'concat': 'cat', 'concatenate': 'cat', 'iadd': 'add', 'truediv': 'div', 'matmul': 'bmm', 'view': 'reshape'}
FREQUENT = ('relu', 'add', 'cat', 'flatten', 'mul', 'mean', 'avgpool', 'maxpool', 'dropout', 'softmax', 'reshape',
            'permute', 'gelu', 'silu', 'sigmoid', 'layernorm', 'bmm')     # as _plain writes them


def functional_operations(dnn) -> pd.DataFrame:
    """One row per operation without a module, in the order of the forward pass.

    Parameters
    ----------
    dnn : DNN
        May be without memory for its parameters (on the meta device).

    Returns
    -------
    table : DataFrame
        operation (as torch.fx calls it: 'add_1'), kind ('add'), inside (path of the module whose forward it
        stands in, '' for the network itself), before and after (tuples of the nearest modules that put out
        something on the way to it and behind it, 'relu#2' for the second call of one), layer (path of a
        module that puts out this very result, '' if none does). What only reckons with shapes is left out.

    Raises
    ------
    BadValue
        The forward pass cannot be traced.
    """
    tracer = _Placing()
    try:
        with visiting(dnn._network(), home_of(dnn.model)), unmarked(dnn.model):
            graph = tracer.trace(dnn.model.eval())
    except Exception as error:                           # whatever the code of a model does with a proxy
        raise BadValue(f'the forward pass of {dnn.name} cannot be traced ({str(error).splitlines()[0]:.80}), so its '
                       'operations without a module are not known') from None
    calls, names = Counter(), {}
    several = {path for path, n in Counter(node.target for node in graph.nodes if node.op == 'call_module').items()
               if n > 1}
    for node in graph.nodes:
        if node.op == 'call_module':
            calls[node.target] += 1
            names[node] = f'{node.target}#{calls[node.target]}' if node.target in several else node.target
    ends = {node: _numbered(path, k, nodes) for path, nodes in reversed(tracer.outputs.items())
            for k, node in enumerate(nodes, 1) if path and node is not None}
    names = ends | names
    shapes = _about_shapes(graph)
    return pd.DataFrame([(node.name, _kind(node), tracer.inside[node], _next(node, names, shapes, 'all_input_nodes'),
                          _next(node, names, shapes, 'users'), ends.get(node, ''))
                         for node in graph.nodes if _is_operation(node) and node not in shapes], columns=COLUMNS)


def functional_summary(dnn) -> str:
    """How many operations of which kind have no module, in one line."""
    try:
        table = functional_operations(dnn)
    except BadValue as error:
        return str(error)
    counts = table.loc[table['layer'] == '', 'kind'].value_counts()         # others are what a module puts out
    found = [f'{n} {kind}' for kind, n in counts.items()]
    return f'operations without a module, which cannot be reached: {listing(found) if found else "none"}'


def refuse_functional(dnn, layer: str) -> None:
    """Nothing if `layer` does not read like an operation, else a sentence with the modules nearest to it.

    Raises
    ------
    BadValue
        `layer` is called like an operation without a module: 'relu', 'add_1', 'torch.cat', 'features.relu'.
    """
    inside, _, name = re.sub(r'^(torch\.)?(nn\.)?(functional\.|F\.)?', '', layer).rpartition('.')
    inside = '.'.join(map(str, dnn.layer2loc.get(inside, (inside,))))
    try:
        table = functional_operations(dnn)
    except BadValue as error:
        if _plain(name) in FREQUENT:
            raise BadValue(f'layer {layer!r} is not in {dnn.name}; operations without a module ({_plain(name)}) cannot '
                           f'be reached. Nor can the nearest modules be told: {error}') from None
        return
    found = _called(table, name, inside)
    if len(found) == 0:
        return
    first = next((row for _, row in found.iterrows() if row['before']), found.iloc[0])
    kinds = [*found['kind'], *table['kind'].value_counts().index]
    which = '' if len(found) == 1 else f' to one of {len(found)}'
    near = [f'{listing(first[side], 3)} ({side} it)' for side in ('before', 'after') if first[side]]
    same = f"; what it puts out is what layer {first['layer']!r} does" if first['layer'] else ''
    raise BadValue(f'layer {layer!r} is not in {dnn.name}; operations without a module '
                   f'({listing(dict.fromkeys(kinds), 4)}) cannot be reached; nearest modules{which}: '
                   f'{", ".join(near) or "none"}{same}. dnn.functional_operations() lists them all')


def _called(table: pd.DataFrame, name: str, inside: str) -> pd.DataFrame:
    """The operations of a name or kind; of a module where it is named, else of what comes directly behind it."""
    if inside:
        within = [row.inside == inside or row.inside.startswith(f'{inside}.') for row in table.itertuples()]
        behind = [any(f'{path}.'.startswith(f'{inside}.') for path in row.before) for row in table.itertuples()]
        found = (_called(table[rows], name, '') for rows in (within, behind))
        return next((rows for rows in found if len(rows)), table[:0])
    exact = table[table['operation'] == name]
    if len(exact) and exact['kind'].iloc[0] != name:
        return exact
    return table[[_plain(kind) == _plain(name) for kind in table['kind']]]


class _Placing(Tracer):
    """Keeps in which module each step of the graph stands."""

    def __init__(self):
        super().__init__()
        self.inside: dict[fx.Node, str] = {}
        self._stack: list[str] = []

    def call_module(self, module, forward, args, kwargs):
        self._stack.append(self.path_of_module(module))
        try:
            return super().call_module(module, forward, args, kwargs)
        finally:
            self._stack.pop()

    def create_node(self, *args, **kwargs) -> fx.Node:
        node = super().create_node(*args, **kwargs)
        self.inside[node] = self._stack[-1] if self._stack else ''
        return node


def _is_operation(node: fx.Node) -> bool:
    return node.op in ('call_function', 'call_method')


def _about_shapes(graph: fx.Graph) -> set[fx.Node]:
    """The steps that make no tensor but sizes, and what is reckoned from these."""
    found = set()
    for node in graph.nodes:
        sources = node.all_input_nodes
        if _is_operation(node) and (_kind(node) in ABOUT_SHAPES
                                    or sources and all(source in found for source in sources)):
            found.add(node)
    return found


def _next(node: fx.Node, names: dict[fx.Node, str], shapes: set[fx.Node], way: str) -> tuple[str, ...]:
    """The modules that are reached first on every way of tensors up or down the graph."""
    found, waiting, seen = [], list(getattr(node, way)), set(shapes)
    while waiting:
        other = waiting.pop(0)
        if other in seen:
            continue
        seen.add(other)
        if other in names:
            found.append(names[other])
        else:
            waiting.extend(getattr(other, way))
    return tuple(found)


def _numbered(path: str, call: int, calls: list) -> str:
    return f'{path}#{call}' if len(calls) > 1 else path


def _kind(node: fx.Node) -> str:
    return node.target if isinstance(node.target, str) else getattr(node.target, '__name__', str(node.target))


def _plain(kind: str) -> str:
    """A kind without number, dimensions and what else differs between spellings."""
    kind = re.sub(r'(_\d+|#\d+|[123]d)$', '', kind.lower()).replace('_', '').removeprefix('adaptive')
    return SAME.get(kind, kind)
