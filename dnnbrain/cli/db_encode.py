"""db_encode: how well each layer of a network predicts each voxel."""

import click

from dnnbrain.cli._common import SEED, Positive, command, option
from dnnbrain.cli._selection import selected, selection_options


@command('db_encode', 'db_encode -anal mv -act pictures.act.h5 -resp bold.nii.gz -bmask mask.nii.gz '
                      '-model ridge -out encoding')
@option('-anal', required=True, type=click.Choice(['mv']), help='mv: all units of a layer together.')
@selection_options
@option('-iteraxis', type=click.Choice(['channel', 'row_col']), help='One model per channel, or per position.')
@option('-resp', required=True, metavar='FILE', help='Responses, a volume per stimulus (.nii, .nii.gz, .roi.h5).')
@option('-bmask', metavar='FILE', help='Voxels to predict (.nii, .nii.gz); all by default.')
@option('-roi', multiple=True, metavar='NAME ...', help='Regions of a .roi.h5; all by default.')
@option('-stim', metavar='FILE', help='The stimulus of each volume (.stim.csv): rows are joined by stimID.')
@option('-group', metavar='COLUMN', help='Column of -stim that no fold may split, such as run.')
@option('-model', required=True, type=click.Choice(['ridge', 'glm']), help='ridge, or least squares.')
@option('-alpha', multiple=True, type=Positive(), metavar='X ...', help='Ridge penalties to choose from.')
@option('-scoring', type=click.Choice(['explained_variance', 'correlation', 'r2']), default='explained_variance',
        show_default=True, help='Score on held-out folds.')
@option('-cv', type=int, default=3, show_default=True, help='Number of folds.')
@option('-seed', type=SEED, default=0, show_default=True, help='Seed of the folds.')
@option('-glass', is_flag=True, help='Draw the maps on a glass brain (responses in MNI space).')
@option('-out', required=True, metavar='FOLDER', help='Where scores, maps, models and settings go.')
def main(anal, act, layer, chn, dmask, iteraxis, resp, bmask, roi, stim, group, model, alpha, scoring, cv, seed,
         glass, out):
    """Predict responses from activations; write scores and maps per layer, and the preferred layer."""
    from dnnbrain._checks import BadValue, creatable_folder
    from dnnbrain.brain.encoder import BrainEncoder
    from dnnbrain.brain.responses import Responses
    from dnnbrain.brain.results import write_encoding
    from dnnbrain.stimuli.stimulus import Stimulus
    creatable_folder(out, '-out')
    if group and not stim:
        raise BadValue('-group needs -stim, the table that has this column')
    activation, stimuli = selected(act, layer, chn, dmask), Stimulus()
    responses = Responses.load(resp, bmask, roi)
    if glass and (iteraxis or not responses.is_volume):
        raise BadValue('-glass draws volumes of whole layers; leave it out with .roi.h5, surfaces, CIFTI or -iteraxis')
    if stim:
        stimuli.load(stim)
    encoder = BrainEncoder(responses.values, anal, model, cv, scoring, alphas=alpha or None, rng=seed,
                           stim_ids=stimuli.get('stimID') if stim else None,
                           groups=stimuli.get(group) if group else None)
    result = encoder.encode_dnn(activation, iteraxis)
    settings = {'activations': act, 'responses': resp, 'mask': bmask, 'model': model, 'scoring': scoring,
                'cv': cv, 'group': group, 'seed': seed, 'alpha': list(alpha) or 'default', 'iteraxis': iteraxis}
    table = write_encoding(out, result, responses, settings, activation.meta)
    if glass:
        from dnnbrain.viz.brain_maps import draw_encoding
        draw_encoding(out, result, responses, scoring)
    click.echo(table.to_string(index=False, float_format='%.3f'))
