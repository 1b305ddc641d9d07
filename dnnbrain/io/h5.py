"""What the three HDF5 formats share: opening kindly, and text that h5py accepts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import h5py
import numpy as np

from dnnbrain._checks import BadValue, existing_file, has_suffix


@contextmanager
def open_h5(fname, suffix: str, argument: str) -> Iterator[h5py.File]:
    """An HDF5 file open for reading; a truncated or foreign file gets a sentence."""
    path = existing_file(has_suffix(fname, [suffix], argument), argument)
    try:
        file = h5py.File(path, 'r', locking=False)   # shared file systems of clusters cannot lock
    except OSError as error:
        why = 'is truncated' if 'truncated' in str(error) else 'is not a readable HDF5 file'
        raise BadValue(f'{argument} {str(path)!r} {why}; write it anew') from None
    with file:
        yield file


def safe_name(name: str, argument: str) -> str:
    """`name` if HDF5 can store it as one key.

    Raises
    ------
    BadValue
        It is empty, '.', '..' or holds '/', which HDF5 reads as a path.
    """
    if name in ('', '.', '..') or '/' in name:
        raise BadValue(f"{argument} {name!r} cannot be a name in an HDF5 file: it must not be empty, '.' or '..', "
                       "nor hold '/'; rename it")
    return name


def write_text(group: h5py.Group, name: str, values) -> None:
    """A 1-D dataset of variable-length UTF-8 text."""
    data = np.array([str(v) for v in values], dtype=object)
    group.create_dataset(name, data=data, dtype=h5py.string_dtype())


def read_ids(group: h5py.Group, name: str) -> np.ndarray | None:
    """Text or integer IDs as a numpy array; None if there are none."""
    if name not in group:
        return None
    data = group[name]
    return data[()] if data.dtype.kind in 'iu' else np.array(data.asstr()[()], dtype=str)


def write_ids(group: h5py.Group, name: str, ids) -> None:
    """Integer IDs as they are, others as text; nothing where `ids` is None."""
    if ids is None:
        return
    if np.asarray(ids).dtype.kind in 'iu':
        group.create_dataset(name, data=np.asarray(ids, dtype=np.int64))
    else:
        write_text(group, name, ids)
