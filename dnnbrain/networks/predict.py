"""What a network takes pictures for."""

from __future__ import annotations

import numpy as np
import pandas as pd
from PIL import Image

from dnnbrain._checks import BadValue
from dnnbrain.networks.extract import BATCH_SIZE, output_of
from dnnbrain.networks.state import pick_device
from dnnbrain.networks.targets import vector_size
from dnnbrain.stimuli.images import read_rgb, to_rgb
from dnnbrain.stimuli.loaders import picture_set


def predict(dnn, stimuli, top: int = 1, *, device=None, batch_size: int = BATCH_SIZE,
            n_worker: int | None = None) -> pd.DataFrame:
    """The most probable classes of pictures.

    Parameters
    ----------
    stimuli : Stimulus, ndarray of shape (n_stim, 3, height, width), Dataset; or one picture: PIL, or a file name
    top : int
        How many classes per picture.
    device, batch_size, n_worker
        As in `compute_activation`.

    Returns
    -------
    table : DataFrame
        A row per picture and rank: stimID (or the number of the picture, from 0), rank (from 1),
        label, probability, and condition, the name of the class, where `dnn.classes` knows it.
    """
    if isinstance(stimuli, str) or hasattr(stimuli, '__fspath__'):
        ids, stimuli = [str(stimuli)], _one(read_rgb(stimuli))
    elif isinstance(stimuli, Image.Image):
        ids, stimuli = [0], _one(to_rgb(stimuli))
    else:
        ids = stimuli.get('stimID') if hasattr(stimuli, 'get') else np.arange(len(stimuli))
    pictures = picture_set(stimuli, dnn.test_transform)
    device = pick_device(dnn._network(), device)
    output = pictures.by_stimulus(output_of(dnn, pictures, device, batch_size, n_worker, 'predicting'))
    n_class = vector_size(output, dnn.name)
    if n_class == 1 or getattr(dnn.history, 'settings', {}).get('task') == 'regression':
        raise BadValue(f'{dnn.name} puts out values, not classes; use test, or compute_activation of its last layer')
    if not 1 <= top <= n_class:
        raise BadValue(f'top must be from 1 to the {n_class} classes of {dnn.name}, not {top}')
    best = output.softmax(dim=1).topk(top)
    labels = best.indices.numpy().ravel()
    table = pd.DataFrame({'stimID': np.repeat(ids, top), 'rank': np.tile(np.arange(1, top + 1), len(ids)),
                          'label': labels, 'probability': best.values.numpy().ravel()})
    if dnn.classes is not None and len(dnn.classes) == n_class:
        table['condition'] = [dnn.classes[label] for label in labels]
    return table


def _one(picture) -> np.ndarray:
    return np.asarray(picture).transpose(2, 0, 1)[None]


def class_names(stimuli, n_class: int) -> list[str] | None:
    """Names of classes from the columns label and condition of a table; None unless they belong together.

    A class that no stimulus shows is named by its number. A Dataset may have a list `classes`.
    """
    known = getattr(stimuli, 'classes', None)
    if known is not None and getattr(stimuli, 'target_transform', None) is None and len(known) <= n_class:
        return [*map(str, known), *map(str, range(len(known), n_class))]
    if not {'label', 'condition'} <= set(getattr(stimuli, 'items', ())):
        return None
    pairs = set(zip(stimuli.get('label').tolist(), stimuli.get('condition').tolist(), strict=True))
    names = dict(pairs)
    if len(pairs) != len(names) or len(set(names.values())) != len(names):
        return None
    return [names.get(label, str(label)) for label in range(n_class)]
