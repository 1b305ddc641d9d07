"""dnn_pool: each map of stored activations as one number."""

from dnnbrain.cli._common import command, option
from dnnbrain.cli._network import POOLINGS
from dnnbrain.cli._selection import selected, selection_options


@command('dnn_pool', 'dnn_pool -act pictures.act.h5 -layer conv5 -meth max -out pooled.act.h5')
@selection_options
@option('-meth', required=True, type=POOLINGS,
        help='L1 is the sum of magnitudes, L2 the square root of the sum of squares.')
@option('-out', required=True, metavar='FILE', help='Where the activations go (.act.h5).')
def main(act, layer, chn, dmask, meth, out):
    """Pool the map of each channel to one number, in bounded memory."""
    from dnnbrain._checks import has_suffix, writable_file
    from dnnbrain.activation.streamed import pooled
    writable_file(has_suffix(out, ['.act.h5'], '-out'), '-out')
    pooled(selected(act, layer, chn, dmask), meth).save(out)
