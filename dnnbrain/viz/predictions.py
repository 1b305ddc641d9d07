"""Pictures with what a network takes them for."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from dnnbrain._checks import BadValue
from dnnbrain.stimuli.sheet import picture_sheet, some_rows

COLORS = {True: '#1a7f37', False: '#c62828', None: 'black'}     # right, wrong, not known


def show_predictions(dnn, stimuli, n: int = 12, ncols: int = 6, rng=None, device=None) -> Figure:
    """Pictures titled by the most probable class, its probability, and below it the truth.

    Titles are green where the network is right, red where it is wrong, black where that is not known.

    Parameters
    ----------
    dnn : DNN
    stimuli : Stimulus, ndarray of shape (n_stim, 3, height, width), uint8, or torch Dataset
        The truth is the column condition where its name is one of ``dnn.classes``, else the column
        label; of a Dataset, its labels. Tensors of a Dataset with values beyond 0 and 1 (normalised)
        are stretched to these, to be seen.
    n, ncols, rng
        As in `Stimulus.show`: the first `n`, or any `n` if `rng` is given.
    device
        As in `DNN.predict`.

    Returns
    -------
    figure : Figure
    """
    from dnnbrain.stimuli.loaders import picture_set
    part = _part(stimuli, n, rng)
    table = dnn.predict(part, device=device)
    classes = dnn.classes if 'condition' in table else []
    judged = [_judge(*row, classes) for row in zip(table.itertuples(), *_truth(part), strict=True)]
    pictures = picture_set(part)
    return picture_sheet([_visible(pictures.picture(i)) for i in range(len(part))], [title for title, _ in judged],
                         ncols, [COLORS[right] for _, right in judged])


def _part(stimuli, n: int, rng):
    """The stimuli to show. Items of a Dataset are fetched once: it may draw them anew each time."""
    from torch import Tensor
    from torch.utils.data import Dataset, Subset

    from dnnbrain.stimuli.loaders import picture_set
    from dnnbrain.stimuli.stimulus import Stimulus
    if not isinstance(stimuli, Stimulus | np.ndarray | Tensor | Dataset):
        picture_set(stimuli)                # says what is taken
    rows = some_rows(len(stimuli), n, rng)
    if isinstance(stimuli, Dataset):
        return Subset([stimuli[int(i)] for i in rows], range(len(rows)))
    return stimuli[rows] if isinstance(stimuli, Stimulus) else np.asarray(stimuli[rows])


def _truth(part) -> tuple[list, list]:
    """True labels and conditions of what is shown, None where they are not known."""
    from torch.utils.data import Dataset

    from dnnbrain.stimuli.torch_data import dataset_labels
    items, unknown = getattr(part, 'items', ()), np.full(len(part), None)
    labels = part.get('label') if 'label' in items else unknown
    if isinstance(part, Dataset):
        try:
            labels = dataset_labels(part)
        except BadValue:
            pass                                # pictures alone
    if labels.ndim != 1 or labels.dtype.kind not in 'iub':
        labels = unknown                        # values of a regression
    return labels.tolist(), (part.get('condition') if 'condition' in items else unknown).tolist()


def _judge(found, label: int | None, name: str | None, classes: list[str]) -> tuple[str, bool | None]:
    """The title of a picture, and whether what the network found is right, None where that is not known."""
    if name is None and label is not None and 0 <= label < len(classes):
        name = classes[label]
    told = found.condition if classes else found.label
    right = told == name if name in classes else None if label is None else found.label == label
    truth = label if name is None else name
    return f'{told} ({found.probability:.0%})' + ('' if truth is None else f'\ntrue: {truth}'), right


def _visible(picture):
    """A PIL picture as it is; a tensor (n_chn, h, w) as an array (h, w, 3) or (h, w)."""
    if not hasattr(picture, 'detach'):
        return picture
    pixels = picture.detach().cpu().numpy()
    if pixels.dtype != np.uint8 and not 0 <= pixels.min() <= pixels.max() <= 1:
        pixels = (pixels - pixels.min()) / np.ptp(pixels)
    return pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)
