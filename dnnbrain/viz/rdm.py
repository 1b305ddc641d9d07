"""Dissimilarity matrices side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

from dnnbrain._checks import BadType, BadValue

CMAP = 'viridis'            # even steps of lightness, the same order to every kind of colour vision
PALETTE = ('#E69F00', '#56B4E9', '#009E73', '#CC79A7', '#0072B2', '#D55E00', '#000000', '#F0E442')
SIZE = 2.6                  # inches that a matrix takes


def plot_rdms(rdms, categories: Sequence[str] | None = None, percentile: bool = True, ncols: int = 4,
              label: str = 'dissimilarity') -> Figure:
    """Matrices of dissimilarity, items in blocks of their category.

    Parameters
    ----------
    rdms : RDM, or dict
        Of a dict: name -> ndarray of shape (n_item, n_item), or (n_pair,) upper triangle.
    categories : sequence of str, optional
        One per item. Items are put in blocks, categories in the order in which they first come,
        with a colour each; without them the order stays.
    percentile : bool
        Whether to show ranks from 0 (least dissimilar pair of its matrix) to 100 on one scale, as is
        usual (Kriegeskorte et al. 2008), or values, each matrix with a scale of its own.
    ncols : int
        How many in a row.
    label : str
        What the values are.

    Returns
    -------
    figure : Figure
        Opens no window. Pairs that are NaN, and the diagonal, are light gray.
    """
    squares = named_squares(rdms)
    n_item = len(next(iter(squares.values())))
    order, blocks = _blocks(categories, n_item)
    ncols = min(max(ncols, 1), len(squares))
    nrows = -(-len(squares) // ncols)
    figure = Figure(figsize=(SIZE * ncols + 0.9, (SIZE + 0.15) * nrows + 0.3 * bool(blocks)), layout='constrained')
    panels = figure.subplots(nrows, ncols, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, (name, square) in zip(panels, squares.items(), strict=False):
        shown = _percentiles(square) if percentile else square.astype(float)
        np.fill_diagonal(shown, np.nan)
        image = axes.imshow(shown[np.ix_(order, order)], cmap=matplotlib.colormaps[CMAP].with_extremes(bad='0.85'),
                            interpolation='nearest', vmin=0 if percentile else None, vmax=100 if percentile else None)
        axes.set_title(name, fontsize=9, parse_math=False)
        _bracket(axes, blocks, n_item)
        if not percentile:
            figure.colorbar(image, ax=axes, shrink=0.7).ax.tick_params(labelsize=7)
    if percentile:
        figure.colorbar(image, ax=panels, shrink=0.8, aspect=30, label=f'{label} (percentile)')
    else:
        figure.supylabel(label, fontsize=9)
    if blocks:
        color_legend(figure, {name: color for name, color, _, _ in blocks})
    return figure


def named_squares(rdms) -> dict[str, np.ndarray]:
    """Name -> (n_item, n_item) of an RDM, or of a dict of squares or triangles; all of the same items.

    Raises
    ------
    BadValue
        There is none, a key has several matrices, or sizes differ.
    """
    if not hasattr(rdms, 'keys'):
        raise BadType(f'rdms must be an RDM or a dict, name -> matrix, not {type(rdms).__name__}')
    found = dict(rdms) if isinstance(rdms, Mapping) else {key: rdms.get(key) for key in rdms.keys}
    if not found:
        raise BadValue('rdms is empty; there is nothing to draw')
    squares = {str(name): _square(str(name), values) for name, values in found.items()}
    if len({square.shape for square in squares.values()}) > 1:
        raise BadValue('rdms must have the same items, not '
                       + ', '.join(f'{name}: {len(square)}' for name, square in squares.items()))
    return squares


def category_colors(categories: Sequence[str]) -> dict[str, tuple]:
    """A colour per category in the order they first come, told apart by every kind of colour vision up to eight."""
    names = list(dict.fromkeys(map(str, categories)))
    colors = PALETTE if len(names) <= len(PALETTE) else matplotlib.colormaps['turbo'](np.linspace(0, 1, len(names)))
    return dict(zip(names, colors, strict=False))


def color_legend(figure: Figure, colors: dict[str, tuple]) -> None:
    """The names of categories below a figure, in as many columns as its width takes."""
    ncols = max(2, int(figure.get_figwidth() / (0.55 + 0.075 * max(map(len, colors)))))
    figure.legend(handles=[Patch(color=color, label=name) for name, color in colors.items()], frameon=False,
                  loc='outside lower center', ncols=min(len(colors), ncols), fontsize=8)


def _square(name: str, values) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    if values.ndim == 3 and len(values) > 1:
        raise BadValue(f'{name!r} has {len(values)} matrices; pick one, or give a dict of squares')
    values = values[0] if values.ndim == 3 else squareform(values, checks=False) if values.ndim == 1 else values
    if values.ndim != 2 or values.shape[0] != values.shape[1] or len(values) < 2:
        raise BadValue(f'{name!r} must be a square of two items or more, not of shape {values.shape}')
    return values


def _percentiles(square: np.ndarray) -> np.ndarray:
    """Ranks of the pairs, 0 to 100, ties sharing their mean; NaN stays."""
    pairs = square[np.triu_indices(len(square), 1)]
    known = np.isfinite(pairs)
    out = np.full(len(pairs), np.nan)
    out[known] = 100 * (rankdata(pairs[known]) - 1) / max(known.sum() - 1, 1)
    return squareform(out, checks=False)


def _blocks(categories, n_item: int) -> tuple[np.ndarray, list[tuple]]:
    """Order of the items, and (name, colour, first, end) of each category in it."""
    if categories is None:
        return np.arange(n_item), []
    if len(categories) != n_item:
        raise BadValue(f'categories has {len(categories)} entries for {n_item} items')
    colors, names = category_colors(categories), np.array([str(c) for c in categories])
    members = {name: np.flatnonzero(names == name) for name in colors}
    ends = np.cumsum([len(rows) for rows in members.values()])
    return np.concatenate(list(members.values())), \
        [(name, colors[name], end - len(members[name]), end) for name, end in zip(members, ends, strict=True)]


def _bracket(axes, blocks: list[tuple], n_item: int) -> None:
    """A bar beside and above each block, and lines between blocks."""
    wide = 0.04 * n_item
    for _, color, first, end in blocks:
        axes.add_patch(Rectangle((-0.5 - 1.3 * wide, first - 0.5), wide, end - first, color=color, lw=0))
        axes.add_patch(Rectangle((first - 0.5, -0.5 - 1.3 * wide), end - first, wide, color=color, lw=0))
        if end < n_item:
            axes.plot([-0.5, n_item - 0.5], [end - 0.5] * 2, color='white', lw=0.7)
            axes.plot([end - 0.5] * 2, [-0.5, n_item - 0.5], color='white', lw=0.7)
    edge = -0.5 - (1.4 * wide if blocks else 0)
    axes.set(xlim=(edge, n_item - 0.5), ylim=(n_item - 0.5, edge))
