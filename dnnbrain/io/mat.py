"""``.mat`` of MATLAB: version 5 through scipy, larger ones as version 7.3, which is HDF5.

Version 7.3 is an HDF5 file behind 512 bytes of MATLAB's own; each dataset tells its class in an attribute
`MATLAB_class`, axes are in reverse order, text is UTF-16 in uint16, and a cell holds references to ``#refs#``.
"""

from __future__ import annotations

import re

import h5py
import numpy as np

from dnnbrain._checks import BadValue, existing_file
from dnnbrain.io.chunks import chunk_shape
from dnnbrain.io.streams import ArrayStream, distinct_names

V5_BYTES = 2 ** 29       # scipy holds a variable in memory, twice; version 5 ends at 2 ** 31 bytes
_LONGEST = 63            # namelengthmax of MATLAB
_KEYWORDS = set('''break case catch classdef continue else elseif end for function global if otherwise parfor
                   persistent return spmd switch try while'''.split())
_CLASSES = {'float32': 'single', 'float64': 'double'}
_HEADER = b'MATLAB 7.3 MAT-file, written by dnnbrain'


def matlab_names(names, taken=()) -> list[str]:
    """Names that MATLAB takes for variables: 'layer1.0.conv1' becomes 'layer1_0_conv1', '0' becomes 'layer_0'."""
    def clean(name: str) -> str:
        name = re.sub(r'[^A-Za-z0-9_]', '_', name)
        return name if re.match('[A-Za-z]', name) and name not in _KEYWORDS else f'layer_{name}'
    return distinct_names(names, clean, taken, _LONGEST)


def write_mat(path, streams: dict[str, ArrayStream], small: dict) -> None:
    """Write a ``.mat``: version 5 up to `V5_BYTES` in all, else 7.3 in bounded memory.

    Parameters
    ----------
    path : Path
    streams : dict
        Name of a variable -> ArrayStream. Half precision becomes single, truth values uint8.
    small : dict
        Name -> text, list of text (a cell, n x 1) or ndarray of numbers.
    """
    large = sum(stream.nbytes for stream in streams.values()) > V5_BYTES
    (_write_v73 if large else _write_v5)(path, streams, small)


def read_mat(path) -> dict:
    """Name -> ndarray of numbers, list of text (a cell of nothing but text) or text; other classes are left out.

    Raises
    ------
    BadValue
        The file is damaged or of another kind.
    """
    import scipy.io
    path = existing_file(path)
    try:
        if h5py.is_hdf5(path):
            with h5py.File(path, 'r', locking=False) as file:
                found = {name: _from_v73(item) for name, item in file.items() if isinstance(item, h5py.Dataset)}
        else:
            found = {name: _from_v5(value) for name, value in scipy.io.loadmat(path, chars_as_strings=True).items()
                     if not name.startswith('__')}
    except (ValueError, TypeError, OSError, KeyError, NotImplementedError) as error:
        raise BadValue(f'file {str(path)!r} is damaged, or not a .mat of MATLAB ({error}); write it anew') from None
    return {name: value for name, value in found.items() if value is not None}


def _matlab_dtype(dtype: np.dtype) -> np.dtype:
    return np.dtype({'b': np.uint8, 'f': np.float32 if dtype.itemsize < 8 else np.float64}.get(dtype.kind, dtype))


class _ReadWhenWritten(dict):
    """Streams that are read one after the other while scipy writes them."""

    def items(self):
        for name, value in super().items():
            yield name, _whole(value) if isinstance(value, ArrayStream) else value


def _whole(stream: ArrayStream) -> np.ndarray:
    out, start = np.empty(stream.shape, _matlab_dtype(stream.dtype)), 0
    for block in stream.blocks():
        out[start:start + len(block)] = block.reshape(-1, *stream.shape[1:])
        start += len(block)
    return out


def _write_v5(path, streams: dict[str, ArrayStream], small: dict) -> None:
    import scipy.io
    small = {name: _cell(value) if isinstance(value, list) else value for name, value in small.items()}
    scipy.io.savemat(path, _ReadWhenWritten(streams | small), appendmat=False, long_field_names=True,
                     oned_as='column')


def _cell(texts: list[str]) -> np.ndarray:
    cell = np.empty((len(texts), 1), dtype=object)
    cell[:, 0] = texts
    return cell


def _write_v73(path, streams: dict[str, ArrayStream], small: dict) -> None:
    with h5py.File(path, 'w', userblock_size=512, track_order=True) as file:
        for name, stream in streams.items():
            dtype = _matlab_dtype(stream.dtype)
            data = file.create_dataset(name, stream.shape[::-1], dtype, chunks=chunk_shape(
                stream.shape, dtype.itemsize)[::-1])
            _told(data, dtype)
            start = 0
            for block in stream.blocks():
                data[..., start:start + len(block)] = block.reshape(-1, *stream.shape[1:]).T
                start += len(block)
        for name, value in small.items():
            _SMALL[type(value)](file, name, value)
    with open(path, 'r+b') as file:
        file.write(_HEADER.ljust(116) + bytes(8) + b'\x00\x02IM')


def _told(data: h5py.Dataset, dtype: np.dtype) -> None:
    data.attrs['MATLAB_class'] = np.bytes_(_CLASSES.get(dtype.name, dtype.name))


def _put_numbers(file: h5py.File, name: str, values: np.ndarray) -> None:
    values = values.reshape(-1, 1) if values.ndim < 2 else values
    _told(file.create_dataset(name, data=values.T), values.dtype)


def _put_text(file: h5py.Group, name: str, text: str) -> h5py.Dataset:
    units = np.frombuffer(text.encode('utf-16-le'), dtype=np.uint16).reshape(-1, 1)
    data = file.create_dataset(name, data=units if len(units) else np.zeros(2, np.uint64))
    data.attrs['MATLAB_class'] = np.bytes_('char')
    data.attrs['MATLAB_int_decode'] = np.int32(2)
    if not len(units):
        data.attrs['MATLAB_empty'] = np.uint8(1)
    return data


def _put_cell(file: h5py.File, name: str, texts: list[str]) -> None:
    refs = file.require_group('#refs#')
    cell = file.create_dataset(name, (1, len(texts)), h5py.ref_dtype)
    cell.attrs['MATLAB_class'] = np.bytes_('cell')
    cell[0] = np.array([_put_text(refs, f'{name}_{number}', text).ref for number, text in enumerate(texts)],
                       dtype=h5py.ref_dtype)


_SMALL = {np.ndarray: _put_numbers, str: _put_text, list: _put_cell}


def _from_v5(value):
    if value.dtype == object:
        texts = [item.item() if item.dtype.kind == 'U' and item.size == 1 else '' if item.size == 0 else None
                 for item in value.ravel()]
        return None if None in texts else texts
    if value.dtype.kind == 'U':
        return value.item() if value.size == 1 else None
    return value if value.dtype.kind in 'biuf' else None


def _from_v73(data: h5py.Dataset):
    kind = data.attrs.get('MATLAB_class', b'')
    if kind == b'cell':
        texts = [_from_v73(data.file[ref]) for ref in data[()].T.ravel()]
        return texts if all(isinstance(text, str) for text in texts) else None
    if 'MATLAB_empty' in data.attrs:
        return '' if kind == b'char' else None
    if kind == b'char':
        return data[()].T.ravel().astype('<u2').tobytes().decode('utf-16-le')
    return data[()].T if data.dtype.kind in 'biuf' else None
