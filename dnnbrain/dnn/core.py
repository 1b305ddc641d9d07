"""Public path of DNNBrain 1.0: tables, masks and activations."""

from dnnbrain.activation.activation import Activation
from dnnbrain.activation.mask import Mask
from dnnbrain.stimuli.stimulus import Stimulus

__all__ = ['Activation', 'Mask', 'Stimulus']
