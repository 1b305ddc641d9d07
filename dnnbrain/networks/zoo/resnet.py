"""ResNet (He et al. 2016, arXiv:1512.03385), as in torchvision, and a small one for small pictures."""

import torch.nn as nn
from torchvision.models.resnet import BasicBlock, ResNet

from dnnbrain.networks.layers import residual_names
from dnnbrain.networks.zoo.published import PublishedNet


class _Resnet(PublishedNet):
    _names = staticmethod(residual_names)


class Resnet10(_Resnet):
    """A ResNet of one basic block per stage, for 32 x 32 pictures and quick trials.

    The stem is that of He et al.'s CIFAR networks: a 3 x 3 convolution at full resolution and no
    pooling. Nobody publishes weights for it; train it from scratch.
    """

    arch = 'resnet10'
    published = False
    img_size = (32, 32)

    def __init__(self, pretrained: bool = False, *, preprocess: str = 'full', rng: int | None = None):
        super().__init__(pretrained, preprocess=preprocess, rng=rng)

    @classmethod
    def _architecture(cls) -> nn.Module:
        model = ResNet(BasicBlock, [1, 1, 1, 1])
        model.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(model.conv1.weight, mode='fan_out', nonlinearity='relu')
        model.maxpool = nn.Identity()
        return model


class Resnet18(_Resnet):
    """ResNet with 18 layers, in basic blocks."""

    arch = 'resnet18'


class Resnet34(_Resnet):
    """ResNet with 34 layers, in basic blocks."""

    arch = 'resnet34'


class Resnet50(_Resnet):
    """ResNet with 50 layers, in bottleneck blocks."""

    arch = 'resnet50'


class Resnet101(_Resnet):
    """ResNet with 101 layers, in bottleneck blocks."""

    arch = 'resnet101'


class Resnet152(_Resnet):
    """ResNet with 152 layers, in bottleneck blocks."""

    arch = 'resnet152'
