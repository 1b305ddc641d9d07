"""Public path of DNNBrain 1.0: small helpers."""

from dnnbrain.activation.mask import gen_dmask

__all__ = ['gen_dmask']
