"""Named arrays that may be layers or pictures: the ``.npz`` of Net2Brain, and those of everybody else."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from dnnbrain._checks import BadValue, listing
from dnnbrain.io.npy import npz_array, open_npz

LAYOUTS = ('auto', 'image', 'layer')
ID_NAMES = ('stimID', 'stim_ids', 'ids', 'file_names', 'image_names')
TOLD = ('layers', 'variables', 'meta')
_PICTURE = re.compile(r'\.(jpe?g|png|bmp|tiff?|gif|webp|mp4|avi)$', re.IGNORECASE)
Parts = tuple[dict[str, Callable[[], np.ndarray]], np.ndarray | None, dict]


def layers_among(numbers: dict[str, Callable[[], np.ndarray]], small: dict, stem: str, n_axes: int = 0) -> Parts:
    """Layers, IDs or None, and meta among named arrays with a row per stimulus.

    Parameters
    ----------
    numbers : dict
        Name -> function that gives an array of numbers.
    small : dict
        Name -> text, list of text or ndarray; at least what is called as in `ID_NAMES` and `TOLD`.
    stem : str
        What a single array without a name of its own ('arr_0') is called.
    n_axes : int
        Axes that layers have at least if `export` wrote them: MATLAB forgets last axes of length 1.
    """
    ids = next((_as_ids(small[name]) for name in ID_NAMES if name in small and _are_ids(small[name])), None)
    if all(name in small for name in TOLD):
        names, keys = (np.asarray(small[name]).astype(str).ravel() for name in TOLD[:2])
        if len(names) == len(keys) and set(keys) <= set(numbers):          # ours, not somebody's layers of that name
            layers = {str(name): lambda read=numbers[key]: _with_axes(read(), n_axes)
                      for name, key in zip(names, keys, strict=True)}
            return layers, ids, json.loads(str(small['meta']))
    layers = {name: read for name, read in numbers.items() if name not in ID_NAMES}
    return {stem: layers['arr_0']} if list(layers) == ['arr_0'] else layers, ids, {}


def read_npz_files(files: list[Path], layout: str) -> Parts:
    """Layers, IDs or None, and meta of ``.npz`` files: one per picture, one per layer, or one with everything.

    Raises
    ------
    BadValue
        `layout` is 'auto' and shapes do not tell; the files do not hold the same keys.
    """
    shapes = {file: _shapes(file) for file in files}
    if len(files) == 1 and layout == 'auto' and not _pictures(shapes[files[0]]):
        file, = files
        with open_npz(file) as archive:
            small = [name for name in (*ID_NAMES, *TOLD) if name in archive.files]
        return layers_among({key: partial(npz_array, file, key) for key in shapes[file]},
                            {name: npz_array(file, name) for name in small}, file.stem)
    if all(len(keys) == 1 and next(iter(keys.values()))[0] != 1 for keys in shapes.values()):
        return {file.stem: partial(npz_array, file, *keys) for file, keys in shapes.items()}, None, {}
    first = list(shapes[files[0]])
    odd = next((file for file in files if set(shapes[file]) != set(first)), None)
    if odd is not None:
        raise BadValue(f'files {files[0].name!r} and {odd.name!r} of {str(odd.parent)!r} hold different arrays: '
                       f'{listing(first, 3)} and {listing(shapes[odd], 3)}')
    if (_layout(shapes) if layout == 'auto' else layout) == 'image':
        return {key: partial(_rows, [(file, key) for file in files]) for key in first}, \
            np.array([file.stem for file in files]), {}
    return {file.stem: partial(_rows, [(file, key) for key in first]) for file in files}, np.array(first), {}


def _layout(shapes: dict[Path, dict[str, tuple[int, ...]]]) -> str:
    """Pictures give a layer the same shape; layers of a network differ."""
    keys = list(next(iter(shapes.values())))
    if all(_PICTURE.search(key) for key in keys):
        return 'layer'
    within = all(len(set(there.values())) == 1 for there in shapes.values())
    across = all(len({there[key] for there in shapes.values()}) == 1 for key in keys)
    if within and across and len(keys) == 1 < len(shapes):
        return 'image'
    if within == across:
        why = 'all arrays have the same shape' if within else 'shapes differ both within and across files'
        raise BadValue(f'the .npz files in {str(next(iter(shapes)).parent)!r} could be one per image or one per layer: '
                       f"{why}; say which (layout='image' or layout='layer')")
    return 'layer' if within else 'image'


def _pictures(keys: dict[str, tuple[int, ...]]) -> bool:
    """Whether the arrays of a file are those of single pictures."""
    return len(keys) > 1 and len(set(keys.values())) == 1 and next(iter(keys.values()))[0] == 1


def _shapes(file: Path) -> dict[str, tuple[int, ...]]:
    """Key -> shape of the arrays of numbers, from their headers."""
    from numpy.lib import format as npy_format
    found = {}
    with open_npz(file) as archive:
        for key in archive.files:
            try:
                with archive.zip.open(key if key in archive.zip.namelist() else f'{key}.npy') as member:
                    version = npy_format.read_magic(member)
                    read = {(1, 0): npy_format.read_array_header_1_0}.get(version, npy_format.read_array_header_2_0)
                    shape, _, dtype = read(member)
            except (ValueError, EOFError, zipfile.BadZipFile):
                raise BadValue(f'file {str(file)!r} is damaged under {key!r}; write it anew') from None
            if dtype.kind == 'O':
                npz_array(file, key)                     # which says why not
            if dtype.kind in 'biuf' and shape:
                found[key] = shape
    if not found:
        raise BadValue(f'file {str(file)!r} holds no array of numbers')
    return found


def _rows(places: list[tuple[Path, str]]) -> np.ndarray:
    """One row from each place, whose first axis may be that of a batch of one."""
    arrays = [npz_array(file, key) for file, key in places]
    odd = next((place for place, array in zip(places, arrays, strict=True) if array.shape != arrays[0].shape), None)
    if odd is not None:
        raise BadValue(f'array {odd[1]!r} of {str(odd[0])!r} has another shape than that of {str(places[0][0])!r}; '
                       'features of different length cannot be one table')
    if arrays[0].shape[0] != 1:
        raise BadValue(f'array {places[0][1]!r} of {str(places[0][0])!r} holds {arrays[0].shape[0]} rows, and one per '
                       'image was expected')
    return np.concatenate(arrays)


def _are_ids(value) -> bool:
    if isinstance(value, list):
        return True
    return isinstance(value, np.ndarray) and value.dtype.kind in 'SUTOiuf' and value.size == max(value.shape, default=0)


def _as_ids(value) -> np.ndarray:
    """Whole numbers, of MATLAB too, as integers, all else as text."""
    ids = np.asarray(value).ravel()
    if ids.dtype.kind == 'S':
        return np.char.decode(ids, 'utf-8')
    if ids.dtype.kind in 'iuf' and (ids == np.round(ids)).all():
        return ids.astype(np.int64)
    return ids.astype(str)


def _with_axes(value: np.ndarray, least: int) -> np.ndarray:
    return value.reshape(*value.shape, *[1] * (least - value.ndim))
