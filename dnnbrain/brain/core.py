"""Public path of DNNBrain 1.0: regions, encoding and decoding models."""

from dnnbrain.brain.decoder import BrainDecoder
from dnnbrain.brain.encoder import BrainEncoder
from dnnbrain.brain.roi import ROI

__all__ = ['ROI', 'BrainDecoder', 'BrainEncoder']
