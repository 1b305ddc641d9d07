"""db_info: what a network or a file holds, and whether all is well here."""

import click

from dnnbrain.cli._common import command, option
from dnnbrain.cli._completion import SHELLS


@command('db_info', 'db_info AlexNet', needs_arguments=False)
@click.argument('name', required=False)
@option('-completion', type=click.Choice(SHELLS), help='Print what completes our commands in a shell; for example in '
                                                       '~/.bashrc: eval "$(db_info -completion bash)"')
@click.pass_context
def main(ctx, name, completion):
    """Describe NAME: a network, a file, or a folder of results. Without NAME: what is installed, and a self-check.

    Files: .stim.csv, .dmask.csv, .act.h5, .basis.h5, .roi.h5, .rdm.h5, models (.h5), weights (.pth, .safetensors),
    .history.csv, and brain images (NIfTI, MGH, GIFTI, CIFTI). Arrays are not loaded.
    """
    if completion:
        from dnnbrain.cli._completion import script
        click.echo(script(completion))
    elif name is None:
        from dnnbrain.cli._doctor import examination
        report, good = examination()
        click.echo(report)
        ctx.exit(0 if good else 1)
    else:
        click.echo(_described(name))


def _described(name: str) -> str:
    """A file, else a network."""
    from pathlib import Path

    from dnnbrain._checks import BadValue
    from dnnbrain.io.describe import describer
    from dnnbrain.io.stim_csv import how_to_list
    from dnnbrain.networks.registry import is_known
    name = str(Path(name) / 'result.json') if (Path(name) / 'result.json').is_file() else name
    if Path(name).is_dir() and not is_known(name):
        raise BadValue(f'{name!r} is a folder without results; if it holds stimuli, {how_to_list(name)}')
    known = describer(name)
    if known:
        return known(name)
    from dnnbrain.brain.describe import describe_image, is_brain_image
    if is_brain_image(name):
        return describe_image(name)
    if name.lower().endswith(('.pth', '.pt', '.safetensors')):
        from dnnbrain.networks.describe import describe_weights
        return describe_weights(name)
    return _network(name)


def _network(name: str) -> str:
    """Layers of a network with the shape and size of what they put out; needs no weights."""
    from pathlib import Path

    from dnnbrain._checks import BadValue, existing_file, listing
    from dnnbrain.io.describe import SUFFIXES
    from dnnbrain.networks.registry import NETWORKS, is_known, network_class
    if ('.' in name or '/' in name or Path(name).exists()) and not is_known(name):
        existing_file(name, 'NAME')
        raise BadValue(f'{name!r} is of no kind that dnnbrain knows; it knows {listing(SUFFIXES)}, weights, brain '
                       f'images, and the networks {listing(NETWORKS, 20)}')
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
