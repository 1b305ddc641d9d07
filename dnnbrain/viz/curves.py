"""Training curves."""

from __future__ import annotations

from matplotlib.figure import Figure


def plot_history(histories: dict, chance: float | None = None) -> Figure:
    """Loss and score over epochs; validation in full lines, training dotted.

    Parameters
    ----------
    histories : dict
        What `DNN.train` returns, or several of them by name to compare.
    chance : float, optional
        A level to draw beside the scores.

    Returns
    -------
    figure : Figure
    """
    if 'epoch_loss' in histories:
        histories = {'': histories}
    figure = Figure(figsize=(8, 3), layout='constrained')
    loss, score = figure.subplots(1, 2)
    for color, (name, history) in zip([f'C{i}' for i in range(len(histories))], histories.items(), strict=True):
        epochs = range(1, len(history['epoch_loss']) + 1)
        for axes, key, kind in ((loss, 'epoch_loss', 'train'), (loss, 'loss_validation', 'validation'),
                                (score, 'score_train', 'train'), (score, 'score_validation', 'validation')):
            if history.get(key):
                axes.plot(epochs, history[key], ':' if kind == 'train' else '-', color=color, marker='.',
                          label=f'{name} {kind}'.strip())
    if chance is not None:
        score.axhline(chance, color='gray', linestyle='--', linewidth=1, label='chance')
    for axis, title in ((loss, 'loss'), (score, 'score')):
        axis.set(xlabel='epoch', title=title)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.spines[['top', 'right']].set_visible(False)
        if axis.lines:
            axis.legend(frameon=False, fontsize='small')
    return figure
