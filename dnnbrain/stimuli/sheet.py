"""Pictures side by side with a title each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dnnbrain._checks import BadValue

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 1.6         # inches that a picture takes
SIZE = 7.5          # points of a title
LONGEST = 24        # characters of a line that fit above a picture


def show(stim, n: int = 12, ncols: int = 6, rng=None) -> Figure:
    """The first pictures of a table, titled by condition, else label, else stimID.

    Parameters
    ----------
    n : int
        How many; all where there are fewer.
    ncols : int
        How many in a row.
    rng : int or Generator, optional
        Draws any `n` instead of the first, shown in the order of the table.

    Returns
    -------
    figure : Figure
        Opens no window; a notebook shows it, ``figure.savefig('sheet.png')`` keeps it.
    """
    from dnnbrain.stimuli.loaders import picture_set
    if stim.type not in ('image', 'video'):
        raise BadValue(f'only image and video tables can be shown, not stimuli of type {stim.type!r}')
    part = stim[some_rows(len(stim), n, rng)]
    pictures = picture_set(part)
    item = next(item for item in ('condition', 'label', 'stimID') if item in part.items)
    return picture_sheet([pictures.picture(i) for i in range(len(part))], part.get(item).tolist(), ncols)


def some_rows(n_row: int, n: int, rng=None) -> np.ndarray:
    """The first `n` of the rows, or any `n` in order if `rng` is given; all if there are fewer."""
    if n < 1:
        raise BadValue(f'n must be at least 1, not {n}')
    n = min(n, n_row)
    return np.arange(n) if rng is None else np.sort(np.random.default_rng(rng).choice(n_row, n, replace=False))


def picture_sheet(pictures: Sequence, titles: Sequence, ncols: int = 6, colors: Sequence | None = None) -> Figure:
    """A figure of pictures in rows.

    Parameters
    ----------
    pictures : sequence of PIL pictures, or of ndarray (h, w) or (h, w, 3), uint8 or float from 0 to 1
    titles : sequence
        One per picture; lines that are too long for it are cut in the middle.
    ncols : int
        How many in a row.
    colors : sequence of str, optional
        Of the titles.
    """
    from matplotlib.figure import Figure
    if ncols < 1:
        raise BadValue(f'ncols must be at least 1, not {ncols}')
    titles = ['\n'.join(_cut(line) for line in str(title).split('\n')) for title in titles]
    pictures = [np.asarray(picture) for picture in pictures]
    ncols = min(ncols, len(pictures))
    nrows = -(-len(pictures) // ncols)
    tall = np.clip(max(p.shape[0] / p.shape[1] for p in pictures), 0.4, 1.6)
    lines = max(title.count('\n') for title in titles) + 1
    figure = Figure(figsize=(WIDTH * ncols, (WIDTH * tall + 0.17 * lines) * nrows), layout='constrained')
    grid = figure.subplots(nrows, ncols, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
        axes.set_anchor('N')
    for axes, picture, title, color in zip(grid, pictures, titles, colors or ['black'] * len(pictures), strict=False):
        axes.imshow(picture, cmap='gray', vmin=0, vmax=255 if picture.dtype == np.uint8 else 1)
        axes.set_title(title, fontsize=SIZE, color=color, pad=3, parse_math=False)
    return figure


def _cut(line: str) -> str:
    half = LONGEST // 2
    return line if len(line) <= LONGEST else f'{line[:half]}…{line[1 - half:]}'
