"""db_corr: which unit of each layer goes with each voxel."""

from dnnbrain.cli import _mapping as shared
from dnnbrain.cli._common import SEED, command, option
from dnnbrain.cli._selection import selected, selection_options


@command('db_corr', 'db_corr -act pictures.act.h5 -layer conv5 -resp bold.nii.gz -bmask mask.nii.gz -out correlation')
@selection_options
@shared.iteraxis_option
@shared.response_options
@shared.stim_option
@shared.group_option
@shared.perm_option
@shared.ceiling_option
@option('-seed', type=SEED, default=0, show_default=True, help='Seed of permutations.')
@shared.jobs_option
@option('-out', required=True, metavar='FOLDER', help='Where maps, locations and settings go.')
def main(act, layer, chn, dmask, iteraxis, resp, bmask, resample, roi, stim, group, perm, ceiling, seed, jobs, out):
    """Find the unit that correlates most, by size, with each voxel, and its correlation with its sign.

    Of many units one always correlates by chance: -perm says how often. With -group, permutations stay within it.
    """
    shared.prepare(out, jobs)
    _, ids, groups = shared.rows_of(stim, group, ceiling)

    from dnnbrain.brain.encoder import BrainEncoder
    from dnnbrain.brain.responses import Responses
    from dnnbrain.brain.results import write_encoding
    activation, responses = selected(act, layer, chn, dmask), Responses.load(resp, bmask, roi, resample)
    encoder = BrainEncoder(responses.values, 'uv', 'corr', stim_ids=ids, groups=groups, rng=seed)
    top = encoder.noise_ceiling() if ceiling else None
    result = encoder.encode_dnn(activation, iteraxis, n_perm=perm or 0, within=groups if perm else None)
    shared.show(write_encoding(out, result, responses, shared.record(), activation.meta, ceiling=top,
                               iterations=shared.iterations_of(activation, iteraxis)))
