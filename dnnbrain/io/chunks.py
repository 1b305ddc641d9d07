"""The chunks in which a layer is stored."""

from __future__ import annotations

import math

_CHUNK_BYTES = 2 ** 22
_CHUNK_STIMULI = 32


def chunk_shape(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Some stimuli x some channels x the whole map, a few megabytes, with little waste at the edge."""
    n_stim, n_chn, *rest = shape
    one = itemsize * math.prod(rest)
    stimuli = _CHUNK_STIMULI                     # halved, so that batches of powers of two fill chunks
    while stimuli > 1 and stimuli * one > _CHUNK_BYTES:
        stimuli //= 2
    stimuli = max(1, min(n_stim, stimuli))
    most = max(1, min(n_chn, _CHUNK_BYTES // (one * stimuli)))
    channels = min(range((most + 1) // 2, most + 1), key=lambda c: (-n_chn % c, -c))
    return (stimuli, channels, *rest)
