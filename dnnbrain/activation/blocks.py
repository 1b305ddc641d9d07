"""Walk through a layer in blocks that fit in memory, aligned with how it is stored."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from dnnbrain.io.act_h5 import DiskLayer


def stim_blocks(source: np.ndarray | DiskLayer, n_bytes: int,
                span: tuple[slice, ...] = ()) -> Iterator[tuple[slice, np.ndarray]]:
    """(rows, block of shape (n, n_chn, ...)) from the first stimulus to the last.

    Parameters
    ----------
    span : tuple of slice
        Of channels, rows, ...: what is read of them, everything by default.
    """
    units = [len(range(n)[part]) for n, part in zip(source.shape[1:], span, strict=False)]
    one = source.dtype.itemsize * math.prod([*units, *source.shape[1 + len(span):]])
    step = _step(n_bytes // max(one, 1), source, axis=0)
    for start in range(0, max(1, source.shape[0]), step):       # of no stimuli one empty block
        rows = slice(start, min(start + step, source.shape[0]))
        yield rows, source[(rows, *span)]


def unit_blocks(source: np.ndarray | DiskLayer, n_bytes: int) -> Iterator[tuple[slice, np.ndarray]]:
    """(units, block of shape (n_stim, n_unit)); units count along flattened channels, rows, columns.

    Blocks hold whole channels; where the map of one channel over all stimuli is already larger
    than `n_bytes`, some rows of one channel.
    """
    n_stim, n_chn, *rest = source.shape
    per_channel = math.prod(rest)
    one = source.dtype.itemsize * n_stim
    if one * per_channel > n_bytes and rest[0] > 1:
        per_row = per_channel // rest[0]
        step = max(1, n_bytes // max(one * per_row, 1))
        spans = [(slice(c, c + 1), slice(r, min(r + step, rest[0])))
                 for c in range(n_chn) for r in range(0, rest[0], step)]
    else:
        step = _step(n_bytes // max(one * per_channel, 1), source, axis=1)
        spans = [(slice(c, min(c + step, n_chn)), slice(0, rest[0])) for c in range(0, n_chn, step)]
    start = 0
    for channels, lines in spans:
        width = (channels.stop - channels.start) * (lines.stop - lines.start) * math.prod(rest[1:])
        yield slice(start, start + width), source[:, channels, lines].reshape(n_stim, -1)     # no name holds the block
        start += width


def _step(most: int, source: np.ndarray | DiskLayer, axis: int) -> int:
    """About `most`, in whole stored chunks, which would else be read again and again.

    Up to 8 times `most` where one chunk is wider; a wider one yet is cut.
    """
    chunk = max(1, source.chunks[axis]) if isinstance(source, DiskLayer) else 1
    if most >= chunk:
        return most // chunk * chunk
    return max(1, most) if chunk > 8 * most else chunk
