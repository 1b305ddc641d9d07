"""brain_rsa: dissimilarities of stimuli in regions of the brain."""

import click

from dnnbrain.cli._common import command, option
from dnnbrain.cli._metric import check_metric, metric_options


@command('brain_rsa', 'brain_rsa -nif betas.nii.gz -bmask areas.nii.gz -stim scanner.stim.csv -metric correlation '
                      '-out areas.rdm.h5')
@option('-nif', required=True, metavar='FILE',
        help='Responses, a volume per row: a volume (.nii, .nii.gz, .mgh, .mgz), surface (.gii, .func.gii, '
             '.shape.gii), CIFTI (.dscalar.nii, .dtseries.nii), or .roi.h5, whose regions are then the units.')
@option('-bmask', metavar='FILE', help='A whole number per region in the same space, or a label file: an RDM for each.')
@option('-roi', multiple=True, metavar='ID ...', help='Regions by number or name; all by default.')
@option('-table', metavar='FILE', help='Number and name of each region (.csv, .tsv, .txt).')
@option('-resample', is_flag=True, help='Bring a volume mask to the grid of the responses, by the nearest voxel.')
@option('-stim', metavar='FILE', help='The stimulus of each volume (.stim.csv): items are stimuli, and volumes of the '
                                      'same one are averaged.')
@option('-cate', metavar='FILE', help='Categories (.stim.csv), a row per volume, or joined by stimID where -stim says '
                                      'what was shown: their mean patterns are compared.')
@option('-column', metavar='NAME', help='Column of -cate; label by default, else condition.')
@metric_options
@option('-out', required=True, metavar='FILE', help='Where the RDMs go (.rdm.h5).')
def main(nif, bmask, roi, table, resample, stim, cate, column, metric, p, zscore, run, shrinkage, out):
    """Compute representational dissimilarity matrices of regions of the brain."""
    from dnnbrain._checks import BadValue, has_suffix, writable_file
    from dnnbrain.brain.rdms import brain_rdm, region_responses
    from dnnbrain.io.rdm_h5 import SUFFIX
    from dnnbrain.mapping.conditions import category_column, values_of
    from dnnbrain.stimuli.stimulus import Stimulus
    writable_file(has_suffix(out, [SUFFIX], '-out'), '-out')
    check_metric(metric, p, run, stim or cate)
    if column and not cate:
        raise BadValue('-column needs -cate, the table that has this column')
    shown, categories, ids, groups = Stimulus(), Stimulus(), None, None
    if stim:
        shown.load(stim)
        ids = groups = shown.get('stimID')
    if cate:
        categories.load(cate)
        column = category_column(categories, column)
        groups = values_of(categories, column, ids)
    runs = None if run is None else values_of(shown if stim else categories, run)
    regions = region_responses(nif, bmask, roi, table, resample)
    n_vol = len(next(iter(regions.values())))
    if groups is not None and len(groups) != n_vol:
        raise BadValue(f'{stim or cate!r} has {len(groups)} rows, but {nif!r} has {n_vol} volumes; a row for each is '
                       'needed')
    rdm = brain_rdm(regions, metric, groups, zscore, runs, p=p or 2, shrinkage=shrinkage)
    rdm.meta |= {'responses': nif, 'mask': bmask, 'stimuli': stim, 'categories': cate, 'column': column}
    rdm.save(out)
    click.echo(f'{len(rdm)} regions, {rdm.n_item} items, {metric}: {out}')
