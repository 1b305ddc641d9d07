"""GoogLeNet (Szegedy et al. 2015, arXiv:1409.4842) and Inception v3 (Szegedy et al. 2016, arXiv:1512.00567).

Both are torchvision's, with their auxiliary classifiers, and both shift ImageNet-normalised pictures to the range they
were trained on (`transform_input`), as torchvision does whenever weights are given.
"""

from __future__ import annotations

import torch
import torch.nn as nn
from torchvision import models

from dnnbrain.networks.layers import child_names
from dnnbrain.networks.zoo.published import PublishedNet


class _Inception(PublishedNet):
    kept = ('transform_input', 'aux_logits')

    @classmethod
    def _architecture(cls) -> nn.Module:
        return models.get_model(cls.arch, weights=None, aux_logits=True, transform_input=True, init_weights=True)

    @staticmethod
    def _fit(model: nn.Module, state: dict[str, torch.Tensor]) -> None:
        """Do without auxiliary classifiers that the file does not have."""
        for name in ('aux1', 'aux2', 'AuxLogits'):
            if hasattr(model, name) and not any(key.startswith(name + '.') for key in state):
                setattr(model, name, None)
                model.aux_logits = False


class Googlenet(_Inception):
    """GoogLeNet, 22 layers in inception blocks; two auxiliary classifiers in training."""

    arch = 'googlenet'
    aux_heads = ('aux1.fc2', 'aux2.fc2')
    aux_weight = 0.3

    @staticmethod
    def _names(model: nn.Module) -> dict[str, tuple[str, ...]]:
        return child_names(model, leave_out=('aux1', 'aux2', 'avgpool', 'dropout'))


class InceptionV3(_Inception):
    """Inception v3, 48 layers in inception blocks, for pictures of 299 x 299; one auxiliary classifier in training."""

    arch = 'inception_v3'
    img_size = (299, 299)
    aux_heads = ('AuxLogits.fc',)
    aux_weight = 0.4

    @staticmethod
    def _names(model: nn.Module) -> dict[str, tuple[str, ...]]:
        return child_names(model, leave_out=('AuxLogits', 'dropout'), count={'Conv2d': 'conv', 'Mixed': 'inception'})
