"""Frames of a film, by number from 1, as the network gets them."""

from __future__ import annotations

import os
import threading
from itertools import islice
from pathlib import Path
from zlib import crc32

import numpy as np

from dnnbrain._checks import BadValue, existing_file
from dnnbrain._optional import optional
from dnnbrain.stimuli.images import PictureSet

TRUE_TIMES = {'mov', 'matroska'}        # containers that store the time at which each frame is shown
ONE_FRAME_EACH = {'h264', 'hevc', 'vp9', 'av1', 'libdav1d'}     # decoders to which each packet is one frame shown
N_COMPARED = 16                         # frames at the beginning by which an index made of packets is tried


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
    in_order = True         # a frame out of turn costs a seek

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
    """Exact frames of a video file: frame k is the k-th one that plain decoding from the beginning shows.

    Times of packets tell the frames without decoding only in containers that hold the true times,
    of codecs where each packet shows one frame; any other film is decoded once when it is opened.
    Going on to a later frame decodes what lies between; going back, or far ahead, starts at the
    last key frame before it. What a seek finds is believed only if it is the frame looked for;
    otherwise the frames are counted from the beginning again, which is slow and always right.
    """

    def __init__(self, path):
        self._av = optional('av', 'reading video')
        self.path = existing_file(path, 'video')
        if not self._index_packets():
            self._index_frames()
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
            shown = self._find(number)
            if shown is None and self._marks is None:
                self._index_frames()        # the packets told wrong
                shown = self._find(number) if number <= len(self) else None
            if shown is None:
                raise BadValue(f'frame {number} of {str(self.path)!r} cannot be decoded')
            return shown.to_image()

    def edges(self) -> np.ndarray:
        """Seconds at which each frame begins, from the beginning of the first, and at which the last ends.

        They are those of the container where it stores true times (a film may change its pace), or
        else those of a steady frame rate. Shape (n_frame + 1,).
        """
        with self._open() as container:
            stream = container.streams.video[0]
            rate, base = stream.average_rate or stream.guessed_rate, stream.time_base
        if not rate:
            raise BadValue(f'video {str(self.path)!r} does not say its frame rate')
        if self._marks is not None:
            return np.arange(len(self) + 1) / float(rate)
        begins = (np.array(self._times) - self._times[0]) * float(base)
        return np.append(begins, begins[-1] + 1 / float(rate))

    def _start_anew(self) -> None:
        self._lock, self._process = threading.Lock(), os.getpid()
        self._container = self._frames = None
        self._coming = None         # number of the frame that comes next when decoding goes on
        self._counted = False       # whether that number was counted from the beginning

    def __getstate__(self) -> dict:
        return {name: self.__dict__[name] for name in ('path', '_times', '_marks', '_keys')}

    def __setstate__(self, state: dict) -> None:
        self.__dict__ |= state | {'_av': optional('av', 'reading video')}
        self._start_anew()

    def _index_packets(self) -> bool:
        """Index the film without decoding it; False if the packets cannot be trusted to tell the frames."""
        times, keys = [], []
        try:
            with self._open() as container:
                stream = container.streams.video[0]
                formats = container.format.name.split(',')
                if TRUE_TIMES.isdisjoint(formats) or stream.codec_context.name not in ONE_FRAME_EACH:
                    return False
                for packet in container.demux(stream):
                    if packet.size and not packet.is_discard:       # an edit list discards what it cuts off
                        times.append(packet.pts)
                        if packet.is_keyframe:
                            keys.append((packet.pts, packet.pts))
            with self._open() as container:
                begins = [shown.pts for shown in islice(container.decode(video=0), N_COMPARED)]
        except self._av.FFmpegError:
            return False
        if None in times or begins != sorted(times)[:N_COMPARED]:
            return False
        self._set_index(sorted(times), None, keys)
        return True

    def _index_frames(self) -> None:
        """Index the film by decoding it once. Marks tell the frames apart where times after a seek are guesses."""
        times, marks, keys = [], [], []
        with self._open() as container:
            try:
                for packet in container.demux(container.streams.video[0]):
                    if packet.is_keyframe and packet.dts is not None:
                        keys.append((packet.pts, packet.dts))       # these containers are sought by decoding time
                    for shown in packet.decode():
                        times.append(shown.pts)
                        marks.append(_mark(shown))
            except self._av.FFmpegError as error:
                raise BadValue(f'video {str(self.path)!r} cannot be decoded beyond frame {len(times)}: '
                               f'{error}') from None
        self._set_index(times, marks, keys)

    def _set_index(self, times: list, marks: list | None, keys: list) -> None:
        """Take times and marks by frame, and keys as (time of the key frame, time to seek)."""
        if not times:
            raise BadValue(f'video {str(self.path)!r} has no frames')
        numbers = {time: k for k, time in enumerate(times, 1)}
        if None in numbers or len(numbers) < len(times):
            keys = []               # no telling where a seek arrived
        self._times, self._marks = times, marks
        self._keys = [(numbers[time], seek) for time, seek in keys if time in numbers]

    def _find(self, number: int):
        """The decoded frame, from where decoding stands if that leads there soonest; None if it cannot be had."""
        if self._container is None:
            self._rewind()
        key = max((k for k in self._keys if k[0] <= number), default=None)
        if self._coming is not None and (key[0] if key else 1) <= self._coming <= number:
            shown = self._read_to(number)
        elif key:
            shown = self._read_to(number, key[1])
            if shown is None:
                self._keys.remove(key)      # it led astray, so it is not tried again
        else:
            shown = None
        if shown is None:
            self._rewind()
            shown = self._read_to(number)
        if shown is None:
            self._container = self._frames = self._coming = None
        return shown

    def _rewind(self) -> None:
        """Open the film again: its beginning is the one place that every container finds."""
        self._container = self._open()
        self._frames = self._container.decode(video=0)
        self._coming, self._counted = 1, True

    def _read_to(self, number: int, seek: int | None = None):
        """Decode on, or from the key frame found by `seek`, to the frame; None if it does not come."""
        try:
            if seek is not None:
                stream = self._container.streams.video[0]
                self._container.seek(seek, stream=stream, backward=True)
                self._frames = self._container.decode(stream)
                self._coming, self._counted = None, False
            for shown in self._frames:
                if self._coming is None:
                    self._coming = self._arrived_at(shown)
                if self._coming is None or self._coming > number:
                    return None
                self._coming += 1
                if self._coming > number:
                    return shown if self._is_frame(shown, number) else None
        except self._av.FFmpegError:
            pass        # what a seek led to may be undecodable, the same frame from the beginning not
        return None

    def _arrived_at(self, shown) -> int | None:
        """Number of the first frame after a seek; None if that is unknown, or the frame needs others before it."""
        number = self._times.index(shown.pts) + 1 if shown.pts in self._times else None
        return number if shown.key_frame or number == 1 else None

    def _is_frame(self, shown, number: int) -> bool:
        if shown.pts != self._times[number - 1]:
            return False
        if self._counted:
            return True
        return not shown.is_corrupt if self._marks is None else _mark(shown) == self._marks[number - 1]

    def _open(self):
        try:
            container = self._av.open(str(Path(self.path)))
        except (self._av.FFmpegError, OSError) as error:
            raise BadValue(f'video {str(self.path)!r} cannot be read: {error}') from None
        if not container.streams.video:
            raise BadValue(f'{str(self.path)!r} holds no video')
        if container.streams.video[0].codec_context is None:
            raise BadValue(f'video {str(self.path)!r} is of a kind that PyAV cannot decode')
        return container


def _mark(shown) -> int:
    """Checksum that tells a decoded frame from its neighbours."""
    return crc32(np.ascontiguousarray(shown.to_ndarray(format='gray')))
