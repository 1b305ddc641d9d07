"""Lesions: units put out zero, whatever their weights, biases and batch norms say, until they are restored.

Hooks on what a layer puts out do it, so that the parameters stay as they are, also when the network is saved.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn as nn

from dnnbrain._checks import BadType, BadValue
from dnnbrain.activation.lesion import other_units
from dnnbrain.activation.mask import Mask, as_mask
from dnnbrain.networks.axes import as_maps, channels_first
from dnnbrain.networks.layers import split_call
from dnnbrain.networks.state import as_model, home_of, visiting


class Lesion:
    """Silences units of a layer in every forward pass until it is removed.

    Attributes
    ----------
    shape : tuple of int or None
        Of the activation in the last pass, (n_stim, n_chn, n_row, n_col).
    """

    def __init__(self, dnn, layer: str, dmask: Mask):
        self.layer, self.dmask, self.call = layer, dmask, split_call(layer)[1]
        self.calls, self.n_stim = 0, 0
        self.dnn, self.module = dnn, dnn.layer2module(layer)
        self.shape: tuple[int, ...] | None = None
        self._last: Callable = lambda: None             # what the layer put out last, while it is there
        self._follows = False                           # whether the batch norm at work takes it
        self.handles = [dnn.layer2module(layer).register_forward_hook(self.silence),
                        dnn.model.register_forward_pre_hook(self.begin)]
        for norm in (m for m in dnn.model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)):
            self.handles += [norm.register_forward_pre_hook(self.notice, prepend=True),
                             norm.register_forward_hook(self.follow)]

    def begin(self, model, args) -> None:
        """A forward pass begins: calls of the layer are counted anew."""
        self.calls, self.n_stim = 0, len(args[0])

    def silence(self, module, args, output):
        """What the layer puts out, with zeros for the units of the mask."""
        self.calls += 1
        if self.calls != self.call:
            return None
        if isinstance(output, tuple):
            parts = self._silenced(output[0]), *output[1:]
            return output._make(parts) if hasattr(output, '_make') else parts
        return self._silenced(output)

    def notice(self, module, args) -> None:
        """What a batch norm takes, before other hooks exchange it."""
        self._follows = args[0] is self._last()

    def follow(self, module, args, output):
        """Zeros behind a batch norm that takes the layer's output: it would make a constant of them."""
        return self._silenced(output) if self._follows else None

    def _silenced(self, output) -> torch.Tensor:
        if not isinstance(output, torch.Tensor):
            raise BadType(f'layer {self.layer!r} puts out {type(output).__name__}, not one tensor; choose a layer '
                          'inside it')
        output = output.clone()
        self._last = weakref.ref(output)
        maps = as_maps(channels_first(self.dnn, self.module, output), self.layer, self.n_stim)       # a view
        self.shape = tuple(maps.shape)
        off = torch.ones((1,) * maps.ndim, dtype=torch.bool)
        for axis, index in self.dmask.indices(self.layer, self.shape).items():
            chosen = torch.zeros(self.shape[axis], dtype=torch.bool)
            chosen[torch.as_tensor(index)] = True
            off = off & chosen.view([-1 if a == axis else 1 for a in range(maps.ndim)])
        maps.masked_fill_(off.to(maps.device), 0)
        return output

    def remove(self) -> None:
        """The layer puts out again what it computes."""
        for handle in self.handles:
            handle.remove()


def ablate(dnn, layer, channels=None) -> None:
    """Silence units from now on, until `restore`.

    Parameters
    ----------
    layer : str or Mask, or what `as_mask` takes
        A layer, or a mask of units of several layers. 'relu#2' is the second use of a shared module.
    channels : int or sequence of int, optional
        Numbers from 1, of one layer; all by default.

    Raises
    ------
    BadValue
        The network has no such layer or unit, which is tried with one empty picture.

    Notes
    -----
    What is silenced is the output of the layer, and that of a batch norm directly behind it: no bias
    revives a channel. Its gradients are zero. The network can be shown pictures, tested, trained and
    saved as ever, but not cut.
    """
    dnn.lesions = *dnn.lesions, *_installed(dnn, layer, channels)


def restore(dnn) -> None:
    """Undo every `ablate`."""
    for lesion in dnn.lesions:
        lesion.remove()
    dnn.lesions = ()


@contextmanager
def ablated(dnn, layer, channels=None) -> Iterator:
    """``with dnn.ablated('conv5', [3, 7]): ...``: as `ablate`, for a block; lesions in lesions add up."""
    lesions = _installed(dnn, layer, channels)
    try:
        yield dnn
    finally:
        for lesion in lesions:
            lesion.remove()


def random_lesion(dnn, dmask, rng=None) -> Mask:
    """A control: as many other units of the same layers, drawn at random; see `other_units`.

    Parameters
    ----------
    dmask : Mask, or what `as_mask` takes
    rng : int or Generator, optional
    """
    lesions = _installed(dnn, dmask, None)
    for lesion in lesions:
        lesion.remove()
    if any(lesion.shape is None for lesion in lesions):
        raise BadValue(f'{dnn.name} has no img_size; set it to the (height, width) of its pictures')
    return other_units(dmask, {lesion.layer: lesion.shape for lesion in lesions}, rng)


def lesions_of(model: nn.Module) -> list[str]:
    """What is silenced in a model at the moment, as text."""
    found = [hook.__self__ for hook in model._forward_pre_hooks.values()
             if isinstance(getattr(hook, '__self__', None), Lesion)]
    return [f'{lesion.layer}: {lesion.dmask.get(lesion.layer)}' for lesion in found]


def has_lesions(model: nn.Module) -> bool:
    """Whether a model or a part of it is ablated."""
    return any(isinstance(getattr(hook, '__self__', None), Lesion)
               for module in model.modules() for hook in module._forward_pre_hooks.values())


def _installed(dnn, layer, channels) -> list[Lesion]:
    """Lesions at work, after they have been tried."""
    if channels is not None and not isinstance(layer, str):
        raise BadType(f'channels go with the name of one layer, not with {type(layer).__name__}')
    dmask = as_mask(layer) if channels is None else Mask(layer, channels)
    if not dmask.layers:
        raise BadValue('the mask names no layer')
    lesions: list[Lesion] = []
    try:
        for name in dmask.layers:
            lesions.append(Lesion(dnn, name, dmask))
        if dnn.img_size is not None:
            _try(dnn, lesions)
    except BaseException:
        for lesion in lesions:
            lesion.remove()
        raise
    return lesions


def _try(dnn, lesions: list[Lesion]) -> None:
    """Show an empty picture, so that what is wrong is said now and not in the middle of the work."""
    home = home_of(dnn.model)
    with visiting(dnn.model, home), torch.inference_mode():
        dnn.model.eval()
        dnn.model(as_model(dnn.model, torch.zeros(1, *dnn.input_shape, device=home)))
    idle = next((lesion for lesion in lesions if lesion.shape is None), None)
    if idle is not None:
        raise BadValue(f'layer {idle.layer!r} is used {idle.calls} times in a forward pass of {dnn.name}'
                       + ('' if idle.call == 1 else '; ask for an earlier call'))
