"""Clips: short films that a network sees as a whole."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch.utils.data import Dataset
from torchvision.transforms import functional

from dnnbrain._checks import BadType, BadValue
from dnnbrain.stimuli.files import checked_table
from dnnbrain.stimuli.images import PictureSet
from dnnbrain.stimuli.torch_data import DatasetPictures
from dnnbrain.stimuli.video import Film

N_FRAME = 16


class ClipTransform:
    """From the frames of a clip to what a network of clips takes; it also says how many frames.

    Parameters
    ----------
    frames : callable, optional
        uint8 (n_frame, 3, h, w) -> float (n_frame, 3, h, w), such as a Compose of transforms that
        torchvision applies to tensors: all frames then get the same random crop. Scales to [0, 1]
        by default.
    n_frame : int
    size : tuple of int, optional
        (height, width) to which frames are resized before: bilinear, not smoothed, as torchvision's
        networks of clips were trained.
    """

    takes = 'video_clip'

    def __init__(self, frames: Callable | None = None, n_frame: int = N_FRAME, size: tuple[int, int] | None = None):
        if n_frame < 1:
            raise BadValue(f'n_frame must be at least 1, not {n_frame}')
        self.frames, self.n_frame, self.size = frames, n_frame, None if size is None else tuple(size)

    def __call__(self, clip: torch.Tensor) -> torch.Tensor:
        """(3, n_frame, h, w) of frames (n_frame, 3, h, w), uint8."""
        if self.size is not None:
            clip = resized(clip, self.size)
        clip = clip / 255 if self.frames is None else self.frames(clip)
        return clip.transpose(0, 1)

    def input_shape(self, img_size: tuple[int, int]) -> tuple[int, ...]:
        """Shape of a transformed clip."""
        return 3, self.n_frame, *img_size

    def stimulus_set(self, stimuli, labels=None) -> PictureSet:
        """The clips of a table, an array (n, 3, n_frame, h, w), uint8, or a Dataset of transformed clips."""
        if isinstance(stimuli, np.ndarray | torch.Tensor):
            return ClipArray(stimuli, labels, self)
        if isinstance(stimuli, Dataset):
            clips = DatasetPictures(stimuli, labels, self)
            if not clips.ready:
                raise BadType('this network looks at clips: its Dataset must give tensors (3, n_frame, h, w), '
                              'not pictures')
            return clips
        table = checked_table(stimuli, 'video_clip', 'looks at clips', 'a uint8 array of shape (n, 3, n_frame, h, w)')
        return VideoClipSet(table.files(), self, labels=labels)

    def __repr__(self) -> str:
        return f'ClipTransform({self.frames}, n_frame={self.n_frame}, size={self.size})'


class VideoClipSet(PictureSet):
    """Clips, a film file each.

    Parameters
    ----------
    clip_files : sequence of str or Path
    transform : ClipTransform or callable, optional
        A callable is what `ClipTransform` takes; scales to [0, 1] by default.
    labels : sequence, optional
    n_frame : int, optional
        Frames of a clip; those of the transform, or 16, by default.

    Notes
    -----
    The frames are the middle ones of `n_frame` equal parts of the whole clip (`spread`). A clip of
    fewer frames shows some of them several times.
    """

    def __init__(self, clip_files, transform=None, *, labels=None, n_frame: int | None = None):
        if not isinstance(transform, ClipTransform):
            transform = ClipTransform(transform, N_FRAME if n_frame is None else n_frame)
        super().__init__(len(clip_files), labels, transform)
        self.clip_files, self.n_frame = list(clip_files), n_frame or transform.n_frame

    def picture(self, index: int) -> torch.Tensor:
        """Frames of clip `index` (from 0), uint8 (n_frame, 3, h, w), untransformed."""
        film = Film(self.clip_files[index])
        numbers, rows = np.unique(spread(len(film), self.n_frame), return_inverse=True)
        frames = np.stack([np.asarray(film.frame(int(number))) for number in numbers])
        return torch.from_numpy(frames[rows].transpose(0, 3, 1, 2))


class ClipArray(PictureSet):
    """Clips in an array of shape (n, 3, n_frame, h, w), uint8."""

    def __init__(self, clips, labels=None, transform=None):
        clips = torch.as_tensor(clips)
        if clips.ndim != 5 or clips.shape[1] != 3 or len(clips) == 0:
            raise BadValue(f'clips must have shape (n, 3, n_frame, h, w), not {tuple(clips.shape)}')
        if clips.dtype != torch.uint8:
            raise BadValue(f'clips must be uint8 (0 to 255), not {clips.dtype}; convert them first')
        super().__init__(len(clips), labels, transform)
        self.clips = clips

    def picture(self, index: int) -> torch.Tensor:
        """Frames of clip `index` (from 0), uint8 (n_frame, 3, h, w), untransformed."""
        return self.clips[index].transpose(0, 1)


def resized(frames: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Frames (n, 3, h, w), uint8, resized to (height, width), the same in any process and thread.

    Plane by plane, which torch never divides between threads: on all at once its rounding of a few
    pixels in 100,000 depends on whether there are several.
    """
    planes = [functional.resize(plane[None], list(size), antialias=False) for plane in frames.flatten(0, 1)]
    return torch.cat(planes).unflatten(0, frames.shape[:2])


def spread(n: int, n_frame: int) -> np.ndarray:
    """Numbers (from 1) of `n_frame` frames spread evenly over `n`: the middle ones of equal parts.

    As many as there are give each once; more give some several times.
    """
    return (2 * np.arange(n_frame) + 1) * n // (2 * n_frame) + 1
