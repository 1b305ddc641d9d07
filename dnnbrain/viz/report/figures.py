"""Pictures of a report: drawn to the page itself, each with words for those who do not see it and its numbers."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dnnbrain.viz.layer_profile import plot_layer_profile
from dnnbrain.viz.report.results import Result
from dnnbrain.viz.report.scores import chance, score_word

MAX_PANELS = 12
MAX_CSV = 3 * 2 ** 20
DPI = 130
STYLE = {'svg.hashsalt': 'dnnbrain', 'font.size': 10, 'axes.titlesize': 11, 'figure.facecolor': 'white'}


@dataclass(frozen=True)
class Picture:
    """A picture with its numbers.

    Attributes
    ----------
    title, alt, caption : str
        alt says what is to be seen.
    src : str
        data: address.
    width, height : int, pixels
        On the screen.
    csv : dict or None
        name and href of the table behind it.
    note : str
        Where the numbers are, if they are not in the page.
    """

    title: str
    alt: str
    src: str
    width: int
    height: int
    caption: str = ''
    csv: dict | None = None
    note: str = ''


def picture(figure: Figure, title: str, alt: str, table: pd.DataFrame | None, name: str, caption: str = '',
            kind: str = 'svg') -> Picture:
    """A figure as a picture in the page; `kind` is 'svg' for lines and 'png' for many coloured squares."""
    out = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(out, format=kind, dpi=DPI, **({'metadata': {'Date': None}} if kind == 'svg' else {}))
    width, height = (int(96 * inches) for inches in figure.get_size_inches())
    csv = table_link(table, name) if table is not None else None
    note = '' if csv or table is None else f'The table behind it ({len(table):,} rows) is too large for this page.'
    src = _address(out.getvalue(), 'image/svg+xml' if kind == 'svg' else 'image/png')
    return Picture(title, alt, src, width, height, caption, csv, note)


def stored_picture(path, title: str, alt: str, note: str) -> Picture:
    """A PNG file that a command drew."""
    data = path.read_bytes()
    width, height = np.frombuffer(data[16:24], '>u4').tolist()
    return Picture(title, alt, _address(data, 'image/png'), int(width * 96 / 150), int(height * 96 / 150), note=note)


def table_link(table: pd.DataFrame, name: str) -> dict | None:
    """Name and address of a table as CSV; None above 3 MB."""
    if table.size > MAX_CSV / 2:
        return None
    text = table.to_csv(index=False, float_format='%.7g').encode()
    return {'name': f'{name}.csv', 'href': _address(text, 'text/csv')} if len(text) <= MAX_CSV else None


def _address(data: bytes, kind: str) -> str:
    return f'data:{kind};base64,{base64.b64encode(data).decode()}'


def draw_profile(result: Result, table: pd.DataFrame, name: str) -> Picture:
    """Scores over layers, a panel per region or measure, with intervals, ceiling and chance."""
    word, rois = score_word(result), list(dict.fromkeys(table['roi']))
    shown = table[table['roi'].isin(rois[:MAX_PANELS])]
    with matplotlib.rc_context(STYLE):
        figure = wide_enough(plot_layer_profile(shown.drop(columns='ceiling'), word))
        levels = chance(result)
        for axes, (roi, rows) in zip(figure.axes, shown.groupby('roi', sort=False), strict=False):
            for level, what, style in ((rows['ceiling'].iloc[0], 'noise ceiling', '-'),
                                       (levels.get(roi, np.nan), 'most frequent class', '--')):
                if np.isfinite(level):
                    axes.axhline(level, color='0.4', linestyle=style, linewidth=1.2)
                    axes.annotate(what, (0.99, level), xycoords=('axes fraction', 'data'), ha='right', va='bottom',
                                  fontsize=8, color='0.3')
                    axes.margins(y=0.12)
    caption = [f'Dots: {word}, {_meaning(result, table)}.']
    if table['low'].notna().any():
        caption.append(f'Bars: 95 % intervals over {int(table["n_fold"].max())} folds, widened because folds share '
                       'training stimuli (Nadeau & Bengio, 2003); they speak about other stimuli, not other people.')
    if table['ceiling'].notna().any():
        caption.append('Line: noise ceiling' + (', mean over voxels.' if 'all' in rois[0] else '.'))
    if len(rois) > MAX_PANELS:
        caption.append(f'The first {MAX_PANELS} of {len(rois)} are drawn; the table has all.')
    words = profile_words(table, word)
    return picture(figure, 'Score of each layer', words, table, f'{name}_layers', ' '.join(caption))


def wide_enough(figure: Figure) -> Figure:
    """A figure of one small panel made as wide as a column of text."""
    width, height = figure.get_size_inches()
    figure.set_size_inches(max(width, 6.4), max(height, 3.6))
    return figure


def _meaning(result: Result, table: pd.DataFrame) -> str:
    what = {'encoding': 'voxels', 'correlation': 'voxels', 'decoding': 'units'}.get(result.kind)
    over = f'mean over {what}' if what and str(table['roi'].iloc[0]).startswith('all') else ''
    folds = 'mean over folds' if table['low'].notna().any() else ''
    best = f'the best of {int(table["n_iteration"].max())} iterations' if table['n_iteration'].max() > 1 else ''
    return ', '.join(part for part in (over, folds, best) if part) or 'one number per layer'


def profile_words(table: pd.DataFrame, word: str) -> str:
    """A profile in words: the best layer of each region, and the range."""
    parts = []
    for roi, rows in list(table.groupby('roi', sort=False))[:MAX_PANELS]:
        known = rows.dropna(subset=['r'])
        if known.empty:
            parts.append(f'{roi}: no score')
            continue
        best = known.loc[known['r'].idxmax()]
        parts.append(f'{roi}: highest in {best["layer"]} ({best["r"]:.3f}), lowest {known["r"].min():.3f}')
    return f'{word} over {table["layer"].nunique()} layers. ' + '; '.join(parts) + '.'


def draw_confusion(matrices: dict[str, np.ndarray], classes: dict, name: str) -> Picture:
    """Confusion matrices as shares of each true class."""
    shown = dict(list(matrices.items())[:MAX_PANELS])
    ncols = min(4, len(shown))
    nrows = -(-len(shown) // ncols)
    figure = Figure(figsize=(2.9 * ncols + 0.6, 2.9 * nrows), layout='constrained')
    figure.get_layout_engine().set(h_pad=0.1)
    panels = figure.subplots(nrows, ncols, squeeze=False).ravel()
    for axes in panels[len(shown):]:
        axes.set_axis_off()
    rows = []
    for axes, (title, matrix) in zip(panels, shown.items(), strict=False):
        share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        image = axes.imshow(share, vmin=0, vmax=1, cmap='Blues')
        labels = [str(label) for label in classes[title.split(', ', 1)[1]]]
        few = len(labels) <= 20
        axes.set_xticks(range(len(labels)) if few else [], labels if few else [], rotation=60, ha='right', fontsize=8,
                        rotation_mode='anchor')
        axes.set_yticks(range(len(labels)) if few else [], labels if few else [], fontsize=8)
        axes.set_title(title, fontsize=9, parse_math=False)
        axes.set(xlabel='predicted', ylabel='true')
        for (i, j), value in np.ndenumerate(share) if len(labels) <= 10 else ():
            axes.text(j, i, f'{100 * value:.0f}', ha='center', va='center', fontsize=8,
                      color='white' if value > 0.55 else 'black')
    figure.colorbar(image, ax=panels, shrink=0.7, label='share of the true class')
    for title, matrix in matrices.items():
        layer, measure = title.split(', ', 1)
        names = classes[measure]
        rows += [{'layer': layer, 'measure': measure, 'true': names[i], 'predicted': names[j], 'count': int(count)}
                 for (i, j), count in np.ndenumerate(matrix)]
    words = '; '.join(f'{title}: {100 * np.trace(m) / max(m.sum(), 1):.0f} % right' for title, m in shown.items())
    return picture(figure, 'Confusion matrices', f'Predicted against true classes, held out. {words}.',
                   pd.DataFrame(rows), f'{name}_confusion', 'Per cent of each true class, over all held-out folds.')


def draw_fields(maps: dict[str, np.ndarray], name: str) -> Picture | None:
    """Where in the picture voxels look: a dot per position at its polar angle and eccentricity, as large as it is
    often the best."""
    score = maps['score']
    known = np.isfinite(maps['eccentricity']) & np.isfinite(maps['polar_angle']) & np.isfinite(score)
    if not known.any():
        return None
    table = pd.DataFrame({key: np.round(maps[key][known].astype(float), 4) for key in ('polar_angle', 'eccentricity')})
    table = table.assign(score=score[known]).groupby(['polar_angle', 'eccentricity'])['score'] \
        .agg(n_voxel='size', mean_score='mean').reset_index()
    figure = Figure(figsize=(5.4, 4.4), layout='constrained')
    axes = figure.add_subplot(projection='polar')
    points = axes.scatter(np.radians(table['polar_angle']), table['eccentricity'], c=table['mean_score'],
                          s=120 * table['n_voxel'] / table['n_voxel'].max(), cmap='viridis', linewidths=0)
    figure.colorbar(points, label='mean held-out score', shrink=0.8)
    axes.tick_params(labelsize=8)
    left = np.cos(np.radians(table['polar_angle'])) < -1e-9
    share = table['n_voxel'][left].sum() / table['n_voxel'].sum()
    return picture(figure, 'Positions in the picture', f'Positions of {known.sum():,} voxels in a polar plot of the '
                   f'picture; {100 * share:.0f} % look at its left half.', table, f'{name}_positions',
                   'Angle: polar angle as the picture is seen; radius: eccentricity in half-widths of the map; area: '
                   'number of voxels.')
