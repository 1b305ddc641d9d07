"""dnn_export: activations for other tools."""

import click

from dnnbrain.cli._common import Positive, command, option
from dnnbrain.cli._selection import selected, selection_options


@command('dnn_export', 'dnn_export -act pictures.act.h5 -layer conv5 -out conv5.mat')
@selection_options
@option('-flat', is_flag=True, help='Stimuli by units instead of stimuli by channels, rows, columns.')
@option('-design', type=click.Choice(['nilearn', 'spm', 'fsl']), help='Regressors of a scan instead of values.')
@option('-stim', metavar='FILE', help='With -design: the events (.stim.csv), with onset and duration in seconds.')
@option('-tr', type=Positive(), metavar='SECONDS', help='With -design: time between volumes.')
@option('-n_vol', type=click.IntRange(min=2), metavar='N', help='With -design: number of volumes.')
@option('-hrf', type=click.Choice(['spm', 'glover']), help='With -design: the response; spm by default.')
@option('-center', is_flag=True, help='With -design: subtract the mean over events from each unit.')
@option('-main', is_flag=True, help='With -design: add a regressor of all events alike.')
@option('-drift', type=click.Choice(['cosine', 'polynomial', 'none']),
        help='With -design nilearn: the drifts added; cosine by default.')
@option('-limit', type=click.IntRange(min=1), metavar='N', help='With -design: most units allowed; 300 by default.')
@option('-out', required=True, metavar='FILE',
        help='A .npy, .npz, .mat, .csv or .tsv; -design nilearn: .tsv or .csv, spm: .mat, fsl: a new folder.')
def main(act, layer, chn, dmask, flat, design, out, **events):
    """Write activations, or regressors made of them, in a form that other tools read."""
    from dnnbrain._checks import BadValue
    given = [f'-{name}' for name, value in events.items() if value not in (None, False)]
    missing = [name for name in ('-stim', '-tr', '-n_vol') if name not in given]
    if given and not design:
        raise BadValue(f'there is no use for {" and ".join(given)} without -design; name a tool: nilearn, spm or fsl')
    if design and missing:
        raise BadValue(f'-design needs {" and ".join(missing)} too')
    if design and flat:
        raise BadValue('-flat is about values; leave it out with -design')
    if design != 'nilearn' and events['drift']:
        raise BadValue(f'-drift is for -design nilearn; {design} adds its own')
    activation = selected(act, layer, chn, dmask)
    if not design:
        activation.export(out, flat=flat)
        return
    from dnnbrain.stimuli.stimulus import Stimulus
    stim = Stimulus()
    stim.load(events.pop('stim'))
    settings = {name: value for name, value in events.items() if value is not None}
    activation.export_design(out, design, stim.get('onset'), stim.get('duration'), stim_ids=stim.get('stimID'),
                             **settings)
