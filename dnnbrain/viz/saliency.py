"""Pictures beside their saliency."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from dnnbrain._checks import BadValue, choice

MODES = ('RGB', 'gray')
WIDTH, TITLE = 2.0, 0.4     # inches that a picture and its title take
LONGEST = 44                # characters of a line
LARGEST = 99.5              # percentile of sizes that takes the end of the colours; single pixels would pale the rest


def plot_saliency(pictures: Sequence, saliency: Sequence, titles: Sequence | None = None, mode: str | None = None,
                  cmap: str = 'coolwarm', vmin: float | None = None, vmax: float | None = None, ncols: int = 2,
                  figure: Figure | None = None) -> Figure:
    """Each picture beside its saliency.

    Parameters
    ----------
    pictures : sequence of ndarray of shape (3, h, w), or (h, w)
        Numbers from 0 to 1; gray ones (a sound) are stretched to these.
    saliency : sequence of ndarray of shape (n_chn, n_row, n_col)
        What `SaliencyImage.backprop` gives. A single map without negative numbers (Grad-CAM) is laid over its picture.
    titles : sequence of str, optional
    mode : {'RGB', 'gray'}, optional
        'RGB' shows three channels as colours, middle gray where there is no effect; 'gray' their sum by `cmap`: what a
        change of all colours of a pixel does. By default 'RGB' where there are three channels.
    vmin, vmax : float, optional
        Values at the ends of the colours. By default zero lies in the middle (of Grad-CAM at the lower end) and the
        upper end is the size that 99.5 % of the values stay below.
    ncols : int
        Pairs in a row.
    figure : Figure, optional
        To draw in.

    Returns
    -------
    figure : Figure
        Opens no window.
    """
    if len(pictures) == 0 or len(pictures) != len(saliency):
        raise BadValue(f'there must be as many saliency maps as pictures, not {len(saliency)} and {len(pictures)}')
    check_colors(mode, cmap, vmin, vmax)
    ncols = min(max(ncols, 1), len(pictures))
    nrows = -(-len(pictures) // ncols)
    if figure is None:
        figure = Figure(layout='constrained')
    height = WIDTH * np.clip(np.shape(pictures[0])[-2] / np.shape(pictures[0])[-1], 0.5, 2) + TITLE
    bars = any(mode == 'gray' or len(maps) != 3 for maps in saliency)
    figure.set_size_inches((2 * WIDTH + 0.6 * bars) * ncols, height * nrows)
    panels = figure.subplots(nrows, 2 * ncols, squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
    for k, (picture, maps) in enumerate(zip(pictures, saliency, strict=True)):
        left, right = panels[k // ncols, 2 * (k % ncols):2 * (k % ncols) + 2]
        _draw_picture(left, np.asarray(picture))
        if titles is not None:
            left.set_title(_short(titles[k]), fontsize=8, loc='left', parse_math=False)
        shown = _draw_saliency(right, np.asarray(maps, dtype=np.float64), np.asarray(picture), mode, cmap, vmin, vmax)
        if shown is not None:
            bar = figure.colorbar(shown, ax=right, shrink=0.7, aspect=15, pad=0.02)
            bar.ax.tick_params(labelsize=6)
            bar.formatter.set_powerlimits((-2, 3))
            bar.ax.yaxis.get_offset_text().set_fontsize(6)
    return figure


def check_colors(mode: str | None, cmap: str, vmin: float | None, vmax: float | None) -> None:
    """Refuse colours that cannot be."""
    if mode is not None:
        choice('mode', mode, MODES)
    choice('cmap', cmap, tuple(colormaps))
    if vmin is not None and vmax is not None and not vmin < vmax:
        raise BadValue(f'vmin must be less than vmax, not {vmin} and {vmax}')


def drawable(dnn, stimulus, maps: np.ndarray) -> tuple[np.ndarray, np.ndarray, str]:
    """A stimulus as a network sees it, its saliency for `plot_saliency`, and which part of it that is.

    Parameters
    ----------
    stimulus
        As `SaliencyImage.backprop` takes it.
    maps : ndarray
        What it gives for one channel.

    Returns
    -------
    picture : ndarray of shape (3, h, w), or (n_band, n_frame) of a sound, low bands at the bottom
    saliency : ndarray of shape (n_chn, n_row, n_col)
    note : str
        Of a clip 'frame 7', the one with the largest saliency.
    """
    from dnnbrain.interpret.view import View, stimulus_inputs
    from dnnbrain.stimuli.loaders import kind_taken
    inputs = stimulus_inputs(dnn, stimulus)
    if kind_taken(dnn.test_transform) == 'audio':
        return _over_time(inputs.numpy())[0], _over_time(maps), ''
    view = View(dnn)
    colors = (3, *(1,) * (inputs.ndim - 2))
    picture = ((inputs[0] - view.shift.view(colors)) / view.gain.view(colors)).numpy()
    if maps.ndim == 3:
        return picture, maps, ''
    frame = int(np.abs(maps).sum((0, 2, 3)).argmax())
    shown = (2 * frame + 1) * picture.shape[1] // (2 * maps.shape[1])
    return picture[:, shown], maps[:, frame], f'frame {shown + 1}'


def _over_time(examples: np.ndarray) -> np.ndarray:
    """Examples (n, n_chn, n_frame, n_band) one after the other, (n_chn, n_band, n * n_frame)."""
    return np.concatenate(examples, axis=1).transpose(0, 2, 1)[:, ::-1]


def as_colors(maps: np.ndarray, vmin: float | None = None, vmax: float | None = None) -> np.ndarray:
    """Maps (3, h, w) as colours (h, w, 3) from 0 to 1, by default 0.5 where there is no effect."""
    low, high = _ends(maps, vmin, vmax)
    return ((maps.transpose(1, 2, 0) - low) / (high - low)).clip(0, 1)


def _short(title: str) -> str:
    """Lines that fit above a picture and its saliency; of longer ones the end."""
    return '\n'.join(line if len(line) <= LONGEST else '...' + line[3 - LONGEST:] for line in str(title).split('\n'))


def _draw_picture(axes, picture: np.ndarray) -> None:
    if picture.ndim == 2:
        axes.imshow(picture, cmap='gray', interpolation='nearest')
    else:
        axes.imshow(picture.transpose(1, 2, 0).clip(0, 1), interpolation='nearest')


def _draw_saliency(axes, maps: np.ndarray, picture: np.ndarray, mode: str | None, cmap: str, vmin, vmax):
    """Returns what a colour bar is made for, None of colours."""
    if maps.ndim != 3:
        raise BadValue(f'saliency must have shape (n_chn, n_row, n_col), not {maps.shape}')
    if mode == 'RGB' and len(maps) != 3:
        raise BadValue(f"mode 'RGB' shows three channels, not {len(maps)}; take 'gray'")
    if mode != 'gray' and len(maps) == 3:
        axes.imshow(as_colors(maps, vmin, vmax), interpolation='nearest')
        return None
    gray = maps.sum(0)
    alone = len(maps) == 1 and gray.min() >= 0
    low, high = _ends(gray, vmin, vmax, not alone)
    over = alone and picture.ndim == 3
    if over:
        axes.imshow(picture.mean(0), cmap='gray', vmin=0, vmax=1, extent=(0, 1, 0, 1))
    shown = axes.imshow(gray, cmap=cmap, vmin=low, vmax=high, alpha=0.55 if over else None, interpolation='nearest',
                        extent=(0, 1, 0, 1))
    axes.set_aspect(picture.shape[-2] / picture.shape[-1])
    return shown


def _ends(values: np.ndarray, vmin: float | None, vmax: float | None, centred: bool = True) -> tuple[float, float]:
    """Values at the ends of the colours; centred ones have zero in the middle, others at the lower end."""
    size = float(np.percentile(np.abs(values), LARGEST)) or float(np.abs(values).max()) or 1.0
    if vmin is None and vmax is None:
        return -size * centred, size
    if vmin is None:
        vmin = min(-vmax * centred, vmax - size)
    if vmax is None:
        vmax = max(-vmin, vmin + size)
    return vmin, vmax
