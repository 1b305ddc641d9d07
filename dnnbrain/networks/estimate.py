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

from dnnbrain.activation.basis import parse
from dnnbrain.activation.mask import as_mask
from dnnbrain.networks.recording import recording
from dnnbrain.networks.reduce import reduction
from dnnbrain.networks.sharding import shard_of
from dnnbrain.networks.sinks import stored
from dnnbrain.networks.state import pick_device, visiting
from dnnbrain.stimuli.checking import without_bad_files
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
    n_stim : int
        Rows of the layers.
    n_shown : int
        What the network is shown: as many pictures, but examples of sounds.
    """

    table: pd.DataFrame
    n_bytes: int
    free: int
    seconds: float
    memory: int
    n_stim: int
    n_shown: int

    def __str__(self) -> str:
        hours, minutes, seconds = int(self.seconds // 3600), int(self.seconds // 60 % 60), self.seconds % 60
        shown = self.table.assign(bytes=[f'{n:,}' for n in self.table['bytes']])
        pieces = f'{self.n_stim:,} stimuli are shown in {self.n_shown:,} pieces\n' if self.n_shown > self.n_stim else ''
        return (f'{shown.to_string(index=False)}\n{pieces}'
                f'{self.n_bytes / 1e9:.3f} GB uncompressed, {self.free / 1e9:.1f} GB free on the disk\n'
                f'about {hours} h {minutes:02d} min {seconds:04.1f} s, {self.memory / 1e9:.1f} GB of memory')


def estimate(dnn, stimuli, dmask, pool_method: str | None = None, out='.', *, device=None, batch_size: int = 32,
             n_worker: int | None = None, dtype: str = 'float32', tokens: str = 'all', reduce=None, fit=None,
             shard: tuple[int, int] | None = None, on_error: str = 'raise') -> Estimate:
    """What `compute_activation` with the same arguments would take; nothing is written.

    Parameters
    ----------
    out : str
        Where the file would go.
    reduce, fit, shard, on_error
        As of `compute_activation`; of 'pca:N' the fit does not count.
    """
    dmask = as_mask(dmask)
    if isinstance(reduce, str) and reduce.startswith('pca:'):
        reduce, fit = f'srp:{parse(reduce)[1]}', None       # directions of any kind take the same space and time
    reduced = reduction(dnn, reduce, fit, None, 0, False, None)
    device = pick_device(dnn._network(), device)
    if on_error == 'skip':
        stimuli, _ = without_bad_files(stimuli, dnn.test_transform)
    stimuli, _ = shard_of(stimuli, shard, batch_size)
    pictures = picture_set(stimuli, dnn.test_transform)
    n, n_shown = pictures.n_stim, len(pictures)
    found: dict[str, tuple] = {}

    def put(layer: str, activ: torch.Tensor) -> None:
        activ = stored(activ if reduced is None else reduced(layer, activ), dtype).cpu()
        found[layer] = (n, *activ.shape[1:]), activ.element_size() * activ[0].numel() * n
    first = Part(pictures, range(min(n_shown, batch_size * N_TIMED)))
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
                    n_shown * statistics.median(times[1:] or times), _peak(), n, n_shown)


def _peak() -> int:
    """The most memory this process has held, in bytes; 0 where the system does not tell."""
    status = Path('/proc/self/status')
    if status.exists():                          # where it is, since ru_maxrss also counts the process that began this
        line = next((line for line in status.read_text().splitlines() if line.startswith('VmHWM')), 'VmHWM: 0 kB')
        return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:                          # Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == 'darwin' else 1024)
