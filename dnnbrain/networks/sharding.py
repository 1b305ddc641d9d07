"""Parts of a list of stimuli, each for a run of its own, and what tells later that they belong together."""

from __future__ import annotations

import hashlib

from dnnbrain._checks import BadType, BadValue
from dnnbrain.stimuli.loaders import part_of


def shard_span(n: int, shard: tuple[int, int], batch_size: int) -> slice:
    """Rows of the i-th of n parts; they begin and end between batches, so that batches are those of one run."""
    if not isinstance(shard, tuple | list) or [type(number) for number in shard] != [int, int]:
        raise BadType(f'shard must be (i, n), the i-th of n parts such as (1, 4), not {shard!r}')
    i, parts = shard
    n_batch = -(-n // batch_size)
    if not 1 <= i <= parts <= n_batch:
        raise BadValue(f'shard {i}/{parts} is not possible: parts count from 1, and {n} stimuli in batches of '
                       f'{batch_size} can be divided into at most {n_batch}')
    cuts = [n_batch * k // parts * batch_size for k in (i - 1, i)]
    return slice(cuts[0], min(cuts[1], n))


def shard_of(stimuli, shard: tuple[int, int] | None, batch_size: int) -> tuple:
    """The i-th of n parts of the stimuli, and of which whole it is; all of them and None without a `shard`.

    Returns
    -------
    stimuli : the same kind of thing
    whole : dict or None
        `n_stim`, the `rows` (start, stop) of the part, and a hash of the `list` of IDs; merging compares them.
    """
    if shard is None:
        return stimuli, None
    span = shard_span(len(stimuli), shard, batch_size)
    ids = [str(name) for name in stimuli.get('stimID')] if hasattr(stimuli, 'get') else []
    whole = {'n_stim': len(stimuli), 'rows': [span.start, span.stop],
             'list': hashlib.sha256('\n'.join(ids).encode(errors='surrogateescape')).hexdigest()}
    return part_of(stimuli, range(len(stimuli))[span]), whole
