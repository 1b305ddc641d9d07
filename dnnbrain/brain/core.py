"""Public path of DNNBrain 1.0: regions and encoding models."""

from dnnbrain.brain.encoder import BrainEncoder
from dnnbrain.brain.roi import ROI

__all__ = ['ROI', 'BrainEncoder']
