"""Handwritten digits as picture files: the real pictures that come with scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dnnbrain._checks import BadValue, integers
from dnnbrain.stimuli.picture_files import write_pictures
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
    classes = integers(classes, 'classes').tolist()
    if set(classes) - set(range(10)) or len(set(classes)) < len(classes):
        raise BadValue(f'classes must be different digits from 0 to 9, not {classes}')
    bunch = load_digits()

    def rows():
        for label, digit in enumerate(classes):
            for number in np.flatnonzero(bunch.target == digit):
                gray = np.round(bunch.images[number] * (255 / 16)).astype(np.uint8)
                yield Image.fromarray(gray), {'stimID': f'{digit}/{number:04d}.png', 'label': label,
                                              'condition': str(digit)}

    stim = Stimulus()
    stim.load(write_pictures(folder, rows(), 'digits', title='handwritten digits'))
    return stim
