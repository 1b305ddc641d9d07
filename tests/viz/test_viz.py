"""Figures show what they are given."""

import sys

import nibabel as nib
import numpy as np
import pytest

from dnnbrain import viz

HISTORY = {'epoch_loss': [3.0, 2.0, 1.0], 'score_train': [], 'score_validation': [0.2, 0.5, 0.9], 'step_loss': []}


def test_curves():
    figure = viz.plot_history({'a': HISTORY, 'b': HISTORY | {'score_train': [0.1, 0.2, 0.3]}}, chance=0.25)
    loss, score = figure.axes
    assert [line.get_ydata().tolist() for line in loss.lines] == [[3, 2, 1], [3, 2, 1]]
    labels = [text.get_text() for text in score.get_legend().get_texts()]
    assert labels == ['a validation', 'b validation', 'b train', 'chance']
    assert score.lines[2].get_ydata().tolist() == [0.1, 0.2, 0.3] and score.lines[-1].get_ydata()[0] == 0.25


def test_one_history():
    figure = viz.plot_history(HISTORY)
    assert figure.axes[0].get_legend() is None
    assert figure.axes[1].lines[0].get_ydata().tolist() == HISTORY['score_validation']


@pytest.mark.parametrize('n_layer', [1, 3])
def test_brain_maps(tmp_path, rng, n_layer):
    header = nib.Nifti1Header()
    header.set_sform(np.array([[12, 0, 0, -90], [0, 12, 0, -126], [0, 0, 12, -72], [0, 0, 0, 1.0]]), 'mni')
    maps = {f'layer{i}': np.full((15, 19, 15), np.nan) for i in range(n_layer)}
    for i, values in enumerate(maps.values()):
        values[3:12, 3:16, 3:12] = i / 10 + rng.random((9, 13, 9)) / 10
    preferred = {'best': np.where(np.isnan(maps['layer0']), np.nan, n_layer)}
    figure = viz.plot_layer_maps(maps, header, preferred, 'r')
    texts = [text.get_text() for text in figure.texts]
    assert texts[-1] == 'best' and len(texts) == n_layer + 1
    for i, (text, values) in enumerate(zip(texts, maps.values(), strict=False)):
        assert text == f'{i + 1}  layer{i}\nmean {np.nanmean(values):.2f}'
    figure.savefig(tmp_path / 'x.png', dpi=40)
    import matplotlib.image
    pixels = matplotlib.image.imread(tmp_path / 'x.png')
    assert pixels.std() > 0.05                                        # something is drawn


def test_nothing_opens_windows():
    import matplotlib.pyplot
    assert matplotlib.pyplot.get_fignums() == []
    viz.plot_history(HISTORY)
    assert matplotlib.pyplot.get_fignums() == []
    assert 'tkinter' not in sys.modules
