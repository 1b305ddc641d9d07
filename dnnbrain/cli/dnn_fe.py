"""dnn_fe: features of stored activations."""

import click

from dnnbrain.cli._common import SEED, command, option
from dnnbrain.cli._selection import selected, selection_options

METHODS = ['pca', 'hist', 'psd', 'srp']


@command('dnn_fe', 'dnn_fe -act pictures.act.h5 -layer conv5 -meth pca 100 -out features.act.h5')
@selection_options
@option('-meth', required=True, type=(click.Choice(METHODS), str), metavar=f'[{"|".join(METHODS)}] N',
        help='Principal components, counts of a histogram, powers of a spectrum or random projections, and how many; '
             'of pca also a fraction of variance, such as 0.9.')
@option('-axis', type=click.Choice(['chn', 'row_col']),
        help='Features of the channels at each position, or of the positions in each channel; else of whole layers.')
@option('-bins', type=click.Choice(['common', 'per_stimulus']),
        help='Bins of hist: the same for all stimuli (the default), or fitted to each.')
@option('-seed', type=SEED, help='Seed of srp; 0 by default.')
@option('-out', required=True, metavar='FILE', help='Where the features go (.act.h5).')
def main(act, layer, chn, dmask, meth, axis, bins, seed, out):
    """Replace the units of each layer by fewer features, in bounded memory."""
    from dnnbrain._checks import BadValue, has_suffix, writable_file
    from dnnbrain.activation.streamed import featured
    writable_file(has_suffix(out, ['.act.h5'], '-out'), '-out')
    method, number = meth
    if bins and method != 'hist':
        raise BadValue(f'-bins goes with -meth hist, not {method}')
    if seed is not None and method != 'srp':
        raise BadValue(f'-seed goes with -meth srp; {method} draws nothing')
    try:
        n_feat = int(number) if number.isdecimal() else float(number)
    except ValueError:
        raise BadValue(f'-meth {method} needs a number, such as 10, not {number!r}') from None
    featured(selected(act, layer, chn, dmask), method, n_feat, axis, bins or 'common', seed or 0).save(out)
