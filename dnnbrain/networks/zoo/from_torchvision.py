"""Any classification network of torchvision, with the weights and transform that torchvision holds best."""

from __future__ import annotations

import re
from functools import cache

import torch
import torch.nn as nn
from torchvision import models

from dnnbrain._checks import choice
from dnnbrain.networks.registry import network_class, own_name
from dnnbrain.networks.state import without_parameters
from dnnbrain.networks.zoo.families import family_names
from dnnbrain.networks.zoo.published import PublishedNet

_OLD_DENSE = re.compile(r'^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.\w+)$')


class TorchvisionNet(PublishedNet):
    """A network that torchvision builds and publishes; `network_of` makes the class for a name."""

    settings: dict = {}

    @classmethod
    def _architecture(cls) -> nn.Module:
        return models.get_model(cls.arch, weights=None, **cls.settings)

    @classmethod
    def _unset(cls) -> nn.Module:
        with without_parameters():
            return cls._architecture()

    @classmethod
    def _published_weights(cls):
        return models.get_model_weights(cls.arch).DEFAULT

    @staticmethod
    def _fit(model: nn.Module, state: dict[str, torch.Tensor]) -> None:
        """DenseNet's published files name the parts of a layer 'norm.1', today's model 'norm1'."""
        for name in [name for name in state if _OLD_DENSE.match(name)]:
            state[_OLD_DENSE.sub(r'\1\2', name)] = state.pop(name)

    _names = staticmethod(family_names)


def names() -> list[str]:
    """Names of the classification networks of torchvision."""
    return models.list_models(module=models)


@cache
def network_of(arch: str) -> type[PublishedNet]:
    """The class of a network; our own where there is one, such as Resnet18."""
    arch = choice('network of torchvision', arch.lower(), names())
    if own_name(arch):
        return network_class(arch)
    look = models.get_model_weights(arch).DEFAULT.transforms()
    side = look.crop_size[0]
    return type(f'torchvision:{arch}', (TorchvisionNet,), {
        '__doc__': f"torchvision's {arch}.", '__module__': __name__, 'arch': arch, 'img_size': (side, side),
        'pixels': {'mean': look.mean, 'std': look.std, 'interpolation': look.interpolation},
        'settings': {'image_size': side} if arch.startswith('vit_') else {}})
