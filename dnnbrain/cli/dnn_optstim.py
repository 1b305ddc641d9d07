"""dnn_optstim: make the pictures that drive channels, units or voxels most."""

import click

from dnnbrain.cli._common import SEED, Positive, command, option, together
from dnnbrain.cli._network import device_option, net_option, open_network, random_option, weights_option
from dnnbrain.cli._target import make_target, model_options

what_options = together(
    net_option,
    weights_option,
    random_option,
    option('-prior', metavar='FILE', help='Pictures to start from (.stim.csv), each for every target; noise without.'),
    option('-layer', multiple=True, metavar='NAME ...', help='Layers, by name (conv5) or module path (features.10).'),
    click.option('-channel', '--channel', '-chn', '--chn', multiple=True, type=int, metavar='N ...',
                 help='Channels from 1: of one layer, or one for each of several layers.'),
    option('-dmask', metavar='FILE', help='Layers, channels and units (.dmask.csv) instead of -layer and -channel; '
                                          'with -model the units that it was fitted on.'),
    option('-unit', multiple=True, type=int, metavar='N ...',
           help='Row and column from 1: this unit of each channel, not the whole map.'),
    model_options,
)
how_options = together(
    option('-metric', type=click.Choice(['mean', 'max']), default='mean', show_default=True,
           help='What of the map of a channel is to grow.'),
    option('-lr', type=Positive(), default=0.1, show_default=True, help='Rate of the steps.'),
    click.option('-iter', '--iter', 'n_iter', type=click.IntRange(min=1), default=30, show_default=True,
                 metavar='N', help='How many steps.'),
    option('-regular', type=click.Choice(['L1', 'L2', 'TV']), help='What pictures are to have little of.'),
    click.option('-lambda', '--lambda', 'weight', type=Positive(), metavar='X',
                 help='What -regular counts against the target.'),
    option('-precondition', type=click.Choice(['GB']), help='Gaussian blur before each step.'),
    option('-radius', type=Positive(), help='Of -precondition GB, in pixels.'),
    option('-smooth', type=click.Choice(['Fourier']), help='Gradients lose what is fine in them.'),
    option('-factor', type=Positive(), help='How much, of -smooth Fourier, such as 0.5.'),
    option('-param', type=click.Choice(['fourier', 'pixel']), help='What is optimised: gratings in decorrelated '
           'colours (the default), or pixels (the default with -precondition and -smooth).'),
    option('-jitter', type=click.FloatRange(min=0), metavar='PIXELS', help='How far pictures move before each step.'),
    option('-step', type=click.IntRange(min=1), metavar='N', help='Keep the pictures of every N-th step too.'),
    option('-seed', type=SEED, default=0, show_default=True, help='Seed of noise and movements.'),
    device_option,
)


@command('dnn_optstim', 'dnn_optstim -net AlexNet -layer conv5 -channel 122 3 -iter 200 -lr 0.05 -outdir optimal')
@what_options
@how_options
@click.option('-outdir', '--outdir', '-out', '--out', required=True, metavar='FOLDER',
              help='Where pictures, their table (optstim.stim.csv), curves (optstim_loss.csv) and a figure go.')
def main(net, weights, random, prior, layer, channel, dmask, unit, model, voxel, mean, act, pool, metric, lr, n_iter,
         regular, weight, precondition, radius, smooth, factor, param, jitter, step, seed, device, outdir):
    """Make the pictures that drive channels, units, or voxels of a fitted model most."""
    from pathlib import Path

    from dnnbrain._checks import BadValue
    from dnnbrain.cli._mapping import prepare
    pairs = {'-regular and -lambda': (regular, weight), '-precondition and -radius': (precondition, radius),
             '-smooth and -factor': (smooth, factor)}
    for names, (chosen, number) in pairs.items():
        if (chosen is None) != (number is None):
            raise BadValue(f'{names} go together; give both or neither')
    prepare(outdir, None)
    starts = {'': (None, None)} if prior is None else _starts(prior)
    from dnnbrain.interpret.synthesis.image import SynthesisImage
    targets = _targets(layer, channel, dmask, unit, model, voxel, mean, act, pool, metric)
    dnn = open_network(net, weights, seed, random)
    makers = [SynthesisImage(dnn, target=target, regular_metric=regular, regular_lambda=weight,
                             precondition_metric=precondition, GB_radius=radius, smooth_metric=smooth, factor=factor,
                             parametrisation=param, jitter=jitter, device=device) for target in targets]
    rows, curves = [], []
    for maker in makers:
        for folder, (stim_id, start) in starts.items():
            maker.synthesize(start, None, lr, n_iter, True, Path(outdir) / folder, step, rng=seed)
            given = {} if stim_id is None else {'prior': stim_id}
            rows += _rows(maker, folder, given)
            curves.append(maker.loss_table().assign(**given))
    _write(Path(outdir), rows, curves)


def _targets(layer, channel, dmask, unit, model, voxel, mean, act, pool, metric) -> list:
    """A target for each layer, or one for the voxels of a model."""
    from dnnbrain._checks import BadValue
    if model is not None:
        return [make_target(layer or None, channel, unit, model, voxel, mean, dmask, pool, act)]
    if voxel or mean or act or pool:
        raise BadValue('-voxel, -mean, -act and -pool go with -model, a fitted encoding model (.h5)')
    if bool(layer) == bool(dmask) or bool(layer) != bool(channel):
        raise BadValue('give a layer and its channels (-layer conv5 -channel 1 2), a mask file (-dmask), or a fitted '
                       'model (-model)')
    from dnnbrain.activation.mask import gen_dmask
    from dnnbrain.interpret.target import ChannelTarget
    mask = gen_dmask(layer or None, channel or 'all', dmask)
    targets = []
    for one in mask.layers:
        axes = mask.get(one)
        if isinstance(axes['chn'], str):
            raise BadValue(f'-dmask names no channels of {one!r}; say which')
        place = [axes[axis] for axis in ('row', 'col') if not isinstance(axes[axis], str)]
        if place and (unit or [len(numbers) for numbers in place] != [1, 1]):
            raise BadValue(f'-dmask must name one row and one column of {one!r}, or none of both'
                           + (' with -unit' if unit else ''))
        targets.append(ChannelTarget(one, axes['chn'], [numbers[0] for numbers in place] or unit or None, metric))
    return targets


def _starts(prior: str) -> dict:
    """Name of a folder -> (stimID, file) of a picture to start from."""
    from pathlib import PurePath

    from dnnbrain._checks import BadValue
    from dnnbrain.interpret.synthesis.picture_saving import file_name
    from dnnbrain.stimuli.stimulus import Stimulus
    stimuli = Stimulus()
    stimuli.load(prior)
    if stimuli.type != 'image' or not len(stimuli):
        raise BadValue(f'-prior must list pictures, but has {len(stimuli)} stimuli of type {stimuli.type!r}')
    problems, starts = stimuli.check_files(), {}
    if len(problems):
        first = problems.iloc[0]
        raise BadValue(f'{len(problems)} pictures of -prior cannot be read, the first: {str(first["stimID"])!r} '
                       f'({first["problem"]})')
    for stim_id, file in zip(stimuli.get('stimID'), stimuli.files(), strict=True):
        name = file_name(str(PurePath(str(stim_id)).with_suffix('')))
        if name in starts:
            raise BadValue(f'two pictures of -prior would both get a folder {name!r}; rename one')
        starts[name] = str(stim_id), file
    return starts


def _rows(maker, folder: str, given: dict) -> list[dict]:
    """A row of the table for each picture that was just made."""
    import numpy as np
    target, activations = maker.target(), np.atleast_1d(maker.activation)
    column = 'channel' if hasattr(target, 'channels') else 'voxel'
    numbers = getattr(target, 'channels', [name.removeprefix('voxel ') for name in maker.names])
    return [{'stimID': f'{folder}/{file.name}'.lstrip('/'), 'layer': '+'.join(target.layers), column: number, **given,
             'activation': float(activation)}
            for file, number, activation in zip(maker.files, numbers, activations, strict=True)]


def _write(folder, rows: list[dict], curves: list) -> None:
    """The table of the pictures, the curves, and a figure."""
    import pandas as pd

    from dnnbrain.io.atomic import atomic
    from dnnbrain.io.stim_csv import write_stim_csv
    from dnnbrain.stimuli.images import read_rgb
    from dnnbrain.stimuli.sheet import picture_sheet
    table = pd.DataFrame(rows)
    write_stim_csv(folder / 'optstim.stim.csv', {'type': 'image', 'path': '.'}, table)
    with atomic(folder / 'optstim_loss.csv') as part:
        pd.concat(curves).to_csv(part, index=False)
    titles = [f'{row["stimID"].rpartition(".")[0]}\n{row["activation"]:.4g}' for row in rows]
    with atomic(folder / 'optstim.png') as part:
        picture_sheet([read_rgb(folder / row['stimID']) for row in rows], titles).savefig(part, dpi=120)
    click.echo(table.to_string(index=False))
