"""The options that pick layers and units of a file of activations, the same in every command."""

from dnnbrain.cli._common import option, together

selection_options = together(
    option('-act', required=True, metavar='FILE', help='Activations (.act.h5).'),
    option('-layer', multiple=True, metavar='NAME ...', help='Layers in the order wanted; all by default.'),
    option('-chn', multiple=True, type=int, metavar='N ...',
           help='Channels from 1: of one layer, or one for each of several layers.'),
    option('-dmask', metavar='FILE', help='Layers and units (.dmask.csv) instead of -layer and -chn.'),
)


def selected(act: str, layer: tuple[str, ...], chn: tuple[int, ...], dmask: str | None):
    """The Activation that these options mean, unread.

    Raises
    ------
    BadValue
        -chn without -layer, or both ways of naming units.
    """
    from dnnbrain._checks import BadValue
    from dnnbrain.activation.activation import Activation
    from dnnbrain.activation.mask import gen_dmask
    if chn and not layer:
        raise BadValue('-chn needs -layer; a mask file (-dmask) names its own channels')
    activation = Activation()
    activation.load(act, gen_dmask(layer or None, chn or 'all', dmask) if layer or dmask else None)
    return activation
