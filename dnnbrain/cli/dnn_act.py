"""dnn_act: what layers of a network answer to stimuli."""

import click

from dnnbrain.cli._common import command, device_options, network_options, open_network, option

POOLINGS = ['max', 'mean', 'median', 'L1', 'L2']


@command('dnn_act', 'dnn_act -net AlexNet -layer conv5 fc3 -stim pictures.stim.csv -out pictures.act.h5')
@network_options
@option('-random', is_flag=True, help='Random weights (with -seed): what architecture alone gives.')
@option('-layer', multiple=True, metavar='NAME ...', help='Layers, by name (conv5) or module path (features.10).')
@option('-chn', multiple=True, type=int, metavar='N ...',
        help='Channels from 1: of one layer, or one for each of several layers.')
@option('-dmask', metavar='FILE', help='Layers and units (.dmask.csv) instead of -layer and -chn.')
@option('-stim', required=True, metavar='FILE', help='The stimuli (.stim.csv).')
@option('-pool', type=click.Choice(POOLINGS), help='Pool each map to one number.')
@option('-cuda', is_flag=True, help='The same as -device cuda.')
@option('-batch', type=click.IntRange(min=1), default=32, show_default=True, help='Stimuli per forward pass.')
@device_options
@option('-out', required=True, metavar='FILE', help='Where the activations go (.act.h5).')
def main(net, weights, seed, random, layer, chn, dmask, stim, pool, cuda, batch, device, worker, out):
    """Store what layers of a network answer to stimuli, in one pass and in bounded memory."""
    from dnnbrain._checks import BadValue, has_suffix, writable_file
    from dnnbrain.activation.mask import gen_dmask
    from dnnbrain.stimuli.stimulus import Stimulus
    if weights is not None and random:
        raise BadValue('-weights and -random contradict each other; leave one of them out')
    writable_file(has_suffix(out, ['.act.h5'], '-out'), '-out')
    if not layer and not dmask:
        raise BadValue('give layers (-layer conv5) or a mask file (-dmask units.dmask.csv)')
    if chn and not layer:
        raise BadValue('-chn needs -layer; a mask file (-dmask) names its own channels')
    mask = gen_dmask(layer or None, chn or 'all', dmask)
    stimuli = Stimulus()
    stimuli.load(stim)
    dnn = open_network(net, weights, seed, random)
    dnn.compute_activation(stimuli, mask, pool, cuda, device=device, batch_size=batch, n_worker=worker, out=out)
