"""Guided backpropagation: at every ReLU, only what raises the target goes on down.

A ReLU is a module or a function, in place or not, or one module that is used at many places. In the graph that
autograd keeps of a forward pass each of them is the same step, so the rule is set there. No module is hooked or
replaced, nothing has to be traced, and what is found in the graph is what the gradient passes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache

import torch

from dnnbrain._checks import BadValue, listing

log = logging.getLogger(__name__)

RECTIFIERS = {
    'ReluBackward0': lambda step: True,
    'HardtanhBackward0': lambda step: step._saved_min_val == 0,          # ReLU6
    'ClampBackward1': lambda step: step._saved_min == 0,
    'ClampMinBackward0': lambda step: step._saved_min == 0,
    'ThresholdBackward0': lambda step: step._saved_threshold == 0,
    'ThresholdBackward1': lambda step: step._saved_threshold == 0,       # in place
}
OTHERS = {f'{name}Backward{n}': kind for n in (0, 1) for name, kind in (
    ('Gelu', 'GELU'), ('Silu', 'SiLU'), ('Hardswish', 'Hardswish'), ('Mish', 'Mish'), ('LeakyRelu', 'LeakyReLU'),
    ('Elu', 'ELU'), ('Celu', 'CELU'), ('PreluKernel', 'PReLU'), ('RreluWithNoise', 'RReLU'), ('Softplus', 'Softplus'),
    ('Tanh', 'Tanh'), ('Maximum', 'torch.maximum'), ('Where', 'torch.where'))}
CLOSED = ('DifferentiableGraphBackward', 'CheckpointFunctionBackward', 'CompiledFunctionBackward')


def guide(numbers: torch.Tensor, answer, inputs: torch.Tensor) -> None:
    """Let gradients of numbers be those of guided backpropagation.

    Parameters
    ----------
    numbers : Tensor
        Just computed, with their graph.
    answer : Answer
        What has computed them.
    inputs : Tensor
        Of the network, to ask whether it has a ReLU where there is none on the way.

    Raises
    ------
    BadValue
        The network has no ReLU, or none but other nonlinearities come on the way, or a part of it is compiled: the
        result would be the plain gradient.

    Notes
    -----
    Springenberg et al. 2015, arXiv 1412.6806. Between a target and a layer with nothing but linear steps and maxima
    between them, the guided gradient is the plain one.
    """
    found, others = [], set()
    for step in _steps(numbers):
        name = step.name()
        if any(closed in name for closed in CLOSED):
            raise BadValue(f'a part of {answer.name} is compiled or recomputed ({name}), so that its ReLUs cannot be '
                           'reached; use the plain network, or vanilla or integrated gradients')
        if _rectifies(step):
            found.append(step)
        elif name in OTHERS:
            others.add(OTHERS[name])
    if not found and (others or not _has_relu(answer, inputs)):
        which = f'its nonlinearities on the way are {listing(sorted(others))}' if others else 'nothing in it rectifies'
        raise BadValue(f'guided backpropagation needs ReLUs, and {answer.name} has none here ({which}); use vanilla '
                       'or integrated gradients, smoothed or not')
    if others:
        _warn(answer.name, listing(sorted(others)))
    for step in found:
        step.register_prehook(lambda gradients: tuple(None if one is None else one.clamp(min=0) for one in gradients))


@cache
def _warn(name: str, others: str) -> None:
    log.warning('%s has %s beside ReLU: only the ReLUs are guided', name, others)


def _steps(numbers: torch.Tensor) -> Iterator:
    """Every step of the graph that leads to numbers."""
    waiting = [numbers.grad_fn]
    seen = set(waiting)
    while waiting:
        step = waiting.pop()
        if step is None:
            continue
        yield step
        for source, _ in step.next_functions:
            if source not in seen:
                seen.add(source)
                waiting.append(source)


def _rectifies(step) -> bool:
    return RECTIFIERS.get(step.name(), lambda step: False)(step)


def _has_relu(answer, inputs: torch.Tensor) -> bool:
    """Whether the network has a ReLU anywhere: on the way from its first layer there is none, and that is right."""
    output = answer.whole(inputs[:1].detach().clone().requires_grad_())
    while not isinstance(output, torch.Tensor):
        output = next(iter(output.values() if isinstance(output, dict) else output))
    return any(_rectifies(step) for step in _steps(output))
