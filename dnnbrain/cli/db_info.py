"""db_info: what a network or a file holds."""

import click

from dnnbrain.cli._common import command


@command('db_info', 'db_info AlexNet')
@click.argument('name')
def main(name):
    """Describe NAME: a network, or a .stim.csv, .dmask.csv, .act.h5, .basis.h5, .roi.h5 or .rdm.h5 file."""
    from dnnbrain.io import describe
    known = describe.describer(name)
    click.echo(known(name) if known else _network(name))


def _network(name: str) -> str:
    """Layers of a network with the shape and size of what they put out; needs no weights."""
    from dnnbrain._checks import BadValue, existing_file, listing
    from dnnbrain.io.describe import SUFFIXES
    from dnnbrain.networks.registry import NETWORKS, is_known, network_class
    if ('.' in name or '/' in name) and not is_known(name):
        existing_file(name, 'NAME')
        raise BadValue(f'{name!r} is of no kind that dnnbrain writes; it knows {listing(SUFFIXES)}, '
                       f'and the networks {listing(NETWORKS, 20)}')
    network = network_class(name)
    from dnnbrain.networks.functional import functional_summary
    from dnnbrain.networks.summary import layer_table
    dnn = network._empty()
    table = layer_table(dnn)
    seen = 'pictures of {} x {} pixels'.format(*dnn.img_size) if dnn.input_shape == (3, *dnn.img_size) else \
        f"stimuli of {' x '.join(map(str, dnn.input_shape))}"
    return (f'{dnn.name}: {seen}, '
            f'{sum(p.numel() for p in dnn.model.parameters()):,} parameters, {len(table)} named layers\n'
            + table.to_string(index=False) + '\n' + functional_summary(dnn))
