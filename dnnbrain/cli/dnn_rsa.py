"""dnn_rsa: dissimilarities of stimuli in the layers of a network."""

import click

from dnnbrain.cli._common import command, option
from dnnbrain.cli._metric import check_metric, metric_options
from dnnbrain.cli._selection import selected, selection_options


@command('dnn_rsa', 'dnn_rsa -act pictures.act.h5 -layer conv5 fc3 -metric correlation -out pictures.rdm.h5')
@selection_options
@option('-iteraxis', type=click.Choice(['channel', 'row_col']), help='An RDM per channel, or per position.')
@option('-cate', metavar='FILE', help='Categories (.stim.csv), joined by stimID: their mean patterns are compared.')
@option('-column', metavar='NAME', help='Column of -cate; label by default, else condition.')
@metric_options
@option('-out', required=True, metavar='FILE', help='Where the RDMs go (.rdm.h5).')
def main(act, layer, chn, dmask, iteraxis, cate, column, metric, p, zscore, run, shrinkage, out):
    """Compute representational dissimilarity matrices of layers, in bounded memory."""
    from dnnbrain._checks import BadValue, has_suffix, writable_file
    from dnnbrain.io.rdm_h5 import SUFFIX
    from dnnbrain.mapping.conditions import category_column, values_of
    from dnnbrain.mapping.dissimilarity import dnn_rdm
    from dnnbrain.stimuli.stimulus import Stimulus
    writable_file(has_suffix(out, [SUFFIX], '-out'), '-out')
    check_metric(metric, p, run, cate)
    if column and not cate:
        raise BadValue('-column needs -cate, the table that has this column')
    activation, table, groups, runs = selected(act, layer, chn, dmask), Stimulus(), None, None
    if cate:
        table.load(cate)
        column = category_column(table, column)
        groups = values_of(table, column, activation.stim_ids)
        runs = None if run is None else values_of(table, run, activation.stim_ids)
    rdm = dnn_rdm(activation, metric, iteraxis, groups, zscore, runs=runs, p=p or 2, shrinkage=shrinkage)
    rdm.meta |= {'activations': act, 'categories': cate, 'column': column}
    rdm.meta |= {key: activation.meta[key] for key in ('network', 'weights', 'dmask') if key in activation.meta}
    rdm.save(out)
    click.echo(f'{len(rdm)} layers, {rdm.n_item} items, {metric}: {out}')
