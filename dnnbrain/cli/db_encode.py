"""db_encode: how well each layer of a network predicts each voxel."""

from dnnbrain.cli import _mapping as shared
from dnnbrain.cli._common import command, option
from dnnbrain.cli._selection import selected, selection_options


@command('db_encode', 'db_encode -anal mv -act pictures.act.h5 -resp bold.nii.gz -bmask mask.nii.gz '
                      '-model ridge -out encoding')
@shared.anal_option
@selection_options
@shared.iteraxis_option
@shared.response_options
@shared.stim_option
@shared.group_option
@shared.hrf_options
@shared.model_options('ridge', 'glm', 'lasso', 'pls', 'banded', 'corr', 'lrc', 'svc')
@shared.perm_option
@shared.ceiling_option
@shared.fold_options
@option('-glass', is_flag=True, help='Draw the maps on a glass brain (responses in MNI space).')
@option('-out', required=True, metavar='FOLDER', help='Where scores, maps, models and settings go.')
def main(anal, act, layer, chn, dmask, iteraxis, resp, bmask, resample, roi, stim, group, hrf, tr, model, scoring, perm,
         ceiling, cv, seed, jobs, glass, out, **given):
    """Predict responses from activations; write scores and maps per layer, and the preferred layer."""
    from dnnbrain._checks import BadValue
    settings = shared.settings_of(anal, model, given)
    shared.prepare(out, jobs)
    stimuli, ids, groups = shared.rows_of(stim, group, ceiling)

    from dnnbrain.brain.encoder import BrainEncoder
    from dnnbrain.brain.responses import Responses
    from dnnbrain.brain.results import write_encoding
    from dnnbrain.mapping.all_layers import check_permutable
    from dnnbrain.mapping.mapper import make_mapping
    mapping = make_mapping(anal, model, cv, scoring, rng=seed, **settings)
    if perm:
        check_permutable(mapping, hrf or None)
    activation, responses = selected(act, layer, chn, dmask), Responses.load(resp, bmask, roi, resample)
    if glass and (iteraxis or model == 'corr' or not responses.is_volume):
        raise BadValue('-glass draws held-out scores of whole layers in a volume; leave it out with .roi.h5, surfaces, '
                       'CIFTI, -iteraxis or corr')
    events = shared.events_of(hrf, tr, stimuli, group, responses)
    encoder = BrainEncoder(responses.values, anal, model, cv, scoring, stim_ids=ids, groups=groups, hrf=events,
                           rng=seed, **settings)
    top, shape = encoder.noise_ceiling() if ceiling else None, responses.values.shape
    result = encoder.encode_dnn(activation, iteraxis, n_perm=perm or 0, within=groups if perm else None,
                                models=shared.few_models(activation, iteraxis, *shape))
    name = shared.score_of(mapping)
    table = write_encoding(out, result, responses, shared.record(), activation.meta, ceiling=top, scoring=name,
                           iterations=shared.iterations_of(activation, iteraxis),
                           fold=shared.folds_of(mapping, activation, shape[0], ids, groups, hrf=hrf))
    if glass:
        from dnnbrain.viz.brain_maps import draw_encoding
        draw_encoding(out, result, responses, name)
    shared.show(table)
