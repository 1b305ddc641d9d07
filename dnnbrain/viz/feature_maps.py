"""What channels answer to pictures, map by map, and the kernels they answer with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dnnbrain._checks import BadType, BadValue
from dnnbrain.activation.tokens import patch_grid
from dnnbrain.viz.pictures import SIZE, check_format, color_limits, for_imshow, imgarray_show, made_figure

CMAP = 'coolwarm'
MOST = 16               # channels of a figure


def plot_feature_maps(maps: np.ndarray, pictures: Sequence | None = None, channels: Sequence | None = None,
                      names: Sequence[str] | None = None, *, cmap: str = CMAP, vmin: float | None = None,
                      vmax: float | None = None, show: bool = False, save_path=None) -> Figure:
    """Maps of channels, a row per stimulus behind its picture, a column per channel.

    Parameters
    ----------
    maps : ndarray of shape (n_stim, n_chn, n_row, n_col)
        Of clips (n_stim, n_chn, n_frame, n_row, n_col) the frame in the middle is shown. Tokens (n_row of them,
        n_col 1) are laid out in their square, without the class token if there is one. Up to 16 channels.
    pictures : sequence of pictures, optional
        As `imgarray_show` takes them.
    channels : sequence, optional
        What the columns are called; numbers from 1 by default.
    names : sequence of str, optional
        What the rows are called.
    vmin, vmax : float, optional
        Values at the ends of the colour map; by default those of each channel over all stimuli shown.
    show, save_path
        As in `imgarray_show`.

    Returns
    -------
    figure : Figure
    """
    maps = as_pictures(maps)
    n_stim, n_chn = maps.shape[:2]
    channels = [f'channel {number}' for number in range(1, n_chn + 1)] if channels is None else list(channels)
    pictures = None if pictures is None or all(one is None for one in pictures) else [for_imshow(p) for p in pictures]
    for words, n, argument in ((channels, n_chn, 'channels'), (names, n_stim, 'names'), (pictures, n_stim, 'pictures')):
        if words is not None and len(words) != n:
            raise BadValue(f'{argument} must be {n} for maps of shape {maps.shape}, not {len(words)}')
    if save_path is not None:
        check_format(save_path)
    n_before = int(pictures is not None)

    def draw(figure: Figure) -> None:
        grid = figure.subplots(n_stim, n_before + n_chn, squeeze=False)
        for axes in grid.ravel():
            axes.set(xticks=[], yticks=[])
        for axes, picture in zip(grid[:, 0], pictures or [], strict=False):
            axes.set_frame_on(False)
            if picture is not None:
                axes.imshow(picture, cmap='gray')
        for axes, name in zip(grid[:, 0], [] if names is None else names, strict=False):
            axes.set_ylabel(str(name), fontsize=8, parse_math=False)
        for column, name in enumerate(channels):
            shown, below = maps[:, column], grid[:, n_before + column]
            low, high = color_limits(shown, vmin, vmax)
            for axes, one in zip(below, shown, strict=True):
                image = axes.imshow(one, cmap=cmap, vmin=low, vmax=high, interpolation='nearest')
            below[0].set_title(str(name), fontsize=9, parse_math=False)
            figure.colorbar(image, ax=below, location='bottom', aspect=12, shrink=0.9, pad=0.02,
                            ticks=MaxNLocator(3)).ax.tick_params(labelsize=7)
    return made_figure(draw, (SIZE * (n_before + n_chn) + 0.3, SIZE * n_stim + 0.8), show, save_path)


def plot_kernels(weights: np.ndarray, names: Sequence[str] | None = None, *, ncols: int = 8, cmap: str = CMAP,
                 vmin: float | None = None, vmax: float | None = None, show: bool = False, save_path=None) -> Figure:
    """The kernels of a convolution, those of three inputs in colour.

    Parameters
    ----------
    weights : ndarray of shape (n_kernel, n_input, n_row, n_col)
        As `DNN.get_kernel` returns them; of clips (n_kernel, n_input, n_frame, n_row, n_col) the frame in the middle
        is shown. Of three inputs red, green and blue are shown around gray, the largest weight of each kernel at full
        strength; of other numbers of inputs the mean over them.
    names : sequence of str, optional
        One per kernel; numbers from 1 by default.
    vmin, vmax : float, optional
        By default plus and minus the largest mean weight, with 0 in the middle of the colour map.
    """
    weights = np.asarray(weights)
    weights = weights[:, :, weights.shape[2] // 2] if weights.ndim == 5 else weights
    if weights.ndim != 4:
        raise BadValue(f'weights must have shape (n_kernel, n_input, n_row, n_col), not {weights.shape}: only those of '
                       'convolutions can be shown')
    names = [str(number) for number in range(1, len(weights) + 1)] if names is None else list(names)
    ncols = max(1, min(ncols, len(weights)))
    if weights.shape[1] == 3:
        most = np.abs(weights).max(axis=(1, 2, 3), keepdims=True)
        shown = (0.5 + 0.5 * weights / np.where(most > 0, most, 1)).transpose(0, 2, 3, 1)
        bar = False
    else:
        shown, bar = weights.mean(axis=1), True
        most = float(np.abs(shown).max()) or 1.0
        vmin, vmax = -most if vmin is None else vmin, most if vmax is None else vmax
    return imgarray_show(list(shown), -(-len(shown) // ncols), ncols, vmin=vmin, vmax=vmax, cmap=cmap, cbar=bar,
                         figsize=(1.1 * ncols + bar, 1.3 * -(-len(shown) // ncols)), frame_on=False, img_names=names,
                         show=show, save_path=save_path)


def as_pictures(maps) -> np.ndarray:
    """Maps (n_stim, n_chn, h, w) of clips and tokens too, as `plot_feature_maps` tells.

    Raises
    ------
    BadType, BadValue
        They are no maps, too many, or hold one number each.
    """
    maps = np.asarray(maps)
    if maps.dtype.kind not in 'biuf':
        raise BadType(f'maps must hold real numbers, not {maps.dtype}')
    maps = maps[:, :, maps.shape[2] // 2] if maps.ndim == 5 else maps
    if maps.ndim != 4 or maps.size == 0:
        raise BadValue(f'maps must have shape (n_stim, n_chn, n_row, n_col), not {maps.shape}')
    if maps.shape[1] > MOST:
        raise BadValue(f'a figure shows up to {MOST} channels, not {maps.shape[1]}; pick some')
    if maps.shape[2:] == (1, 1):
        raise BadValue('maps hold one number per channel, as fully connected layers do; there is nothing to see in '
                       'them: choose a convolutional layer')
    grid = patch_grid(maps.shape[2]) if maps.shape[3] == 1 else None
    if grid is None:
        return maps.astype(float)
    before, *sides = grid
    return maps[:, :, before:].reshape(*maps.shape[:2], *sides)


def stimulus_pictures(stimuli) -> list[np.ndarray | None]:
    """What can be seen of stimuli: pictures, the frame in the middle of clips; None of sounds."""
    from dnnbrain.stimuli.clips import ClipArray, VideoClipSet
    from dnnbrain.stimuli.loaders import picture_set
    kind = getattr(stimuli, 'type', 'image')
    if kind == 'audio':
        return [None] * len(stimuli)
    if kind == 'video_clip' or getattr(stimuli, 'ndim', 4) == 5:
        clips = VideoClipSet(stimuli.files(), n_frame=3) if kind == 'video_clip' else ClipArray(stimuli)
        frames = [np.asarray(clips.picture(i)) for i in range(len(clips))]
        return [frame[len(frame) // 2].transpose(1, 2, 0) for frame in frames]
    pictures = picture_set(stimuli)
    return [_small(pictures.picture(i)) for i in range(len(pictures))]


def _small(picture):
    """A picture no larger than it is shown."""
    if hasattr(picture, 'thumbnail'):
        picture = picture.copy()
        picture.thumbnail((300, 300))
        return np.asarray(picture)
    return _stretched(np.asarray(picture.detach().cpu()))


def _stretched(values: np.ndarray) -> np.ndarray:
    """Normalised colours within 0 to 1, to be seen."""
    if values.dtype.kind == 'f' and not 0 <= values.min() <= values.max() <= 1:
        values = (values - values.min()) / (np.ptp(values) or 1)
    return values
