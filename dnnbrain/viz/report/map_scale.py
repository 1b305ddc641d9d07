"""How the numbers of a map become colours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.colors import Colormap


@dataclass(frozen=True)
class Scale:
    """Colours from low to high.

    Attributes
    ----------
    low, high : float
    colors : Colormap
    """

    low: float
    high: float
    colors: Colormap

    def table(self) -> list[int]:
        """256 colours, red, green and blue of each in turn, 0 to 255."""
        return np.round(255 * self.colors(np.linspace(0, 1, 256))[:, :3]).astype(int).ravel().tolist()


def scales(maps: Mapping[str, np.ndarray], kinds: Mapping[str, str]) -> dict[str, Scale]:
    """A scale for each map; those of one kind share theirs.

    Parameters
    ----------
    maps : dict
        Name -> values, NaN where there is nothing.
    kinds : dict
        Name -> 'score' (and any other amount), 'layer' (whole numbers from 1) or 'angle' (degrees).
    """
    out = {}
    for kind in dict.fromkeys(kinds.values()):
        names = [name for name in maps if kinds[name] == kind]
        values = np.concatenate([maps[name][np.isfinite(maps[name])].ravel() for name in names])
        out |= dict.fromkeys(names, MAKERS.get(kind, _amount)(values))
    return out


def _amount(values: np.ndarray) -> Scale:
    """From 0 or the lowest few; both signs alike where a tenth of the values is negative."""
    if not values.size:
        return Scale(0.0, 1.0, matplotlib.colormaps['plasma'])
    low, high = (float(v) for v in np.percentile(values, [1, 99.9]))
    if (values < 0).mean() > 0.1:
        most = max(abs(low), abs(high), 1e-3)
        return Scale(-most, most, matplotlib.colormaps['RdBu_r'])
    return Scale(0.0, max(high, 1e-3), matplotlib.colormaps['plasma'])


def _layer(values: np.ndarray) -> Scale:
    n = int(values.max()) if values.size else 1
    return Scale(0.5, n + 0.5, matplotlib.colormaps['viridis'])


def _angle(values: np.ndarray) -> Scale:
    return Scale(0.0, 360.0, matplotlib.colormaps['twilight'])


MAKERS = {'layer': _layer, 'angle': _angle}
