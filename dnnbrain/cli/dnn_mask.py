"""dnn_mask: some layers and units of a file of activations."""

from dnnbrain.cli._common import command, option
from dnnbrain.cli._selection import selected, selection_options


@command('dnn_mask', 'dnn_mask -act pictures.act.h5 -layer conv5 -chn 1 3 7 -out part.act.h5')
@selection_options
@option('-out', required=True, metavar='FILE', help='Where the activations go (.act.h5).')
def main(act, layer, chn, dmask, out):
    """Keep some layers and units of stored activations, in bounded memory."""
    from dnnbrain._checks import has_suffix, writable_file
    writable_file(has_suffix(out, ['.act.h5'], '-out'), '-out')
    selected(act, layer, chn, dmask).save(out)
