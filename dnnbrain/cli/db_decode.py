"""db_decode: how well the brain predicts each unit of a network."""

from dnnbrain.cli import _mapping as shared
from dnnbrain.cli._common import command, option
from dnnbrain.cli._selection import selected, selection_options


@command('db_decode', 'db_decode -anal mv -resp bold.nii.gz -bmask mask.nii.gz -act pictures.act.h5 -layer fc2 '
                      '-model ridge -out decoding')
@shared.anal_option
@shared.response_options
@selection_options
@shared.stim_option
@shared.group_option
@shared.model_options('ridge', 'glm', 'lasso', 'pls', 'corr')
@shared.perm_option
@shared.fold_options
@option('-out', required=True, metavar='FOLDER', help='Where scores, locations, models and settings go.')
def main(anal, resp, bmask, resample, roi, act, layer, chn, dmask, stim, group, model, scoring, perm, cv, seed,
         jobs, out, **given):
    """Predict every unit of the layers from the responses: all voxels together, or the best single one."""
    settings = shared.settings_of(anal, model, given)
    shared.prepare(out, jobs)
    _, ids, groups = shared.rows_of(stim, group)

    from dnnbrain.brain.decoder import BrainDecoder
    from dnnbrain.brain.responses import Responses
    from dnnbrain.mapping.all_layers import check_permutable
    from dnnbrain.mapping.mapper import joined, make_mapping, same_stimulus
    from dnnbrain.mapping.saving import write_scores
    from dnnbrain.mapping.unit_chance import units_by_chance
    mapping = make_mapping(anal, model, cv, scoring, rng=seed, **settings)
    if perm:
        check_permutable(mapping)
    activation, responses = selected(act, layer, chn, dmask), Responses.load(resp, bmask, roi, resample)
    decoder = BrainDecoder(responses.values, anal, model, cv, scoring, stim_ids=ids, groups=groups, rng=seed,
                           **settings)
    n_vol, n_meas = responses.values.shape
    result = decoder.decode_dnn(activation)
    if perm:
        same, rows = same_stimulus(activation, ids), joined(activation, ids, n_vol, 'brain', 'volumes')
        chance = units_by_chance(responses.values, activation, mapping, rows, same if groups is None else groups,
                                 n_perm=perm, within=groups, together=same)
        result = {layer: found | chance[layer] for layer, found in result.items()}
    shared.show(write_scores(out, result, shared.record(), count='n_unit', n_vol=n_vol, n_meas=n_meas,
                             fold=shared.folds_of(mapping, activation, n_vol, ids, groups),
                             activations=activation.meta))
