"""Frames of a film, by number from 1, as the network gets them."""

from __future__ import annotations

import os
import threading
from bisect import bisect_right
from pathlib import Path

import numpy as np

from dnnbrain._checks import BadValue, existing_file
from dnnbrain._optional import optional
from dnnbrain.stimuli.images import PictureSet


class VideoSet(PictureSet):
    """Frames of one film. They are decoded by one reader, in order, so training takes no worker processes.

    Parameters
    ----------
    vid_file : str or Path
    frame_nums : sequence of int
        Numbers from 1, in any order, repeats allowed.
    labels : sequence, optional
    transform : callable, optional
        PIL picture -> tensor (3, h, w); scales to [0, 1] by default.
    """

    forkable = False

    def __init__(self, vid_file, frame_nums, labels=None, transform=None):
        self.frame_nums = np.asarray(frame_nums, dtype=int)
        super().__init__(len(self.frame_nums), labels, transform)
        self.film = Film(vid_file)
        wrong = self.frame_nums[(self.frame_nums < 1) | (self.frame_nums > len(self.film))]
        if wrong.size:
            raise BadValue(f'frame {wrong[0]} is out of range; {str(vid_file)!r} has frames 1 to {len(self.film)}')

    def picture(self, index: int):
        return self.film.frame(int(self.frame_nums[index]))


class Film:
    """Exact frames of a video file, decoded onwards where possible.

    The presentation times of all frames are read once without decoding, so frame k is the k-th
    picture shown. Going on to a later frame decodes what lies between; going back, or far ahead,
    starts at the last key frame before it.
    """

    def __init__(self, path):
        self._av = optional('av', 'reading video')
        self.path = existing_file(path, 'video')
        with self._open() as container:
            packets = [p for p in container.demux(container.streams.video[0]) if p.size and p.pts is not None]
        self._times = sorted(p.pts for p in packets)
        self._keys = sorted(p.pts for p in packets if p.is_keyframe)
        self._start_anew()

    def __len__(self) -> int:
        return len(self._times)

    def frame(self, number: int):
        """Frame `number` (from 1) as a PIL picture, RGB."""
        if self._process != os.getpid():
            # A forked worker must not share the parent's place in the file, and must not free its
            # decoder: that would wait for threads which exist in the parent only.
            self._inherited = self._container, self._frames
            self._start_anew()
        with self._lock:
            for shown in self._from(self._times[number - 1]):
                if shown.pts == self._times[number - 1]:
                    return shown.to_image()
        raise BadValue(f'frame {number} of {str(self.path)!r} cannot be decoded')

    def _start_anew(self) -> None:
        self._lock, self._process = threading.Lock(), os.getpid()
        self._container = self._frames = None
        self._coming = None         # time of the frame that comes next when decoding goes on

    def __getstate__(self) -> dict:
        return {'path': self.path, '_times': self._times, '_keys': self._keys}

    def __setstate__(self, state: dict) -> None:
        self.__dict__ |= state | {'_av': optional('av', 'reading video')}
        self._start_anew()

    def _from(self, time: int):
        """Decoded frames from where decoding stands if that leads to `time` soonest, else from a key frame."""
        key = max((k for k in self._keys if k <= time), default=self._times[0])
        if self._coming is None or not key <= self._coming <= time:
            if self._container is None:
                self._container = self._open()
            stream = self._container.streams.video[0]
            self._container.seek(key, stream=stream, backward=True)
            self._frames = self._container.decode(stream)
        for shown in self._frames:
            place = bisect_right(self._times, shown.pts)
            self._coming = self._times[place] if place < len(self._times) else None
            yield shown
        self._coming = None

    def _open(self):
        try:
            container = self._av.open(str(Path(self.path)))
        except (self._av.FFmpegError, OSError) as error:
            raise BadValue(f'video {str(self.path)!r} cannot be read: {error}') from None
        if not container.streams.video:
            raise BadValue(f'{str(self.path)!r} holds no video')
        return container
