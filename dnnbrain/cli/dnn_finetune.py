"""dnn_finetune: train a network to predict labels, ratings or brain responses, judged on stimuli it did not see."""

import click

from dnnbrain.cli._common import Positive, command, option
from dnnbrain.cli._network import device_options, network_options, open_network


@command('dnn_finetune', 'dnn_finetune -net AlexNet -layer conv5 -stim pictures.stim.csv -dmask conv5.dmask.csv '
                         '-resp bold.nii.gz -bmask v4.nii.gz -out finetuned')
@network_options
@option('-layer', multiple=True, required=True, metavar='NAME ...',
        help='Layers that learn beside the readout: names, module paths, beginnings of names; readout: it alone.')
@option('-stim', required=True, metavar='FILE', help='The stimuli (.stim.csv), a row per presentation.')
@option('-dmask', metavar='FILE', help='Units the readout reads (.dmask.csv). Without it, the head is replaced.')
@option('-resp', metavar='FILE', help='Predict responses, a volume per stimulus (a brain image or .roi.h5).')
@option('-bmask', metavar='FILE', help='Voxels to predict; all by default.')
@option('-roi', multiple=True, metavar='NAME ...', help='Regions of a .roi.h5; all by default.')
@option('-hrf', is_flag=True, help='-resp is a scan: estimate the response to each stimulus, by onset and duration.')
@option('-tr', type=Positive(), metavar='SECONDS', help='Time between volumes; from the header by default.')
@option('-cmeas', metavar='NAME', help='Predict the categories of this column of -stim.')
@option('-rmeas', multiple=True, metavar='NAME ...', help='Predict the numbers of these columns of -stim.')
@option('-cvfold', type=click.IntRange(min=2), default=3, show_default=True,
        help='Folds; repeats of a stimulus stay on one side.')
@option('-epoch', type=click.IntRange(min=1), default=10, show_default=True, help='How often all stimuli are shown.')
@option('-optim', type=click.Choice(['adam', 'adamw', 'sgd']), default='adam', show_default=True, help='Optimizer.')
@option('-lr', type=Positive(), default=1e-4, show_default=True, help='Learning rate.')
@option('-batch', type=click.IntRange(min=1), default=64, show_default=True, help='Stimuli per step.')
@click.option('-augment/-no-augment', '--augment/--no-augment', default=False, show_default=True,
              help='Random crops and mirroring in training; the subject saw neither.')
@device_options
@option('-out', required=True, metavar='FOLDER', help='Scores, maps, predictions, curves, and network.pth.')
def main(net, weights, seed, layer, stim, dmask, resp, bmask, roi, hrf, tr, cmeas, rmeas, cvfold, epoch, optim, lr,
         batch, augment, device, worker, out):
    """Train layers and a readout in cross-validation; then once more on all stimuli, to keep that network."""
    from dnnbrain._checks import BadValue, creatable_folder
    from dnnbrain.brain.measures import Measures
    from dnnbrain.brain.responses import Responses
    from dnnbrain.mapping.crossval import folds, repeated
    from dnnbrain.stimuli.stimulus import Stimulus
    creatable_folder(out, '-out')
    if (resp is not None) + (cmeas is not None) + bool(rmeas) != 1:
        raise BadValue('give one of -resp (responses), -cmeas (categories) and -rmeas (numbers) to predict')
    if (bmask or roi or hrf or tr) and not resp:
        raise BadValue('-bmask, -roi, -hrf and -tr go with -resp')
    if tr and not hrf:
        raise BadValue('-tr goes with -hrf')
    stimuli = Stimulus()
    stimuli.load(stim)
    measures = Measures.categories(stimuli, cmeas) if cmeas else Measures.ratings(stimuli, rmeas) if rmeas else \
        Measures.brain(stimuli, Responses.load(resp, bmask, roi), hrf, tr)
    labels = measures.values if cmeas else None
    splits = folds(len(stimuli), cvfold, repeated(stimuli.get('stimID')), seed or 0, labels)

    from dnnbrain.networks.held_out import fit
    from dnnbrain.networks.parallel import find_team
    from dnnbrain.networks.recipes import optimizer_by_name
    dnn = set_up(open_network(net, weights, seed), layer, dmask, measures.n_out, seed)
    settings = {'batch_size': batch, 'augment': augment, 'n_worker': worker or 0, 'device': device, 'rng': seed}
    result = dnn.cross_validate(stimuli, epoch, measures.task, splits, lambda fold: optimizer_by_name(fold, optim, lr),
                                measures.values, **settings)
    table = measures.write(out, result, splits, stimuli.get('stimID'))
    whole = fit(dnn, stimuli, epoch, measures.task, optimizer_by_name(dnn, optim, lr), measures.values, **settings)
    dnn.classes = measures.names if cmeas else None
    dnn.save(creatable_folder(out) / 'network.pth')
    draw_histories(out, {f'fold {k}': h for k, h in enumerate(result['history'], 1)} | {'all stimuli': whole})
    if find_team().first:
        click.echo(table.to_string(index=False, float_format='%.3f'))


def set_up(dnn, layers, dmask, n_out: int, seed):
    """The network with a fresh readout; only it and `layers` learn."""
    from dnnbrain.activation.mask import gen_dmask
    if dmask:
        dnn = dnn.readout(gen_dmask(dmask_file=dmask), n_out, seed)
    else:
        dnn.replace_head(n_out, rng=seed)
    dnn.freeze('all but head')
    named = [layer for layer in layers if layer != 'readout']
    return dnn.unfreeze(*named) if named else dnn


def draw_histories(folder, histories: dict) -> None:
    """Write ``history.csv``, a row per training and epoch, and ``history.png``."""
    from pathlib import Path

    import pandas as pd

    from dnnbrain.io.atomic import atomic
    from dnnbrain.viz.curves import plot_history
    table = pd.concat([history.table().assign(training=name) for name, history in histories.items()])
    with atomic(Path(folder) / 'history.csv') as part:
        table.to_csv(part, index=False)
    with atomic(Path(folder) / 'history.png') as part:
        plot_history(histories).savefig(part, dpi=150)
