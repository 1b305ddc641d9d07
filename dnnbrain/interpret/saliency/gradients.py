"""Gradients of a target with respect to what goes into a layer, or comes out of it.

The value is taken out of the forward pass and put back as the beginning of a graph of its own. So the gradient is
right for every kind of module (containers, Linear, in-place ReLUs), says what the target owes to this layer alone where
others take the same value, and costs no graph of what comes before.
"""

from __future__ import annotations

import torch

from dnnbrain._checks import BadType, BadValue
from dnnbrain.networks.axes import as_maps, channels_first
from dnnbrain.networks.layers import split_call


class Doorway:
    """A place in a network where values can be looked at, exchanged, and asked for gradients.

    Parameters
    ----------
    dnn : DNN
    layer : str, optional
        'relu#2' is the second use of a shared module. The inputs of the network by default.
    side : {'input', 'output'}
        Of the layer.

    Attributes
    ----------
    value : Tensor or None
        What has passed in the last forward pass: a leaf, of which gradients can be asked.
    """

    def __init__(self, dnn, layer: str | None = None, side: str = 'input'):
        self.dnn, self.layer, self.side = dnn, layer, side
        self.value: torch.Tensor | None = None
        self._name = '' if layer is None else f"layer {layer.removesuffix('#1')!r}"
        self._put: torch.Tensor | None = None
        self._calls, self._handle = 0, None

    def __enter__(self) -> Doorway:
        if self.layer is not None:
            self._module = self.dnn.layer2module(self.layer)
            if self.side == 'input':
                self._handle = self._module.register_forward_pre_hook(self._enter, with_kwargs=True)
            else:                                        # before the hook that ends the forward pass
                self._handle = self._module.register_forward_hook(self._leave, prepend=True)
        return self

    def __exit__(self, *error) -> None:
        if self._handle is not None:
            self._handle.remove()

    def numbers(self, answer, inputs: torch.Tensor, put: torch.Tensor | None = None) -> torch.Tensor:
        """Numbers (n, n_target) of the target of `answer`, `put` having passed here in place of what came."""
        self.value, self._put, self._calls = None, put, 0
        if self.layer is None:
            return answer(self._exchange(inputs))
        numbers = answer(inputs)
        if self.value is None:
            raise BadValue(f'{self._name} has not been used when {answer.target.layers[-1]!r} has answered; '
                           'choose a layer that comes before it')
        return numbers

    def gradients(self, numbers: torch.Tensor) -> torch.Tensor:
        """Gradient of each number with respect to the value here, (n_target, n, *shape of the value)."""
        found = []
        for t in range(numbers.shape[1]):                # one pass back each, over the same graph
            one = torch.autograd.grad(numbers[:, t].sum(), self.value, retain_graph=True, allow_unused=True)[0] \
                if numbers.requires_grad else None
            if one is None:
                raise BadValue(f'the target does not depend on the {self.side} of '
                               f'{self._name or "the network"}')
            found.append(one)
        return torch.stack(found)

    def maps(self, values: torch.Tensor) -> torch.Tensor:
        """Values (n, *shape) as (n, n_chn, n_row, n_col); of clips (n, n_chn, n_frame, n_row, n_col)."""
        if self.layer is None or values.shape[1:] == self.dnn.input_shape:
            return values
        return as_maps(channels_first(self.dnn, self._module, values, self.side), self.layer, len(values))

    def _exchange(self, tensor: torch.Tensor) -> torch.Tensor:
        self.value = (tensor if self._put is None else self._put).detach().clone().requires_grad_()
        return self.value.clone()                        # which the next module may write into

    def _is_due(self) -> bool:
        self._calls += 1
        return self._calls == split_call(self.layer)[1]

    def _enter(self, module, args: tuple, kwargs: dict):
        if not self._is_due():
            return None
        first = next((one for one in (*args, *kwargs.values()) if isinstance(one, torch.Tensor)), None)
        if first is None:
            raise BadType(f'{self._name} takes no tensor; choose a layer inside it')
        new = self._exchange(first)
        return tuple(new if one is first else one for one in args), \
            {name: new if one is first else one for name, one in kwargs.items()}

    def _leave(self, module, args: tuple, output):
        if not self._is_due():
            return None
        if not isinstance(output, torch.Tensor):
            raise BadType(f'{self._name} puts out {type(output).__name__}, not one tensor; choose a layer inside it')
        return self._exchange(output)
