"""A progress bar for people at a terminal or in a notebook; silence for pipes and libraries."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

hidden = False      # whether a command was asked to be quiet


def _someone_is_looking() -> bool:
    if hidden:
        return False
    if os.environ.get('RANK', '0') != '0':       # of several processes that do the same, the first shows it
        return False
    return sys.stderr is not None and (sys.stderr.isatty() or 'ipykernel' in sys.modules)


def progress(iterable: Iterable | None = None, desc: str | None = None, total: int | None = None,
             unit: str = 'it', leave: bool = True, initial: int = 0):
    """A tqdm bar over `iterable` (or one to `update()` by hand) that shows only when someone looks."""
    from tqdm import tqdm
    return tqdm(iterable, desc=desc, total=total, unit=unit, leave=leave, initial=initial, file=sys.stderr,
                dynamic_ncols=True, disable=not _someone_is_looking())
