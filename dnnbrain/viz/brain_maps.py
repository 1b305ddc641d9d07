"""Score maps of layers on a glass brain, and the layer each voxel prefers."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import nibabel as nib
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from dnnbrain.brain.profile import fold_means, preferred_layer
from dnnbrain.brain.responses import Responses
from dnnbrain.io.atomic import atomic

SCORES = 'magma_r'


def plot_layer_maps(maps: dict[str, np.ndarray], header, preferred: dict[str, np.ndarray] | None = None,
                    label: str = 'score') -> Figure:
    """One glass brain per layer on a common scale, and maps of preferred layers below.

    Parameters
    ----------
    maps : dict
        Layer -> (x, y, z), NaN outside the brain.
    header : Nifti1Header
    preferred : dict, optional
        Title -> (x, y, z), numbers of layers from 1, drawn as middle slices.
    label : str
        What the score is.

    Returns
    -------
    figure : Figure
    """
    from nilearn.plotting import plot_glass_brain
    affine = header.get_best_affine()
    colors = matplotlib.colormaps[SCORES].with_extremes(under=(0, 0, 0, 0))
    n, left = len(maps), 0.93                                   # what is right of `left` is for colour bars
    figure = Figure(figsize=(2.2 * n + 0.7, 2.3 if preferred is None else 4.7), layout='none')
    low, high = (0.04, 0.76) if preferred is None else (0.55, 0.87)
    everything = np.concatenate([values[np.isfinite(values)] for values in maps.values()])
    floor, ceiling = np.percentile(everything, [1, 99.9]) if everything.size else (0, 1)
    for column, (layer, values) in enumerate(maps.items()):
        axes = figure.add_axes((column * left / n, low, left / n, high - low))
        # lifted to 1 and above: along a line of sight nilearn shows the value of the largest size, and outside is 0
        lifted = _image(np.maximum(values, floor) - floor + 1, affine, outside=0)
        plot_glass_brain(lifted, display_mode='x', axes=axes, colorbar=False, cmap=colors, vmin=1,
                         vmax=ceiling - floor + 1, plot_abs=False, annotate=False, black_bg=False, threshold=None)
        mean = np.nanmean(values) if np.isfinite(values).any() else np.nan
        figure.text((column + 0.5) * left / n, high + 0.015, f'{column + 1}  {layer}\nmean {mean:.2f}',
                    ha='center', fontsize=9)
    _colorbar(figure, (left + 0.005, low + 0.03, 0.012, high - low - 0.06), SCORES, floor, ceiling, label)
    if preferred:
        _plot_preferred(figure, preferred, affine, list(maps), left)
    return figure


def _plot_preferred(figure: Figure, preferred: dict[str, np.ndarray], affine: np.ndarray, layers: list[str],
                    left: float) -> None:
    from nilearn.plotting import plot_img
    n, width = len(layers), left / len(preferred)
    colors = ListedColormap(matplotlib.colormaps['viridis'](np.linspace(0, 1, n)))
    for column, (title, values) in enumerate(preferred.items()):
        axes = figure.add_axes((column * width + 0.02, 0.02, width - 0.04, 0.40))
        plot_img(_image(values, affine, outside=0), display_mode='xz', cut_coords=(4, 12), axes=axes, cmap=colors,
                 vmin=0.5, vmax=n + 0.5, colorbar=False, annotate=False, draw_cross=False, black_bg=False,
                 threshold=0.5, resampling_interpolation='nearest')
        figure.text(column * width + width / 2, 0.45, title, ha='center', fontsize=10)
    bar = _colorbar(figure, (left + 0.005, 0.05, 0.012, 0.34), colors, 0.5, n + 0.5, 'layer')
    bar.set_ticks(range(1, n + 1), labels=[str(i) for i in range(1, n + 1)])


def _image(values: np.ndarray, affine: np.ndarray, outside: float) -> nib.Nifti1Image:
    return nib.Nifti1Image(np.nan_to_num(values, nan=outside).astype(np.float32), affine)


def _colorbar(figure: Figure, place: tuple, cmap, low: float, high: float, label: str):
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    bar = figure.colorbar(ScalarMappable(Normalize(low, high), cmap), cax=figure.add_axes(place))
    bar.set_label(label)
    return bar


def draw_encoding(folder, result: dict[str, dict], responses: Responses, label: str) -> None:
    """Write ``layers.png``: the score maps of an encoding on glass brains, and preferred layers."""
    scores = fold_means(result)
    maps = {layer: responses.maps(values) for layer, values in scores.items()}
    preferred = {'layer that predicts each voxel best': responses.maps(preferred_layer(scores))}
    figure = plot_layer_maps(maps, responses.header, preferred if len(scores) > 1 else None, f'held-out {label}')
    with atomic(Path(folder) / 'layers.png') as part:
        figure.savefig(part, dpi=150)
