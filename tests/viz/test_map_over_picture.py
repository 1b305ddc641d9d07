"""A picture beside its map: zero in the middle of two colours, shapes that must agree."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from dnnbrain._checks import BadValue
from dnnbrain.viz.map_over_picture import map_over_picture


def test_colours_and_shape(rng):
    picture, values = rng.random((3, 20, 30)), rng.standard_normal((20, 30))
    over = map_over_picture(picture, values, 'conv5_chn3', 'lost').axes[1].images[1]
    assert over.get_clim() == (-np.abs(values).max(), np.abs(values).max()) and over.cmap.name == 'coolwarm'
    over = map_over_picture(picture, np.abs(values)).axes[1].images[1]
    assert over.get_clim() == (np.abs(values).min(), np.abs(values).max()) and over.cmap.name == 'viridis'
    assert not plt.get_fignums()
    with pytest.raises(BadValue, match='the map must have the shape of the picture'):
        map_over_picture(picture, values[1:])
