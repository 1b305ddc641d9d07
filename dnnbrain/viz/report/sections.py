"""A section of the page for each result: what was done, pictures, tables, warnings."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd

from dnnbrain.viz.curves import plot_history
from dnnbrain.viz.report.brain import brain_maps, brain_section
from dnnbrain.viz.report.cautions import cautions
from dnnbrain.viz.report.figures import (
    STYLE,
    Picture,
    draw_confusion,
    draw_fields,
    draw_profile,
    picture,
    stored_picture,
    table_link,
)
from dnnbrain.viz.report.methods import methods
from dnnbrain.viz.report.references import Citations
from dnnbrain.viz.report.results import Result
from dnnbrain.viz.report.rsa_section import rsa_pictures
from dnnbrain.viz.report.scores import confusion, layer_profile, significant

TITLES = {'encoding': 'Encoding', 'correlation': 'Correlation', 'decoding': 'Decoding', 'probe': 'Probe',
          'topography': 'Topography', 'rsa': 'Representational similarity', 'training': 'Training',
          'finetuning': 'Finetuning'}
MAX_ROWS = 60
LONG = 300                              # characters of a setting that are shown


def section(result: Result, number: int) -> dict:
    """What the template needs of a result: title, id, methods, references, cautions, facts, pictures, brain, tables."""
    cite = Citations()
    name = f'{re.sub("[^A-Za-z0-9]+", "_", result.name).strip("_") or "result"}_{result.kind}'
    text = methods(result, cite)
    pictures, tables = CONTENTS[result.kind](result, name)
    brain = brain_section(result, name)
    if brain and brain['viewer']:
        cite('nilearn')
        cite(*({'volume': ('mni',) if 'MNI' in brain['viewer']['background'] else (), 'surface': ('fsaverage',)}[
            brain['viewer']['kind']]))
    return {'id': f'result-{number}', 'title': f'{TITLES[result.kind]}: {result.name}', 'kind': result.kind,
            'methods': text, 'references': cite.entries, 'cautions': cautions(result), 'facts': _facts(result),
            'pictures': pictures, 'brain': brain, 'tables': tables, 'settings': _settings(result),
            'folder': str(result.folder)}


def _mapped(result: Result, name: str) -> tuple[list[Picture], list[dict]]:
    profile = layer_profile(result)
    pictures = [draw_profile(result, profile, name)] if profile['r'].notna().any() else []
    matrices = confusion(result)
    if matrices:
        pictures.append(draw_confusion(matrices, result.record['classes'], name))
    if (result.folder / 'layers.png').exists():
        words = 'Score maps of the layers on a glass brain, on one scale, as db_encode drew them.'
        note = 'Its numbers are those of the maps.'
        pictures.append(stored_picture(result.folder / 'layers.png', 'Glass brain', words, note))
    tables = [_table('Scores', _told(profile, result), f'{name}_scores')]
    if 'layers' in result.tables:
        tables.append(_table('Layers over voxels', result.tables['layers'], f'{name}_voxels'))
    tested = significant(result)
    if tested is not None:
        tables.append(_table('Permutation tests: share of targets', tested, f'{name}_tests'))
    return pictures, tables


def _told(profile: pd.DataFrame, result: Result) -> pd.DataFrame:
    """The columns of a profile that say something."""
    dull = [name for name in ('ceiling', 'low', 'high') if profile[name].isna().all()]
    dull += [name for name in ('n_iteration', 'n_fold') if (profile[name] <= 1).all()]
    names = {'r': 'score', 'roi': 'measure' if result.kind == 'probe' else 'region'}
    return profile.drop(columns=dull).rename(columns=names)


def _topography(result: Result, name: str) -> tuple[list[Picture], list[dict]]:
    maps = brain_maps(result)[0] if (result.folder / 'scores.csv').exists() else {}
    maps = {key.replace(' ', '_'): values.ravel() for key, values in maps.items()}
    if not {'score', 'eccentricity', 'polar_angle'} <= set(maps):
        maps = _regions(result.folder)
    fields = draw_fields(maps, name) if {'score', 'eccentricity', 'polar_angle'} <= set(maps) else None
    return [fields] if fields else [], [_table('Layers', result.tables['scores'], f'{name}_layers')]


def _regions(folder: Path) -> dict[str, np.ndarray]:
    """Maps of regions, which are tables."""
    return {key: pd.read_csv(folder / f'{key}.csv').to_numpy(dtype=float)[0]
            for key in ('score', 'eccentricity', 'polar_angle') if (folder / f'{key}.csv').exists()}


def _rsa(result: Result, name: str) -> tuple[list[Picture], list[dict]]:
    tables = [_table('Layers and regions', result.tables['rsa'].dropna(axis=1, how='all'), f'{name}_table')]
    if 'subjects' in result.tables:
        tables.append(_table('Subjects', result.tables['subjects'], f'{name}_subjects'))
    return rsa_pictures(result, name), tables


def _training(result: Result, name: str) -> tuple[list[Picture], list[dict]]:
    history = result.tables['history']
    parts = history.groupby('training', sort=False) if 'training' in history else [('', history)]
    histories = {title: part.dropna(axis=1, how='all').to_dict('list') for title, part in parts}
    n_class = len(result.record.get('classes') or [])
    chance = 1 / n_class if n_class and result.settings.get('task', 'classification') == 'classification' else None
    with matplotlib.rc_context(STYLE):
        figure = plot_history(histories if '' not in histories else histories[''], chance)
    last = [f'{title or result.name}: training loss from {part["epoch_loss"].iloc[0]:.3g} to '
            f'{part["epoch_loss"].iloc[-1]:.3g}' + (f', validation score {part["score_validation"].iloc[-1]:.3f}'
                                                   if 'score_validation' in part else '') for title, part in parts]
    caption = 'Loss and score after each epoch.'
    caption += f' Chance is {chance:.2g}: one of {n_class} classes.' if chance else ''
    tables = [_table('Epochs', history, f'{name}_epochs')]
    if 'scores' in result.tables:
        tables.append(_table('Held-out scores', result.tables['scores'], f'{name}_scores'))
    return [picture(figure, 'Training curves', '; '.join(last) + '.', history, f'{name}_history', caption)], tables


CONTENTS: dict[str, Callable] = {'encoding': _mapped, 'correlation': _mapped, 'decoding': _mapped, 'probe': _mapped,
                                 'topography': _topography, 'rsa': _rsa, 'training': _training, 'finetuning': _training}


def _facts(result: Result) -> list[tuple[str, str]]:
    """A few numbers at a glance."""
    record, told = result.record, result.settings
    if result.kind in ('training', 'finetuning'):
        history = result.tables['history']
        score = f'{history["score_validation"].max():.3f}' if 'score_validation' in history else None
        pairs = [('network', told.get('network')), ('epochs', told.get('n_epoch', len(history))),
                 ('stimuli', told.get('n_stim')), ('best validation score', score)]
    elif result.kind == 'rsa':
        table = result.tables['rsa']
        best = table.loc[table['r'].idxmax()] if table['r'].notna().any() else None
        pairs = [('layers', table['layer'].nunique()), ('regions', table['roi'].nunique()),
                 ('items', told.get('n_item')), ('best', None if best is None else f'{best["layer"]}, {best["r"]:.3f}')]
    else:
        profile = layer_profile(result) if result.kind != 'topography' else None
        best = profile.loc[profile['r'].idxmax()] if profile is not None and profile['r'].notna().any() else None
        pairs = [('network', result.activations.get('network')), ('layers', len(result.layers) or None),
                 ('stimuli or volumes', record.get('n_vol') or record.get('n_stim')),
                 ('voxels or regions', record.get('n_meas')),
                 ('best layer', None if best is None else f'{best["layer"]}, {best["r"]:.3f}')]
    return [(name, f'{value:,}' if isinstance(value, int) else str(value)) for name, value in pairs
            if value is not None]


def _table(title: str, table: pd.DataFrame, name: str) -> dict:
    """A table for the page: its first rows as text, and all of it as CSV."""
    shown = table.head(MAX_ROWS)
    rows = [[_cell(value) for value in row] for row in shown.itertuples(index=False)]
    return {'title': title, 'columns': [str(column) for column in table.columns], 'rows': rows, 'n': len(table),
            'csv': table_link(table, name)}


def _cell(value) -> dict:
    """A cell as text, and whether it is a number."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if number and not np.isfinite(value):
        return {'text': '–', 'number': True}
    text = f'{value:,}' if isinstance(value, int | np.integer) else f'{value:.4g}' if number else str(value)
    return {'text': text, 'number': number}


def _settings(result: Result) -> list[tuple[str, str]]:
    """Every setting and version, lists written out."""
    pairs = dict(result.settings)
    meta = result.activations
    pairs |= {f'activations: {key}': meta[key] for key in ('network', 'weights', 'pool', 'reduce', 'dtype', 'transform')
              if meta.get(key)}
    if meta.get('command'):
        pairs['activations: command'] = ' '.join(str(word) for word in [Path(str(meta['command'][0])).name,
                                                                         *meta['command'][1:]])
    pairs |= {f'version of {key}': value for key, value in (result.record.get('versions') or {}).items()}
    return [(key, _plain(value)) for key, value in pairs.items()]


def _plain(value) -> str:
    if value in (None, '', [], {}):
        return '–'
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    text = ', '.join(map(str, value)) if isinstance(value, list) and not any(isinstance(v, dict) for v in value) \
        else re.sub(r'\s+', ' ', str(value))
    return text if len(text) <= LONG else text[:LONG] + ' ...'
