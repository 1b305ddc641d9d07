"""How models were fitted, scored and tested, in words: parts of a methods paragraph."""

from __future__ import annotations

from collections import Counter

from dnnbrain.viz.report.references import Citations
from dnnbrain.viz.report.results import Result
from dnnbrain.viz.report.wording import listed, number

SCORED = {'correlation': "Pearson's correlation of predicted and measured values",
          'r2': 'the coefficient of determination (R²)', 'explained_variance': 'explained variance',
          'accuracy': 'the share of stimuli classified correctly (accuracy)'}


def predictor(result: Result, cite: Citations, each: str) -> str:
    """From what and how each response or measure was predicted."""
    anal, model = result.settings.get('anal'), result.model
    if model == 'corr':
        return 'correlated (Pearson) with every unit of each layer, and the unit with the largest absolute ' \
               'correlation was taken'
    source = {'uv': 'the single best unit of each layer', 'mv': 'all units of each layer together'}.get(
        anal, 'the units of each layer')
    return f'predicted from {source}, {estimator(result, cite, each)}'


def estimator(result: Result, cite: Citations, each: str) -> str:
    """By which model, and how its settings were chosen."""
    settings, model = result.settings, result.model
    alphas = settings.get('alpha')
    given = isinstance(alphas, list) and bool(alphas)
    grid = f'{listed(f"{a:g}" for a in alphas)}' if given else \
        'nine values over eight decades around the mean eigenvalue of the kernel'
    inner = 'by five-fold cross-validation within the training data'
    texts = {
        'ridge': lambda: f'by ridge regression {cite("ridge", "himalaya")} ' + (
            f'with the penalty {grid}' if given and len(alphas) == 1 else
            f'with the penalty of {each} chosen {inner} from {grid}'),
        'banded': lambda: f'by banded ridge regression over all layers jointly {cite("banded", "himalaya")}, with a '
                          f'penalty per layer chosen {inner}; the score of a layer is its share of the explained '
                          'variance (product measure)',
        'glm': lambda: 'by ordinary least squares (of minimum norm where there were more units than stimuli)',
        'lasso': lambda: f'by lasso regression {cite("lasso", "sklearn")} with the penalty '
                         f'{alphas[0] if given else 1:g}',
        'pls': lambda: f'by partial least squares {cite("pls", "sklearn")} with '
                       f'{number(settings.get("n_components") or 2, "component")}',
        'lrc': lambda: f'by logistic regression {cite("sklearn")} with the inverse penalty '
                       f'C = {settings.get("c") or 1:g}',
        'svc': lambda: f'by a linear support vector machine {cite("svc", "sklearn")} with C = '
                       f'{settings.get("c") or 0.025:g}',
        'corr': lambda: 'as the largest absolute Pearson correlation'}
    text = texts[model]() if model in texts else f'by {model}' if model else 'by a linear model'
    if settings.get('anal') == 'uv' and model != 'corr':
        text += f', with the {"voxel" if result.kind == "decoding" else "unit"} chosen ' + (
            'by the score that is reported' if settings.get('selection') == 'in_sample' else 'within the training data')
    return text + (', after standardising each predictor over the training data' if settings.get('zscore') else '')


def evaluation(result: Result, cite: Citations) -> list[str]:
    """Folds and score, permutations, seed."""
    settings, out = result.settings, []
    if result.model != 'corr' or result.kind == 'topography':
        cv = settings.get('cv')
        out.append(f'Models were scored by {SCORED.get(result.scoring, result.scoring)} on held-out data'
                   + (f', in {_folds(result, cv)}' if cv else '') + '.')
        if cv:
            out.append('Scores were averaged over folds; 95 % confidence intervals of these means count that folds '
                       f'share training data {cite("folds")}.' if result.kind != 'topography' else
                       'Scores were averaged over folds.')
    if settings.get('perm'):
        within = f' within each {settings["group"]}' if settings.get('group') else ''
        units = 'units' if result.kind == 'decoding' else 'measures' if result.kind == 'probe' else 'voxels'
        out.append(f'Significance was assessed by {settings["perm"]:,} permutations of the stimuli{within}'
                   + ('' if result.model == 'corr' else ', with models fitted anew to each')
                   + f', as p = (1 + b) / (1 + n) {cite("pvalue")}; family-wise error over {units} and layers was '
                   f'controlled by the distribution of the largest statistic {cite("maxstat")}.')
    return [*out, seed(settings)]


def _folds(result: Result, cv: int) -> str:
    """'five folds of 40 presentations that ...', or stretches of time of a scan."""
    settings, sizes = result.settings, fold_sizes(result)
    scan = settings.get('hrf')
    size = '' if not sizes else f' of {min(sizes)}' if min(sizes) == max(sizes) else f' of {min(sizes)} to {max(sizes)}'
    size += f' {"volumes" if scan else "presentations"}' if size else ''
    if scan and not settings.get('group'):
        return f'{number(cv, "contiguous stretch")}{size}, whose neighbouring volumes trained no model'
    return f'{number(cv, "fold")}{size}{_together(settings)}'


def fold_sizes(result: Result) -> list[int]:
    """How many rows each fold held out; of classifiers, of the first measure."""
    held = result.record.get('fold')
    held = next(iter(held.values()), None) if isinstance(held, dict) else held
    return sorted(Counter(held).values()) if held else []


def _together(settings: dict) -> str:
    if settings.get('group'):
        return f' that did not divide any {settings["group"]}'
    return ' that kept presentations of the same stimulus together' if settings.get('stim') and not \
        settings.get('hrf') else ''


def ceiling(settings: dict, cite: Citations) -> str:
    """How noise ceilings were estimated; empty where none were."""
    if not settings.get('ceiling'):
        return ''
    return f'Noise ceilings of single trials were estimated from repeated presentations of the same stimuli ' \
           f'{cite("ceiling")}, and scores are also given relative to them where the explainable variance was at ' \
           'least .1.'


def seed(settings: dict) -> str:
    """The seed of everything random."""
    return f'Random numbers came from seed {settings["seed"]}.' if settings.get('seed') is not None else ''
