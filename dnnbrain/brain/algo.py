"""Public path of DNNBrain 1.0: from events to volumes."""

from dnnbrain.activation.hrf import convolve_hrf

__all__ = ['convolve_hrf']
