"""Made pictures as the files they become, which are what counts: a JPEG is not the picture that went into it."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from dnnbrain._checks import BadValue, creatable_folder, writable_file
from dnnbrain.io.atomic import atomic

FORMATS = {'.png': {'format': 'PNG'}, '.jpg': {'format': 'JPEG', 'quality': 95, 'subsampling': 0},
           '.jpeg': {'format': 'JPEG', 'quality': 95, 'subsampling': 0}}


class PictureFiles:
    """Where pictures go.

    Parameters
    ----------
    save_path : str or Path, optional
        A file ending in .png, .jpg or .jpeg for one picture, or a folder, made if missing, for
        ``<name>.png`` each. Nothing is written without it.
    names : sequence of str
        What each picture is; becomes part of a file name.

    Attributes
    ----------
    files : list of Path
        Of the final pictures.
    """

    def __init__(self, save_path, names: Sequence[str]):
        self.files, self.suffix = [], '.png'
        if save_path is None:
            return
        path = Path(save_path)
        if len(set(names)) < len(names):
            raise BadValue('a channel or voxel stands twice; name each once, or two pictures would be one file')
        if path.suffix.lower() in FORMATS:
            if len(names) > 1:
                raise BadValue(f'save_path {str(path)!r} is one file, but {len(names)} pictures are made; '
                               'give a folder')
            self.files, self.suffix = [writable_file(path, 'save_path')], path.suffix.lower()
        elif path.suffix and not path.is_dir():
            raise BadValue(f'save_path {str(path)!r} must end in .png, .jpg or .jpeg, or be a folder')
        else:
            creatable_folder(path, 'save_path').mkdir(parents=True, exist_ok=True)
            self.files = [path / f'{file_name(name)}.png' for name in names]

    def write(self, numbers: Sequence[int], pictures: np.ndarray, step: int | None = None) -> np.ndarray:
        """Write pictures of these numbers (from 0), if there is a place for them.

        Parameters
        ----------
        pictures : ndarray of shape (n, 3, h, w), uint8
        step : int, optional
            Of pictures on the way: ``<name>_step0010.png``.

        Returns
        -------
        pictures : ndarray of shape (n, 3, h, w), uint8
            As they are read from the files again.
        """
        read = np.empty_like(pictures)
        for i, (number, picture) in enumerate(zip(numbers, pictures, strict=True)):
            data = encoded(picture, self.suffix)
            if self.files:
                file = self.files[number]
                with atomic(file if step is None else file.with_stem(f'{file.stem}_step{step:04d}')) as part:
                    part.write_bytes(data)
            read[i] = picture if self.suffix == '.png' else np.asarray(Image.open(io.BytesIO(data))).transpose(2, 0, 1)
        return read


def encoded(picture: np.ndarray, suffix: str) -> bytes:
    """The content of a picture file of (3, h, w), uint8."""
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0))).save(stream, **FORMATS[suffix])
    return stream.getvalue()


def file_name(text: str) -> str:
    """Text as a part of a file name: 'conv5 channel 3 (2, 4)' becomes 'conv5_chn3_2_4'."""
    return re.sub(r'[^\w.#-]+', '_', re.sub(r' channel (?=\d)', '_chn', text)).strip('_')
