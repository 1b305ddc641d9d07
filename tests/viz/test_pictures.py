"""Arrays as pictures: what is drawn is what came, and no window opens."""

import matplotlib.image
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from dnnbrain import viz
from dnnbrain._checks import BadInput
from dnnbrain.dnn.core import Stimulus
from dnnbrain.interpret.preference.top_stimuli import top_stimuli
from dnnbrain.utils.plot import imgarray_show
from dnnbrain.viz.feature_maps import as_pictures, stimulus_pictures
from dnnbrain.viz.pictures import color_limits


def drawn(figure):
    return [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]


@pytest.fixture
def arrays(rng):
    return rng.random((5, 6, 8))


def test_pictures_of_any_kind(rng):
    color = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    gray = rng.random((6, 8))
    kinds = [color, color.transpose(2, 0, 1), torch.from_numpy(color), Image.fromarray(color), color / 255, gray,
             gray[None], Image.fromarray(color).convert('P', palette=Image.Palette.ADAPTIVE)]
    figure = imgarray_show(kinds, 2, 4, show=False)
    found = drawn(figure)
    assert len(found) == 8 == len(figure.axes)
    for picture in [*found[:4], found[7]]:
        np.testing.assert_array_equal(picture, color)
    for picture in found[5:7]:
        np.testing.assert_array_equal(picture, gray)
    half = torch.tensor([[.5, 1], [0, .25]], dtype=torch.bfloat16, requires_grad=True)
    np.testing.assert_array_equal(drawn(imgarray_show(half, show=False))[0], [[.5, 1], [0, .25]])


@pytest.mark.parametrize('one', [np.ones((6, 8)), np.ones((6, 8, 3)), np.ones((3, 6, 8)), [np.ones((6, 8))],
                                 np.ones((1, 6, 8)), Image.new('L', (8, 6))])
def test_a_single_picture(one):
    assert drawn(imgarray_show(one, show=False))[0].shape[:2] == (6, 8)


def test_labels_scales_and_bars(arrays, tmp_path):
    figure = imgarray_show(arrays, 2, 3, row_label=['a', 'b'], vmin=-1, vmax=2, figsize=(5, 3), cmap='gray',
                           cbar=True, frame_on=False, img_names=np.array(list('vwxyz')), show=False,
                           save_path=tmp_path / 'x.png')
    panels = figure.axes[:6]
    assert [axes.get_title() for axes in panels] == [*'vwxyz', ''] and panels[3].get_ylabel() == 'b'
    assert all(axes.images[0].get_clim() == (-1, 2) and axes.images[0].get_cmap().name == 'gray' for axes in panels[:5])
    assert len(figure.axes) == 7 and tuple(figure.get_size_inches()) == (5, 3)          # one bar for all
    assert not panels[0].get_frame_on() and matplotlib.image.imread(tmp_path / 'x.png').std() > .05
    alone = imgarray_show(arrays, 2, 3, cbar=True, show=False)
    assert len(alone.axes) == 6 + 5
    assert alone.axes[2].images[0].get_clim() == (arrays[2].min(), arrays[2].max())


@pytest.mark.parametrize('vmin, vmax, limits', [(None, None, (1, 4)), (2, None, (2, 4)), (9, None, (9, 9)),
                                                (None, 0, (0, 0)), (None, 3, (1, 3)), (7, 8, (7, 8))])
def test_limits(vmin, vmax, limits):
    assert color_limits(np.array([1, 4, np.nan, np.inf]), vmin, vmax) == limits
    assert color_limits(np.array([np.nan]), None, None) == (0, 1)


def test_no_window_without_a_display(arrays, monkeypatch):
    opened = []
    monkeypatch.setattr(plt, 'show', lambda *args: opened.append(1))
    for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(name, raising=False)
    imgarray_show(arrays, 1, 5)
    monkeypatch.setenv('DISPLAY', ':0')
    plt.switch_backend('agg')
    imgarray_show(arrays, 1, 5)                                       # a backend for files only
    assert not opened and plt.get_fignums() == []


def test_a_window_is_closed_behind(arrays, monkeypatch):
    shown = []
    monkeypatch.setattr('dnnbrain.viz.pictures.has_display', lambda: True)
    monkeypatch.setattr(plt, 'show', lambda *args: shown.append(plt.get_fignums()))
    figure = imgarray_show(arrays, 1, 5)
    assert len(shown) == 1 and len(shown[0]) == 1 and plt.get_fignums() == [] and len(drawn(figure)) == 5
    imgarray_show(arrays, 1, 5, show=False)
    assert len(shown) == 1
    with pytest.raises(ValueError):
        imgarray_show(arrays, 1, 5, cmap='no such map')
    assert plt.get_fignums() == []


@pytest.mark.parametrize('settings, sentence', [
    ({'ncols': 4}, '5 pictures do not fit into 1 x 4 places'), ({'ncols': 0}, 'nrows and ncols must be at least 1'),
    ({'ncols': 5, 'row_label': ['a', 'b']}, 'row_label must be one per row, 1 in all'),
    ({'ncols': 5, 'img_names': 'abcde'}, 'img_names must be one per picture, 5 in all'),
    ({'ncols': 5, 'vmin': 2, 'vmax': 1}, 'vmin must not be larger than vmax'),
    ({'ncols': 5, 'save_path': 'x.xyz'}, 'must end in one of .*.png, '),
    ({'ncols': 5, 'save_path': 'nowhere/x.png'}, "the folder 'nowhere' does not exist"),
    ({'x': [np.ones((2, 3, 4, 5))]}, 'a picture must have shape'), ({'x': ['a.png']}, 'a picture must have shape')])
def test_what_can_go_wrong(arrays, settings, sentence):
    with pytest.raises(BadInput, match=sentence):
        imgarray_show(**{'x': arrays, 'show': False} | settings)


def test_feature_maps_have_a_scale_per_channel(rng, tmp_path):
    maps, photos = rng.random((2, 3, 5, 5)) * [[[[1]], [[10]], [[100]]]], np.zeros((2, 3, 6, 8), np.uint8)
    figure = viz.plot_feature_maps(maps, photos, ['p', 'q', 'r'], ['one', 'two'], save_path=tmp_path / 'x.jpg')
    grid = np.array(figure.axes[:8]).reshape(2, 4)
    assert [axes.get_title() for axes in grid[0]] == ['', 'p', 'q', 'r'] and grid[1, 0].get_ylabel() == 'two'
    for channel in range(3):
        for row in range(2):
            image = grid[row, channel + 1].images[0]
            np.testing.assert_array_equal(image.get_array(), maps[row, channel])
            assert image.get_clim() == (maps[:, channel].min(), maps[:, channel].max())
    fixed = viz.plot_feature_maps(maps[:1, :1], vmin=0, vmax=3)
    assert fixed.axes[0].images[0].get_clim() == (0, 3)
    assert viz.plot_feature_maps(np.full((1, 1, 2, 2), np.nan)).axes[0].images[0].get_clim() == (0, 1)
    assert (tmp_path / 'x.jpg').stat().st_size and plt.get_fignums() == []


def test_maps_of_clips_and_tokens():
    clips, tokens = np.arange(2 * 3 * 5 * 4 * 4).reshape(2, 3, 5, 4, 4), np.arange(10.0).reshape(1, 1, 10, 1)
    np.testing.assert_array_equal(as_pictures(clips), clips[:, :, 2])
    np.testing.assert_array_equal(as_pictures(tokens)[0, 0], np.arange(1, 10).reshape(3, 3))
    np.testing.assert_array_equal(as_pictures(tokens[:, :, :9])[0, 0], np.arange(9).reshape(3, 3))
    assert as_pictures(tokens[:, :, :7]).shape == (1, 1, 7, 1)
    for maps, sentence in ((np.ones((2, 3, 1, 1)), 'one number per channel'), (np.ones((2, 17, 3, 3)), 'up to 16'),
                           (np.ones((3, 3)), 'maps must have shape'), (np.array([['a']]), 'real numbers')):
        with pytest.raises(BadInput, match=sentence):
            as_pictures(maps)
    with pytest.raises(BadInput, match='names must be 2 for maps of shape'):
        viz.plot_feature_maps(np.ones((2, 1, 3, 3)), names=['a'])


def test_kernels(tiny, rng):
    figure = viz.plot_kernels(tiny.get_kernel('conv'))
    weights = tiny.get_kernel('conv')
    for picture, kernel in zip(drawn(figure), weights, strict=True):
        np.testing.assert_allclose(picture, .5 + .5 * kernel.transpose(1, 2, 0) / np.abs(kernel).max(), atol=1e-6)
    deep = rng.standard_normal((3, 5, 2, 2))
    shown = viz.plot_kernels(deep, [4, 5, 6])
    np.testing.assert_allclose(drawn(shown)[1], deep[1].mean(0))
    assert [axes.get_title() for axes in shown.axes[:3]] == ['4', '5', '6']
    low, high = shown.axes[0].images[0].get_clim()
    assert low == -high and high == pytest.approx(np.abs(deep.mean(1)).max())
    with pytest.raises(BadInput, match='only those of convolutions'):
        viz.plot_kernels(tiny.get_kernel('fc'))


def test_top_stimuli_best_first(tiny, stim):
    table = top_stimuli(tiny, 3, stim, ['conv', 'fc'])
    table = table[table['channel'] <= 2]
    figure = viz.plot_top_stimuli(table, stim[::-1])                            # found by ID
    assert len(figure.axes) == 12
    first = table.iloc[0]
    np.testing.assert_array_equal(drawn(figure)[0], np.asarray(Image.open(stim.path / first['stimID'])))
    assert figure.axes[0].get_title() == f'{first["stimID"]}\n{first["value"]:.4g}'
    assert [axes.get_ylabel() for axes in figure.axes[::3]] == [
        f'{layer}\nchannel {channel}' for layer in ('conv', 'fc') for channel in (1, 2)]
    units = top_stimuli(tiny, 2, stim, {'conv': {'chn': [1], 'row': [2], 'col': [3]}}, unit=True)
    assert viz.plot_top_stimuli(units, stim).axes[0].get_ylabel() == 'conv\nchannel 1 (2, 3)'
    for wrong, sentence in ((table.drop(columns='rank'), 'must be what top_stimuli returns'), ({}, 'must be what'),
                            (pd.concat([table.assign(channel=i) for i in range(41)]), 'a figure takes 1 to 40')):
        with pytest.raises(BadInput, match=sentence):
            viz.plot_top_stimuli(wrong, stim)
    with pytest.raises(BadInput, match='nothing to be seen of sounds'):
        viz.plot_top_stimuli(table, Stimulus({'type': 'audio', 'path': '.'}, {'stimID': ['a.wav']}))
    with pytest.raises(BadInput, match='stimuli are not in the stimulus table'):
        viz.plot_top_stimuli(table.assign(stimID='x.png'), stim)


def test_what_can_be_seen_of_stimuli(rng):
    clip = rng.integers(0, 256, (2, 3, 5, 6, 8), dtype=np.uint8)
    np.testing.assert_array_equal(stimulus_pictures(clip)[1], clip[1, :, 2].transpose(1, 2, 0))
    photos = rng.integers(0, 256, (2, 3, 6, 8), dtype=np.uint8)
    np.testing.assert_array_equal(stimulus_pictures(photos)[1], photos[1].transpose(1, 2, 0))
    assert max(stimulus_pictures(np.zeros((1, 3, 900, 600), np.uint8))[0].shape) == 300
    normalised = torch.utils.data.TensorDataset(torch.linspace(-2, 2, 300).reshape(1, 3, 10, 10))
    picture = stimulus_pictures(normalised)[0]
    assert picture.min() == 0 and picture.max() == 1
    flat = torch.utils.data.TensorDataset(torch.full((1, 3, 10, 10), 2.0))
    assert not stimulus_pictures(flat)[0].any()
