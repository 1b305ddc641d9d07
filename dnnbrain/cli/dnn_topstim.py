"""dnn_topstim: the stimuli that drive each channel of a network most."""

import click

from dnnbrain.cli._common import SEED, command, option
from dnnbrain.cli._network import POOLINGS, device_options, open_network, random_option, weights_option


@command('dnn_topstim', 'dnn_topstim -net AlexNet -top 5 -stim pictures.stim.csv -layer conv5 -chn 3 7 -out top')
@option('-net', metavar='NAME', help='A network, such as AlexNet. Or give -act.')
@option('-act', metavar='FILE', help='Stored activations (.act.h5) in place of a network.')
@weights_option
@random_option
@option('-seed', type=SEED, help='Seed of random weights.')
@option('-top', required=True, type=click.IntRange(min=1), metavar='K', help='How many stimuli.')
@option('-stim', required=True, metavar='FILE', help='The stimuli (.stim.csv).')
@option('-layer', multiple=True, metavar='NAME ...', help='Layers; with -act all by default.')
@option('-chn', multiple=True, type=int, metavar='N ...',
        help='Channels from 1 (with -act counted in that file): of one layer, or one for each of several layers. '
             'All by default.')
@option('-dmask', metavar='FILE', help='Layers and units (.dmask.csv) instead of -layer and -chn.')
@option('-metric', type=POOLINGS, default='max', show_default=True,
        help='What is made of the map of a channel.')
@option('-figure', type=click.IntRange(min=0), metavar='N', default=32, show_default=True,
        help='Draw the pictures of the first N channels of each layer.')
@option('-cuda', is_flag=True, help='The same as -device cuda.')
@device_options
@option('-out', required=True, metavar='FOLDER', help='Where tables, values and figures go.')
def main(net, act, weights, random, seed, top, stim, layer, chn, dmask, metric, figure, cuda, device, worker, out):
    """Find the stimuli that drive each channel most, in one pass that keeps no activations.

    Writes LAYER_chnN_topK.stim.csv (with a column value) and a figure of the pictures per channel, N being the number
    of the channel in the network, and topK.act.h5 with the K values of each channel, largest first.
    """
    from dnnbrain._checks import BadValue, creatable_folder, output_folder
    from dnnbrain.activation.mask import gen_dmask
    from dnnbrain.stimuli.stimulus import Stimulus
    if (net is None) == (act is None):
        raise BadValue('give either a network (-net AlexNet) or stored activations (-act pictures.act.h5)')
    if act is not None and (weights or random or device or cuda or worker is not None):
        raise BadValue('-weights, -random, -device, -cuda and -worker go with -net, not with stored activations')
    if net is not None and not layer and not dmask:
        raise BadValue('give layers (-layer conv5) or a mask file (-dmask units.dmask.csv)')
    if chn and not layer:
        raise BadValue('-chn needs -layer; a mask file (-dmask) names its own channels')
    creatable_folder(out, '-out')
    mask = gen_dmask(layer or None, chn or 'all', dmask) if layer or dmask else None
    stimuli = Stimulus()
    stimuli.load(stim)

    from dnnbrain.interpret.preference.top_stimuli import top_stimuli
    from dnnbrain.interpret.preference.units import save_top_stimuli
    if act is not None:
        table = top_stimuli(_activation(act, stimuli), top, dmask=mask, metric=metric)
    else:
        table = top_stimuli(open_network(net, weights, seed, random), top, stimuli, mask, metric=metric,
                            device=device or ('cuda' if cuda else None), n_worker=worker)
    folder = output_folder(out, '-out')
    paths = save_top_stimuli(folder, table, stimuli, metric=metric, source=net or act)
    if figure and stimuli.type != 'audio':
        from dnnbrain._progress import progress
        from dnnbrain.viz.top_stimuli import plot_top_stimuli
        parts = [part for _, rows in table.groupby('layer', sort=False)
                 for part in list(rows.groupby(['layer', 'channel'], sort=False))[:figure]]
        for (name, number), part in progress(parts, 'drawing', unit='fig'):
            path = paths[name, number]
            plot_top_stimuli(part, stimuli, save_path=path.with_name(path.name.replace('.stim.csv', '.png')))


def _activation(act: str, stimuli):
    """Stored activations whose stimuli are those of the table."""
    from dnnbrain._checks import BadValue
    from dnnbrain.activation.activation import Activation
    from dnnbrain.interpret.preference.units import stimulus_rows
    activation = Activation()
    activation.load(act)
    if activation.stim_ids is not None:
        stimulus_rows(stimuli, activation.stim_ids)
    elif len(activation) != len(stimuli):
        raise BadValue(f'-act has {len(activation)} stimuli without IDs, and -stim has {len(stimuli)}; they must be '
                       'the same, in the same order')
    else:
        activation.stim_ids = stimuli.get('stimID')
    return activation
