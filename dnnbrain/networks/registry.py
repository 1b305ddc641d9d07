"""Every network by name, for code and commands, without loading torch to know our own names."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType

from dnnbrain._checks import BadValue, choice

ZOO = {
    'alexnet': ('AlexNet',),
    'vgg': ('Vgg11', 'Vgg13', 'Vgg16', 'Vgg19', 'Vgg11_bn', 'Vgg13_bn', 'Vgg16_bn', 'Vgg19_bn'),
    'resnet': ('Resnet10', 'Resnet18', 'Resnet34', 'Resnet50', 'Resnet101', 'Resnet152'),
    'inception': ('Googlenet', 'InceptionV3'),
    'vggface': ('VggFace',),
    'r3d': ('R3D',),
    'vggish': ('VGGish',),
}
NETWORKS = {name: f'dnnbrain.networks.zoo.{module}' for module, names in ZOO.items() for name in names}


SOURCES = {'torchvision': 'dnnbrain.networks.zoo.from_torchvision', 'timm': 'dnnbrain.networks.zoo.from_timm'}


def network_class(name: str) -> type:
    """The class of a network.

    Parameters
    ----------
    name : str
        One of `NETWORKS`, whatever its capitals and underscores ('resnet18', 'ResNet18'); or a network of
        torchvision ('convnext_tiny', 'torchvision:convnext_tiny') or timm ('timm:resnet50d').
    """
    source, _, arch = str(name).partition(':')
    if arch and source in SOURCES:
        return _source(source).network_of(arch)
    exact = own_name(str(name))
    if exact is not None:
        return getattr(importlib.import_module(NETWORKS[exact]), exact)
    theirs = _source('torchvision').names()
    if name in theirs:
        return _source('torchvision').network_of(name)
    timms = _source('timm').names() if importlib.util.find_spec('timm') else []
    if name in timms:
        raise BadValue(f"network {name!r} is one of timm; ask for 'timm:{name}'")
    choice('network', name, [*NETWORKS, *(arch for arch in theirs if own_name(arch) is None),
                             *(f'timm:{arch}' for arch in timms)])


def own_name(name: str) -> str | None:
    """The name of one of `NETWORKS`, as it is written there."""
    return {_plain(known): known for known in NETWORKS}.get(_plain(name))


def is_known(name: str) -> bool:
    """Whether a name, exactly so, says how to make a network."""
    source, _, arch = name.partition(':')
    return name in NETWORKS or bool(arch and source in SOURCES)


def from_torchvision(name: str, pretrained: bool = True, preprocess: str = 'full', rng: int | None = None):
    """A classification network of torchvision, by torchvision's name.

    Parameters
    ----------
    name : str
        Such as 'convnext_tiny', 'vit_b_16', 'densenet121'. Where dnnbrain has a class of its own
        ('resnet18'), it is one of that.
    pretrained : bool
        Weights that torchvision holds best, from ``$DNNBRAIN_DATA/models/NAME.pth``, torch.hub's
        cache or the net; or random ones.
    preprocess : {'full', 'weights'}
        The whole picture resized, or the transform published with the weights; either with the size,
        mean, deviation and interpolation of the weights.
    rng : int, optional
        Seed of random weights.
    """
    return get_dnn(f'torchvision:{name}', pretrained=pretrained, preprocess=preprocess, rng=rng)


def from_timm(name: str, pretrained: bool = True, preprocess: str = 'full', rng: int | None = None):
    """A network of timm, by timm's name ('resnet50d', 'vit_small_patch14_dinov2.lvd142m').

    Parameters
    ----------
    name : str
        With or without the tag of its weights.
    pretrained : bool
        Weights from ``$DNNBRAIN_DATA/models/timm_NAME.pth`` (or .safetensors), else as timm gets them;
        or random ones.
    preprocess, rng
        As in `from_torchvision`.

    Raises
    ------
    MissingExtra
        timm is not installed.
    """
    return get_dnn(f'timm:{name}', pretrained=pretrained, preprocess=preprocess, rng=rng)


def _source(name: str) -> ModuleType:
    return importlib.import_module(SOURCES[name])


def _plain(name: str) -> str:
    return name.lower().replace('_', '')


def get_dnn(name: str, **kwargs):
    """A network by name; keyword arguments go to its class.

    Raises
    ------
    BadValue
        No network has this name; the message lists them.
    """
    return network_class(name)(**kwargs)
