"""An ``.act.h5`` that survives its writer: a run that was killed or broken off is gone on from.

Until it is whole, the file is called ``NAME.act.h5.part``. HDF5's single-writer mode keeps it readable at any moment
(its structure is fixed after the first batch, and data reach the disk before the index that names them), so that a
killed run costs nothing but the copying of what it had written.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from pathlib import Path

import h5py
import numpy as np

from dnnbrain._checks import BadValue, writable_file
from dnnbrain.io.act_writer import PAGES, ActWriter, write_meta
from dnnbrain.io.locking import WriterLock

log = logging.getLogger(__name__)

MARK_EVERY = 1.0        # seconds between notes of how much is there


class ResumableWriter(ActWriter):
    """Append blocks of stimuli; after an end of any kind but the good one, the part that is there can be resumed.

    Parameters
    ----------
    fname, n_stim, stim_ids, meta, layers, compression
        As in `ActWriter`; all layers must come with the first batch. ``meta['key']`` tells one
        content from another.
    resume : bool
        Go on from the part that is there.
    overwrite : bool
        With `resume`: begin anew where the part belongs to other content.
    step : int
        `rows` is a multiple of it: the batch size, so that batches are those of an unbroken run.

    Attributes
    ----------
    rows : int
        How many stimuli the file had when it was opened; give those that follow.

    Raises
    ------
    BadValue
        The part belongs to other content, or another run is writing it; or the disk cannot hold the file, found
        after the first batch.
    """

    def __init__(self, fname, n_stim: int, stim_ids, meta: dict, layers, compression: str = 'auto',
                 resume: bool = False, step: int = 1, overwrite: bool = False):
        super().__init__(fname, n_stim, stim_ids, meta, layers, compression)
        writable_file(self.path)
        self.part, self._before = (Path(f'{self.path}.{end}') for end in ('part', 'part.before'))
        self.resume, self.overwrite, self.step, self.rows = resume, overwrite, step, 0
        self._settled, self._marked = False, 0.0
        writable_file(self.part)
        self._lock = WriterLock(self.path)

    def __enter__(self) -> ResumableWriter:
        self._lock.take()
        try:
            self._open()
        except BaseException:
            self._lock.release()
            raise
        return self

    def _open(self) -> None:
        if self.resume:
            self._keep_the_longer()
            if self._reopen():
                return
        self._file = h5py.File(self.part, 'w', libver='latest', track_order=True, rdcc_nbytes=0, **PAGES)
        if self.resume and self._before.exists():
            self._copy()
        self._before.unlink(missing_ok=True)

    def batch_done(self) -> None:
        if not self._settled:
            self._settle()
        if time.monotonic() - self._marked >= MARK_EVERY:
            self._mark()

    def _settle(self) -> None:
        """Write what is known beforehand; from here on only data change."""
        self._fits()
        meta = write_meta(self._file, self.meta, self.layers, self.stim_ids)
        meta.create_dataset('rows', (1,), np.int64, chunks=(1,))
        self._file.swmr_mode = True
        self._settled = True

    def _fits(self) -> None:
        """Refuse to begin what the disk cannot hold; compressed layers count by the sparseness of their beginning."""
        need = sum(self._file[layer].nbytes * (0.6 if self._file[layer].compression else 1) for layer in self._written)
        free = shutil.disk_usage(self.path.absolute().parent).free + self._file.id.get_filesize()
        if need > free:
            raise BadValue(f'the activations need about {need / 1e9:.1f} GB, but the disk of {str(self.path)!r} has '
                           f'{free / 1e9:.1f} GB free; mask or pool, or choose another disk')

    def _mark(self) -> None:
        """Note how many stimuli are whole, once they are."""
        self._file.flush()
        self._file['meta/rows'][0] = min(self._written.values(), default=0)
        self._file.flush()
        self._marked = time.monotonic()

    def __exit__(self, kind, error, trace) -> None:
        try:
            self._leave(kind, error)
        finally:
            self._lock.release()

    def _leave(self, kind, error) -> None:
        try:
            if kind is None:
                self._finish()
            elif self._settled:
                self._mark()
            self._file.close()
        except BaseException as problem:
            self._give_up()
            if kind is None:
                raise _told(problem, self.path) from problem
        if kind is None:
            os.replace(self.part, self.path)
        elif not self._settled:
            self.part.unlink(missing_ok=True)
        elif not self.path.parent.name.startswith('.'):         # such as that of a fit, which goes with all it holds
            log.warning('%s holds what came before the end; resume goes on from it', self.part)
        if kind is not None and _told(error, self.path) is not error:
            raise _told(error, self.path) from error

    def _finish(self) -> None:
        self._append_rests()
        self._mark()

    def _give_up(self) -> None:
        """Close a file that cannot be written any more."""
        try:
            self._file.close()
        except Exception:                        # a full disk again; what reached it stays readable
            log.debug('%s could not be closed', self.part, exc_info=True)

    def _keep_the_longer(self) -> None:
        """Of a part and what it was being copied from, keep what holds more, under the name of the part."""
        if self._before.exists() and (not self.part.exists() or _rows(self.part)[0] < _rows(self._before)[0]):
            os.replace(self._before, self.part)

    def _reopen(self) -> bool:
        """Go on in the part itself if it was closed well; else put it aside to be copied."""
        if not self.part.exists():
            return False
        rows, key = _rows(self.part)
        if rows and key != self.meta.get('key'):
            if not self.overwrite:
                raise BadValue(f'{str(self.part)!r} is the part of another extraction; remove it, overwrite, or do not '
                               'resume')
            self._before.unlink(missing_ok=True)
            return False
        try:
            self._file = h5py.File(self.part, 'r+', libver='latest', rdcc_nbytes=0)
        except OSError:                          # killed: still marked as being written
            os.replace(self.part, self._before)
            return False
        if not rows:
            self._file.close()
            return False
        self._file.swmr_mode = True
        self._settled = True
        self.rows = rows - rows % self.step
        for layer in self.layers:
            self._written[layer], self._rest[layer] = self.n_stim, np.empty(0)
        self.go_back(self.rows)
        return True

    def _copy(self) -> None:
        """What a killed run has left."""
        rows, key = _rows(self._before)
        rows -= rows % self.step
        if not rows:
            return
        with h5py.File(self._before, 'r', swmr=True) as old:
            step = max(old[layer].chunks[0] for layer in self.layers)
            for start in range(0, rows, step):
                for layer in self.layers:
                    self.write({layer: old[layer][start:min(start + step, rows)]})
                self.batch_done()
        self._mark()
        self.rows = rows


def _rows(part: Path) -> tuple[int, str | None]:
    """How many stimuli a part holds, and the key of their content; 0 if it cannot be read."""
    try:
        with h5py.File(part, 'r', swmr=True) as file:
            return int(file['meta/rows'][0]), json.loads(file['meta/json'].asstr()[()]).get('key')
    except (OSError, KeyError, ValueError, RuntimeError):
        return 0, None


def _told(problem: BaseException, path: Path) -> BaseException:
    """A full disk in one sentence."""
    if isinstance(problem, OSError | RuntimeError) and 'space left' in str(problem):
        return OSError(f'the disk of {str(path)!r} is full; make room, then resume')
    return problem
