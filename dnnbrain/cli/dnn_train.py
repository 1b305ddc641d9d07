"""dnn_train: transfer a network to one's own categories."""

import click

from dnnbrain.cli._common import Positive, command, device_options, network_options, open_network, option


@command('dnn_train', 'dnn_train -net AlexNet -stim train.stim.csv -val val.stim.csv -scenario fixed -out mine.pth')
@network_options
@option('-stim', required=True, metavar='FILE', help="The stimuli (.stim.csv) with a column 'label'.")
@option('-val', metavar='FILE', help='Stimuli to validate on after each epoch.')
@option('-task', type=click.Choice(['classification', 'regression']), default='classification', show_default=True,
        help='What labels are.')
@option('-scenario', type=click.Choice(['finetune', 'fixed', 'scratch']), default='finetune', show_default=True,
        help='Train everything from pretrained weights; the head only (fixed feature extractor); '
             'everything from random weights.')
@option('-keep_head', is_flag=True, help='Go on with the head the network has, instead of a fresh one.')
@option('-epoch', type=click.IntRange(min=1), default=10, show_default=True, help='How often all stimuli are shown.')
@option('-lr', type=Positive(), default=1e-4, show_default=True, help='Learning rate of Adam.')
@option('-batch', type=click.IntRange(min=1), default=64, show_default=True, help='Stimuli per step.')
@click.option('-augment/-no-augment', '--augment/--no-augment', default=True, show_default=True,
              help='Random crops and mirroring in training.')
@device_options
@option('-out', required=True, metavar='FILE',
        help='The trained network (.pth); its history goes beside it (.history.csv).')
def main(net, weights, seed, stim, val, task, scenario, keep_head, epoch, lr, batch, augment, device, worker, out):
    """Train a network on one's own stimuli, and save it with its history."""
    from dnnbrain._checks import BadValue, has_suffix, writable_file
    from dnnbrain.stimuli.stimulus import Stimulus
    if weights is not None and scenario == 'scratch':
        raise BadValue('-weights and -scenario scratch contradict each other; leave out -weights to begin from '
                       'random weights, or choose finetune or fixed')
    record = writable_file(has_suffix(out, ['.pth'], '-out'), '-out').with_suffix('.history.csv')
    writable_file(record, 'history file')
    stimuli, validation = Stimulus(), Stimulus() if val else None
    stimuli.load(stim)
    if validation is not None:
        validation.load(val)
    import torch

    from dnnbrain.networks.heads import prepare_transfer
    from dnnbrain.networks.targets import targets
    y = targets(stimuli, None, task, '-stim')
    dnn = open_network(net, weights, seed, random=scenario == 'scratch')
    n_out = None if keep_head else y.max() + 1 if task == 'classification' else 1
    learning = prepare_transfer(dnn.model, scenario, n_out, rng=seed)
    history = dnn.train(stimuli, epoch, task, torch.optim.Adam(learning, lr), data_validation=validation,
                        batch_size=batch, n_worker=worker or 0, device=device, augment=augment, rng=seed)
    dnn.save(out)
    history.to_csv(record)
    if validation is not None:
        click.echo(f'validation score {history["score_validation"][-1]:.3f}')
