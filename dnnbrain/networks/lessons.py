"""What is shown in training, in which order: pictures with targets, or stored features with targets."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from dnnbrain._checks import BadInput
from dnnbrain.stimuli.images import PictureSet


def shuffled_batches(n: int, batch_size: int, rng: np.random.Generator,
                     smallest: int = 2) -> list[list[tuple[int, int]]]:
    """Batches of (index, seed of its augmentation) for one epoch.

    A list, not a sampler: DataLoader walks through a sampler more than once when it has workers.
    A last batch of fewer than `smallest` joins the one before it, since batch norm needs two.
    """
    keys = list(zip(rng.permutation(n).tolist(), rng.integers(2 ** 62, size=n).tolist(), strict=True))
    cuts = [*range(0, n, batch_size), n]
    if len(cuts) > 2 and cuts[-1] - cuts[-2] < smallest:
        del cuts[-2]
    return [keys[a:b] for a, b in zip(cuts[:-1], cuts[1:], strict=True)]


class PictureLesson(Dataset):
    """(picture, target) for keys (index, seed): the same key gives the same picture in any process."""

    def __init__(self, pictures: PictureSet, y: np.ndarray, n_worker: int = 0):
        self.pictures, self.y = pictures, y
        self.n_worker = n_worker if pictures.forkable else 0

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, key: tuple[int, int]):
        index, seed = key
        with _seeded_everywhere(seed):
            return self.pictures[index][0], self.y[index]

    def batches(self, keys: list) -> Iterable[tuple[torch.Tensor, torch.Tensor]]:
        """Pictures (n, 3, h, w) and targets for each list of keys."""
        try:
            own = torch.Generator().manual_seed(0)       # or it would draw a number from torch's, which dropout uses
            yield from DataLoader(self, batch_sampler=keys, num_workers=self.n_worker, generator=own)
        except BadInput as error:                # a worker sends its traceback as text before the sentence
            raise type(error)(str(error).rpartition(f'{type(error).__name__}: ')[2].strip()) from None


class FeatureLesson:
    """Stored features and targets, for the same keys."""

    def __init__(self, features: np.ndarray, y: np.ndarray):
        self.features, self.y = features, y

    def __len__(self) -> int:
        return len(self.features)

    def batches(self, keys: list) -> Iterable[tuple[torch.Tensor, torch.Tensor]]:
        """Features (n, ...) and targets for each list of keys."""
        for batch in keys:
            index = [index for index, _ in batch]
            yield torch.from_numpy(self.features[index]), torch.from_numpy(self.y[index])


@contextmanager
def _seeded_everywhere(seed: int) -> Iterator[None]:
    """Seed all random numbers a transform may draw: torch's, numpy's and Python's; restored afterwards."""
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()     # noqa: NPY002, transforms use it
    torch.default_generator.manual_seed(seed)            # torch.manual_seed would reset a GPU's dropout too
    np.random.seed(seed % 2 ** 32)                       # noqa: NPY002
    random.seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])                   # noqa: NPY002
        random.setstate(states[2])
