"""Which network, with which weights, on which device: the options that commands share, and what they ask for."""

from __future__ import annotations

import click

from dnnbrain.cli._common import SEED, option, together

POOLINGS = click.Choice(['max', 'mean', 'median', 'L1', 'L2'])      # of maps; named here, where nothing is imported yet

net_option = option('-net', required=True, metavar='NAME', help='A network, such as AlexNet, Resnet50, convnext_tiny.')
weights_option = option('-weights', metavar='FILE',
                        help='A trained network (.pth, .safetensors) instead of the published weights.')
random_option = option('-random', is_flag=True, help='Random weights (with -seed): what architecture alone gives.')
network_options = together(
    net_option,
    weights_option,
    option('-seed', type=SEED, help='Seed of everything random.'),
)
device_option = option('-device', metavar='NAME', help='Where to compute, such as cpu or cuda:0. The CPU by default.')
device_options = together(
    device_option,
    option('-worker', type=click.IntRange(min=0), metavar='N', help='Workers that decode pictures.'),
)


def check_weights(weights: str | None, random: bool) -> None:
    """Refuse to take both what was learned and what was not."""
    from dnnbrain._checks import BadValue
    if weights is not None and random:
        raise BadValue('-weights and -random contradict each other; leave one of them out')


def open_network(net: str, weights: str | None, seed: int | None, random: bool = False):
    """The network the options ask for: trained by the user, random, or published."""
    from dnnbrain.networks.registry import network_class
    check_weights(weights, random)
    network = network_class(net)
    if weights is not None:
        return network.load(weights)
    return network(pretrained=False, rng=seed) if random else network(pretrained=True)      # never random unasked


def open_on_device(layers, net: str, weights: str | None, seed: int | None, random: bool, device: str | None):
    """A network that has these layers, moved once and not for each picture."""
    from dnnbrain.networks.state import pick_device
    dnn = open_network(net, weights, seed, random)
    for layer in layers:
        dnn.layer2path(layer)
    dnn.model.to(pick_device(dnn.model, device))
    return dnn
