"""``.npy`` and ``.npz`` of numpy, written block by block and read without pickles."""

from __future__ import annotations

import zipfile
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy_format

from dnnbrain._checks import BadValue, existing_file
from dnnbrain.io.streams import ArrayStream


def write_npy(file: BinaryIO, stream: ArrayStream) -> None:
    """Write a ``.npy`` into an open file."""
    npy_format.write_array_header_1_0(file, {
        'descr': npy_format.dtype_to_descr(stream.dtype), 'fortran_order': False, 'shape': stream.shape})
    for block in stream.blocks():
        file.write(block.tobytes())


def write_npz(path, streams: dict[str, ArrayStream], arrays: dict[str, np.ndarray]) -> None:
    """Write a ``.npz``, uncompressed as `numpy.savez` does: streams, then small arrays."""
    with zipfile.ZipFile(path, 'w') as archive:
        for name, stream in streams.items():
            with archive.open(f'{name}.npy', 'w', force_zip64=True) as file:
                write_npy(file, stream)
        for name, array in arrays.items():
            with archive.open(f'{name}.npy', 'w') as file:
                npy_format.write_array(file, np.asarray(array), allow_pickle=False)


def read_npy(path) -> np.ndarray:
    """An array that stays on disk until it is used; changes to it stay in memory.

    Raises
    ------
    BadValue
        It holds a pickle, is damaged, or is no ``.npy``.
    """
    path = existing_file(path)
    with path.open('rb') as file:
        if file.read(6) != npy_format.MAGIC_PREFIX:
            raise BadValue(f'file {str(path)!r} is not a .npy of numpy; write it anew with numpy.save')
    try:
        return np.load(path, mmap_mode='c', allow_pickle=False)
    except ValueError as error:
        raise _unreadable(path, '', error) from None


def open_npz(path) -> np.lib.npyio.NpzFile:
    """A ``.npz`` whose arrays are read when asked for, by `npz_array`."""
    path = existing_file(path)
    try:
        found = np.load(path, allow_pickle=False)
    except (ValueError, zipfile.BadZipFile, EOFError):
        found = None
    if not isinstance(found, np.lib.npyio.NpzFile):
        raise BadValue(f'file {str(path)!r} is damaged, or not a .npz of numpy; write it anew with numpy.savez')
    return found


def npz_array(path, key: str) -> np.ndarray:
    """One array of a ``.npz``."""
    with open_npz(path) as archive:
        try:
            return archive[key]
        except (ValueError, zipfile.BadZipFile, EOFError) as error:
            raise _unreadable(path, f' under {key!r}', error) from None


def _unreadable(path, where: str, error: Exception) -> BadValue:
    if 'pickle' in str(error) or 'object' in str(error).lower():
        return BadValue(f'file {str(path)!r} holds Python objects{where}, which could run code when read; save it '
                        'anew as plain arrays of numbers or text')
    return BadValue(f'file {str(path)!r} is damaged{where}; write it anew')
