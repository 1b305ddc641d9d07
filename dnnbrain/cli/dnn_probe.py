"""dnn_probe: how well each layer of a network predicts behaviour, or labels of the stimuli."""

from dnnbrain.cli import _mapping as shared
from dnnbrain.cli._common import command, option
from dnnbrain.cli._selection import selected, selection_options


@command('dnn_probe', 'dnn_probe -anal mv -act pictures.act.h5 -stim pictures.stim.csv -beh condition -model lrc '
                      '-out probe')
@shared.anal_option
@selection_options
@shared.iteraxis_option
@option('-stim', required=True, metavar='FILE',
        help='A row per stimulus (.stim.csv) with what is to be predicted: rows are joined by stimID.')
@option('-beh', required=True, multiple=True, metavar='NAME ...',
        help='Columns of -stim: numbers; of classifiers (lrc, svc) labels.')
@shared.group_option
@shared.model_options('ridge', 'glm', 'lasso', 'pls', 'banded', 'corr', 'lrc', 'svc')
@shared.perm_option
@shared.fold_options
@option('-out', required=True, metavar='FOLDER', help='Where scores, locations, models and settings go.')
def main(anal, act, layer, chn, dmask, iteraxis, stim, beh, group, model, scoring, perm, cv, seed, jobs, out, **given):
    """Predict columns of a stimulus table from activations."""
    settings = shared.settings_of(anal, model, given)
    shared.prepare(out, jobs)
    stimuli, ids, groups = shared.rows_of(stim, group)

    from dnnbrain.mapping.all_layers import check_permutable
    from dnnbrain.mapping.mapper import make_mapping
    from dnnbrain.mapping.probe import DnnProbe
    from dnnbrain.mapping.saving import write_scores
    mapping = make_mapping(anal, model, cv, scoring, rng=seed, **settings)
    if perm:
        check_permutable(mapping)
    activation = selected(act, layer, chn, dmask)
    measures = shared.measures_of(stimuli, beh, mapping.estimator_type == 'classifier')
    probe = DnnProbe(activation, anal, model, cv, scoring, stim_ids=ids, groups=groups, rng=seed, **settings)
    result = probe.probe(measures, iteraxis, n_perm=perm or 0, within=groups if perm else None,
                         models=shared.few_models(activation, iteraxis, *measures.shape))
    labels = dict(zip(beh, measures.T, strict=True))
    shared.show(write_scores(out, result, shared.record(), list(beh), iteraxis,
                             shared.iterations_of(activation, iteraxis), n_stim=len(stimuli),
                             fold=shared.folds_of(mapping, activation, len(stimuli), ids, groups, labels),
                             classes=shared.classes_of(mapping, labels), activations=activation.meta))
