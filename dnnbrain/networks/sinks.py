"""Where activations go, layer by layer and batch by batch: arrays in memory, or a file."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import numpy as np
import torch

from dnnbrain._checks import BadValue
from dnnbrain.activation.activation import Activation
from dnnbrain.io.act_resume import ResumableWriter

DTYPES = {'float32': torch.float32, 'float16': torch.float16, 'bfloat16': torch.bfloat16}
WAITING = 8         # blocks that may wait for the disk


def stored(activ: torch.Tensor, dtype: str) -> torch.Tensor:
    """Activations in the type they are kept in; bfloat16, which numpy does not know, as float32 rounded to it."""
    activ = activ.to(DTYPES[dtype])
    return activ.float() if dtype == 'bfloat16' else activ


def in_range(values: np.ndarray, layer: str) -> np.ndarray:
    """`values`, if float16 holds them; sums over maps may be too large for it."""
    if values.dtype == np.float16 and np.isinf(values).any():
        raise BadValue(f'layer {layer!r} puts out numbers beyond what float16 holds (65504); keep it as float32 or '
                       'bfloat16')
    return values


def copying(activ: torch.Tensor) -> Callable[[], torch.Tensor]:
    """A copy in the memory of the host, begun now; what is returned waits for it.

    From a GPU it goes to pinned memory, in the stream of the network: behind what computed the layer, before what may
    write into it, while this process already launches what comes next.
    """
    if not activ.is_cuda:
        own = activ.to('cpu', copy=True)
        return lambda: own
    host = torch.empty(activ.shape, dtype=activ.dtype, pin_memory=True)
    host.copy_(activ, non_blocking=True)
    there = torch.cuda.Event()
    there.record(torch.cuda.current_stream(activ.device))

    def arrived() -> torch.Tensor:
        there.synchronize()
        return host
    return arrived


class InMemory:
    """Arrays that hold all stimuli."""

    rows = 0

    def __init__(self, layers: list[str], n_stim: int, stim_ids, meta: dict):
        self.layers, self.n_stim, self.stim_ids, self.meta = layers, n_stim, stim_ids, meta
        self._values: dict[str, np.ndarray] = {}
        self._filled = dict.fromkeys(layers, 0)

    def __enter__(self) -> InMemory:
        return self

    def __exit__(self, *error) -> None:
        """Nothing to close."""

    def put(self, layer: str, activ: torch.Tensor) -> None:
        """Copy what a layer answers to the next stimuli."""
        activ = stored(activ, self.meta['dtype'])
        if layer not in self._values:
            kept = np.float16 if activ.dtype == torch.float16 else np.float32
            self._values[layer] = np.empty((self.n_stim, *activ.shape[1:]), kept)
        start = self._filled[layer]
        self._filled[layer] += len(activ)
        came = self._values[layer][start:self._filled[layer]]
        torch.from_numpy(came).copy_(activ)
        in_range(came, layer)

    def batch_done(self) -> None:
        """Nothing to note."""

    def go_back(self, rows: int) -> None:
        """Forget what came after the first `rows` stimuli."""
        self._filled = dict.fromkeys(self.layers, rows)

    def activation(self) -> Activation:
        """What has come."""
        activation = Activation()
        for layer in self.layers:
            activation.set(layer, self._values[layer])
        activation.stim_ids, activation.meta = self.stim_ids, self.meta
        return activation


class ToFile:
    """A ``.act.h5`` that grows batch by batch and appears when it is whole.

    Attributes
    ----------
    rows : int
        How many stimuli are in it already.
    """

    def __init__(self, fname, layers: list[str], n_stim: int, stim_ids, meta: dict, resume: bool = False,
                 step: int = 1, overwrite: bool = False, compression: str = 'auto'):
        self.fname, self.dtype = fname, meta['dtype']
        self._writer = ResumableWriter(fname, n_stim, stim_ids, meta, layers, compression, resume, step, overwrite)

    def __enter__(self) -> ToFile:
        self._writer.__enter__()
        self.rows = self._writer.rows
        return self

    def __exit__(self, *error) -> None:
        self._writer.__exit__(*error)

    def put(self, layer: str, activ: torch.Tensor) -> None:
        """Write what a layer answers to the next stimuli."""
        self._writer.write({layer: in_range(stored(activ, self.dtype).cpu().contiguous().numpy(), layer)})

    def batch_done(self) -> None:
        """Say that all layers have answered to the batch."""
        self._writer.batch_done()

    def go_back(self, rows: int) -> None:
        """Forget what came after the first `rows` stimuli."""
        self._writer.go_back(rows)

    def activation(self) -> Activation:
        """The file, unread."""
        activation = Activation()
        activation.load(self.fname)
        return activation


class ToFileBehind(ToFile):
    """The same, written by a thread, so that the network goes on while the disk is busy."""

    def __enter__(self) -> ToFileBehind:
        super().__enter__()
        self._waiting: queue.Queue = queue.Queue(WAITING)
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._write, name='write', daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind, error, trace) -> None:
        self._waiting.put(None)
        self._thread.join()
        if kind is None and self._problem is not None:
            kind, error, trace = type(self._problem), self._problem, self._problem.__traceback__
            super().__exit__(kind, error, trace)
            raise error
        super().__exit__(kind, error, trace)

    def put(self, layer: str, activ: torch.Tensor) -> None:
        """Hand over a copy of what a layer answers to the next stimuli."""
        self._hand_over(self._put_arrived, layer, copying(stored(activ, self.dtype)))

    def _put_arrived(self, layer: str, arrived: Callable[[], torch.Tensor]) -> None:
        super().put(layer, arrived())

    def batch_done(self) -> None:
        self._hand_over(super().batch_done)

    def go_back(self, rows: int) -> None:
        self._hand_over(super().go_back, rows)

    def _hand_over(self, work, *args) -> None:
        if self._problem is not None:
            raise self._problem
        self._waiting.put((work, args))

    def _write(self) -> None:
        while (job := self._waiting.get()) is not None:
            if self._problem is None:
                try:
                    job[0](*job[1])
                except BaseException as problem:     # raised where the next block is handed over
                    self._problem = problem
