"""db_topo: the part of the picture whose activations predict each voxel best."""

import click

from dnnbrain.cli import _mapping as shared
from dnnbrain.cli._common import Positive, command, option
from dnnbrain.cli._selection import selected, selection_options


@command('db_topo', 'db_topo -act pictures.act.h5 -layer conv3 conv5 -resp bold.nii.gz -bmask v1.nii.gz -fov 12 '
                    '-out topography')
@selection_options
@shared.response_options
@shared.stim_option
@shared.group_option
@shared.hrf_options
@option('-model', type=click.Choice(['ridge', 'glm', 'corr']), default='ridge', show_default=True,
        help='All channels at a position, or (corr, fast) the unit that correlates most.')
@option('-alpha', multiple=True, type=Positive(), metavar='X ...', help='Penalties that ridge chooses from.')
@option('-scoring', type=click.Choice(['correlation', 'r2', 'explained_variance']), default='correlation',
        show_default=True, help='Score on held-out folds.')
@option('-fov', type=Positive(), metavar='DEGREES', help='Visual angle of the width of the pictures.')
@shared.fold_options
@option('-out', required=True, metavar='FOLDER', help='Where maps and settings go.')
def main(act, layer, chn, dmask, resp, bmask, resample, roi, stim, group, hrf, tr, model, alpha, scoring, fov, cv, seed,
         jobs, out):
    """Write eccentricity, polar angle, row, column and layer of the position that predicts each voxel best.

    Positions are those of the maps of convolutional layers, chosen on training folds and scored on the others.
    """
    shared.prepare(out, jobs)
    stimuli, ids, groups = shared.rows_of(stim, group)

    from dnnbrain.brain.responses import Responses
    from dnnbrain.brain.results import write_positions
    from dnnbrain.brain.time_series import TimeBlocks, as_hrf, blocks_of_time, of_stimuli, response_span
    from dnnbrain.mapping.crossval import warn_of_split_repeats
    from dnnbrain.mapping.mapper import joined, same_stimulus
    from dnnbrain.mapping.topography import best_positions
    if groups is not None:
        warn_of_split_repeats(ids, groups)
    activation, responses = selected(act, layer, chn, dmask), Responses.load(resp, bmask, roi, resample)
    events = shared.events_of(hrf, tr, stimuli, group, responses)
    n_vol = len(responses.values)
    if hrf:
        matrix = as_hrf(events, n_vol)
        rows = {'hrf': of_stimuli(matrix, joined(activation, ids, matrix.shape[1], 'brain', 'events'), len(activation))}
        groups, cv = blocks_of_time(n_vol, cv), TimeBlocks(cv, response_span(matrix), seed)
    else:
        rows = {'rows': joined(activation, ids, n_vol, 'brain', 'volumes')}
        groups = same_stimulus(activation, ids) if groups is None else groups
    found = best_positions(activation, responses.values, None, model, cv, scoring, **rows, groups=groups,
                           alphas=alpha or None, rng=seed)
    shared.show(write_positions(out, found, responses, shared.record(), activation.meta, fov))
