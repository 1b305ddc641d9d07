"""db_rsa: how alike the dissimilarities of each layer and each region are."""

import click

from dnnbrain.cli._common import SEED, command, option

METHODS = ('pearson', 'spearman', 'kendall', 'tau-b', 'tau-a', 'rho-a', 'cosine', 'corr_cov', 'cosine_cov')


@command('db_rsa', 'db_rsa -drdm alexnet.rdm.h5 -brdm sub1.rdm.h5 sub2.rdm.h5 sub3.rdm.h5 -method spearman -ceiling '
                   '-cate pictures.stim.csv -out rsa')
@option('-drdm', required=True, multiple=True, metavar='FILE ...', help='RDMs of layers (.rdm.h5), a file per network.')
@option('-layer', multiple=True, metavar='NAME ...', help='Layers; all by default.')
@option('-brdm', required=True, multiple=True, metavar='FILE ...',
        help='RDMs of regions (.rdm.h5), a file per subject, with the same regions.')
@option('-roi', multiple=True, metavar='NAME ...', help='Regions; all by default.')
@option('-subjects', type=click.Choice(['files', 'keys']), default='files', show_default=True,
        help='What a subject is: a file of -brdm, or each matrix of a file (one region of several people).')
@option('-method', type=click.Choice(METHODS), default='pearson', show_default=True, help='What compares two RDMs.')
@option('-sig', multiple=True, type=click.Choice(['permutation', 'bootstrap']), default=('permutation',),
        show_default=True, help='p by permuted items; 95 % interval by resampled stimuli (and subjects); or both.')
@option('-tail', type=click.Choice(['greater', 'less', 'two-sided']), default='greater', show_default=True,
        help='Of the permutation test.')
@option('-iter', type=click.IntRange(min=1), default=1000, show_default=True, metavar='N',
        help='Permutations, and bootstrap samples.')
@option('-ceiling', is_flag=True, help='Noise ceilings, from two subjects on.')
@option('-cate', metavar='FILE', help='Categories (.stim.csv) that order and colour the items of pictures.')
@option('-column', metavar='NAME', help='Column of -cate; condition by default, else label.')
@option('-seed', type=SEED, default=0, show_default=True, help='Seed of everything random.')
@option('-jobs', type=click.IntRange(min=1), default=1, show_default=True, metavar='N', help='Threads.')
@option('-out', required=True, metavar='FOLDER', help='Where tables, settings and pictures go.')
def main(drdm, layer, brdm, roi, subjects, method, sig, tail, iter, ceiling, cate, column, seed, jobs, out):
    """Compare RDMs of layers and brain: a table with tests and ceilings, settings, and pictures."""
    from dnnbrain._checks import BadValue, creatable_folder
    from dnnbrain.brain.rsa_files import item_categories, read_networks, read_subjects
    from dnnbrain.brain.rsa_profile import join_items, rsa_profile, subject_profile, write_profile
    creatable_folder(out, '-out')
    if column and not cate:
        raise BadValue('-column needs -cate, the table that has this column')
    networks, people = join_items(read_networks(drdm, layer), read_subjects(brdm, roi, subjects))
    first = [*networks.values()][0]
    categories = item_categories(cate, first, column) if cate else None
    table = rsa_profile(networks, people, method, sig, iter, ceiling, tail, jobs, seed)
    each = subject_profile(networks, people, method) if len(people) > 1 else None
    write_profile(out, table, each, {
        'drdm': list(drdm), 'brdm': list(brdm), 'layer': list(layer) or 'all', 'roi': list(roi) or 'all',
        'subjects': list(people), 'n_item': first.n_item, 'method': method, 'sig': list(sig),
        'tail': tail, 'iter': iter, 'ceiling': ceiling, 'cate': cate, 'column': column, 'seed': seed})
    from dnnbrain.viz.rsa_pictures import draw_rsa
    draw_rsa(out, table, networks, people, categories, f'{method} of RDMs', seed)
    click.echo(table.dropna(axis=1, how='all').to_string(index=False, float_format='%.3f', max_rows=60))
