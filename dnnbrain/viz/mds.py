"""Items on a plane, near where they are similar."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from dnnbrain._checks import BadValue
from dnnbrain.viz.rdm import category_colors, color_legend, named_squares

N_START = 4                 # random beginnings besides classical scaling
PIXELS = 64                 # sides of a thumbnail


def plot_mds(rdms, categories: Sequence[str] | None = None, pictures=None, ncols: int = 3,
             rng: int | None = 0) -> Figure:
    """Metric multidimensional scaling of each matrix to a plane.

    Parameters
    ----------
    rdms : RDM, or dict
        As in `plot_rdms`.
    categories : sequence of str, optional
        One per item; a colour each.
    pictures : Stimulus, or sequence of ndarray (h, w, 3), uint8, optional
        Shown instead of dots, framed in the colour of their category.
    ncols : int
        How many in a row.
    rng : int or None
        Of the random beginnings.

    Returns
    -------
    figure : Figure
        Opens no window. Each panel says its stress-1 (Kruskal 1964): 0 is a perfect picture of the
        dissimilarities, above 0.2 a poor one.
    """
    squares = named_squares(rdms)
    n_item = len(next(iter(squares.values())))
    for name, what in (('categories', categories), ('pictures', pictures)):
        if what is not None and len(what) != n_item:
            raise BadValue(f'{name} has {len(what)} entries for {n_item} items')
    colors = category_colors(categories) if categories is not None else {}
    each = [colors[str(c)] for c in categories] if colors else ['C0'] * n_item
    thumbnails = _thumbnails(pictures) if pictures is not None else None
    ncols = min(max(ncols, 1), len(squares))
    nrows, side = -(-len(squares) // ncols), 3.2 if pictures is None else 5
    figure = Figure(figsize=(side * ncols, side * nrows + 0.3 * bool(colors)), layout='constrained')
    panels = figure.subplots(nrows, ncols, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, (name, square) in zip(panels, squares.items(), strict=False):
        place, stress = scaled(square, rng, name)
        axes.set_title(f'{name}  (stress {stress:.2f})', fontsize=9, parse_math=False)
        axes.scatter(*place.T, c=each, s=18, linewidths=0, alpha=0 if thumbnails else 0.9)
        reach = 1.1 * np.abs(place).max()
        axes.set(aspect='equal', xlim=(-reach, reach), ylim=(-reach, reach))
        if thumbnails:
            _put(axes, place, thumbnails, each, side)
    if colors:
        color_legend(figure, colors)
    return figure


def scaled(square: np.ndarray, rng: int | None = 0, name: str = 'RDM') -> tuple[np.ndarray, float]:
    """Places (n_item, 2) whose distances are nearest to the dissimilarities, and their stress-1.

    SMACOF from classical scaling and from seeded random beginnings; the best is kept, turned to its
    principal axes. Negative dissimilarities (of crossnobis) count as 0.

    Parameters
    ----------
    square : ndarray of shape (n_item, n_item)
    rng : int or None
    name : str
        What the matrix is called in messages.
    """
    from sklearn.manifold import smacof
    if not np.isfinite(square).all():
        raise BadValue(f'{name!r} has pairs that are NaN; leave these items out to scale it')
    away = np.maximum(square, 0)
    away = (away + away.T) / 2
    np.fill_diagonal(away, 0)
    if not away.any():
        raise BadValue(f'{name!r} is 0 everywhere; there is nothing to scale')
    settings = {'n_components': 2, 'normalized_stress': False, 'eps': 1e-6, 'max_iter': 300}
    found = [smacof(away, init=_classical(away), n_init=1, **settings),
             smacof(away, n_init=N_START, random_state=rng, **settings)]
    place = min(found, key=lambda f: f[1])[0]
    place = place - place.mean(axis=0)
    place = place @ np.linalg.svd(place, full_matrices=False)[2].T
    place *= np.where(place[np.abs(place).argmax(axis=0), [0, 1]] < 0, -1, 1)       # the farthest item points up
    upper = np.triu_indices(len(away), 1)
    there = np.linalg.norm(place[upper[0]] - place[upper[1]], axis=1)
    return place, float(np.sqrt(((there - away[upper]) ** 2).sum() / (away[upper] ** 2).sum()))


def _classical(away: np.ndarray) -> np.ndarray:
    """Torgerson's scaling to two dimensions."""
    B = -0.5 * away ** 2
    B = B - B.mean(axis=0) - B.mean(axis=1, keepdims=True) + B.mean()
    values, vectors = np.linalg.eigh(B)
    return vectors[:, :-3:-1] * np.sqrt(np.maximum(values[:-3:-1], 0))


def _thumbnails(pictures) -> list[np.ndarray]:
    from PIL import Image

    from dnnbrain.stimuli.stimulus import Stimulus
    if isinstance(pictures, Stimulus):
        from dnnbrain.stimuli.loaders import picture_set
        shown = picture_set(pictures)
        images = [shown.picture(i) for i in range(len(pictures))]
    else:
        images = [Image.fromarray(np.asarray(picture)) for picture in pictures]
    out = []
    for image in images:
        image = image.convert('RGB')
        image.thumbnail((PIXELS, PIXELS))
        out.append(np.asarray(image))
    return out


def _put(axes, place: np.ndarray, thumbnails: list[np.ndarray], colors: list, side: float) -> None:
    """Thumbnails at their places, smaller where there are many."""
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage
    points = 72 * side / np.sqrt(len(place)) * 0.55
    for (x, y), pixels, color in zip(place, thumbnails, colors, strict=True):
        box = AnnotationBbox(OffsetImage(pixels, zoom=points / PIXELS), (x, y), pad=0.08,
                             bboxprops={'edgecolor': color, 'linewidth': 1.5})
        axes.add_artist(box)
