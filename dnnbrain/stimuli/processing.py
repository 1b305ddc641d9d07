"""Pictures changed, whatever kind they are: PIL, array or tensor. The kind that comes in goes out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from dnnbrain._checks import BadType, BadValue, choice, integers, whole_number
from dnnbrain.stimuli.images import tensor_numbers, to_rgb

INTERPOLATIONS = {name: Image.Resampling[name.upper()] for name in ('nearest', 'bilinear', 'bicubic', 'lanczos')}
_KEPT = ('L', 'RGB', 'F', 'I', 'I;16')                  # modes of PIL whose numbers are those of an array


def to_array(image) -> np.ndarray:
    """A picture as an array.

    Parameters
    ----------
    image : PIL picture, or ndarray or tensor of shape (h, w), (3, h, w), or with 1 or 4 channels (gray, alpha)

    Returns
    -------
    array : ndarray
        Of a PIL picture (h, w) if it is gray, else (3, h, w), whose transparency is dropped. An array stays itself,
        and a tensor on the CPU shares its memory.
    """
    if isinstance(image, Image.Image):
        image = _plain(image)
        array = np.array(image)
        return array if array.ndim == 2 else np.ascontiguousarray(array.transpose(2, 0, 1))
    if isinstance(image, torch.Tensor):
        image = tensor_numbers(image)
    if not isinstance(image, np.ndarray):
        raise BadType(f'image must be a PIL picture, an array or a tensor, not {type(image).__name__}')
    if image.size == 0 or image.ndim not in (2, 3) or image.ndim == 3 and image.shape[0] not in (1, 3, 4):
        raise BadValue(f'image must have shape (h, w) or (3, h, w), not {image.shape}; colours come first: '
                       'image.transpose(2, 0, 1)')
    if image.dtype.kind not in 'biuf':
        raise BadType(f'image must hold real numbers, not {image.dtype}')
    return image


def to_tensor(image) -> torch.Tensor:
    """A picture as a tensor of its own numbers, (h, w) or (3, h, w); a tensor stays itself."""
    if isinstance(image, torch.Tensor):
        to_array(image)                                 # says what is wrong
        return image
    return torch.from_numpy(np.array(to_array(image)))


def to_pil(image, normalization: bool = False) -> Image.Image:
    """A picture as PIL's, of mode L (gray) or RGB; a PIL picture stays itself unless it is to be stretched.

    Parameters
    ----------
    image : as `to_array` takes it
        Numbers from 0 to 255, rounded; floats none of which is above 1 are shares of white.
    normalization : bool
        Stretch the picture instead: its smallest number becomes black and its largest white.

    Raises
    ------
    BadValue
        Numbers beyond 0 to 255.
    """
    if isinstance(image, Image.Image) and not normalization:
        return image
    array = to_array(image)
    values = array.astype(np.float64)
    low, high = values.min(), values.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise BadValue('image holds NaN or infinite values, which are no colour; replace them first')
    if normalization:
        values = (values - low) / ((high - low) or 1) * 255
    elif low < 0 or high > 255:
        raise BadValue(f'image must hold numbers from 0 to 255, or floats from 0 to 1, not {low:g} to {high:g}; '
                       'normalization=True stretches it')
    elif array.dtype.kind in 'bf' and high <= 1:
        values = values * 255
    values = values.round().astype(np.uint8)
    return to_rgb(_pil(values)) if values.ndim == 3 and len(values) == 4 else _pil(values)


def resize(image, size: Sequence[int], interpolation: str = 'nearest'):
    """A picture of another size, by PIL.

    Parameters
    ----------
    image : as `to_array` takes it
        8-bit pictures are computed as PIL does, others in single precision, and whole numbers rounded.
    size : tuple of int
        (height, width).
    interpolation : {'nearest', 'bilinear', 'bicubic', 'lanczos'}

    Returns
    -------
    resized : of the kind and dtype of `image`
    """
    choice('interpolation', interpolation, tuple(INTERPOLATIONS))
    size = integers(size, 'size')
    if len(size) != 2 or size.min() < 1:
        raise BadValue(f'size must be (height, width), both at least 1, not {tuple(size.tolist())}')
    array = to_array(image)
    method, (height, width) = INTERPOLATIONS[interpolation], size.tolist()
    planes = array.reshape(-1, *array.shape[-2:])
    planes = planes if array.dtype == np.uint8 else planes.astype(np.float32)
    resized = np.stack([np.asarray(Image.fromarray(plane).resize((width, height), method)) for plane in planes])
    return _as_came(_as_dtype(resized, array.dtype).reshape(*array.shape[:-2], height, width), image)


def crop(image, box: Sequence[int]):
    """A part of a picture; what of it lies beyond the picture is 0.

    Parameters
    ----------
    image : as `to_array` takes it
    box : tuple of int
        (left, upper, right, lower): columns and rows from 0, right and lower not included.

    Returns
    -------
    part : of the kind and dtype of `image`, (..., lower - upper, right - left)
    """
    box = integers(box, 'box')
    if len(box) != 4 or box[2] <= box[0] or box[3] <= box[1]:
        raise BadValue(f'box must be (left, upper, right, lower) with left < right and upper < lower, not '
                       f'{tuple(box.tolist())}')
    array = to_array(image)
    (left, upper), (right, lower) = box[:2], box[2:]
    rows, columns = np.arange(upper, lower), np.arange(left, right)
    height, width = array.shape[-2:]
    inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
    part = array[..., rows.clip(0, height - 1)[:, None], columns.clip(0, width - 1)]
    return _as_came(np.where(inside, part, np.zeros((), array.dtype)), image)


def translate(image, bkg, startpoint: Sequence[int], endpoint: Sequence[int], stride: int = 1):
    """A picture moved over a background in a straight line: one picture per step.

    Parameters
    ----------
    image : as `to_array` takes it, (h, w) or (3, h, w)
    bkg : as `to_array` takes it
        At least as large, and like `image` of whole numbers or of floats. Where one of both is gray, it gets the
        colours of the other.
    startpoint, endpoint : tuple of int
        (x, y) of the upper left corner of the picture on the background: columns from the left and rows from the
        top, from 0. The picture must lie inside the background all the way.
    stride : int, pixels
        Of a step, along the axis on which the way is longer; the other moves in proportion. The end point is
        reached if the way is a multiple of it.

    Returns
    -------
    moved : list of PIL pictures, or ndarray or tensor of shape (n_step, h, w) or (n_step, 3, h, w)
        Of the kind of `image` and the size of `bkg`.
    """
    moving, still = _same_channels(to_array(image), to_array(bkg))
    if (moving.dtype.kind == 'f') != (still.dtype.kind == 'f'):
        raise BadValue(f'image and bkg must both hold whole numbers or both floats, not {moving.dtype} and '
                       f'{still.dtype}')
    places = _line(_point(startpoint, 'startpoint'), _point(endpoint, 'endpoint'), stride)
    room = np.array(still.shape[:-3:-1]) - moving.shape[:-3:-1]         # (x, y) up to which the corner may go
    if (room < 0).any():
        raise BadValue(f'image of {_told(moving)} does not fit on a bkg of {_told(still)}; give a larger bkg')
    outside = places[((places < 0) | (places > room)).any(axis=1)]
    if len(outside):
        raise BadValue(f'at (x, y) = {tuple(outside[0].tolist())} the image of {_told(moving)} leaves the bkg of '
                       f'{_told(still)}; its corner may go from (0, 0) to {tuple(room.tolist())}')
    moved = np.repeat(still[None].astype(np.result_type(moving, still)), len(places), axis=0)
    height, width = moving.shape[-2:]
    for one, (x, y) in zip(moved, places, strict=True):
        one[..., y:y + height, x:x + width] = moving
    return [_as_came(one, image) for one in moved] if isinstance(image, Image.Image) else _as_came(moved, image)


def norm(image, ord: float) -> float:
    """The norm of all pixels as one vector, ``sum(abs(image) ** ord) ** (1 / ord)``; inf is the largest."""
    if not isinstance(ord, int | float | np.number) or isinstance(ord, bool) or np.isnan(ord):
        raise BadType(f'ord must be a number, such as 1, 2 or np.inf, not {ord!r}')
    return float(np.linalg.norm(to_array(image).astype(np.float64).ravel(), ord))


def total_variation(image) -> float:
    """The sum of absolute differences of all pixels with their neighbours below and to the right."""
    values = to_array(image).astype(np.float64)         # differences of uint8 would wrap around
    return float(sum(np.abs(np.diff(values, axis=axis)).sum() for axis in (-2, -1)))


class ImageProcessor:
    """Pictures changed: the functions of this file under one name, `ip`, as in DNNBrain 1.0.

    Pictures are PIL's, or arrays or tensors of shape (h, w) or (3, h, w); the kind that comes in goes out.
    """

    to_array = staticmethod(to_array)
    to_tensor = staticmethod(to_tensor)
    to_pil = staticmethod(to_pil)
    resize = staticmethod(resize)
    crop = staticmethod(crop)
    translate = staticmethod(translate)
    norm = staticmethod(norm)
    total_variation = staticmethod(total_variation)


ip = ImageProcessor()


def _plain(image: Image.Image) -> Image.Image:
    """A PIL picture of a mode whose pixels are numbers: gray stays gray, the rest becomes RGB."""
    return image.convert('L') if image.mode == '1' else image if image.mode in _KEPT else to_rgb(image)


def _pil(array: np.ndarray) -> Image.Image:
    """Gray of (h, w) or (1, h, w), colours of (3, h, w), alpha of (4, h, w); the dtype says the mode."""
    if array.ndim == 3:
        array = array[0] if len(array) == 1 else np.ascontiguousarray(array.transpose(1, 2, 0))
    if array.ndim == 3 and array.dtype != np.uint8:
        raise BadValue(f'a coloured PIL picture has 8 bits per colour, and this one needs {array.dtype}; give arrays, '
                       "or image.convert('L')")
    return Image.fromarray(array)


def _as_came(array: np.ndarray, image):
    """An array as the kind of a picture: on the device of a tensor and with its dtype."""
    if isinstance(image, Image.Image):
        return _pil(array)
    if isinstance(image, torch.Tensor):
        return torch.from_numpy(np.ascontiguousarray(array)).to(image)
    return array


def _as_dtype(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Resized numbers in their old dtype; interpolation may overshoot what that can hold."""
    if dtype.kind == 'b':
        return values >= 0.5
    if dtype.kind in 'iu' and values.dtype != dtype:
        ends = np.iinfo(dtype)
        return values.astype(np.float64).round().clip(ends.min, ends.max).astype(dtype)
    return values.astype(dtype)


def _same_channels(image: np.ndarray, bkg: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Picture and background with the same channels; gray ones are repeated."""
    if image.ndim == bkg.ndim == 2:
        return image, bkg
    image, bkg = (one[None] if one.ndim == 2 else one for one in (image, bkg))
    n = max(len(image), len(bkg))
    if not {len(image), len(bkg)} <= {1, n}:
        raise BadValue(f'image has {len(image)} channels and bkg has {len(bkg)}; give as many, or one')
    return tuple(np.broadcast_to(one, (n, *one.shape[1:])) for one in (image, bkg))


def _point(point, argument: str) -> np.ndarray:
    point = integers(point, argument)
    if len(point) != 2:
        raise BadValue(f'{argument} must be (x, y), not {tuple(point.tolist())}')
    return point


def _line(start: np.ndarray, end: np.ndarray, stride: int) -> np.ndarray:
    """Places (n_step, 2) on the way, `stride` pixels apart along its longer axis."""
    if (whole_number(stride, 'stride') or 0) < 1:
        raise BadValue(f'stride must be at least 1 pixel, not {stride}')
    way = np.abs(end - start).max()
    gone = np.arange(0, way + 1, stride)
    return start + np.round((end - start) * (gone / max(way, 1))[:, None]).astype(np.intp)


def _told(array: np.ndarray) -> str:
    return f'{array.shape[-1]} x {array.shape[-2]} pixels (width x height)'
