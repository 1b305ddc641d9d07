"""What was done, as a paragraph for a methods section, from what a result says of itself."""

from __future__ import annotations

import re
from pathlib import Path

from dnnbrain.viz.report.fitting import ceiling, estimator, evaluation, predictor, seed
from dnnbrain.viz.report.references import Citations
from dnnbrain.viz.report.results import Result
from dnnbrain.viz.report.seen import shown_as
from dnnbrain.viz.report.wording import listed, number

TAILS = {'greater': 'one-sided (greater)', 'less': 'one-sided (less)', 'two-sided': 'two-sided'}
COMPARED = {'pearson': "Pearson's correlation", 'spearman': "Spearman's rank correlation", 'kendall': "Kendall's tau-b",
            'tau-b': "Kendall's tau-b", 'tau-a': "Kendall's tau-a", 'rho-a': "Spearman's rho-a",
            'cosine': 'cosine similarity', 'corr_cov': 'whitened correlation',
            'cosine_cov': 'whitened cosine similarity'}
POOLED = {'max': 'maximum', 'mean': 'mean', 'median': 'median', 'L1': 'L1 norm', 'L2': 'L2 norm'}
GRAY = re.compile(r'\.d(scalar|tseries|label|conn)\.nii$')


def methods(result: Result, cite: Citations) -> str:
    """A paragraph in the past tense; what a result does not say is left out."""
    sentences = WRITERS[result.kind](result, cite)
    return ' '.join(sentence for sentence in (*sentences, _software(result, cite)) if sentence)


def _encoding(result: Result, cite: Citations) -> list[str]:
    settings, n = result.settings, _rows(result)
    what = f'the responses{_places(result, " of")}'
    seen = f' to {number(n, "volume" if settings.get("hrf") else "stimulus presentation")}' if n else ''
    return [_network(result, cite), _hrf(settings, cite),
            _capital(f'{what}{_file(settings, "resp", "responses")}{_mask(settings)}{seen} were '
                     f'{predictor(result, cite, "each response")}.'),
            _per_iteration(settings), *evaluation(result, cite), ceiling(settings, cite)]


def _decoding(result: Result, cite: Citations) -> list[str]:
    settings, n = result.settings, _rows(result)
    how = 'the single best' if settings.get('anal') == 'uv' else 'all'
    return [_network(result, cite),
            f'Every unit of {"this layer" if len(result.layers) == 1 else "these layers"} was predicted from {how}'
            f'{_places(result, " of")}{_file(settings, "resp", "responses")}{_mask(settings)}'
            + (f', over {number(n, "stimulus presentation")}' if n else '')
            + f', {estimator(result, cite, "each unit")}.',
            *evaluation(result, cite)]


def _probe(result: Result, cite: Citations) -> list[str]:
    settings, n = result.settings, _rows(result)
    names = settings.get('beh') or sorted(set(result.tables['scores'].get('measure', [])))
    labels = 'class labels' if settings.get('model') in ('lrc', 'svc') else 'measures'
    return [_network(result, cite),
            f'The {labels} {listed(names)}' + (f' of {number(n, "stimulus presentation")}' if n else '')
            + f'{_file(settings, "stim")} were {predictor(result, cite, "each measure")}.',
            _per_iteration(settings), *evaluation(result, cite)]


def _topography(result: Result, cite: Citations) -> list[str]:
    settings = result.settings
    what = {'corr': 'the single unit that correlated most', 'glm': 'all channels at a position, by least squares',
            'ridge': 'all channels at a position, by ridge regression with a penalty chosen by generalised '
                     'cross-validation'}.get(settings.get('model'), 'the activations at a position')
    what += f' {cite("ridge")}' if settings.get('model') == 'ridge' else ''
    fov = settings.get('fov')
    angle = f' Pictures were taken to be {fov:g} degrees of visual angle wide.' if fov else ''
    return [_network(result, cite), _hrf(settings, cite),
            f'For each{_places(result, " of")}{_file(settings, "resp")}{_mask(settings)} the '
            f'position in the maps of {number(len(result.layers), "layer")} was found whose activations predicted its '
            f'response best, from {what}. Layer and position were chosen within the training stimuli of each fold '
            f'and scored on the held-out stimuli.{angle}', *evaluation(result, cite)]


def _rsa(result: Result, cite: Citations) -> list[str]:
    settings, table = result.settings, result.tables['rsa']
    n_subject = int(table['n_subject'].iloc[0]) if 'n_subject' in table else 1
    n_item = f' of {settings["n_item"]:,} items' if settings.get('n_item') else ''
    networks = list(dict.fromkeys(table['network'])) if 'network' in table else ['the network']
    out = [f'Representational similarity analysis {cite("rsa")} compared the representational dissimilarity matrices '
           f'(RDMs){n_item} of {number(table["layer"].nunique(), "layer")} of {listed(networks)} with those of '
           f'{number(table["roi"].nunique(), "region")} ({listed(dict.fromkeys(table["roi"]))}) by '
           f'{COMPARED.get(settings.get("method"), settings.get("method", "correlation"))} of their upper triangles'
           + (f', in each of {number(n_subject, "subject")}, and averaged the result over subjects.' if n_subject > 1
              else '.')]
    sig, n = settings.get('sig') or [], settings.get('iter')
    times = f'{n:,} ' if n else ''
    if 'permutation' in sig:
        out.append(f'Significance was tested by {times}random permutations of the items of the layers\' RDMs'
                   + (f', {TAILS[settings["tail"]]}' if settings.get('tail') in TAILS else '')
                   + f', with p = (1 + b) / (1 + n) {cite("pvalue")}, and the false discovery rate over layers and '
                   f'regions was controlled {cite("fdr")}.')
    if 'bootstrap' in sig:
        over = 'stimuli and subjects' if n_subject > 1 else 'stimuli'
        out.append(f'95 % confidence intervals came from {times}bootstrap samples of {over} {cite("bootstrap")}.')
    if settings.get('ceiling'):
        out.append('The noise ceiling lay between the mean comparison of each subject with the average of the others '
                   f'(lower bound) and with the average of all (upper bound) {cite("rsaceiling")}.')
    if (result.folder / 'mds.png').exists():
        out.append(f'RDMs were shown on a plane by metric multidimensional scaling {cite("mds")}.')
    return [*out, seed(settings)]


def _training(result: Result, cite: Citations) -> list[str]:
    told, table = result.settings, result.tables['history']
    name = told.get('network') or result.record.get('network')
    if not name:
        return [f'A network was trained for {number(len(table), "epoch")}.']
    learnt, all_of = told.get('n_learning'), told.get('n_param')
    part = (' All of its parameters were learnt' if learnt == all_of else
            f' Of its {all_of:,} parameters {learnt:,} were learnt and the others kept frozen') if learnt else ''
    n_out, data = result.record.get('classes') or [], f'{told["n_stim"]:,} stimuli' if 'n_stim' in told else 'stimuli'
    aim = f'to tell {number(len(n_out), "class")} apart ({listed(n_out)})' \
        if 0 < len(n_out) <= 10 else f'to tell {len(n_out)} classes apart' if n_out else \
        f'for {told.get("task", "its task")}'
    rate = _rates(told)
    optimizer = told.get('optimizer')
    paper = f' {cite(optimizer.lower())}' if optimizer in ('Adam', 'AdamW') else ''
    epochs = told.get('n_epoch', len(table))
    out = [f'{name}{cite.network(name)} was trained on {data} {aim}.{part}{"." if part else ""}',
           f'Training took {number(epochs, "epoch")} with batches of {told.get("batch_size", "?")} stimuli'
           + (f' under {optimizer}{paper}{rate}' if optimizer else '')
           + ('' if told.get('scheduler') is None else f', with the schedule {told["scheduler"]}')
           + (f', a warm-up of {told["warmup"]:g} epochs' if told.get('warmup') else '')
           + (f', label smoothing of {told["label_smoothing"]:g}' if told.get('label_smoothing') else '')
           + (f', in {told["precision"]}' if told.get('precision', 'float32') != 'float32' else '') + '.',
           'Pictures were augmented by random crops and mirroring.' if told.get('augment') else
           'Pictures were not augmented.' if 'augment' in told else '']
    if told.get('n_validation') and 'score_validation' in table and result.kind == 'training':
        kept = {'score': ' The weights of the epoch with the best validation score were kept.',
                'loss': ' The weights of the epoch with the lowest validation loss were kept.'}
        out.append(f'It was validated on {told["n_validation"]:,} other stimuli after each epoch; the last score was '
                   f'{table["score_validation"].iloc[-1]:.3f}.{kept.get(told.get("keep_best"), "")}')
    return [*out, f'Random numbers came from seed {told["rng"]}.' if told.get('rng') is not None else '']


def _finetuning(result: Result, cite: Citations) -> list[str]:
    n_fold = result.tables['scores']['fold'].nunique() if 'fold' in result.tables.get('scores', ()) else None
    held = f'The same training was done in {number(n_fold, "fold")} of cross-validation; scores are those of the ' \
           'stimuli left out, and the final network learnt from all stimuli.' if n_fold else ''
    return [*_training(result, cite), held]


WRITERS = {'encoding': _encoding, 'correlation': _encoding, 'decoding': _decoding, 'probe': _probe,
           'topography': _topography, 'rsa': _rsa, 'training': _training, 'finetuning': _finetuning}


def _network(result: Result, cite: Citations) -> str:
    """Which network answered to what, and what of its answers was kept."""
    meta, settings = result.activations, result.settings
    name, layers = meta.get('network'), result.layers
    if not layers:
        return ''
    which = f'{number(len(layers), "layer")} ({listed(layers)})'
    if not name:
        return f'Activations of {which} of a network{_file(settings, "act", "activations")} were taken.'
    weights = f', parameters with SHA-256 {meta["weights"][:12]}' if meta.get('weights') else ''
    shown = _stimuli(meta)
    pooled = POOLED.get(meta.get('pool'), meta.get('pool'))
    kept = [f'the {pooled} over positions of each channel was kept'] if pooled else []
    kept += [f'units were reduced by {_reduced(meta["reduce"])}'] if meta.get('reduce') else []
    parts = any(part != 'all' for layer in layers for part in ((meta.get('dmask') or {}).get(layer) or {}).values())
    kept += ['a selection of units was kept'] if parts else []
    kept += [f'{number(len(meta["lesions"]), "lesion")} had been made'] if meta.get('lesions') else []
    return f'Activations of {which} of {name}{cite.network(name)}{weights} to {shown} were computed with PyTorch ' \
           f'{cite("pytorch")}.' + (f' Before analysis {listed(kept)}.' if kept else '')


def _stimuli(meta: dict) -> str:
    """The pictures as they were shown: 'the stimuli of x.stim.csv, resized to 224 x 224 pixels and normalised'."""
    words = [str(word) for word in meta.get('command') or []]
    table = next((Path(word).name for word in words if word.endswith('.stim.csv')), None)
    done = shown_as(str(meta.get('transform') or ''))
    return ('the stimuli' + (f' of {table}' if table else '') + (f', {listed(done)},' if done else ''))


def _hrf(settings: dict, cite: Citations) -> str:
    if not settings.get('hrf'):
        return ''
    tr = f' at a repetition time of {settings["tr"]:g} s' if settings.get('tr') else ''
    return f"Activations were convolved with SPM's canonical haemodynamic response {cite('hrf')} over the onset and " \
           f'duration of each stimulus and sampled at each volume{tr}.'


def _per_iteration(settings: dict) -> str:
    each = {'channel': 'Models were made separately for each channel, over its positions.',
            'row_col': 'Models were made separately for each position, over its channels.'}
    return each.get(settings.get('iteraxis'), '')


def _places(result: Result, before: str) -> str:
    """' of 3,666 voxels'; vertices, grayordinates or regions of interest by the file of the responses."""
    named = str(result.settings.get('resp') or '').lower()
    kind = 'regions of interest' if 'roi' in result.tables['scores'] or named.endswith('.roi.h5') else \
        'vertices' if named.endswith('.gii') else 'grayordinates' if GRAY.search(named) else 'voxels'
    return f'{before} {result.record["n_meas"]:,} {kind}' if 'n_meas' in result.record else f'{before} {kind}'


def _rows(result: Result) -> int:
    return int(result.record.get('n_vol') or result.record.get('n_stim') or 0)


def _file(settings: dict, *names: str) -> str:
    named = next((settings[name] for name in names if isinstance(settings.get(name), str)), None)
    return f' ({Path(named).name})' if named else ''


def _mask(settings: dict) -> str:
    named = settings.get('bmask') or settings.get('mask')
    return f' inside the mask {Path(named).name}' if isinstance(named, str) else ''


def _rates(told: dict) -> str:
    rates = [group.get('initial_lr', group.get('lr')) for group in told.get('groups') or []]
    rates = [f'{rate:g}' for rate in rates if isinstance(rate, int | float)]
    return f' at {"a learning rate" if len(rates) == 1 else "learning rates"} of {listed(rates)}' if rates else ''


def _reduced(how: str) -> str:
    kind, _, n = str(how).partition(':')
    names = {'srp': 'sparse random projection', 'pca': 'principal component analysis'}
    return f'{names.get(kind, kind)} to {n} dimensions' if n else names.get(kind, kind)


def _software(result: Result, cite: Citations) -> str:
    """'dnnbrain 2.0 (...), with numpy 2.4 and scipy 1.17 under Python 3.11'."""
    networks = result.activations.get('versions') or {}
    versions = {name: networks[name] for name in ('torch', 'torchvision') if name in networks}
    versions |= result.record.get('versions') or {}
    own = versions.pop('dnnbrain', result.record.get('dnnbrain', ''))
    python = versions.pop('python', None)
    text = f'Analyses were done in dnnbrain{f" {own}" if own else ""} {cite("dnnbrain")}'
    text += f' with {listed(f"{name} {value}" for name, value in versions.items())}' if versions else ''
    return text + (f' under Python {python}.' if python else '.')


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
