"""How well each layer of a network matches each region, beside the ceiling."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dnnbrain._checks import BadValue

NEEDED = ('layer', 'roi', 'r')


def plot_layer_profile(table: pd.DataFrame, label: str = 'RDM correlation', alpha: float = 0.05,
                       ncols: int = 3) -> Figure:
    """A panel per region: a line over layers, intervals, the ceiling as a band, stars where it is significant.

    Parameters
    ----------
    table : DataFrame
        A row per layer and region, as `rsa_profile` returns or ``rsa.csv`` holds: layer, roi, r and,
        where known, network (a line each), low and high (interval), fdr or else p (stars), and
        ceiling_lower and ceiling_upper.
    label : str
        What r is.
    alpha : float
        Stars mark fdr (p where the table has no fdr) below this.
    ncols : int
        Panels in a row.

    Returns
    -------
    figure : Figure
        Opens no window.
    """
    missing = [name for name in NEEDED if name not in table]
    if missing or table.empty:
        raise BadValue(f'the table of a profile needs rows and columns {", ".join(NEEDED)}; '
                       + (f'it has no {", ".join(missing)}' if missing else 'it is empty'))
    if table.duplicated([*_networks(table), 'layer', 'roi']).any():
        raise BadValue('the table of a profile has several rows for a layer and region; pick one iteration of each')
    rois, layers = list(dict.fromkeys(table['roi'])), _in_order(table)
    ncols = min(max(ncols, 1), len(rois))
    nrows = -(-len(rois) // ncols)
    wide = min(max(2.8, 0.36 * len(layers) + 1), 9)
    figure = Figure(figsize=(wide * ncols + 0.6, 3.0 * nrows + 0.3), layout='constrained')
    panels = figure.subplots(nrows, ncols, squeeze=False, sharey=True).ravel()
    for axes in panels[len(rois):]:
        axes.set_axis_off()
    test = next((name for name in ('fdr', 'p') if name in table and table[name].notna().any()), None)
    for axes, roi in zip(panels, rois, strict=False):
        _draw(axes, table[table['roi'] == roi], layers, test, alpha)
        axes.set_title(roi, fontsize=10, parse_math=False)
    for axes in panels[:len(rois):ncols]:
        axes.set_ylabel(label)
    _legend(figure, panels[0], test, alpha)
    return figure


def _draw(axes, part: pd.DataFrame, layers: list[str], test: str | None, alpha: float) -> None:
    networks = list(part.groupby('network', sort=False)) if _networks(part) else [('', part)]
    if _known(part, 'ceiling_lower', 'ceiling_upper'):
        axes.axhspan(part['ceiling_lower'].iloc[0], part['ceiling_upper'].iloc[0], color='0.85', lw=0,
                     label='noise ceiling', zorder=0)
    axes.axhline(0, color='0.5', lw=0.8, zorder=0)
    for number, (network, rows) in enumerate(networks):
        color = f'C{number}'
        x = np.array([layers.index(layer) for layer in rows['layer']]) + 0.12 * (number - (len(networks) - 1) / 2)
        r = top = rows['r'].to_numpy(dtype=float)
        if _known(rows, 'low', 'high'):
            top = np.fmax(r, rows['high'].to_numpy(dtype=float))
            axes.vlines(x, rows['low'], rows['high'], color=color, lw=1.2)
        axes.plot(x, r, 'o-', color=color, ms=4, lw=1.4, label=network)
        if test:
            for row in np.flatnonzero(rows[test].to_numpy(dtype=float) < alpha):
                axes.annotate('*', (x[row], top[row]), (0, -1), textcoords='offset points', ha='center', color=color,
                              fontsize=11)
    axes.set_xticks(range(len(layers)), layers, rotation=60, ha='right', rotation_mode='anchor', fontsize=8,
                    parse_math=False)
    axes.set_xlim(-0.6, len(layers) - 0.4)
    axes.margins(y=0.12)
    axes.spines[['top', 'right']].set_visible(False)


def _legend(figure: Figure, axes, test: str | None, alpha: float) -> None:
    handles, labels = axes.get_legend_handles_labels()
    shown = [(handle, name) for handle, name in zip(handles, labels, strict=True) if name]
    if test:
        star = matplotlib.lines.Line2D([], [], color='none', marker='$*$', markerfacecolor='0.2', markeredgecolor='0.2')
        shown.append((star, f'{"false discovery rate" if test == "fdr" else "p"} < {alpha:g}'))
    if shown:
        figure.legend(*zip(*shown, strict=True), frameon=False, loc='outside lower center', fontsize=8,
                      ncols=max(1, int(figure.get_figwidth() / 1.9)))


def _in_order(table: pd.DataFrame) -> list[str]:
    """The layers of all networks, each network's in its order; those of one alone come after the one before them."""
    order: list[str] = []
    for _, rows in table.groupby('network', sort=False) if _networks(table) else [('', table)]:
        place = 0 if set(rows['layer']) & set(order) else len(order)
        for layer in dict.fromkeys(rows['layer']):
            if layer not in order:
                order.insert(place, layer)
            place = order.index(layer) + 1
    return order


def _networks(table: pd.DataFrame) -> list[str]:
    return ['network'] if 'network' in table else []


def _known(rows: pd.DataFrame, *names: str) -> bool:
    return all(name in rows and rows[name].notna().any() for name in names)
