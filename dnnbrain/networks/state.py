"""Leave the world as found: modes, devices, random numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn as nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from dnnbrain._checks import BadValue


def home_of(model: nn.Module) -> torch.device:
    """Where the parameters of a model live."""
    return next((p.device for p in model.parameters()), torch.device('cpu'))


def as_model(model: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    """Pictures in the floating type of a model, which may be half or double precision."""
    wanted = next((p.dtype for p in model.parameters() if p.is_floating_point()), pixels.dtype)
    return pixels.to(wanted) if pixels.is_floating_point() else pixels


def pick_device(model: nn.Module, device=None, cuda: bool = False) -> torch.device:
    """The device asked for: `device`, else cuda if `cuda`, else where the model is.

    Raises
    ------
    BadValue
        The device is not known or not on this machine.
    """
    if device is None and not cuda:
        return home_of(model)
    try:
        chosen = torch.device(device or 'cuda')
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError):
        raise BadValue(f"device {str(device or 'cuda')!r} is not available on this machine; use 'cpu'") from None
    return chosen


@contextmanager
def visiting(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Move a model to a device for the block; restore its device and every module's mode after it."""
    home, modes = home_of(model), [(module, module.training) for module in model.modules()]
    real = _real_buffers(model) if device.type == 'meta' else []
    try:
        for module, name, value in real:
            module._buffers[name] = value.to(device)
        if device != home:
            model.to(device)
        yield
    finally:
        if device != home:
            model.to(home)
        for module, name, value in real:
            module._buffers[name] = value
        for module, mode in modes:
            module.training = mode


def _real_buffers(model: nn.Module) -> list[tuple[nn.Module, str, torch.Tensor]]:
    return [(module, name, value) for module in model.modules() for name, value in module._buffers.items()
            if value is not None and not value.is_meta]


@contextmanager
def without_parameters() -> Iterator[None]:
    """Models made in the block have parameters without memory, so that none is initialised in vain.

    Buffers are real: those that no file holds (indices and masks of attention) are there when the
    parameters come.
    """
    hook = register_module_parameter_registration_hook(
        lambda module, name, parameter: nn.Parameter(parameter.to('meta'), parameter.requires_grad))
    try:
        yield
    finally:
        hook.remove()


@contextmanager
def seeded(rng: int | None, device: torch.device | None = None) -> Iterator[int]:
    """Run the block under a seed and restore torch's random numbers; yields the seed.

    Without a seed one is drawn from torch, so that `torch.manual_seed` still decides.
    """
    seed = int(torch.randint(2 ** 62, ())) if rng is None else int(rng)
    devices = [device] if device is not None and device.type == 'cuda' else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield seed
