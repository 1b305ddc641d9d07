"""The forward pass of a network as a graph, for all that walks one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn as nn
from torch import fx


class OneInput(fx.Tracer):
    """Traces a forward pass that is given pictures and nothing else: other arguments have their defaults."""

    def create_args_for_root(self, root_fn, is_module, concrete_args=None):
        run, args = super().create_args_for_root(root_fn, is_module, concrete_args)
        for number, arg in enumerate(args):
            if isinstance(arg, fx.Proxy) and arg.node.args:
                args[number] = arg.node.args[0]
                self.graph.erase_node(arg.node)
        return run, args


@contextmanager
def unmarked(model: nn.Module) -> Iterator[None]:
    """Takes away what tracing in the block leaves in a model: the constants that its forward pass computes with."""
    known = set(vars(model))
    try:
        yield
    finally:
        for name in set(vars(model)) - known:
            delattr(model, name)


def follow_the_input(graph: fx.Graph) -> None:
    """Let steps that name a device, that of the model when it was traced, name the device of their input instead."""
    steps = [node for node in graph.nodes if any(isinstance(one, torch.device)
                                                 for one in (*node.args, *node.kwargs.values()))]
    if not steps:
        return
    pictures = next(node for node in graph.nodes if node.op == 'placeholder')
    with graph.inserting_after(pictures):
        device = graph.call_function(getattr, (pictures, 'device'))
    for node in steps:
        node.args = tuple(device if isinstance(one, torch.device) else one for one in node.args)
        node.kwargs = {name: device if isinstance(one, torch.device) else one for name, one in node.kwargs.items()}
