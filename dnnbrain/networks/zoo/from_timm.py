"""Any network of timm (extra 'zoo'), with the weights and transform it is published with."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import ModuleType

import torch.nn as nn
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from dnnbrain._checks import BadPath, choice
from dnnbrain._optional import optional
from dnnbrain.networks import weights
from dnnbrain.networks.state import without_parameters
from dnnbrain.networks.zoo.families import family_names
from dnnbrain.networks.zoo.published import PublishedNet


class TimmNet(PublishedNet):
    """A network of timm; `network_of` makes the class for a name."""

    look: dict              # size, crop, mean, deviation, interpolation of pictures, as timm tells them
    labels: list[str] | None

    @classmethod
    def _architecture(cls) -> nn.Module:
        return _timm().create_model(cls.arch, pretrained=False)

    @classmethod
    def _unset(cls) -> nn.Module:
        try:
            with without_parameters():
                model = cls._architecture()
        except RuntimeError:                     # it computes with its parameters when it is made
            return cls._architecture()
        return cls._architecture() if any(b.is_meta for b in model.buffers()) else model

    @classmethod
    def _pretrained(cls) -> nn.Module:
        place, instead = weights.place_of(f'timm_{cls.arch}.pth'), weights.OTHER_WEIGHTS
        folder = weights.models_folder()
        for suffix in weights.SUFFIXES:
            if (folder / f'timm_{cls.arch}{suffix}').exists():
                state, model = weights.read_state(folder / f'timm_{cls.arch}{suffix}'), cls._unset()
                weights.load_into(model, state, cls.__name__)
                return model
        if not cls.published:
            raise BadPath(f'nobody publishes weights of {cls.__name__}; put yours at {place}, or {instead}')
        try:
            return _timm().create_model(cls.arch, pretrained=True)
        except (OSError, RuntimeError, ValueError) as error:
            reason = str(error).partition('\n')[0].rstrip('. ')
            raise BadPath(f'weights of {cls.__name__} could not be downloaded ({reason}); save the state dict of '
                          f'timm.create_model({cls.arch!r}, pretrained=True) on another machine and put it at {place}, '
                          f'or {instead}') from None

    @classmethod
    def _published_transform(cls) -> Callable:
        if not cls.published:
            choice('preprocess', 'weights', ('full',), owner=cls.__name__)
        steps = _timm().data.create_transform(**cls.look, is_training=False).transforms
        return transforms.Compose([transforms.ToTensor() if type(step).__name__ == 'MaybeToTensor' else step
                                   for step in steps])

    @classmethod
    def _published_classes(cls) -> list[str] | None:
        return cls.labels

    _names = staticmethod(family_names)


def names() -> list[str]:
    """Names of the networks of timm, with and without the tags of their weights."""
    timm = _timm()
    return timm.list_models() + timm.list_pretrained()


@cache
def network_of(arch: str) -> type[TimmNet]:
    """The class of a network."""
    timm = _timm()
    choice('network of timm', arch, names())
    published = timm.get_pretrained_cfg(arch)
    look = timm.data.resolve_data_config(pretrained_cfg=published.to_dict())
    return type(f'timm:{arch}', (TimmNet,), {
        '__doc__': f"timm's {arch}.", '__module__': __name__, 'arch': arch, 'img_size': look['input_size'][1:],
        'published': published.has_weights, 'look': look, 'labels': _labels(timm, published),
        'pixels': {'mean': look['mean'], 'std': look['std'],
                   'interpolation': InterpolationMode(look['interpolation'])}})


def _labels(timm: ModuleType, published) -> list[str] | None:
    """Names of classes, where timm knows them."""
    if published.label_names:
        return list(published.label_names)
    subset = timm.data.infer_imagenet_subset(published.to_dict())
    return timm.data.ImageNetInfo(subset).label_descriptions() if subset else None


def _timm() -> ModuleType:
    return optional('timm', 'a network of timm')
