"""VGG (Simonyan & Zisserman 2015, arXiv:1409.1556), as in torchvision, plain and with batch norm."""

from dnnbrain.networks.layers import feedforward_names
from dnnbrain.networks.zoo.published import PublishedNet


class _Vgg(PublishedNet):
    _names = staticmethod(feedforward_names)


class Vgg11(_Vgg):
    """VGG with 11 layers."""

    arch = 'vgg11'


class Vgg13(_Vgg):
    """VGG with 13 layers."""

    arch = 'vgg13'


class Vgg16(_Vgg):
    """VGG with 16 layers."""

    arch = 'vgg16'


class Vgg19(_Vgg):
    """VGG with 19 layers."""

    arch = 'vgg19'


class Vgg11_bn(_Vgg):
    """VGG with 11 layers and batch normalisation."""

    arch = 'vgg11_bn'


class Vgg13_bn(_Vgg):
    """VGG with 13 layers and batch normalisation."""

    arch = 'vgg13_bn'


class Vgg16_bn(_Vgg):
    """VGG with 16 layers and batch normalisation."""

    arch = 'vgg16_bn'


class Vgg19_bn(_Vgg):
    """VGG with 19 layers and batch normalisation."""

    arch = 'vgg19_bn'
