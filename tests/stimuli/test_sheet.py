"""Sheets show the pictures of the table under their names."""

import matplotlib.pyplot
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from dnnbrain._checks import BadPath, BadValue
from dnnbrain.dnn.core import Stimulus
from dnnbrain.stimuli.sheet import picture_sheet


def shown(figure):
    """Titles and pixels, in order."""
    filled = [axes for axes in figure.axes if axes.images]
    return [axes.get_title() for axes in filled], [np.asarray(axes.images[0].get_array()) for axes in filled]


def test_the_first_ones(stim):
    figure = stim.show(5, ncols=2)
    titles, pixels = shown(figure)
    assert titles == ['cat', 'dog', 'cat', 'dog', 'cat']
    for file, found in zip(stim.files(), pixels, strict=False):
        np.testing.assert_array_equal(found, np.asarray(Image.open(file)))
    spots = [axes.get_subplotspec() for axes in figure.axes if axes.images]
    assert [(s.rowspan.start, s.colspan.start) for s in spots] == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]
    assert len(shown(stim.show(40))[0]) == 12
    assert matplotlib.pyplot.get_fignums() == []


def test_titles_are_the_best_that_is_known(stim):
    stim.delete('condition')
    assert shown(stim.show(3))[0] == ['0', '1', '0']
    stim.delete('label')
    assert shown(stim.show(3))[0] == ['00.png', '01.png', '02.png']


def test_any_in_the_order_of_the_table(stim):
    stim.delete('condition')
    stim.delete('label')
    drawn = [tuple(shown(stim.show(3, rng=seed))[0]) for seed in range(8)]
    assert all(list(names) == sorted(set(names)) for names in drawn) and len(set(drawn)) > 4
    assert shown(stim.show(3, rng=0))[0] == list(drawn[0])


@pytest.mark.parametrize('shape', [(20, 20), (10, 40), (60, 20), (300, 2)])
def test_nothing_overlaps(shape):
    titles = ['n02099601 golden retriever\ntrue: German short-haired pointer and more', 'x', 'price $5_a$ and $6']
    figure = picture_sheet([np.zeros((*shape, 3), np.uint8)] * 7, titles * 2 + ['last'], ncols=3)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    things = [thing for axes in figure.axes if axes.images for thing in (axes.title, axes.images[0])]
    place = np.array([thing.get_window_extent(canvas.get_renderer()).extents for thing in things])
    wide, tall = (np.minimum.outer(place[:, k + 2], place[:, k + 2]) - np.maximum.outer(place[:, k], place[:, k])
                  for k in (0, 1))
    assert not ((wide > 0.5) & (tall > 0.5) & ~np.eye(len(place), dtype=bool)).any()
    assert place[:, :2].min() >= -0.5 and (place[:, 2:] <= figure.bbox.extents[2:] + 0.5).all()
    assert shown(figure)[0][0] == 'n02099601 go…n retriever\ntrue: German…er and more'


def test_mistakes(stim, tmp_path):
    for n in (0, -3):
        with pytest.raises(BadValue, match=f'n must be at least 1, not {n}'):
            stim.show(n)
    with pytest.raises(BadValue, match='ncols must be at least 1, not 0'):
        stim.show(ncols=0)
    with pytest.raises(BadValue, match="only image and video tables can be shown, not stimuli of type 'audio'"):
        Stimulus({'type': 'audio', 'path': '.'}, {'stimID': ['a.wav']}).show()
    with pytest.raises(BadValue, match='the stimulus table has no rows'):
        stim[:0].show()
    with pytest.raises((BadPath, BadValue), match='no.png .missing'):
        Stimulus({'type': 'image', 'path': str(tmp_path)}, {'stimID': ['no.png']}).show()
