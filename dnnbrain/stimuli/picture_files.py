"""Pictures of a Dataset as files with a table beside them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from dnnbrain._checks import BadType, BadValue, output_folder
from dnnbrain._progress import progress
from dnnbrain.io.stim_csv import SUFFIX, write_stim_csv


def write_pictures(folder, rows: Iterable[tuple], name: str = 'stimuli', **header) -> Path:
    """Write pictures as they come, and their table when the last one is there; returns its file name.

    Parameters
    ----------
    folder : str or Path
        Made if missing. Gets ``pictures/`` and ``NAME.stim.csv``.
    rows : iterable of (Image, dict)
        PIL pictures with their columns; stimID is the file below ``pictures/``.
    **header
        More of the header, such as a title.
    """
    folder, columns = output_folder(folder), []
    for picture, row in rows:
        file = folder / 'pictures' / row['stimID']
        file.parent.mkdir(parents=True, exist_ok=True)
        picture.save(file)
        columns.append(row)
    write_stim_csv(folder / f'{name}{SUFFIX}', {'type': 'image', 'path': 'pictures'} | header, pd.DataFrame(columns))
    return folder / f'{name}{SUFFIX}'


def write_dataset(dataset, folder) -> Path:
    """Write a torch Dataset of (picture, label) as `Stimulus.from_dataset` tells.

    Raises
    ------
    BadType, BadValue
        The Dataset is empty or has no length, or gives something else: normalised tensors, labels
        that are vectors or have no name.
    """
    if not hasattr(dataset, '__len__') or not hasattr(dataset, '__getitem__'):
        raise BadType(f'the Dataset must have a length and items by number, which {type(dataset).__name__} has not')
    if len(dataset) == 0:
        raise BadValue('the Dataset is empty')
    return write_pictures(folder, _rows(dataset))


def _rows(dataset) -> Iterator[tuple]:
    classes = getattr(dataset, 'classes', None)
    names = [_class_name(c) for c in classes] if isinstance(classes, list | tuple) else None
    digits = max(4, len(str(len(dataset) - 1)))
    for number in progress(range(len(dataset)), 'writing pictures', unit='img', leave=False):
        item = dataset[number]
        if not isinstance(item, tuple | list) or len(item) < 2:
            raise BadType(f'item {number} of the Dataset is no (picture, label), but {type(item).__name__}')
        label, file = _one_label(item[1], number), f'{number:0{digits}d}.png'
        row = {'stimID': file, 'label': label}
        if isinstance(label, int) and names is None:
            row['stimID'] = f'{label}/{file}'
        elif isinstance(label, int):
            if not 0 <= label < len(names):
                raise BadValue(f'label {label} of item {number} has no name among the {len(names)} classes of '
                               'the Dataset, which count from 0')
            row |= {'stimID': f'{_folder_name(names[label])}/{file}', 'condition': names[label]}
        yield _as_pil(item[0], number), row


def _one_label(label, number: int) -> int | float:
    value = np.asarray(label)
    if value.dtype.kind not in 'iufb' or not np.isfinite(value).all():
        raise BadValue(f'the label of item {number} must be a finite number, not {label!r}')
    if value.size != 1:
        raise BadValue(f'the label of item {number} has shape {value.shape}; a table takes one number per picture')
    return value.item() if value.dtype.kind == 'f' else int(value.item())


def _as_pil(picture, number: int):
    """A picture as PIL in a mode that PNG keeps."""
    import torch
    from PIL import Image

    from dnnbrain.stimuli.images import to_rgb
    if isinstance(picture, torch.Tensor):
        pixels = _eight_bit(picture.detach().cpu(), number).permute(1, 2, 0).numpy()
        return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    if not isinstance(picture, Image.Image):
        raise BadType(f'the picture of item {number} must be from PIL or a tensor (3, h, w), '
                      f'not {type(picture).__name__}')
    return picture if picture.mode in ('L', 'RGB') else to_rgb(picture)


def _eight_bit(picture, number: int):
    """A tensor (3 or 1, h, w), uint8 or float from 0 to 1, as uint8."""
    import torch
    if picture.ndim != 3 or picture.shape[0] not in (1, 3):
        raise BadValue(f'the picture of item {number} must have shape (3, h, w) or (1, h, w), '
                       f'not {tuple(picture.shape)}')
    if picture.dtype == torch.uint8:
        return picture
    if not picture.is_floating_point():
        raise BadValue(f'the picture of item {number} must be uint8 or float, not {picture.dtype}')
    pixels = (picture.float() * 255).round()
    if not (pixels.min() >= 0 and pixels.max() <= 255):
        raise BadValue(f'the picture of item {number} goes from {picture.min():.3g} to {picture.max():.3g}, not from '
                       '0 to 1; leave Normalize out of the transform of the Dataset')
    return pixels.to(torch.uint8)


def _class_name(name) -> str:
    """The name of a class; some Datasets (ImageNet) give several per class."""
    return ', '.join(map(str, name)) if isinstance(name, list | tuple) else str(name)


def _folder_name(name: str) -> str:
    return re.sub(r'[^\w-]+', '_', name) or '_'
