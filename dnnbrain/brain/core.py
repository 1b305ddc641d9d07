"""Public path of DNNBrain 1.0: encoding models."""

from dnnbrain.brain.encoder import BrainEncoder

__all__ = ['BrainEncoder']
