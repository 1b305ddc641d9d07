"""A picture beside the same picture under a map of it."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from dnnbrain._checks import BadValue

SIDE = 3.0          # inches


def map_over_picture(picture: np.ndarray, values: np.ndarray, title: str = '', label: str = '') -> Figure:
    """A picture, and beside it the map over its gray version, with a scale.

    Parameters
    ----------
    picture : ndarray of shape (3, h, w)
        Numbers from 0 to 1.
    values : ndarray of shape (h, w)
        Values below 0 beside some above it are shown in two colours, with 0 between them; else one colour map from the
        lowest value to the highest.
    title, label : str
        Of the map and of its scale.

    Returns
    -------
    figure : Figure
        Opens no window.
    """
    if picture.ndim != 3 or picture.shape[1:] != values.shape:
        raise BadValue(f'the map must have the shape of the picture, {picture.shape[1:]}, not {values.shape}')
    most = np.abs(values).max()
    signed = values.min() < -0.02 * most and values.max() > 0
    limits = (-most, most) if signed else (values.min(), values.max())
    height, width = values.shape
    tall = float(np.clip(height / width, 0.3, 3))
    figure = Figure(figsize=(2 * SIDE + 1, SIDE * tall + 0.4), layout='constrained')
    left, right = figure.subplots(1, 2)
    left.imshow(picture.transpose(1, 2, 0).clip(0, 1))
    right.imshow(picture.mean(0), cmap='gray', vmin=0, vmax=1)
    shown = right.imshow(values, cmap='coolwarm' if signed else 'viridis', vmin=limits[0], vmax=limits[1], alpha=0.6)
    right.set_title(title, fontsize=9, parse_math=False)
    for axes in (left, right):
        axes.set_axis_off()
    bar = figure.colorbar(shown, ax=right, shrink=0.9)
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=7)
    return figure
