"""dnn_act: what layers of a network answer to stimuli."""

import click

from dnnbrain.cli._common import SEED, command, option, together
from dnnbrain.cli._network import POOLINGS, check_weights, device_options, open_network, random_option, weights_option

what_options = together(
    option('-net', metavar='NAME', help='A network, such as AlexNet, Vgg16, Resnet50. Needed, but for -merge.'),
    weights_option,
    option('-seed', type=SEED, help='Seed of random weights, and of -reduce srp.'),
    random_option,
    option('-layer', multiple=True, metavar='NAME ...', help='Layers, by name (conv5) or module path (features.10).'),
    option('-chn', multiple=True, type=int, metavar='N ...',
           help='Channels from 1: of one layer, or one for each of several layers.'),
    option('-dmask', metavar='FILE', help='Layers and units (.dmask.csv) instead of -layer and -chn.'),
    option('-stim', metavar='FILE', help='The stimuli (.stim.csv). Needed, but for -merge.'),
    option('-pool', type=POOLINGS, help='Pool each map to one number.'),
    option('-tokens', type=click.Choice(['all', 'cls', 'mean', 'patch']), default='all', show_default=True,
           help='Of layers that put out tokens.'),
    option('-dtype', type=click.Choice(['float32', 'float16', 'bfloat16']), default='float32', show_default=True,
           help='Of what is kept.'),
    option('-reduce', metavar='KIND:N', help='Keep N features per layer: srp:4096 (sparse random directions), pca:100 '
                                             '(needs -fit), or a .basis.h5 of an earlier run.'),
    option('-fit', metavar='FILE', help='The training list of -reduce pca (.stim.csv).'),
)
run_options = together(
    option('-compression', type=click.Choice(['auto', 'lzf', 'gzip', 'none']), default='auto', show_default=True,
           help='Of the file. auto: lzf for layers with many zeros; none is faster to write and read.'),
    option('-on_error', type=click.Choice(['raise', 'skip']), default='raise', show_default=True,
           help='Unreadable files: stop before the run, or leave them out.'),
    option('-shard', metavar='I/N', help='Only the I-th of N parts of the stimuli; -merge joins the files.'),
    option('-resume', is_flag=True, help='Go on from a run that broke off; return at once if -out is there and whole.'),
    option('-overwrite', is_flag=True, help='With -resume: begin anew if -out holds other content.'),
    option('-dry-run', is_flag=True, help='Say shapes, bytes, free disk and time; write nothing.'),
    option('-merge', multiple=True, metavar='FILE ...', help='Join the files of all shards as -out.'),
    option('-virtual', is_flag=True, help='With -merge: a small file that refers to the shards, instead of a copy.'),
)


@command('dnn_act', 'dnn_act -net AlexNet -layer conv5 fc3 -stim pictures.stim.csv -out pictures.act.h5')
@what_options
@option('-cuda', is_flag=True, help='The same as -device cuda.')
@option('-batch', type=click.IntRange(min=1), default=32, show_default=True, help='Stimuli per forward pass.')
@device_options
@run_options
@option('-out', required=True, metavar='FILE', help='Where the activations go (.act.h5).')
def main(net, weights, seed, random, layer, chn, dmask, stim, pool, tokens, dtype, reduce, fit, cuda, batch, device,
         worker, compression, on_error, shard, resume, overwrite, dry_run, merge, virtual, out):
    """Store what layers of a network answer to stimuli, in one pass and in bounded memory."""
    from dnnbrain._checks import BadValue, has_suffix, writable_file
    from dnnbrain.activation.mask import gen_dmask
    from dnnbrain.stimuli.stimulus import Stimulus
    if merge:
        from dnnbrain.activation.activation import Activation
        if net or stim or layer or dmask or dry_run or resume:
            raise BadValue('-merge joins files that are there; give -out, and -virtual or not, but nothing else')
        click.echo(Activation.merge(merge, out, virtual))
        return
    if virtual or overwrite and not resume:
        raise BadValue('-virtual goes with -merge, and -overwrite with -resume')
    if net is None or stim is None:
        raise BadValue('give a network (-net AlexNet) and stimuli (-stim pictures.stim.csv)')
    check_weights(weights, random)
    writable_file(has_suffix(out, ['.act.h5'], '-out'), '-out')
    if not layer and not dmask:
        raise BadValue('give layers (-layer conv5) or a mask file (-dmask units.dmask.csv)')
    if chn and not layer:
        raise BadValue('-chn needs -layer; a mask file (-dmask) names its own channels')
    mask = gen_dmask(layer or None, chn or 'all', dmask)
    stimuli, training = Stimulus(), Stimulus() if fit else None
    stimuli.load(stim)
    if fit:
        training.load(fit)
    dnn = open_network(net, weights, seed, random)
    settings = {'batch_size': batch, 'n_worker': worker, 'dtype': dtype, 'tokens': tokens, 'reduce': reduce,
                'fit': training, 'shard': _shard(shard), 'on_error': on_error}
    if dry_run:
        from dnnbrain.networks.estimate import estimate
        click.echo(estimate(dnn, stimuli, mask, pool, out, device=device or ('cuda' if cuda else None), **settings))
        return
    activation = dnn.compute_activation(stimuli, mask, pool, cuda, device=device, out=out, resume=resume,
                                        overwrite=overwrite, rng=seed or 0, compression=compression, **settings)
    for name, problem in activation.meta['skipped']:
        click.echo(f'left out: {name} ({problem})', err=True)


def _shard(text: str | None) -> tuple[int, int] | None:
    """(i, n) from 'i/n'."""
    from dnnbrain._checks import BadValue
    if text is None:
        return None
    i, _, n = text.partition('/')
    if not (i.isdecimal() and n.isdecimal()):
        raise BadValue(f'-shard must read like 1/4, not {text!r}')
    return int(i), int(n)
