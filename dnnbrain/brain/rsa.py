"""Public path of DNNBrain 1.0: similarity of RDMs."""

from dnnbrain.mapping.rsa.rsa import RSA

__all__ = ['RSA']
