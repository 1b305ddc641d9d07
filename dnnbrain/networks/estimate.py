"""What an extraction would take, from a few batches: shapes, bytes, time, memory."""

from __future__ import annotations

import shutil
import statistics
import sys
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pandas as pd
import torch

from dnnbrain.activation.mask import as_mask
from dnnbrain.networks.recording import recording
from dnnbrain.networks.sinks import stored
from dnnbrain.networks.state import pick_device, visiting
from dnnbrain.stimuli.images import Part
from dnnbrain.stimuli.loaders import batches, picture_set

N_TIMED = 4         # batches; the first, which warms up, does not count


@dataclass(frozen=True)
class Estimate:
    """What `estimate` finds.

    Attributes
    ----------
    table : DataFrame
        A row per layer: layer, shape (of all stimuli), bytes (uncompressed).
    n_bytes : int
        Of all layers.
    free : int
        Bytes on the disk of the output.
    seconds : float
        For all stimuli, decoding included, writing not.
    memory : int
        Bytes this process has held at most so far; it does not grow with the number of stimuli.
    """

    table: pd.DataFrame
    n_bytes: int
    free: int
    seconds: float
    memory: int

    def __str__(self) -> str:
        hours, minutes, seconds = int(self.seconds // 3600), int(self.seconds // 60 % 60), self.seconds % 60
        shown = self.table.assign(bytes=[f'{n:,}' for n in self.table['bytes']])
        return (f'{shown.to_string(index=False)}\n'
                f'{self.n_bytes / 1e9:.3f} GB uncompressed, {self.free / 1e9:.1f} GB free on the disk\n'
                f'about {hours} h {minutes:02d} min {seconds:04.1f} s, {self.memory / 1e9:.1f} GB of memory')


def estimate(dnn, stimuli, dmask, pool_method: str | None = None, out='.', *, device=None, batch_size: int = 32,
             n_worker: int | None = None, dtype: str = 'float32', tokens: str = 'all') -> Estimate:
    """What `compute_activation` with the same arguments would take; nothing is written.

    Parameters
    ----------
    out : str
        Where the file would go.
    """
    dmask = as_mask(dmask)
    device = pick_device(dnn._network(), device)
    pictures = picture_set(stimuli, dnn.test_transform)
    n = len(pictures)
    found: dict[str, tuple] = {}

    def put(layer: str, activ: torch.Tensor) -> None:
        activ = stored(activ, dtype).cpu()
        found[layer] = (n, *activ.shape[1:]), activ.element_size() * activ[0].numel() * n
    first = Part(pictures, range(min(n, batch_size * N_TIMED)))
    times = []
    with visiting(dnn.model, device), torch.inference_mode(), recording(dnn, dmask, pool_method, put, tokens) as look:
        dnn.model.eval()
        began = time.perf_counter()
        for pixels in islice(batches(first, batch_size, n_worker, device), N_TIMED):
            look(pixels)
            times.append((time.perf_counter() - began) / len(pixels))
            began = time.perf_counter()
    table = pd.DataFrame([{'layer': layer, 'shape': ' x '.join(map(str, found[layer][0])), 'bytes': found[layer][1]}
                          for layer in dmask.layers])
    return Estimate(table, int(table['bytes'].sum()), shutil.disk_usage(Path(out).absolute().parent).free,
                    n * statistics.median(times[1:] or times), _peak())


def _peak() -> int:
    """The most memory this process has held, in bytes; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:                          # Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == 'darwin' else 1024)
