"""Sums, differences, products and ratios of activations."""

from __future__ import annotations

import operator

import numpy as np

from dnnbrain._checks import BadValue, same_ids


class Arithmetic:
    """What makes ``+ - * /`` work between activations, or with a number; part of `Activation`."""

    def __add__(self, other):
        return self._combined(other, operator.add)

    def __sub__(self, other):
        return self._combined(other, operator.sub)

    def __mul__(self, other):
        return self._combined(other, operator.mul)

    def __truediv__(self, other):
        return self._combined(other, operator.truediv)

    def _combined(self, other, operation):
        """Elementwise with a number or an activation of the same layers, shapes and stimuli."""
        if np.isscalar(other):
            return self._made({layer: operation(self._read(layer), other) for layer in self.layers}, self.stim_ids)
        if not isinstance(other, Arithmetic):
            return NotImplemented
        if set(self.layers) != set(other.layers):
            raise BadValue(f'layers differ: {self.layers} and {other.layers}')
        if self.stim_ids is not None and other.stim_ids is not None:
            same_ids(self.stim_ids, other.stim_ids, ('the first activation', 'the second'))
        for layer in self.layers:
            if self.shape(layer) != other.shape(layer):
                raise BadValue(f'layer {layer!r} has shapes {self.shape(layer)} and {other.shape(layer)}')
        ids = other.stim_ids if self.stim_ids is None else self.stim_ids
        return self._made({layer: operation(self._read(layer), other._read(layer)) for layer in self.layers}, ids)
