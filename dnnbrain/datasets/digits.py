"""Handwritten digits as picture files: the real pictures that come with scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dnnbrain._checks import BadValue, integers, output_folder
from dnnbrain.stimuli.stimulus import Stimulus


def digits(folder, classes: Sequence[int] = tuple(range(10))) -> Stimulus:
    """Write handwritten digits as PNG files with a stimulus table.

    1,797 digits of 13 people, 8 x 8 pixels (Alpaydin & Kaynak 1998, UCI Optical Recognition of
    Handwritten Digits, test part), as distributed with scikit-learn.

    Parameters
    ----------
    folder : str or Path
        Made if missing. Gets ``pictures/`` and ``digits.stim.csv``.
    classes : sequence of int
        Which digits; the first gets label 0, and so on.

    Returns
    -------
    stim : Stimulus
        Columns stimID ('7/0042.png'), label, condition ('7').
    """
    from PIL import Image
    from sklearn.datasets import load_digits
    folder = output_folder(folder)
    classes = integers(classes, 'classes').tolist()
    if set(classes) - set(range(10)) or len(set(classes)) < len(classes):
        raise BadValue(f'classes must be different digits from 0 to 9, not {classes}')
    bunch = load_digits()
    ids, labels = [], []
    for label, digit in enumerate(classes):
        (folder / 'pictures' / str(digit)).mkdir(parents=True, exist_ok=True)
        for number in np.flatnonzero(bunch.target == digit):
            ids.append(f'{digit}/{number:04d}.png')
            labels.append(label)
            gray = np.round(bunch.images[number] * (255 / 16)).astype(np.uint8)
            Image.fromarray(gray).save(folder / 'pictures' / ids[-1])
    stim = Stimulus({'type': 'image', 'path': 'pictures', 'title': 'handwritten digits'},
                    {'stimID': ids, 'label': labels, 'condition': [name.split('/')[0] for name in ids]})
    stim.save(Path(folder) / 'digits.stim.csv')
    stim.load(Path(folder) / 'digits.stim.csv')
    return stim
