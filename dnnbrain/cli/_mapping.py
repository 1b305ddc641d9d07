"""The options of commands that map layers, and what they mean: how to predict, which rows, where to write."""

from __future__ import annotations

import click

from dnnbrain.cli._common import SEED, Positive, option, together

MODELS = {'uv': ['corr', 'glm', 'lasso', 'lrc', 'svc'],
          'mv': ['ridge', 'glm', 'lasso', 'pls', 'banded', 'lrc', 'svc']}
CLASSIFIERS = ('lrc', 'svc')
TAKERS = {'alpha': ('ridge', 'banded', 'lasso'), 'n_components': ('pls',), 'c': CLASSIFIERS}      # settings of few

response_options = together(
    option('-resp', required=True, metavar='FILE',
           help='Responses, a volume per stimulus: a brain image (NIfTI, MGH, GIFTI, CIFTI) or .roi.h5.'),
    option('-bmask', metavar='FILE', help='Voxels or vertices that count (image or label file); all by default.'),
    option('-resample', is_flag=True, help='Bring a volume -bmask to the grid of -resp, by the nearest voxel.'),
    option('-roi', multiple=True, metavar='NAME ...', help='Regions of a .roi.h5; all by default.'),
)
anal_option = option('-anal', required=True, type=click.Choice(['uv', 'mv']),
                     help='uv: the one that predicts best; mv: all of them together.')
iteraxis_option = option('-iteraxis', type=click.Choice(['channel', 'row_col']),
                         help='Once per channel (over positions), or per position (over channels).')
stim_option = option('-stim', metavar='FILE',
                     help='The stimulus of each volume (.stim.csv): rows are joined by stimID.')
group_option = option('-group', metavar='COLUMN', help='Column of -stim, such as run, that no fold splits.')
hrf_options = together(
    option('-hrf', is_flag=True, help='-resp is a scan and -stim its events, with onset and duration in seconds: '
                                      'activations are convolved, and folds are stretches of time.'),
    option('-tr', type=Positive(), metavar='SECONDS',
           help='With -hrf: time between volumes; from the header by default.'),
)
perm_option = option('-perm', type=click.IntRange(min=1), metavar='N',
                     help='Permutations of the stimuli, within -group: p per target, and family-wise.')
ceiling_option = option('-ceiling', is_flag=True,
                        help='Noise ceiling from stimuli of -stim shown several times, and scores relative to it.')
jobs_option = option('-jobs', type=click.IntRange(min=1), metavar='N', help='Threads; all cores by default.')
fold_options = together(
    option('-cv', type=click.IntRange(min=2), default=3, show_default=True, help='Number of folds.'),
    option('-seed', type=SEED, default=0, show_default=True, help='Seed of folds and permutations.'),
    jobs_option,
)


def model_options(*names: str):
    """-model with these choices, and the settings that they have."""
    has = {setting: [name for name in takers if name in names] for setting, takers in TAKERS.items()}
    settings = [
        option('-model', required=True, type=click.Choice(names),
               help=f'uv: {_listed(names, "uv")}; mv: {_listed(names, "mv")}.'),
        option('-alpha', multiple=True, type=Positive(), metavar='X ...',
               help='Penalties that ridge chooses from, or the one of lasso (1).'),
    ]
    if has['n_components']:
        settings.append(option('-n_components', type=click.IntRange(min=1), metavar='N', help='Components of pls (2).'))
    if has['c']:
        settings.append(option('-C', type=Positive(), metavar='X', help='Inverse penalty of lrc (1) and svc (.025).'))
    return together(
        *settings,
        option('-selection', type=click.Choice(['nested', 'in_sample']),
               help='With uv: choose inside the training folds (default), or by the score returned, as 1.0 did.'),
        option('-zscore', is_flag=True, help='With mv: mean 0 and deviation 1 of each predictor, over training rows.'),
        option('-scoring', metavar='NAME',
               help='correlation, r2, explained_variance (default), accuracy (of classifiers), or a name of '
                    'scikit-learn.'),
    )


def _listed(names, anal: str) -> str:
    return ', '.join(name for name in MODELS[anal] if name in names)


def settings_of(anal: str, model: str, given: dict) -> dict:
    """Keyword arguments of the mapping, checked with the names of the options.

    Raises
    ------
    BadValue
        An option does not go with the model, or the model not with -anal.
    """
    from dnnbrain._checks import BadValue
    if model not in MODELS[anal]:
        raise BadValue(f'-model {model} does not go with -anal {anal}; choose from {", ".join(MODELS[anal])}')
    for setting, takers in TAKERS.items():
        if given.get(setting) and model not in takers:
            raise BadValue(f'-{setting if setting != "c" else "C"} is a setting of {", ".join(takers)}; leave it out '
                           f'with -model {model}')
    if given.get('zscore') and anal == 'uv':
        raise BadValue('-zscore goes with -anal mv; a single unit is as good on any scale')
    if given.get('selection') and (anal == 'mv' or model == 'corr'):
        raise BadValue('-selection is how uv chooses a unit for glm, lasso, lrc and svc; leave it out')
    penalties = given.get('alpha') or ()
    if model == 'lasso' and len(penalties) > 1:
        raise BadValue(f'-alpha of lasso is one penalty, not {len(penalties)}')
    settings = {'n_components': given.get('n_components'), 'C': given.get('c'), 'selection': given.get('selection'),
                'standardise': given.get('zscore') or None}
    if penalties:
        settings |= {'alpha': penalties[0]} if model == 'lasso' else {'alphas': penalties}
    return {name: value for name, value in settings.items() if value is not None}


def prepare(out: str, jobs: int | None) -> None:
    """Refuse a folder that cannot be written to, which is tried out without leaving a trace; limit threads."""
    import tempfile

    from threadpoolctl import threadpool_limits

    from dnnbrain._checks import BadValue, creatable_folder
    folder = creatable_folder(out, '-out')
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        tempfile.TemporaryFile(dir=nearest).close()
    except OSError as error:
        raise BadValue(f'-out {out!r} cannot be written to: {error.strerror}') from None
    if jobs:
        import dnnbrain.brain.encoder  # noqa: F401, what it loads is limited
        click.get_current_context().with_resource(threadpool_limits(jobs))


def rows_of(stim: str | None, group: str | None, ceiling: bool = False) -> tuple:
    """The table, the stimulus of each row and its group; None for what is not given."""
    from dnnbrain._checks import BadValue
    from dnnbrain.stimuli.stimulus import Stimulus
    if ceiling and stim is None:
        raise BadValue('-ceiling needs -stim, the table that says which volumes show the same stimulus')
    if stim is None:
        if group:
            raise BadValue('-group needs -stim, the table that has this column')
        return None, None, None
    stimuli = Stimulus()
    stimuli.load(stim)
    return stimuli, stimuli.get('stimID'), stimuli.get(group) if group else None


def events_of(hrf: bool, tr: float | None, stimuli, group: str | None, responses):
    """(onsets, durations, tr) of the events of a scan, or None."""
    from dnnbrain._checks import BadValue, choice
    from dnnbrain.brain.trials import repetition_time
    if not hrf:
        if tr:
            raise BadValue('-tr goes with -hrf')
        return None
    if stimuli is None or group:
        raise BadValue('-hrf needs -stim with onset and duration of each event, and no -group: folds are stretches of '
                       'time')
    for column in ('onset', 'duration'):
        choice('column', column, stimuli.items, owner='-stim, which -hrf needs')
    if tr is None and responses.header is None:
        raise BadValue('regions of a .roi.h5 do not say the time between volumes; give it (-tr)')
    return stimuli.get('onset'), stimuli.get('duration'), tr or repetition_time(responses.header)


def score_of(mapping) -> str:
    """The name of the score."""
    from dnnbrain.mapping.scorers import known_scoring
    kind = mapping.estimator_type
    return 'correlation' if kind == 'correlation' else known_scoring(mapping.scoring, kind)


def folds_of(mapping, activation, n_row: int, ids, groups, labels: dict | None = None, hrf: bool = False):
    """Number (from 1) of the fold that holds out each row; of classifiers for each column of labels."""
    from dnnbrain.brain.time_series import blocks_of_time
    from dnnbrain.mapping.mapper import same_stimulus
    from dnnbrain.mapping.saving import held_out_fold
    if mapping.estimator_type == 'correlation' or (mapping.estimator_type == 'classifier' and labels is None):
        return None
    if groups is None:
        groups = blocks_of_time(n_row, mapping.cv) if hrf else same_stimulus(activation, ids)
    if mapping.estimator_type == 'classifier':
        return {name: held_out_fold(n_row, mapping.cv, groups, mapping.rng, column) for name, column in labels.items()}
    return held_out_fold(n_row, mapping.cv, groups, mapping.rng)


def measures_of(stimuli, columns, labels: bool):
    """Columns of a stimulus table as (n_stim, n_beh): numbers, or labels."""
    import numpy as np

    from dnnbrain._checks import BadValue, n_missing
    found = [stimuli.get(column) for column in columns]
    text = [name for name, values in zip(columns, found, strict=True) if values.dtype.kind not in 'iufb']
    if text and not labels:
        raise BadValue(f'-beh {text[0]!r} holds text, and this model predicts numbers; for labels take -model lrc or '
                       'svc')
    for name, values in zip(columns, found, strict=True):
        if text and n_missing(values):
            raise BadValue(f'-beh {name!r} has no entry for {n_missing(values)} rows; leave these rows out')
    return np.column_stack([values.astype(str) for values in found] if text else found)


def classes_of(mapping, labels: dict) -> dict | None:
    """Measure -> classes in the order of the confusion matrices."""
    if mapping.estimator_type != 'classifier':
        return None
    return {name: sorted(set(column.tolist())) for name, column in labels.items()}


def iterations_of(activation, iteraxis: str | None) -> dict:
    """Layer -> what its iterations are."""
    from dnnbrain.mapping.saving import iteration_numbers
    return {layer: iteration_numbers(activation, layer, iteraxis) for layer in activation.layers}


def few_models(activation, iteraxis: str | None, n_row: int, n_target: int) -> bool:
    """Whether the models of every layer may be kept."""
    from dnnbrain.mapping.saving import keep_models
    from dnnbrain.mapping.tables import n_iterations
    return all(keep_models(n_iterations(activation.shape(layer), iteraxis), n_row, n_target)
               for layer in activation.layers)


def record() -> dict:
    """Every option with its value."""
    return {'command': click.get_current_context().info_name} | click.get_current_context().params


def show(table) -> None:
    """Print a table."""
    click.echo(table.to_string(index=False, float_format='%.3f'))
