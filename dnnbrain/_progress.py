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


def _sizeless() -> bool:
    """A terminal that does not tell its size, as in some containers: the bar would be 0 wide."""
    try:
        return 0 in os.get_terminal_size(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):
        return False


def progress(iterable: Iterable | None = None, desc: str | None = None, total: int | None = None,
             unit: str = 'it', leave: bool = True, initial: int = 0):
    """A tqdm bar over `iterable` (or one to `update()` by hand) that shows only when someone looks."""
    from tqdm import tqdm
    size = {'ncols': 80, 'nrows': 24} if _sizeless() else {'dynamic_ncols': True}
    return tqdm(iterable, desc=desc, total=total, unit=unit, leave=leave, initial=initial, file=sys.stderr,
                disable=not _someone_is_looking(), **size)
