"""Figures show what they are given."""

import sys

import nibabel as nib
import numpy as np
import pytest

from dnnbrain import viz

HISTORY = {'epoch_loss': [3.0, 2.0, 1.0], 'score_train': [], 'score_validation': [0.2, 0.5, 0.9], 'step_loss': []}


def test_curves():
    more = {'score_train': [0.1, 0.2, 0.3], 'loss_validation': [4.0, 3.0, 2.0]}
    figure = viz.plot_history({'a': HISTORY, 'b': HISTORY | more}, chance=0.25)
    loss, score = ({line.get_label(): list(line.get_ydata()) for line in axes.lines} for axes in figure.axes)
    assert loss == {'a train': [3, 2, 1], 'b train': [3, 2, 1], 'b validation': [4, 3, 2]}
    assert score == {'a validation': [0.2, 0.5, 0.9], 'b validation': [0.2, 0.5, 0.9], 'b train': [0.1, 0.2, 0.3],
                     'chance': [0.25, 0.25]}
    shown = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert sorted(shown) == sorted(score)


def test_one_history():
    figure = viz.plot_history(HISTORY)
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ['train']
    assert figure.axes[1].lines[0].get_ydata().tolist() == HISTORY['score_validation']
    assert not viz.plot_history(HISTORY | {'score_validation': []}).axes[1].lines


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


def test_low_scores_are_drawn(tmp_path, rng):
    """What is outside the brain must not hide what is inside, whatever the scores are."""
    import matplotlib.image
    header = nib.Nifti1Header()
    header.set_sform(np.array([[12, 0, 0, -90], [0, 12, 0, -126], [0, 0, 12, -72], [0, 0, 0, 1.0]]), 'mni')
    values = np.full((15, 19, 15), np.nan)
    values[3:12, 3:16, 3:12] = rng.uniform(-0.3, 0.2, (9, 13, 9))
    viz.plot_layer_maps({'conv1': values}, header).savefig(tmp_path / 'x.png', dpi=40)
    brain = matplotlib.image.imread(tmp_path / 'x.png')[:, :60, :3]   # without the colour bar
    assert (np.ptp(brain, axis=2) > 0.1).mean() > 0.1                 # the rest is black, gray and white


def test_nothing_opens_windows():
    import matplotlib.pyplot
    assert matplotlib.pyplot.get_fignums() == []
    viz.plot_history(HISTORY)
    assert matplotlib.pyplot.get_fignums() == []
    assert 'tkinter' not in sys.modules
