"""Activations of any number of layers in one forward pass.

Hooks pick the units of the mask and pool on the device, and store what is left before the next
module can touch it (an in-place ReLU would). The pass stops after the last layer asked for.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from dnnbrain._checks import BadValue, choice, has_suffix, whole_number, writable_file
from dnnbrain._progress import progress
from dnnbrain.activation.activation import Activation
from dnnbrain.activation.mask import as_mask
from dnnbrain.activation.pool import POOLINGS
from dnnbrain.io.act_h5 import SUFFIX
from dnnbrain.networks.axes import TOKENS
from dnnbrain.networks.content import described, keyed, same_content
from dnnbrain.networks.gathering import gathered, spans
from dnnbrain.networks.recording import recording
from dnnbrain.networks.reduce import reduction
from dnnbrain.networks.sharding import shard_of
from dnnbrain.networks.sinks import DTYPES, InMemory, ToFile, ToFileBehind
from dnnbrain.networks.state import as_model, pick_device, visiting
from dnnbrain.stimuli.checking import without_bad_files
from dnnbrain.stimuli.loaders import batches, picture_set

log = logging.getLogger(__name__)

BATCH_SIZE = 32


def compute_activation(dnn, stimuli, dmask, pool_method: str | None = None, cuda: bool = False, *,
                       device=None, batch_size: int = BATCH_SIZE, n_worker: int | None = None, out=None,
                       dtype: str = 'float32', tokens: str = 'all', shard: tuple[int, int] | None = None,
                       resume: bool = False, overwrite: bool = False, on_error: str = 'raise', reduce=None, fit=None,
                       rng: int = 0, compression: str = 'auto') -> Activation:
    """What layers answer to stimuli.

    Parameters
    ----------
    stimuli : Stimulus, ndarray of shape (n_stim, 3, height, width), uint8, or torch Dataset
        Of a stimulus that is shown in several pieces (a sound, in examples) the answers, masked and
        pooled, are averaged.
    dmask : Mask, str or sequence of str
        Layers and the units of them; names alone mean whole layers. 'relu#2' is the second time a
        shared module is used.
    pool_method : {'max', 'mean', 'median', 'L1', 'L2'}, optional
        Pool each map to one number.
    cuda : bool
        1.0's way to say ``device='cuda'``.
    device : str or torch.device, optional
        Where to compute; by default where the network is. It is moved back afterwards.
    batch_size : int
        Pieces at a time. Halved, with a warning in the log, when the memory of the device is too small for it.
    n_worker : int, optional
        Threads that decode pictures; as many as cores by default.
    out : str, optional
        A ``.act.h5`` to stream to. Memory then does not grow with the number of stimuli, and the
        file appears when it is complete; until then it is ``NAME.act.h5.part``.
    dtype : {'float32', 'float16', 'bfloat16'}
        Of what is kept. bfloat16, which neither numpy nor HDF5 knows, is kept as float32 rounded to it.
    tokens : {'all', 'cls', 'mean', 'patch'}
        Of layers that put out tokens: all, the class token, their mean, or those of patches.
    shard : (i, n), optional
        Only the i-th (from 1) of n parts of the stimuli, divided between batches; `Activation.merge`
        joins the files.
    resume : bool
        With `out`: go on from the part that a broken-off run has left, in the same batches; return at
        once if the file is there and holds what is asked for. Other content is refused.
    overwrite : bool
        With `resume`: begin anew instead of refusing other content.
    on_error : {'raise', 'skip'}
        What happens if files are missing or unreadable, which is found before the run: one sentence
        that lists them, or they are left out of rows and IDs and listed in ``meta['skipped']``.
    reduce : 'srp:N', 'pca:N', a ``.basis.h5`` or a Basis, optional
        Keep N features of each layer, (n_stim, N, 1, 1), after mask and pooling, projected on the device: N very
        sparse random directions, the first N principal components over `fit`, or those of a basis that was made before.
        With `out`, the basis is kept beside it as ``NAME.basis.h5``.
    fit : Stimulus, ndarray or Dataset
        The training list of 'pca:N'; its activations stand on the disk of `out` while the components are computed.
    rng : int
        Seed of random directions.
    compression : {'auto', 'lzf', 'gzip', 'none'}
        Of the file, lossless. 'auto' compresses layers with many zeros by lzf; 'none' writes and reads faster.

    Returns
    -------
    activation : Activation
        Layers (n_stim, n_chn, n_row, n_col) in the order of the mask; fully connected ones
        (n_stim, n_feat, 1, 1). With `out`, still on disk.
    """
    dmask = as_mask(dmask)
    check_settings(pool_method, dtype, tokens, on_error, batch_size, n_worker)
    check_places(dnn, dmask, out, resume)
    device = pick_device(dnn._network(), device, cuda)
    stimuli, skipped = without_bad_files(stimuli, dnn.test_transform) if on_error == 'skip' else (stimuli, [])
    stimuli, whole = shard_of(stimuli, shard, batch_size)
    pictures = picture_set(stimuli, dnn.test_transform)
    ids = stimuli.get('stimID') if hasattr(stimuli, 'get') else None
    reduced = reduction(dnn, reduce, fit, out, rng, resume, shard, dmask=dmask, pool_method=pool_method, device=device,
                        batch_size=batch_size, n_worker=n_worker, tokens=tokens)
    meta = described(dnn, dmask, pool_method, tokens, dtype, shard, skipped, reduced and reduced.key())
    meta |= {} if whole is None else {'whole': whole}
    if out is None:
        sink = InMemory(dmask.layers, pictures.n_stim, ids, meta)
    else:
        meta = keyed(dnn, stimuli, meta)
        if resume and Path(out).exists() and same_content(out, meta['key'], overwrite):
            if reduced is not None:
                reduced.keep()
            return _loaded(out)
        to_file = ToFile if device.type == 'cpu' else ToFileBehind      # the CPU has nothing else to do
        sink = to_file(out, dmask.layers, pictures.n_stim, ids, meta, resume, batch_size, overwrite, compression)
    take = None if reduced is None else lambda put: lambda layer, activ: put(layer, reduced(layer, activ))
    stream(dnn, pictures, dmask, pool_method, sink, device, batch_size, n_worker, tokens, take=take,
           batch_done=None if reduced is None else reduced.keep)
    return sink.activation()


def stream(dnn, pictures, dmask, pool_method: str | None, sink, device: torch.device, batch_size: int = BATCH_SIZE,
           n_worker: int | None = None, tokens: str = 'all', *, take: Callable | None = None,
           batch_done: Callable | None = None) -> None:
    """Show pictures in batches; what layers answer goes to a sink, which keeps of it what it likes.

    Parameters
    ----------
    pictures : PictureSet
    dmask : Mask
    sink
        With `rows`, `put`, `batch_done` and `go_back`, a context, as `dnnbrain.networks.sinks.InMemory`.
    take : callable, optional
        ``take(put)`` gives the function that takes ``(layer, activ)`` in place of `put`, and calls that.
    batch_done : callable, optional
        Called after each batch.
    """
    bar = progress(None, f'{dnn.name} activations', total=len(pictures), unit='img')
    with bar, visiting(dnn.model, device), torch.inference_mode(), sink:
        dnn.model.eval()
        rows, parts = gathered(sink, pictures.owners, sink.rows), spans(pictures.owners, batch_size, sink.rows)
        done = parts[0].start if parts else len(pictures)
        bar.update(done)
        put = rows.put if take is None else take(rows.put)
        with recording(dnn, dmask, pool_method, put, tokens) as look:
            careful = Careful(look, batch_size, rows.go_back)
            for pixels in batches(pictures, batch_size, n_worker, device, parts):
                careful(pixels, done)
                rows.batch_done()
                if batch_done is not None:
                    batch_done()
                done += len(pixels)
                bar.update(len(pixels))


class Careful:
    """Shows batches, smaller ones from the first that does not fit into memory.

    Parameters
    ----------
    look : callable
        Shows a batch.
    batch_size : int
    go_back : callable, optional
        ``go_back(done)`` forgets what a batch has left that was broken off; needless where it leaves nothing.
    """

    def __init__(self, look: Callable, batch_size: int, go_back: Callable = lambda done: None):
        self.look, self.batch_size, self.go_back = look, batch_size, go_back

    def __call__(self, pixels: torch.Tensor, done: int) -> None:
        """Show a batch that comes after `done` stimuli."""
        start = 0
        while start < len(pixels):
            part = pixels[start:start + self.batch_size]
            try:
                self.look(part)
            except (RuntimeError, MemoryError) as error:
                if len(part) == 1 or not _out_of_memory(error):
                    raise
                self.batch_size = len(part) // 2
                log.warning('%d stimuli at once do not fit into memory; going on with %d', len(part), self.batch_size)
                self.go_back(done + start)
                continue
            start += len(part)


def _out_of_memory(error: BaseException) -> bool:
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def check_settings(pool_method, dtype: str, tokens: str, on_error: str, batch_size: int, n_worker) -> None:
    if pool_method is not None:
        choice('pool_method', pool_method, POOLINGS)
    choice('dtype', dtype, tuple(DTYPES))
    choice('tokens', tokens, TOKENS)
    choice('on_error', on_error, ('raise', 'skip'))
    if whole_number(batch_size, 'batch_size') is None or batch_size < 1:
        raise BadValue(f'batch_size must be at least 1, not {batch_size}')
    if whole_number(n_worker, 'n_worker') is not None and n_worker < 0:
        raise BadValue(f'n_worker must be at least 0, not {n_worker}')


def check_places(dnn, dmask, out, resume: bool) -> None:
    """Where to look and where to write: what is wrong is said before any file is looked at."""
    if not dmask.layers:
        raise BadValue('the mask names no layer')
    if resume and out is None:
        raise BadValue('resume needs out, the file to go on with')
    for layer in dmask.layers:
        dnn.layer2path(layer)
    if out is not None:
        writable_file(has_suffix(out, [SUFFIX], 'out'), 'out')


def _loaded(fname) -> Activation:
    activation = Activation()
    activation.load(fname)
    return activation


def output_of(dnn, pictures, device: torch.device, batch_size: int, n_worker: int | None,
              desc: str) -> torch.Tensor:
    """What the whole network puts out for pictures, in eval mode, on the CPU, float32."""
    return torch.cat(list(answers(dnn.model, dnn.name, pictures, device, batch_size, n_worker, desc)))


def answers(model: torch.nn.Module, owner: str, pictures, device: torch.device, batch_size: int,
            n_worker: int | None, desc: str) -> Iterator[torch.Tensor]:
    """What a module puts out for batches of pictures, in eval mode, on the CPU, float32.

    Parameters
    ----------
    owner : str
        What the module is called in messages.
    """
    bar = progress(None, desc, total=len(pictures), unit='img', leave=False)
    with bar, visiting(model, device):
        model.eval()
        for pixels in batches(pictures, batch_size, n_worker, device):
            with torch.inference_mode():                # not around the yield: who asks may want gradients
                output = model(as_model(model, pixels))
            if not isinstance(output, torch.Tensor) or output.ndim < 2 or len(output) != len(pixels):
                came = tuple(getattr(output, 'shape', ())) or type(output).__name__
                raise BadValue(f'{owner} puts out {came} for {len(pixels)} pictures: not one vector per picture')
            yield output.float().cpu()
            bar.update(len(pixels))
