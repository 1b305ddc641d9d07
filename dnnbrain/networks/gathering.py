"""Stimuli that are shown piece by piece, such as sounds in examples: what is shown at a time, and what is a row."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch


def spans(owners: np.ndarray, batch_size: int, start: int = 0) -> list[range]:
    """Pieces that are shown together, from those of stimulus `start` (from 0) on.

    Batches begin anew with every `batch_size`-th stimulus. What begins there, a shard or a resumed run, is
    shown in the batches of the whole, and a batch more or less changes no number.

    Parameters
    ----------
    owners : ndarray of int, shape (n_piece,), ascending
        Which stimulus (from 0) each piece is of.
    """
    n_stim = int(owners[-1]) + 1
    cuts = [*np.searchsorted(owners, np.arange(start, n_stim, batch_size)).tolist(), len(owners)]
    return [range(i, min(i + batch_size, end)) for begin, end in pairwise(cuts) for i in range(begin, end, batch_size)]


def gathered(sink, owners: np.ndarray, start: int = 0):
    """The sink itself where a piece is a stimulus, else one in front of it that averages (`MeanOfPieces`)."""
    return sink if len(owners) == int(owners[-1]) + 1 else MeanOfPieces(sink, owners, start)


class MeanOfPieces:
    """Takes what layers answer to pieces, and hands on the means of stimuli as they become whole.

    Parameters
    ----------
    sink
        With `put`, `batch_done` and `go_back`, as `dnnbrain.networks.sinks.InMemory`.
    owners : ndarray of int, shape (n_piece,), ascending
    start : int
        The stimulus whose pieces come first.

    Notes
    -----
    Of a stimulus that goes on in the next batch one sum per layer is kept.
    """

    def __init__(self, sink, owners: np.ndarray, start: int = 0):
        self.sink, self.owners, self.counts = sink, owners, torch.from_numpy(np.bincount(owners))
        self._first = int(np.searchsorted(owners, start))
        self._state: dict[str, tuple] = {}      # layer -> pieces seen, sum over those of the unfinished stimulus
        self._before: dict[str, tuple] = {}     # the same before the last batch
        self._came = False

    def put(self, layer: str, activ: torch.Tensor) -> None:
        """Take what a layer answers to the next pieces."""
        seen, carried = self._before[layer] = self._state.get(layer, (self._first, None))
        end = seen + len(activ)
        owners, sizes = np.unique(self.owners[seen:end], return_counts=True)
        sums = torch.stack([pieces.sum(0) for pieces in activ.float().split(sizes.tolist())])
        if carried is not None:
            sums[0] += carried
        n_whole = self._whole(end) - int(owners[0])
        self._state[layer] = end, sums[-1].clone() if n_whole < len(sums) else None
        if n_whole:
            counts = self.counts[owners[0]:owners[0] + n_whole].to(sums.device)
            self.sink.put(layer, sums[:n_whole] / counts.view(-1, *[1] * (sums.ndim - 1)))
            self._came = True

    def batch_done(self) -> None:
        """Say that all layers have answered to the batch."""
        if self._came:          # in a long sound, no row may be whole yet
            self.sink.batch_done()

    def go_back(self, pieces: int) -> None:
        """Forget what came after the first `pieces`, with which the last batch began."""
        for layer, (seen, _) in self._state.items():
            if seen > pieces:
                self._state[layer] = self._before[layer]
        self.sink.go_back(self._whole(pieces))

    def _whole(self, pieces: int) -> int:
        """How many stimuli the first pieces make up."""
        return int(self.owners[pieces]) if pieces < len(self.owners) else len(self.counts)
