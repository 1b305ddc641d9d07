"""Public path of DNNBrain 1.0: tables, masks, activations, probes, RDMs."""

from dnnbrain.activation.activation import Activation
from dnnbrain.activation.mask import Mask
from dnnbrain.mapping.probe import DnnProbe
from dnnbrain.mapping.rdm import RDM
from dnnbrain.stimuli.stimulus import Stimulus

__all__ = ['RDM', 'Activation', 'DnnProbe', 'Mask', 'Stimulus']
