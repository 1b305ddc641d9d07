"""db_report: one page about results, to read, to show and to paste from."""

import click

from dnnbrain.cli._common import command, option


@command('db_report', 'db_report encoding rsa finetune.pth -out report.html')
@click.argument('results', nargs=-1, required=True, metavar='RESULT ...')
@option('-out', required=True, metavar='FILE', help='The page (.html); it needs no other file and no network.')
@option('-title', metavar='TEXT', help='Heading of the page.')
def main(results, out, title):
    """Write a page about results: methods text, warnings, profiles, brain viewer, RDMs, curves, tables.

    A RESULT is a folder of db_encode, db_corr, db_decode, dnn_probe, db_topo, db_rsa or dnn_finetune, or a network of
    dnn_train (.pth). Several make one page. Files are read; no model is fitted anew.
    """
    from dnnbrain.viz.report import write_report
    path = write_report(results, out, title)
    click.echo(f'{path} ({path.stat().st_size / 2 ** 20:.1f} MB)')
