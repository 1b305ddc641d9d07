"""db_hrf: stored activations as a scan would see them."""

import click

from dnnbrain.cli._common import Positive, command, option
from dnnbrain.cli._selection import selected, selection_options

MODELS = ['spm', 'spm + derivative', 'spm + derivative + dispersion',
          'glover', 'glover + derivative', 'glover + derivative + dispersion', 'fir']


@command('db_hrf', 'db_hrf -act pictures.act.h5 -stim run1.stim.csv -tr 2 -n_vol 180 -out run1.act.h5')
@selection_options
@option('-stim', required=True, metavar='FILE',
        help='The events of the scan (.stim.csv), with onset and duration in seconds: rows are joined by stimID.')
@option('-tr', required=True, type=Positive(), metavar='SECONDS', help='Time between volumes.')
@option('-n_vol', required=True, type=click.IntRange(min=2), metavar='N', help='Number of volumes.')
@option('-ops', type=click.IntRange(min=1), default=100, show_default=True, metavar='N',
        help='Points per second at which the response is sampled (10, 100 or 1000 in DNNBrain 1.0).')
@option('-hrf', type=click.Choice(MODELS), default='spm', show_default=True, metavar='MODEL',
        help="The response: 'spm' or 'glover', alone, '+ derivative' or '+ derivative + dispersion', or 'fir'.")
@option('-delay', multiple=True, type=click.IntRange(min=0), metavar='N ...',
        help='With -hrf fir: delays in volumes, a set of channels for each.')
@option('-out', required=True, metavar='FILE', help='Where the volumes go (.act.h5).')
def main(act, layer, chn, dmask, stim, tr, n_vol, ops, hrf, delay, out):
    """Convolve activations with the haemodynamic response: a row per volume, in bounded memory.

    Derivatives and delays multiply the channels: all of them for the first, then for the next.
    """
    from dnnbrain._checks import BadValue, choice, has_suffix, writable_file
    from dnnbrain.activation.streamed import convolved
    from dnnbrain.stimuli.stimulus import Stimulus
    writable_file(has_suffix(out, ['.act.h5'], '-out'), '-out')
    if bool(delay) != (hrf == 'fir'):
        raise BadValue('-delay and -hrf fir go together, such as -hrf fir -delay 1 2 3 4')
    stimuli = Stimulus()
    stimuli.load(stim)
    for column in ('onset', 'duration'):
        choice('column', column, stimuli.items, owner=f'{stim!r}')
    convolved(selected(act, layer, chn, dmask), stimuli.get('onset'), stimuli.get('duration'), n_vol, tr, ops, hrf,
              delay or None, stimuli.get('stimID')).save(out)
