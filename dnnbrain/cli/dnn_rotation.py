"""dnn_rotation: stored activations along turned channels."""

import click

from dnnbrain.cli._common import SEED, command, option
from dnnbrain.cli._selection import selected, selection_options


@command('dnn_rotation', 'dnn_rotation -act pictures.act.h5 -layer conv5 -alpha 0.5 -out rotated.act.h5')
@selection_options
@option('-alpha', required=True, type=float, metavar='X',
        help='How far: 0 changes nothing, 1 is the whole rotation, -1 turns it back.')
@option('-basis', type=click.Choice(['random', 'pca']), default='random', show_default=True,
        help='A rotation drawn at random, or the one to the principal components of the channels.')
@option('-seed', type=SEED, help='Seed of -basis random; 0 by default.')
@option('-out', required=True, metavar='FILE', help='Where the activations go (.act.h5).')
def main(act, layer, chn, dmask, alpha, basis, seed, out):
    """Turn the channels of each layer: at each position they become mixtures of all channels chosen.

    Distances between stimuli stay, whatever the angle; what single channels prefer does not. Is a channel more
    selective than a channel of the rotated layer? (Bau et al. 2017, arXiv:1704.05796)
    """
    from dnnbrain._checks import BadValue, has_suffix, writable_file
    from dnnbrain.activation.rotation import turned
    writable_file(has_suffix(out, ['.act.h5'], '-out'), '-out')
    if seed is not None and basis == 'pca':
        raise BadValue('-seed goes with -basis random; principal components are not drawn')
    turned(selected(act, layer, chn, dmask), alpha, basis, seed or 0).save(out)
