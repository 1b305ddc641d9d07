"""dnn_train: transfer a network to one's own categories."""

import click

from dnnbrain.cli._common import Positive, command, option
from dnnbrain.cli._network import device_options, network_options, open_network


@command('dnn_train', 'dnn_train -net AlexNet -stim train.stim.csv -val val.stim.csv -scenario fixed -out mine.pth')
@network_options
@option('-stim', required=True, metavar='FILE', help="The stimuli (.stim.csv) with a column 'label'.")
@option('-val', metavar='FILE', help='Stimuli to validate on after each epoch.')
@option('-task', type=click.Choice(['classification', 'regression']), default='classification', show_default=True,
        help='What labels are.')
@option('-scenario', type=click.Choice(['finetune', 'fixed', 'scratch']), default='finetune', show_default=True,
        help='Train everything from pretrained weights; the head only (fixed feature extractor); '
             'everything from random weights.')
@option('-layer', multiple=True, metavar='NAME ...',
        help='Let only these layers learn, and the head: names, module paths, or beginnings of names.')
@option('-keep_head', is_flag=True, help='Go on with the head the network has, instead of a fresh one.')
@option('-epoch', type=click.IntRange(min=1), default=10, show_default=True, help='How often all stimuli are shown.')
@option('-optim', type=click.Choice(['adam', 'adamw', 'sgd']), default='adam', show_default=True, help='Optimizer.')
@option('-lr', type=Positive(), default=1e-4, show_default=True, help='Learning rate.')
@option('-lr_layer', multiple=True, metavar='NAME=X ...', help='Rates of some layers, such as layer4=1e-4 fc=1e-3.')
@option('-momentum', type=click.FloatRange(0, 1, max_open=True), default=0, help='Of sgd.')
@option('-sched', metavar='SPEC', help='step:7:0.1 (epochs, factor), cosine, or plateau:5:0.1.')
@option('-warmup', type=click.FloatRange(min=0), default=0, metavar='N', help='Epochs in which rates grow from zero.')
@option('-batch', type=click.IntRange(min=1), default=64, show_default=True, help='Stimuli per step.')
@option('-precision', type=click.Choice(['float32', 'bf16', 'fp16']), default='float32', show_default=True,
        help='Of the passes.')
@click.option('-augment/-no-augment', '--augment/--no-augment', default=True, show_default=True,
              help='Random crops and mirroring in training.')
@option('-cache', is_flag=True, help='Run the frozen part once per picture, unaugmented; with fixed.')
@option('-best', type=click.Choice(['score', 'loss']), help='Keep the weights that validate best by this.')
@option('-patience', type=click.IntRange(min=1), metavar='N', help='Stop after N epochs that validate no better.')
@option('-checkpoint', metavar='FILE', help='Where training stands after each epoch (.ckpt).')
@option('-resume', is_flag=True, help='Go on from -checkpoint.')
@option('-log', type=click.IntRange(min=1), metavar='N', help='With -v: say the loss every N steps.')
@device_options
@option('-out', required=True, metavar='FILE',
        help='The trained network (.pth, .safetensors); its history goes beside it (.history.csv, .history.png).')
def main(net, weights, seed, stim, val, task, scenario, layer, keep_head, epoch, optim, lr, lr_layer, momentum, sched,
         warmup, batch, precision, augment, cache, best, patience, checkpoint, resume, log, device, worker, out):
    """Train a network on one's own stimuli, and save it with its history."""
    from pathlib import Path

    from dnnbrain._checks import BadValue, has_suffix, writable_file
    from dnnbrain.stimuli.stimulus import Stimulus
    if weights is not None and scenario == 'scratch':
        raise BadValue('-weights and -scenario scratch contradict each other; leave out -weights to begin from '
                       'random weights, or choose finetune or fixed')
    if resume and not checkpoint:
        raise BadValue('-resume needs -checkpoint, the file to go on from')
    if checkpoint and Path(checkpoint).exists() and not resume:
        raise BadValue(f'-checkpoint {checkpoint!r} exists; give -resume to go on from it, or remove it')
    out = writable_file(has_suffix(out, ['.pth', '.safetensors'], '-out'), '-out')
    record, curve = (writable_file(out.with_suffix(f'.history.{kind}'), 'history file') for kind in ('csv', 'png'))
    stimuli, validation = Stimulus(), Stimulus() if val else None
    stimuli.load(stim)
    if validation is not None:
        validation.load(val)
    from dnnbrain.networks.heads import prepare_transfer
    from dnnbrain.networks.parallel import find_team
    from dnnbrain.networks.recipes import layer_rates, optimizer_by_name, scheduler_by_name
    from dnnbrain.networks.targets import targets
    y = targets(stimuli, None, task, '-stim')
    rates = layer_rates(lr_layer)
    dnn = open_network(net, weights, seed, random=scenario == 'scratch')
    n_out = None if keep_head else y.max() + 1 if task == 'classification' else 1
    prepare_transfer(dnn, scenario, n_out, rng=seed)
    if layer:
        dnn.freeze('all but head').unfreeze(*layer)
    optimizer = optimizer_by_name(dnn, optim, lr, rates, momentum)
    method = 'inception' if dnn.aux_paths() and scenario != 'fixed' else 'tradition'
    history = dnn.train(stimuli, epoch, task, optimizer, method, data_validation=validation, batch_size=batch,
                        n_worker=worker or 0, device=device, precision=precision, augment=augment, cache_features=cache,
                        scheduler=scheduler_by_name(optimizer, sched, epoch) if sched else None, warmup=warmup,
                        keep_best=best, patience=patience, checkpoint=checkpoint, log_every=log, rng=seed)
    dnn.save(out)
    history.to_csv(record)
    from dnnbrain.io.atomic import atomic
    from dnnbrain.viz.curves import plot_history
    with atomic(curve) as part:
        plot_history(history).savefig(part, dpi=150)
    if validation is not None and find_team().first:
        click.echo(f'validation score {history["score_validation"][(history["best_epoch"] if best else 0) - 1]:.3f}')
