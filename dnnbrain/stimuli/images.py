"""Pictures as the network gets them: RGB, whatever mode the file has."""

from __future__ import annotations

import copy
import os
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from dnnbrain._checks import BadPath, BadType, BadValue


def read_rgb(path) -> Image.Image:
    """A picture file as 8-bit RGB (gray, palette, alpha, CMYK and 16-bit files included).

    Transparency is dropped, not blended; 16-bit gray and floats from 0 to 1 are scaled to 8 bit.

    Raises
    ------
    BadPath, BadValue
        The file is missing, or is not a whole picture.
    """
    try:
        with Image.open(path) as image:
            return to_rgb(image)
    except FileNotFoundError:
        raise BadPath(f'picture {str(path)!r} does not exist') from None
    except UnidentifiedImageError:
        raise BadValue(f'{str(path)!r} is not a picture that can be read') from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadValue(f'picture {str(path)!r} cannot be read: {error}') from None


def to_rgb(image: Image.Image) -> Image.Image:
    """Any PIL picture as mode RGB, fully read."""
    if image.mode == 'RGB':
        image.load()
        return image
    if image.mode.startswith('I;16') or image.mode in ('I', 'F'):
        image = _eight_bit(image)
    elif image.mode in ('P', 'PA', 'LA'):
        image = image.convert('RGBA')     # a palette with transparency has no direct way to RGB
    return image.convert('RGB')


def as_rgb(image) -> Image.Image:
    """A picture of any kind as PIL RGB.

    Parameters
    ----------
    image : PIL picture, path, or ndarray or tensor of shape (h, w), (3, h, w), (h, w, 3) or with 4 channels (alpha)
        Numbers are taken as 0 to 255 if they are whole, as 0 to 1 if they are floats not above 1.
    """
    if isinstance(image, Image.Image):
        return to_rgb(image)
    if isinstance(image, str | os.PathLike):
        return read_rgb(image)
    if hasattr(image, 'detach'):            # a tensor; torch need not be there for the others
        image = tensor_numbers(image)
    if not isinstance(image, np.ndarray):
        raise BadType(f'image must be a PIL picture, a file, an array or a tensor, not {type(image).__name__}')
    values = image.transpose(1, 2, 0) if image.ndim == 3 and image.shape[0] in (1, 3, 4) else image
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    if values.ndim not in (2, 3) or values.ndim == 3 and values.shape[2] not in (3, 4) or values.size == 0:
        raise BadValue(f'image must have shape (h, w), (3, h, w) or (h, w, 3), not {image.shape}')
    if values.dtype.kind not in 'fiub' or not np.isfinite(values).all() or values.min() < 0 or values.max() > 255:
        raise BadValue('image must hold numbers from 0 to 255, or floats from 0 to 1')
    if values.dtype.kind == 'b' or values.dtype.kind == 'f' and values.max() <= 1:
        values = values * 255.0
    return to_rgb(Image.fromarray(np.asarray(values).round().astype(np.uint8)))


def tensor_numbers(tensor) -> np.ndarray:
    """The numbers of a tensor, wherever it is; numpy has no bfloat16, which becomes float32."""
    tensor = tensor.detach().cpu()
    return (tensor.float() if str(tensor.dtype) == 'torch.bfloat16' else tensor).numpy()


def _eight_bit(image: Image.Image) -> Image.Image:
    """A gray picture of 16 or 32 bit, or of floats, as 8 bit.

    Whole numbers up to 255 in 32 bit and floats above 1 are 8-bit values already; floats up to 1
    are shares of white; other whole numbers are of 16 bit.
    """
    values = np.nan_to_num(np.asarray(image, dtype=np.float64))
    most = values.max(initial=0)
    if image.mode == 'F':
        values = values * 255 if most <= 1 else values
    elif image.mode != 'I' or most > 255:
        values = values / 257
    return Image.fromarray(values.round().clip(0, 255).astype(np.uint8))


class PictureSet:
    """What ImageSet, ArraySet and VideoSet share: indexing by one or many, transform, labels."""

    forkable = True         # whether worker processes may read it
    threadable = True       # whether several threads may
    in_order = False        # whether these must read one picture after the other
    ready = False           # whether pictures come as tensors, transformed

    def __init__(self, n: int, labels=None, transform=None):
        self.n = n
        self.transform = transform
        self.labels = None if labels is None else np.asarray(labels)
        if self.labels is not None and len(self.labels) != n:
            raise BadValue(f'{len(self.labels)} labels came for {n} pictures')

    def picture(self, index: int) -> Image.Image:
        """Picture `index` (from 0) as PIL RGB, untransformed."""
        raise NotImplementedError

    def seen_through(self, transform) -> PictureSet:
        """The same pictures under another transform."""
        other = copy.copy(self)
        other.transform = transform
        return other

    @property
    def owners(self) -> np.ndarray:
        """Which stimulus (from 0) each item of the set is of, ascending; here an item is a stimulus."""
        return np.arange(self.n)

    @property
    def n_stim(self) -> int:
        """Stimuli that the items are of."""
        return self.n

    def for_each_shown(self, values: np.ndarray) -> np.ndarray:
        """Values of stimuli (n_stim, ...) for each item of the set; here an item is a stimulus."""
        return values

    def by_stimulus(self, answers):
        """Answers to the items of the set as answers to the stimuli (n_stim, ...)."""
        return answers

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index):
        """(tensor, label) for an int; (batch, labels) for a list or slice. Unlabelled is -1."""
        import torch
        if isinstance(index, int | np.integer):
            label = -1 if self.labels is None else self.labels[index]
            return self._tensor(self.picture(int(index))), label
        chosen = np.arange(self.n)[index]
        labels = np.full(len(chosen), -1) if self.labels is None else self.labels[chosen]
        return torch.stack([self._tensor(self.picture(int(i))) for i in chosen]), torch.as_tensor(labels)

    def _tensor(self, picture: Image.Image):
        if self.ready:
            return picture
        if self.transform is not None:
            return self.transform(picture)
        import torch
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 255


class ImageSet(PictureSet):
    """Pictures in a folder.

    Parameters
    ----------
    img_dir : str or Path
    img_ids : sequence of str
        File names relative to `img_dir`.
    labels : sequence, optional
    transform : callable, optional
        PIL picture -> tensor (3, h, w); scales to [0, 1] by default.
    """

    def __init__(self, img_dir, img_ids, labels=None, transform=None):
        super().__init__(len(img_ids), labels, transform)
        self.img_dir, self.img_ids = Path(img_dir), [str(i) for i in img_ids]

    def picture(self, index: int) -> Image.Image:
        return read_rgb(self.img_dir / self.img_ids[index])


class ArraySet(PictureSet):
    """Pictures in an array of shape (n, 3, h, w), uint8; gray ones may have one channel."""

    def __init__(self, pictures, labels=None, transform=None):
        pictures = np.asarray(pictures)
        if pictures.ndim != 4 or pictures.shape[1] not in (1, 3):
            raise BadValue(f'pictures must have shape (n, 3, h, w), not {pictures.shape}')
        if pictures.dtype != np.uint8:
            raise BadValue(f'pictures must be uint8 (0 to 255), not {pictures.dtype}; convert them first')
        super().__init__(len(pictures), labels, transform)
        self.pictures = pictures

    def picture(self, index: int) -> Image.Image:
        picture = self.pictures[index].transpose(1, 2, 0)
        return to_rgb(Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture))


class Part(PictureSet):
    """Some pictures of a set, by their indices."""

    def __init__(self, whole: PictureSet, indices):
        self.whole, self.indices = whole, np.asarray(indices)
        super().__init__(len(self.indices), None if whole.labels is None else whole.labels[self.indices],
                         whole.transform)
        for name in ('forkable', 'threadable', 'in_order', 'ready'):
            setattr(self, name, getattr(whole, name))

    def picture(self, index: int) -> Image.Image:
        return self.whole.picture(int(self.indices[index]))
