"""Arrays as pictures in a grid."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from dnnbrain._checks import BadValue, writable_file
from dnnbrain.io.atomic import atomic
from dnnbrain.stimuli.images import tensor_numbers, to_rgb

SIZE = 2.0              # inches that a picture takes
_NO_WINDOW = ('agg', 'cairo', 'pdf', 'pgf', 'ps', 'svg', 'template')


def imgarray_show(x, nrows: int = 1, ncols: int = 1, row_label: Sequence[str] | None = None,
                  vmin: float | None = None, vmax: float | None = None, figsize: tuple[float, float] | None = None,
                  cmap: str | None = None, cbar: bool = False, frame_on: bool = True,
                  img_names: Sequence[str] | None = None, show: bool = True, save_path=None) -> Figure:
    """Pictures in rows and columns.

    Parameters
    ----------
    x : picture, or sequence of pictures
        ndarray, tensor or PIL picture of shape (h, w), (h, w, 3) or (3, h, w), colours from 0 to 255 if they are
        integers, else from 0 to 1; row by row, at most nrows * ncols of them. None leaves a place empty.
    row_label : sequence of str, optional
        One per row.
    vmin, vmax : float, optional
        Of pictures (h, w): the values at the ends of the colour map; by default those of each picture.
    figsize : (width, height), optional, inches
    cmap : str, optional
        Colour map of pictures (h, w); matplotlib's by default.
    cbar : bool
        A colour bar: one if both vmin and vmax are given, else one per picture.
    frame_on : bool
        Whether pictures have a frame.
    img_names : sequence of str, optional
        A title per picture.
    show : bool
        Open a window, or show the figure in the notebook; nothing happens where there is no display.
    save_path : str, optional
        A file to write, in the format of its suffix.

    Returns
    -------
    figure : Figure
    """
    pictures = _pictures(x, nrows, ncols)
    _check_words(row_label, nrows, 'row_label', 'row')
    _check_words(img_names, len(pictures), 'img_names', 'picture')
    if save_path is not None:
        check_format(save_path)

    def draw(figure: Figure) -> None:
        grid = figure.subplots(nrows, ncols, squeeze=False)
        for axes, picture in zip(grid.ravel(), [*pictures, *[None] * (nrows * ncols - len(pictures))], strict=True):
            axes.set(xticks=[], yticks=[], frame_on=frame_on and picture is not None)
        drawn = []
        for axes, picture in zip(grid.ravel(), pictures, strict=False):
            if picture is not None:
                low, high = color_limits(picture, vmin, vmax)
                drawn.append(axes.imshow(picture, cmap=cmap, vmin=low, vmax=high))
        for axes, name in zip(grid.ravel(), [] if img_names is None else img_names, strict=False):
            axes.set_title(str(name), fontsize=8, pad=3, parse_math=False)
        for axes, label in zip(grid[:, 0], [] if row_label is None else row_label, strict=False):
            axes.set_ylabel(str(label), fontsize=9, parse_math=False)
        scaled = [image for image in drawn if image.get_array().ndim == 2]
        if cbar and scaled:
            shared = vmin is not None and vmax is not None
            for image in scaled[:1] if shared else scaled:
                figure.colorbar(image, ax=grid if shared else image.axes, shrink=0.8).ax.tick_params(labelsize=7)
    return made_figure(draw, figsize or _size(pictures, nrows, ncols, row_label, img_names, cbar), show, save_path)


def made_figure(draw: Callable[[Figure], None], figsize: tuple[float, float], show: bool, save_path=None) -> Figure:
    """A figure that `draw` has filled, saved and shown as asked; no window stays open behind it."""
    window = show and has_display()
    if window:
        import matplotlib.pyplot as plt
        figure = plt.figure(figsize=figsize, layout='constrained')
    else:
        figure = Figure(figsize=figsize, layout='constrained')
    try:
        draw(figure)
        if save_path is not None:
            with atomic(save_path) as part:
                figure.savefig(part, dpi=150)
        if window:
            plt.show()
    finally:
        if window:
            plt.close(figure)
    return figure


def color_limits(values: np.ndarray, vmin: float | None, vmax: float | None) -> tuple[float, float]:
    """The values at the ends of a colour map: those given, or else the least and the largest of finite values."""
    if vmin is not None and vmax is not None and not vmin <= vmax:
        raise BadValue(f'vmin must not be larger than vmax, but they are {vmin} and {vmax}')
    known = values[np.isfinite(values)]
    low, high = (known.min(), known.max()) if known.size else (0, 1)
    low, high = low if vmin is None else vmin, high if vmax is None else vmax
    return min(low, high if vmax is not None else low), max(high, low if vmin is not None else high)


def has_display() -> bool:
    """Whether there is a screen or a notebook to show figures on."""
    seen = 'ipykernel' in sys.modules or not sys.platform.startswith('linux') \
        or any(os.environ.get(name) for name in ('DISPLAY', 'WAYLAND_DISPLAY'))
    return seen and matplotlib.get_backend().lower() not in _NO_WINDOW


def _pictures(x, nrows: int, ncols: int) -> list:
    """Pictures as imshow takes them."""
    if nrows < 1 or ncols < 1:
        raise BadValue(f'nrows and ncols must be at least 1, not {nrows} and {ncols}')
    one = hasattr(x, 'mode') or getattr(x, 'ndim', 0) == 2
    if getattr(x, 'ndim', 0) == 3 and nrows * ncols == 1 and len(x) != 1:
        one = 3 in (x.shape[0], x.shape[-1]) or 4 in (x.shape[0], x.shape[-1])
    pictures = [for_imshow(picture) for picture in ([x] if one else x)]
    if not 1 <= len(pictures) <= nrows * ncols:
        raise BadValue(f'{len(pictures)} pictures do not fit into {nrows} x {ncols} places; set nrows and ncols')
    return pictures


def for_imshow(picture) -> np.ndarray | None:
    if picture is None:
        return None
    if hasattr(picture, 'detach'):
        picture = tensor_numbers(picture)
    if hasattr(picture, 'convert') and picture.mode not in ('L', 'RGB', 'RGBA', 'F'):
        picture = to_rgb(picture)
    picture = np.asarray(picture)
    if picture.ndim == 3 and picture.shape[-1] not in (3, 4) and picture.shape[0] in (1, 3, 4):
        picture = picture.transpose(1, 2, 0)
    picture = picture[..., 0] if picture.ndim == 3 and picture.shape[-1] == 1 else picture
    if picture.ndim not in (2, 3) or picture.ndim == 3 and picture.shape[-1] not in (3, 4) or picture.size == 0 \
            or picture.dtype.kind not in 'biuf':
        raise BadValue(f'a picture must have shape (h, w), (h, w, 3) or (3, h, w), not {picture.shape}')
    return np.clip(picture, 0, 255 if picture.dtype.kind in 'iu' else 1) if picture.ndim == 3 else picture


def _check_words(words, n: int, argument: str, what: str) -> None:
    if words is not None and (isinstance(words, str) or len(words) != n):
        raise BadValue(f'{argument} must be one per {what}, {n} in all, not {words!r}')


def check_format(path) -> None:
    suffix = writable_file(path, 'save_path').suffix[1:].lower()
    known = Figure().canvas.get_supported_filetypes()
    if suffix not in known:
        raise BadValue(f'save_path {str(path)!r} must end in one of {", ".join("." + name for name in sorted(known))}')


def _size(pictures: list, nrows: int, ncols: int, row_label, img_names, cbar: bool) -> tuple[float, float]:
    """Inches, such that a picture has its shape and little is left empty."""
    shapes = [picture.shape for picture in pictures if picture is not None]
    tall = float(np.clip(max((h / w for h, w, *_ in shapes), default=1), 0.3, 3))
    lines = 0 if img_names is None else 1 + max(str(name).count('\n') for name in img_names)
    return (SIZE * ncols * (1.25 if cbar else 1) + 0.3 * (row_label is not None),
            (SIZE * tall + 0.17 * lines) * nrows)
