"""Every network by name, for code and commands, without loading torch to know the names."""

from __future__ import annotations

import importlib

from dnnbrain._checks import choice

ZOO = {
    'alexnet': ('AlexNet',),
    'vgg': ('Vgg11', 'Vgg13', 'Vgg16', 'Vgg19', 'Vgg11_bn', 'Vgg13_bn', 'Vgg16_bn', 'Vgg19_bn'),
    'resnet': ('Resnet10', 'Resnet18', 'Resnet34', 'Resnet50', 'Resnet101', 'Resnet152'),
    'inception': ('Googlenet', 'InceptionV3'),
}
NETWORKS = {name: f'dnnbrain.networks.zoo.{module}' for module, names in ZOO.items() for name in names}


def network_class(name: str) -> type:
    """The class of a network; capitals do not matter ('resnet18', 'ResNet18', 'Resnet18')."""
    exact = {known.lower(): known for known in NETWORKS}.get(str(name).lower())
    if exact is None:
        choice('network', name, list(NETWORKS))
    return getattr(importlib.import_module(NETWORKS[exact]), exact)


def get_dnn(name: str, **kwargs):
    """A network by name; keyword arguments go to its class.

    Raises
    ------
    BadValue
        No network has this name; the message lists them.
    """
    return network_class(name)(**kwargs)
