"""What the families of torchvision share: pretrained or seeded random weights, transforms, names."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

import torch
import torch.nn as nn
from torchvision import models

from dnnbrain._checks import choice
from dnnbrain.networks import transforms, weights
from dnnbrain.networks.dnn import DNN
from dnnbrain.networks.state import seeded

PREPROCESSING = ('full', 'weights')
_EMPTY = ContextVar('whether networks are made without weights, to be filled from a file', default=False)


def being_filled() -> bool:
    """Whether a network is made without weights now, to be filled from a file."""
    return _EMPTY.get()


class PublishedNet(DNN):
    """A network whose architecture, weights and transform torchvision publishes.

    Parameters
    ----------
    pretrained : bool
        True: weights trained on ImageNet (torchvision's IMAGENET1K_V1, those of DNNBrain 1.0),
        from ``$DNNBRAIN_DATA/models``, torch.hub's cache, or the net. False: random weights, the
        control that architecture alone makes.
    preprocess : {'full', 'weights'}
        'full' resizes the whole picture to `img_size`, as 1.0 did; 'weights' is the transform
        published with the weights (resize, centre crop).
    rng : int, optional
        Seed of random weights.
    """

    arch: str
    published = True
    source: str | None = None       # what to get where torchvision publishes nothing
    img_size = (224, 224)
    pixels: dict = {}               # mean, std and interpolation, where they are not those of `transforms`

    def __init__(self, pretrained: bool = True, *, preprocess: str = 'full', rng: int | None = None):
        choice('preprocess', preprocess, PREPROCESSING)
        model = self._made(pretrained, rng)
        size, pixels = type(self).img_size, self.pixels
        super().__init__(model, layer2loc=self._names(model), img_size=size,
                         train_transform=transforms.augmented(size, **pixels),
                         test_transform=self._published_transform() if preprocess == 'weights'
                         else transforms.full_field(size, **pixels))
        if pretrained and not being_filled() and self.published:
            self.classes = self._published_classes()

    def _name_layers(self) -> None:
        self.layer2loc = self._names(self.model)

    @classmethod
    def _empty(cls, **kwargs) -> PublishedNet:
        token = _EMPTY.set(True)
        try:
            return cls(**kwargs)
        finally:
            _EMPTY.reset(token)

    @classmethod
    def _made(cls, pretrained: bool, rng: int | None) -> nn.Module:
        return cls._unset() if being_filled() else cls._pretrained() if pretrained else cls._random(rng)

    @classmethod
    def _random(cls, rng: int | None) -> nn.Module:
        with seeded(rng):
            return cls._architecture()

    @classmethod
    def _pretrained(cls) -> nn.Module:
        url = cls._published_weights().url if cls.published else None
        state = weights.find_pretrained(f'{cls.arch}.pth', url, cls.source)
        model = cls._unset()
        cls._fit(model, state)
        weights.load_into(model, state, cls.__name__)
        return model

    @classmethod
    def _unset(cls) -> nn.Module:
        """The architecture without memory for its parameters, so that none is initialised in vain."""
        with torch.device('meta'):
            return cls._architecture()

    @classmethod
    def _architecture(cls) -> nn.Module:
        return models.get_model(cls.arch, weights=None)

    @classmethod
    def _published_weights(cls):
        if not cls.published:
            choice('preprocess', 'weights', ('full',), owner=cls.__name__)
        return models.get_model_weights(cls.arch).IMAGENET1K_V1

    @classmethod
    def _published_transform(cls) -> Callable:
        return cls._published_weights().transforms()

    @classmethod
    def _published_classes(cls) -> list[str] | None:
        return list(cls._published_weights().meta['categories'])

    _names: Callable[[nn.Module], dict]
