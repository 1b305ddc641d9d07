"""AlexNet (Krizhevsky 2014, arXiv:1404.5997), as in torchvision."""

from dnnbrain.networks.layers import feedforward_names
from dnnbrain.networks.zoo.published import PublishedNet


class AlexNet(PublishedNet):
    """AlexNet: five convolutions, three fully connected layers."""

    arch = 'alexnet'
    _names = staticmethod(feedforward_names)
