"""One writer per file: a second run is told, before it ruins the work of the first."""

from __future__ import annotations

import os
from pathlib import Path

from dnnbrain._checks import BadValue

try:
    import fcntl
except ImportError:             # Windows
    fcntl = None


class WriterLock:
    """A lock that ends with its process, kills included. While it is held ``NAME.lock`` stands beside the file.

    Parameters
    ----------
    path : Path
        The file to be written. HDF5's own lock does not serve: it is given up when readers are let in.
    """

    def __init__(self, path: Path):
        self.path, self._place, self._file = path, Path(f'{path}.lock'), None

    def take(self) -> None:
        """Hold the lock from now on.

        Raises
        ------
        BadValue
            Another writer holds it.
        """
        if fcntl is None:
            return
        file = os.open(self._place, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            raise BadValue(f'{str(self.path)!r} is being written by another run; wait for its end, or give another '
                           'name') from None
        except OSError:         # a file system without locks, as some clusters have
            os.close(file)
            self._place.unlink(missing_ok=True)
            return
        self._file = file

    def release(self) -> None:
        """Give it up."""
        if self._file is not None:
            self._place.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None
