"""The tables behind the pictures: a score per layer with what is known of its error and of what was possible."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import t as student

from dnnbrain.viz.report.results import Result, brain_file

ITERATED = ('channel', 'frame', 'row', 'column')
TARGETS = ('roi', 'measure')
WORDS = {'correlation': 'Pearson correlation', 'r2': 'R²', 'explained_variance': 'explained variance',
         'accuracy': 'accuracy'}
LIMITS = {'accuracy': (0, 1), 'correlation': (-1, 1)}
ALL = {'encoding': 'all voxels', 'correlation': 'all voxels', 'decoding': 'all units', 'finetuning': 'all'}
LEVEL = 0.95


def score_word(result: Result) -> str:
    """What a score is, in words."""
    if result.model == 'corr':
        return 'absolute Pearson correlation'
    if result.model == 'banded':
        return f'share of {WORDS.get(result.scoring, result.scoring)}'
    return WORDS.get(result.scoring, result.scoring)


def layer_profile(result: Result) -> pd.DataFrame:
    """A row per layer and region (or measure, or all voxels or units): score, interval, ceiling.

    Returns
    -------
    table : DataFrame
        roi, layer, r (mean over folds; of iterations the best; of corr the absolute value), low and
        high (95 % interval from the folds, `fold_interval`; NaN without folds), n_fold, n_iteration, ceiling.
    """
    scores = result.tables['scores']
    target = next((name for name in TARGETS if name in scores), None)
    value = next(name for name in ('score', 'mean') if name in scores)
    table = pd.DataFrame({'layer': scores['layer'] if 'layer' in scores else 'network',
                          'roi': scores[target] if target else _everything(result),
                          'score': scores[value].abs() if result.model == 'corr' else scores[value]})
    iterated = [name for name in ITERATED if name in scores]
    table['iteration'] = scores.groupby(iterated, sort=False, dropna=False).ngroup() if iterated else 0
    cells = table.groupby(['roi', 'layer', 'iteration'], sort=False)['score']
    found = cells.agg(r='mean', n_fold='count').reset_index()
    found['low'], found['high'] = np.clip(fold_interval(found['r'], cells.std().to_numpy(), found['n_fold']),
                                          *LIMITS.get(result.scoring, (-np.inf, 1)))
    if 'fold' not in scores:
        found[['low', 'high']] = np.nan
    best = found.assign(filled=found['r'].fillna(-np.inf)).sort_values('filled', ascending=False, kind='stable') \
        .drop_duplicates(['roi', 'layer']).sort_index()
    counts = found.groupby(['roi', 'layer'], sort=False)['iteration'].nunique()
    best['n_iteration'] = [counts[key] for key in zip(best['roi'], best['layer'], strict=True)]
    tops = ceilings(result)
    best['ceiling'] = [tops.get(name, np.nan) for name in best['roi']]
    return best[['roi', 'layer', 'r', 'low', 'high', 'n_fold', 'n_iteration', 'ceiling']].reset_index(drop=True)


def fold_interval(mean, deviation, n_fold) -> tuple[np.ndarray, np.ndarray]:
    """95 % interval of the mean of scores on folds, widened because folds share training stimuli.

    Nadeau & Bengio (2003, doi 10.1023/A:1024068626366): the variance of the mean is
    (1 / k + n_test / n_train) s^2, n_test / n_train being 1 / (k - 1).

    Parameters
    ----------
    mean, deviation, n_fold : array_like of shape (n,)
        Standard deviation over folds with one degree of freedom less.
    """
    mean, deviation, k = (np.asarray(values, dtype=float) for values in (mean, deviation, n_fold))
    several = k > 1
    k = np.where(several, k, 2)
    half = student.ppf((1 + LEVEL) / 2, k - 1) * deviation * np.sqrt(1 / k + 1 / (k - 1))
    half = np.where(several, half, np.nan)
    return mean - half, mean + half


def ceilings(result: Result) -> dict[str, float]:
    """Region -> its noise ceiling on the scale of the score; of voxels the mean. Empty where none was computed."""
    if (result.folder / 'ceiling.csv').exists():
        return pd.read_csv(result.folder / 'ceiling.csv').iloc[0].to_dict()
    values = ceiling_values(result)
    known = values[np.isfinite(values)]
    return {_everything(result): float(known.mean())} if known.size else {}


def ceiling_values(result: Result) -> np.ndarray:
    """The ceiling of each voxel or region, (n,), NaN where there is none; empty where none was computed."""
    if (result.folder / 'ceiling.csv').exists():
        return pd.read_csv(result.folder / 'ceiling.csv').to_numpy(dtype=float)[0]
    path = brain_file(result.folder, 'ceiling')
    if path is None:
        return np.empty(0)
    from dnnbrain.brain.io import load_brainimg
    return np.asarray(load_brainimg(path)[0], dtype=float).ravel()


def significant(result: Result) -> pd.DataFrame | None:
    """A row per layer: share of targets with p and with family-wise p below .05; None without permutations."""
    rows = []
    for layer in result.layers:
        row = {'layer': layer}
        for name in ('p', 'p_family'):
            if (result.place(layer) / f'{name}.npy').exists():
                values = np.load(result.place(layer) / f'{name}.npy', allow_pickle=False).ravel()
                known = values[np.isfinite(values)]
                row[f'{name} < .05'] = float((known < 0.05).mean()) if known.size else np.nan
                row['n'] = known.size
        if len(row) > 1:
            rows.append(row)
    return pd.DataFrame(rows) if rows else None


def confusion(result: Result) -> dict[str, np.ndarray]:
    """'layer, measure' -> confusion matrix (true, predicted) over all folds, of whole layers; empty for regressors."""
    out = {}
    for layer in result.layers:
        path = result.place(layer) / 'conf_m.npy'
        if result.settings.get('iteraxis') or not path.exists():
            continue
        matrices = np.load(path, allow_pickle=False)                 # (1, n_measure, n_fold, k, k)
        for (measure, names), matrix in zip((result.record.get('classes') or {}).items(), matrices[0], strict=False):
            out[f'{layer}, {measure}'] = matrix.sum(axis=0)[:len(names), :len(names)]
    return out


def chance(result: Result) -> dict[str, float]:
    """Measure -> share of its most frequent class, which needs no network, from the confusion matrices."""
    if result.scoring != 'accuracy':
        return {}
    return {name.split(', ', 1)[1]: float(matrix.sum(axis=1).max() / matrix.sum())
            for name, matrix in confusion(result).items() if matrix.sum()}


def _everything(result: Result) -> str:
    return ALL.get(result.kind, 'all')
