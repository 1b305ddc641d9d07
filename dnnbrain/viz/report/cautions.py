"""What to beware of in a result: found in its record, or computed from its tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pandas as pd

from dnnbrain._checks import BadInput
from dnnbrain.viz.report.fitting import fold_sizes
from dnnbrain.viz.report.results import Result
from dnnbrain.viz.report.scores import ceiling_values
from dnnbrain.viz.report.wording import number

SMALL_FOLD = 15
FEW_PERMUTATIONS = 1000
LOW_CEILING = 0.1                       # explainable variance under which scores are not normalised
FEW_ITEMS = 20
FEW_VALIDATED = 50
Found = Iterator[tuple[str, str]]


def cautions(result: Result) -> list[dict]:
    """Warnings ('warn') and notes ('note') of a result, each a dict of level and text, warnings first."""
    found = [{'level': level, 'text': text} for check in CHECKS[result.kind] for level, text in check(result)]
    return sorted(found, key=lambda one: one['level'] != 'warn')


def _unscored(result: Result) -> Found:
    n, missing = result.record.get('n_meas'), result.record.get('n_nan')
    if n and missing == n:
        yield 'warn', 'Nothing could be scored: look at the responses and the mask.'
    elif n and missing:
        yield 'warn', f'{missing:,} of {n:,} voxels or regions ({100 * missing / n:.2g} %) have no score: they are ' \
                      'constant or hold NaN.'


def _missing_scores(result: Result) -> Found:
    table = result.tables['rsa' if result.kind == 'rsa' else 'scores']
    name = next((name for name in ('r', 'score', 'mean') if name in table), None)
    missing = int(table[name].isna().sum()) if name else 0
    if {'mean', 'median'} <= set(table) and (table['mean'] < table['median'] - 0.5).any():
        yield 'warn', 'Means lie far below medians: some targets are predicted terribly. The table has both.'
    if missing:
        yield 'warn', f'{missing} of {len(table)} rows of the table of scores hold no number.'


def _folds(result: Result) -> Found:
    sizes = fold_sizes(result)
    if sizes and min(sizes) < SMALL_FOLD:
        why = f'correlations over fewer than about {SMALL_FOLD} are noisy' if result.scoring == 'correlation' else \
            'scores of so few are noisy'
        yield 'warn', f'The smallest fold holds {number(min(sizes), "row")}; {why}. Take fewer folds.'
    if sizes and max(sizes) > 2 * min(sizes):
        yield 'warn', f'Folds differ much in size ({min(sizes)} to {max(sizes)} rows), and their scores count alike.'


def _repeats(result: Result) -> Found:
    held = result.record.get('fold')
    held = next(iter(held.values()), None) if isinstance(held, dict) else held
    ids = _stimuli(result)
    if not held or ids is None or len(ids) != len(held) or result.settings.get('hrf'):
        return
    folds = defaultdict(set)
    for name, fold in zip(ids, held, strict=True):
        folds[name].add(fold)
    split = sum(len(numbers) > 1 for numbers in folds.values())
    if split:
        yield 'warn', f'{number(split, "stimulus")} of {len(folds)} were shown in several folds: models were tested ' \
                      'on stimuli that they were trained on.'


def _stimuli(result: Result) -> np.ndarray | None:
    """The stimulus of each row, where the table that says so is still there."""
    source = result.source('stim')
    if source is None:
        return None
    from dnnbrain.stimuli.stimulus import Stimulus
    stimuli = Stimulus()
    try:
        stimuli.load(source)
    except BadInput:
        return None
    return stimuli.get('stimID')


def _permutations(result: Result) -> Found:
    n = result.settings.get('perm')
    if n and n < FEW_PERMUTATIONS:
        yield 'warn', _few(n)
    elif not n and 'perm' in result.settings and result.model == 'corr':
        yield 'warn', 'The best of many units always correlates somewhat by chance, and no permutation test says how ' \
                      'much (-perm).'
    elif not n and 'perm' in result.settings:
        yield 'note', 'No permutation test was made (-perm): that scores are above chance is not shown.'


def _few(n: int) -> str:
    least = 1 / (1 + n)
    told = 'nothing can be significant at .05' if least >= 0.05 else 'take 1,000 or more to publish'
    return f'With {number(n, "permutation")} p cannot be below {least:.2g}; {told}.'


def _ceilings(result: Result) -> Found:
    values = ceiling_values(result)
    known = values[np.isfinite(values)]
    if not values.size:
        if result.settings.get('ceiling') is False:
            yield 'note', 'No noise ceiling was computed, so that a low score may mean a poor model or noisy data; ' \
                          'it needs stimuli that were shown several times (-ceiling).'
        return
    low = int(((known ** 2 if result.scoring == 'correlation' else known) < LOW_CEILING).sum())
    if low:
        yield 'warn', f'{low:,} of {known.size:,} voxels or regions have a low noise ceiling (explainable variance ' \
                      f'below {LOW_CEILING}): there was little to explain. They have no normalised score.'


def _choices(result: Result) -> Found:
    settings = result.settings
    if settings.get('selection') == 'in_sample':
        yield 'warn', 'Units were chosen by the score that is reported (-selection in_sample): it is too high.'
    if settings.get('iteraxis'):
        yield 'warn', 'The profile shows the best of several channels or positions, chosen by the same scores: it is ' \
                      'too high. The files have all of them.'
    if len(result.layers) > 1 and result.kind == 'encoding':
        yield 'note', 'The score of the layer that a voxel prefers is too high, since the same folds chose the ' \
                      'layer; compare layers by their means, or choose on one half of the stimuli and score on the ' \
                      'other.'
    if len(result.layers) == 1:
        yield 'note', 'One layer alone was analysed; nothing here says whether another would do better.'


def _activations(result: Result) -> Found:
    meta = result.activations
    if meta.get('skipped'):
        yield 'warn', f'{number(len(meta["skipped"]), "stimulus file")} could not be read when activations were ' \
                      'computed, and are left out.'
    if meta.get('lesions'):
        yield 'note', f'Activations come from a network with {number(len(meta["lesions"]), "lesion")}.'
    if meta.get('shard'):
        yield 'warn', f'Activations are only a part ({meta["shard"]}) of all stimuli.'
    if result.layers and not meta.get('network'):
        yield 'note', 'The file of activations does not say which network made it; add its name to the paragraph.'


def _rsa(result: Result) -> Found:
    settings, table = result.settings, result.tables['rsa']
    n = settings.get('iter')
    if 'permutation' in (settings.get('sig') or []) and n and n < FEW_PERMUTATIONS:
        yield 'warn', _few(n)
    if not settings.get('sig'):
        yield 'note', 'No test was made: correlations above 0 are not shown to be above chance.'
    if settings.get('n_item') and settings['n_item'] < FEW_ITEMS:
        yield 'warn', f'RDMs of {settings["n_item"]} items are small; comparisons vary much with the choice of items.'
    if 'n_subject' in table and int(table['n_subject'].iloc[0]) == 1:
        yield 'note', 'There is one subject (or an average): nothing here speaks about other people.'
    if 'ceiling_lower' in table and table['ceiling_lower'].notna().any():
        low = table.loc[table['ceiling_lower'] < LOW_CEILING, 'roi'].unique()
        if len(low):
            yield 'warn', f'The noise ceiling of {", ".join(low)} begins below {LOW_CEILING}: subjects hardly agree.'
    elif not settings.get('ceiling'):
        yield 'note', 'No noise ceiling was computed; it needs the RDMs of two subjects or more (-ceiling).'


def _training(result: Result) -> Found:
    told, table = result.settings, result.tables['history']
    for name, course in table.groupby('training', sort=False) if 'training' in table else [(result.name, table)]:
        yield from _course(name, course)
    n = told.get('n_validation') or 0
    if result.kind == 'training' and 'score_validation' not in table:
        yield 'warn', 'There was no validation: how well the network does on other stimuli is not known.'
    elif result.kind == 'training' and 0 < n < FEW_VALIDATED:
        yield 'warn', f'Validation is over {n} stimuli; its score has a standard error of up to {0.5 / np.sqrt(n):.2f}.'
    if told and told.get('rng') is None:
        yield 'note', 'No seed was given: the training cannot be repeated exactly.'


def _course(name: str, table: pd.DataFrame) -> Found:
    validation = table['loss_validation'].to_numpy(dtype=float) if 'loss_validation' in table else np.empty(0)
    if len(validation) > 2 and validation[-1] > 1.1 * np.nanmin(validation):
        yield 'warn', f'{name}: validation loss rose from {np.nanmin(validation):.3g} (epoch ' \
                      f'{np.nanargmin(validation) + 1}) to {validation[-1]:.3g}; the network was trained too long.'
    loss = table['epoch_loss'].to_numpy(dtype=float)
    if len(loss) > 1 and loss[-1] < 0.9 * loss[-2]:
        yield 'note', f'{name}: the training loss still fell by {100 * (1 - loss[-1] / loss[-2]):.0f} % in the last ' \
                      'epoch; longer training may help.'


MAPPED = (_unscored, _missing_scores, _folds, _repeats, _permutations, _choices, _activations)
CHECKS = {'encoding': (*MAPPED, _ceilings), 'correlation': (*MAPPED, _ceilings), 'decoding': MAPPED, 'probe': MAPPED,
          'topography': MAPPED, 'rsa': (_missing_scores, _rsa), 'training': (_training,), 'finetuning': (_training,)}
