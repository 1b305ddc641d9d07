"""Which arrays are in the files and folders of other tools, and how their stimuli are called."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from dnnbrain._checks import BadPath, BadValue, existing_file, same_ids
from dnnbrain.activation.exchange.foreign_npz import layers_among, read_npz_files
from dnnbrain.activation.exchange.foreign_table import read_csv, read_txt
from dnnbrain.io.mat import read_mat
from dnnbrain.io.npy import read_npy

FILE_NAMES = 'file_names.txt'
_PIECE = re.compile(r'features(?:_(?P<layer>.+))?_(?P<first>\d+)-(?P<last>\d+)')
_TORCH = ('.pt', '.pth', '.pkl', '.pickle')


@dataclass
class Found:
    """What is in files, before it is read.

    Attributes
    ----------
    layers : dict
        Name in the file -> function that reads an ndarray with a row per stimulus.
    ids : ndarray of shape (n_stim,) or None
    meta : dict
    """

    layers: dict[str, Callable[[], np.ndarray]]
    ids: np.ndarray | None = None
    meta: dict = field(default_factory=dict)


def find_layers(path: Path, layout: str) -> Found:
    """The layers of a file or folder, as `from_files` describes them."""
    return _read_folder(path, layout) if path.is_dir() else _read_file(path, layout)


def _read_file(path: Path, layout: str) -> Found:
    if path.suffix.lower() in _TORCH:
        raise BadValue(f'file {str(path)!r} is a pickle, which can run code when read; load it where you trust it, '
                       'torch.load(..., weights_only=True), and save the array as .npy')
    if path.name.lower().endswith('.act.h5'):
        raise BadValue(f'file {str(path)!r} is an activation file of dnnbrain; read it with load')
    if path.suffix.lower() not in _READERS:
        raise BadValue(f'file {str(path)!r} must end in {", ".join(_READERS)}, or be a folder of such files')
    found = _READERS[path.suffix.lower()](existing_file(path), layout)
    if not found.layers:
        raise BadValue(f'file {str(path)!r} holds no array of numbers with a row per stimulus')
    return _with_file_names(found, path.parent)


def _with_file_names(found: Found, folder: Path) -> Found:
    """IDs from a list of thingsvision, where there are none yet."""
    if found.ids is None and (folder / FILE_NAMES).exists():
        lines = existing_file(folder / FILE_NAMES).read_text(encoding='utf-8').splitlines()
        found.ids = np.array([line.strip() for line in lines if line.strip()], dtype=str)
    return found


def _read_folder(folder: Path, layout: str) -> Found:
    files = [file for file in sorted(folder.iterdir(), key=_natural)
             if file.is_file() and file.name != FILE_NAMES and not file.name.startswith('.')]
    known = [file for file in files if file.suffix.lower() in _READERS]
    if not known:
        return _read_subfolders(folder, layout, files)
    kinds = sorted({file.suffix.lower() for file in known})
    if len(kinds) > 1:
        raise BadValue(f'folder {str(folder)!r} holds files of {len(kinds)} kinds ({", ".join(kinds)}); give one file')
    if kinds == ['.npz']:
        return _with_file_names(Found(*read_npz_files(known, layout)), folder)
    if all(_PIECE.fullmatch(file.stem) for file in known):
        return _with_file_names(_read_pieces(known), folder)
    return _read_parts({file.stem: _read_file(file, layout) for file in known})


def _read_subfolders(folder: Path, layout: str, files: list[Path]) -> Found:
    inner = [sub for sub in sorted(folder.iterdir(), key=_natural) if sub.is_dir() and any(
        file.suffix.lower() in _READERS for file in sub.iterdir() if file.name != FILE_NAMES)]
    if inner:
        return _read_parts({sub.name: _read_folder(sub, layout) for sub in inner})
    torch = next((file for file in files if file.suffix.lower() in _TORCH), None)
    if torch is not None:
        return _read_file(torch, layout)                 # which says why not
    raise BadPath(f'folder {str(folder)!r} holds no file that ends in {", ".join(_READERS)}')


def _read_parts(parts: dict[str, Found]) -> Found:
    """Several files or folders: one layer each, called after them, or all their layers."""
    layers, ids, first = {}, None, ''
    for name, part in parts.items():
        names = part.layers if len(parts) == 1 else [name] if len(part.layers) == 1 else [
            f'{name}.{layer}' for layer in part.layers]
        layers |= dict(zip(names, part.layers.values(), strict=True))
        if part.ids is not None and ids is not None:
            same_ids(ids, part.ids, (f'layer {first!r}', f'layer {name!r}'))
        if ids is None:
            ids, first = part.ids, name
    return Found(layers, ids, next(iter(parts.values())).meta if len(parts) == 1 else {})


def _read_pieces(files: list[Path]) -> Found:
    """Files that hold the rows of a layer from FIRST on."""
    layers: dict[str, list] = {}
    for file in files:
        piece = _PIECE.fullmatch(file.stem)
        layers.setdefault(piece['layer'] or 'features', []).append((int(piece['first']), file))
    return Found({name: partial(_joined, sorted(pieces)) for name, pieces in layers.items()})


def _joined(pieces: list[tuple[int, Path]]) -> np.ndarray:
    parts, due = [], 0
    for first, file in pieces:
        read, *others = _read_file(file, 'auto').layers.values()
        part = read()
        starts_well = first == due and part.shape[1:] == parts[0].shape[1:] if parts else first <= 1
        if others or not starts_well:
            raise BadValue(f'file {str(file)!r} does not go on where the piece before it ends (rows from {due} on, of '
                           'the same shape); a piece is missing or of another layer')
        parts.append(part)
        due = first + len(part)
    return np.concatenate(parts)


def _npy(path: Path, layout: str) -> Found:
    beside = path.with_name(path.name + '.json')
    try:
        told = json.loads(beside.read_text(encoding='utf-8')) if beside.exists() else {}
        name, = told.get('layers', [path.stem])
        ids = told.get('stimID')
    except (ValueError, AttributeError, TypeError):
        raise BadValue(f'file {str(beside)!r} is damaged; remove it, or export {path.name!r} anew') from None
    return Found({name: partial(read_npy, path)}, None if ids is None else np.array(ids), told.get('meta', {}))


def _mat(path: Path, layout: str) -> Found:
    return _among(read_mat(path), path, n_axes=4)


def _hdf5(path: Path, layout: str) -> Found:
    try:
        with h5py.File(path, 'r', locking=False) as file:
            arrays = {name: item.asstr()[()] if h5py.check_string_dtype(item.dtype) else item[()]
                      for name, item in file.items() if isinstance(item, h5py.Dataset)}
    except OSError:
        raise BadValue(f'file {str(path)!r} is truncated, or not HDF5; write it anew') from None
    return _among(arrays, path)


def _among(arrays: dict, path: Path, n_axes: int = 0) -> Found:
    """Of arrays and texts that have been read."""
    numbers = {name: lambda value=value: value for name, value in arrays.items()
               if isinstance(value, np.ndarray) and value.dtype.kind in 'biuf' and value.ndim}
    return Found(*layers_among(numbers, arrays, path.stem, n_axes))


_READERS = {'.npy': _npy, '.npz': lambda path, layout: Found(*read_npz_files([path], layout)), '.mat': _mat,
            '.h5': _hdf5, '.hdf5': _hdf5, '.csv': lambda path, layout: Found(*read_csv(path)),
            '.tsv': lambda path, layout: Found(*read_csv(path)), '.txt': lambda path, layout: Found(*read_txt(path))}


def _natural(path: Path) -> list:
    """features.2 before features.10."""
    return [(part.isdigit(), int(part) if part.isdigit() else part) for part in re.split(r'(\d+)', path.name) if part]
