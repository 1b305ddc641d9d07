"""How a network sees a picture: the part and size that reach it, and how colours become its numbers.

Algorithms that change pictures work on pixels from 0 to 1 in the geometry of the network; the shift and scale of
its colours come after that and can be differentiated. Both are read off its own transform.
"""

from __future__ import annotations

import os

import numpy as np
import torch
from PIL import Image
from torchvision import transforms

from dnnbrain._checks import BadValue
from dnnbrain.stimuli.files import file_table
from dnnbrain.stimuli.images import as_rgb
from dnnbrain.stimuli.loaders import kind_taken, picture_set

_COLORS = ((0, 0, 0), (255, 255, 255), (60, 120, 200))       # two tell shift and scale, the third proves them


class View:
    """How a network sees pictures.

    Parameters
    ----------
    dnn : DNN
        One of clips sees a still clip: the picture in every frame.

    Attributes
    ----------
    size : tuple of int
        (height, width) of the pictures that reach the network.
    gain, shift : Tensor of shape (3,)
        The network gets ``gain * pixel + shift`` of pixels from 0 to 1, red, green, blue.
    n_frame : int or None
        Of a clip.

    Raises
    ------
    BadValue
        The network sees no pictures, or its transform does something else to colours.
    """

    def __init__(self, dnn):
        self.name = dnn.name
        self._transform = dnn.test_transform or transforms.ToTensor()
        if dnn.img_size is None:
            raise BadValue(f'{dnn.name} has no img_size; set it to the (height, width) of its pictures')
        if kind_taken(self._transform) == 'audio':
            raise BadValue(f'{dnn.name} hears sounds; this needs a network that sees pictures')
        self.size = tuple(dnn.img_size)
        self._resize = dnn.test_transform is None
        self.n_frame = self._transform.n_frame if kind_taken(self._transform) == 'video_clip' else None
        self.gain, self.shift = self._colors()

    def picture(self, image) -> torch.Tensor:
        """What reaches the network of a picture (as `as_rgb` takes it), (3, h, w) of pixels from 0 to 1."""
        pixels = (self._seen(as_rgb(image)) - self.shift[:, None, None]) / self.gain[:, None, None]
        return pixels.clamp(0, 1)

    def inputs(self, pixels: torch.Tensor) -> torch.Tensor:
        """What the network takes for pixels (n, 3, h, w) from 0 to 1; can be differentiated.

        Returns
        -------
        inputs : Tensor of shape (n, 3, h, w); of clips (n, 3, n_frame, h, w)
        """
        gain, shift = (values.to(pixels)[:, None, None] for values in (self.gain, self.shift))
        inputs = pixels * gain + shift
        return inputs if self.n_frame is None else inputs[:, :, None].expand(-1, -1, self.n_frame, -1, -1)

    def taken(self, image) -> torch.Tensor:
        """What the network takes of a picture (as `as_rgb` takes it), (3, h, w), of clips (3, n_frame, h, w)."""
        seen = self._seen(as_rgb(image))
        return seen if self.n_frame is None else seen[:, None].expand(-1, self.n_frame, -1, -1)

    def _seen(self, image: Image.Image) -> torch.Tensor:
        """A picture transformed, (3, h, w)."""
        if self.n_frame is not None:
            frame = torch.from_numpy(np.array(image)).permute(2, 0, 1)
            return self._transform(frame.expand(self.n_frame, -1, -1, -1))[:, 0]
        return self._transform(image.resize(self.size[::-1], Image.Resampling.BILINEAR) if self._resize else image)

    def _colors(self) -> tuple[torch.Tensor, torch.Tensor]:
        seen = [self._seen(Image.new('RGB', self.size[::-1], color)) for color in _COLORS]
        if any(not isinstance(one, torch.Tensor) or one.shape != (3, *self.size) for one in seen):
            came = [tuple(getattr(one, 'shape', ())) for one in seen][0]
            raise BadValue(f'the test_transform of {self.name} makes {came} of a picture, not {(3, *self.size)}')
        black, white, other = (one.float() for one in seen)
        shift = black.mean((1, 2))
        gain = white.mean((1, 2)) - shift
        expected = gain * torch.tensor(_COLORS[2]) / 255 + shift
        same = all(torch.allclose(one, color[:, None, None].expand_as(one), atol=1e-4 * float(gain.abs().max() + 1))
                   for one, color in ((black, shift), (white, gain + shift), (other, expected)))
        if not same or not (gain != 0).all():
            raise BadValue(f'the test_transform of {self.name} does more to colours than a shift and a scale of each; '
                           'pictures cannot be made for it')
        return gain, shift


def stimulus_inputs(dnn, stimulus) -> torch.Tensor:
    """One stimulus as a network takes it, (n, *input_shape): a picture, a clip, or the examples of a sound.

    Parameters
    ----------
    stimulus
        A picture as `as_rgb` takes it. For a network of clips also a file of a film or an array
        (3, n_frame, h, w), uint8; for one of sounds a sound file or examples (n, 1, 96, 64).
    """
    transform = dnn.test_transform
    kind = kind_taken(transform)
    if kind == 'image':
        return (transform or transforms.ToTensor())(as_rgb(stimulus))[None]
    clips = kind == 'video_clip'
    if isinstance(stimulus, str | os.PathLike) and not (clips and _is_picture(stimulus)):
        return picture_set(file_table(kind, stimulus), transform)[:][0]
    if getattr(stimulus, 'ndim', 0) == 4:
        return picture_set(np.asarray(stimulus[None] if clips else stimulus), transform)[:][0]
    return View(dnn).taken(stimulus)[None]               # a still clip


def _is_picture(path) -> bool:
    return os.path.splitext(path)[1].lower() in Image.registered_extensions()
