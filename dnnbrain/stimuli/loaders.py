"""Batches of pictures, decoded ahead by threads while the network works.

Threads, not processes: Pillow decodes and resizes outside the interpreter lock, and threads need
no shared memory (small in containers), no pickling, and no ``if __name__ == '__main__'`` in the
user's script.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch.utils.data import Dataset, Subset
from torchvision import transforms

from dnnbrain._checks import BadType, BadValue
from dnnbrain.stimuli.checking import refuse_bad_files
from dnnbrain.stimuli.images import ArraySet, ImageSet, PictureSet
from dnnbrain.stimuli.stimulus import Stimulus
from dnnbrain.stimuli.torch_data import DatasetPictures
from dnnbrain.stimuli.video import VideoSet

_AHEAD = 2      # batches


def picture_set(stimuli, transform=None, labels=None) -> PictureSet:
    """The pictures of a table (image, video), a uint8 array (n, 3, h, w) or a Dataset, checked to be there.

    A transform that takes something else, such as clips, makes the set of it (`stimulus_set`).
    """
    if hasattr(transform, 'stimulus_set'):
        return transform.stimulus_set(stimuli, labels)
    if isinstance(stimuli, np.ndarray | torch.Tensor):
        if len(stimuli) == 0:
            raise BadValue('the array holds no pictures')
        return ArraySet(np.asarray(stimuli), labels, transform)
    if isinstance(stimuli, Dataset):
        return DatasetPictures(stimuli, labels, transform)
    if not isinstance(stimuli, Stimulus):
        raise BadType('stimuli must be a Stimulus, a uint8 array of shape (n, 3, h, w) or a torch Dataset, '
                      f'not {type(stimuli).__name__}')
    if stimuli.type not in ('image', 'video'):
        raise BadValue(f'this network looks at images or video frames, not at stimuli of type {stimuli.type!r}')
    if len(stimuli) == 0:
        raise BadValue('the stimulus table has no rows')
    refuse_bad_files(stimuli)
    if stimuli.type == 'video':
        return VideoSet(stimuli.path, stimuli.get('stimID'), labels, transform)
    return ImageSet(stimuli.path, stimuli.get('stimID'), labels, transform)


def kind_taken(transform) -> str:
    """What a network with this transform is shown: 'image' (a frame of a film too), 'video_clip' or 'audio'."""
    return getattr(transform, 'takes', 'image')


def part_of(stimuli, rows):
    """Some stimuli of a table, an array or a Dataset, as the same kind of thing."""
    rows = np.asarray(rows)
    return Subset(stimuli, rows.tolist()) if isinstance(stimuli, Dataset) else stimuli[rows]


def batches(pictures: PictureSet, batch_size: int, n_worker: int | None = None,
            device: torch.device | str = 'cpu', spans: list[range] | None = None) -> Iterator[torch.Tensor]:
    """Transformed pictures in order on a device, (n, 3, h, w), at most `batch_size` at a time.

    Parameters
    ----------
    n_worker : int, optional
        Threads that decode; as many as cores by default, 0 decodes when asked.
    spans : list of range, optional
        Which pictures make up each batch, in place of all in batches of `batch_size`.

    Notes
    -----
    Two batches are decoded ahead, so memory does not grow with the number of pictures.
    """
    one, finish = (_same, _same) if pictures.ready else split_transform(pictures.transform)
    n_worker = n_worker if pictures.threadable else 0
    if spans is None:
        spans = [range(i, min(i + batch_size, len(pictures))) for i in range(0, len(pictures), batch_size)]

    read = one_by_one(pictures.picture, spans) if pictures.in_order else pictures.picture

    def load(index: int) -> torch.Tensor:
        tensor = one(read(index))
        if not isinstance(tensor, torch.Tensor):
            raise BadType(f'the transform must end in a tensor (3, h, w), but gives {type(tensor).__name__}; '
                          'add torchvision.transforms.ToTensor()')
        return tensor

    for tensors in _in_turn(load, spans, n_worker):
        shapes = {tuple(t.shape) for t in tensors}
        if len(shapes) > 1:
            raise BadValue(f'the transform gives pictures of different shapes {sorted(shapes)}; make it resize')
        batch = torch.stack(tensors)
        batch = batch.pin_memory() if torch.device(device).type == 'cuda' else batch
        yield finish(batch.to(device, non_blocking=True))


def one_by_one(read: Callable, spans: list[range]) -> Callable:
    """`read` for threads that come in any order: they take turns, in the order of the pictures.

    Each goes on to the transform while the next one reads. `spans` follow each other, and threads start
    on them in order.
    """
    turn, free = [spans[0].start if spans else 0], threading.Condition()

    def read_in_turn(index: int):
        with free:
            free.wait_for(lambda: turn[0] == index)
            try:
                return read(index)
            finally:
                turn[0] += 1
                free.notify_all()
    return read_in_turn


def _same(picture):
    return picture


def split_transform(transform: Callable | None) -> tuple[Callable, Callable]:
    """What is done to each picture, and what to the batch.

    Scaling to [0, 1] and normalising, where they come last, cost a third of decoding when done
    picture by picture. On a batch of bytes they give the same bits at a fraction of the time, and
    on a GPU a quarter of the data is sent.
    """
    steps = transform.transforms if type(transform) is transforms.Compose else []
    known = all(type(step).__module__ == transforms.Resize.__module__ and not isinstance(step, transforms.Lambda)
                for step in steps)
    if not known or [type(step) for step in steps[-2:]] != [transforms.ToTensor, transforms.Normalize]:
        return transform or transforms.ToTensor(), _same
    normalize = steps[-1]

    def finish(batch: torch.Tensor) -> torch.Tensor:
        mean, std = (torch.as_tensor(v, dtype=torch.float32, device=batch.device).view(-1, 1, 1)
                     for v in (normalize.mean, normalize.std))
        return batch.to(torch.float32).div_(255).sub_(mean).div_(std)
    return transforms.Compose([*steps[:-2], transforms.PILToTensor()]), finish


def _in_turn(load: Callable, spans: list[range], n_worker: int | None) -> Iterator[list]:
    """What `load` gives for the members of each span, made ahead by threads."""
    if n_worker == 0:
        yield from ([load(i) for i in span] for span in spans)
        return
    with ThreadPoolExecutor(n_worker or os.cpu_count(), 'decode', _stand_back) as pool:
        waiting: deque[list] = deque()
        try:
            for span in spans:
                waiting.append([pool.submit(load, i) for i in span])
                if len(waiting) > _AHEAD:
                    yield [job.result() for job in waiting.popleft()]
            while waiting:
                yield [job.result() for job in waiting.popleft()]
        finally:
            for job in reversed([job for jobs in waiting for job in jobs]):    # a running one may wait for those before
                job.cancel()


def _stand_back() -> None:
    """Let this thread decode when a core is free: the threads of the network wait for each other."""
    if sys.platform == 'linux':                  # where a thread has a priority of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 5)
