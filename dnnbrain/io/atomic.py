"""A file with the final name is always whole."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dnnbrain._checks import writable_file


@contextmanager
def atomic(fname) -> Iterator[Path]:
    """Yield a temporary name beside `fname`; move it into place if the block ends well.

    The temporary name is hidden and keeps the suffixes of `fname` (nibabel and numpy choose the
    format by them). If the block raises, interrupts included, nothing is left behind and a file
    that already had the final name is untouched.

    Raises
    ------
    BadPath, BadValue
        The folder is missing or cannot be written to, or `fname` is a folder.
    """
    final = writable_file(fname)
    part = final.with_name(f'.part-{secrets.token_hex(4)}-{final.name}')
    try:
        yield part
        os.replace(part, final)
    finally:
        part.unlink(missing_ok=True)
