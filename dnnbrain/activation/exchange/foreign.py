"""Features that other tools saved, as an Activation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from dnnbrain._checks import BadValue, choice, listing
from dnnbrain.activation.exchange.foreign_files import find_layers
from dnnbrain.activation.exchange.foreign_npz import LAYOUTS
from dnnbrain.activation.exchange.stimulus_ids import id_array, rows_of, without_folder, without_suffix


def from_files(cls, path, layers=None, stim_ids=None, root=None, layout: str = 'auto'):
    """Read features that another tool saved.

    Parameters
    ----------
    path : str
        - A file that `export` wrote: ``.npy``, ``.npz``, ``.mat``, ``.csv``, ``.tsv``.
        - A folder of thingsvision: ``features.npy``, ``.txt``, ``.mat`` or ``.hdf5`` of `save_features` (one
          module; its layer is called 'features'), or the pieces ``features_FIRST-LAST.npy`` of
          `extract_features(output_dir=...)`, with ``file_names.txt``, which gives the stimulus IDs
          (https://vicco-group.github.io/thingsvision, Getting started, Loading your data, Low memory
          options). A folder of such folders has a layer per folder.
        - A folder of Net2Brain: a ``.npz`` per picture with an array per layer
          (`consolidate_per_layer=False`), or a ``.npz`` per layer with an array per picture. Pictures are
          called as the files or keys are, by Net2Brain without suffix: see `stim_ids`
          (https://net2brain.readthedocs.io, Feature Extraction, Creating RDMs).
        - A folder with a ``.npy``, ``.txt``, ``.mat`` or ``.hdf5`` per layer, named after it, rows being stimuli.
        - One such file, or a ``.npz`` with an array per layer. Text under 'stimID', 'stim_ids', 'ids',
          'file_names' or 'image_names' is the IDs. In a ``.csv`` IDs are in the column stimID, else in
          the first column if it is not all numbers, and the other columns are units.
    layers : str, sequence of str, or dict, optional
        Those to read; a dict renames them: ``{'features': 'conv5'}``.
    stim_ids : sequence, optional
        The stimuli wanted, in this order. Rows are looked up by ID: as it is, else without suffix, else
        without folder and suffix. Where the files have no IDs, the order is trusted.
    root : str, optional
        A folder to cut off the front of IDs.
    layout : {'auto', 'image', 'layer'}
        Whether there is a ``.npz`` per image or per layer; needed where shapes do not tell.

    Returns
    -------
    activation : Activation
        (n, n_feat) becomes (n, n_feat, 1, 1), (n, n_token, n_feat) becomes (n, n_feat, n_token, 1); maps and
        clips stay. A ``.npy`` stays on disk until it is used.

    Raises
    ------
    BadPath, BadValue
        Nothing there, several kinds of files, pickles (files of torch and Python objects are never
        opened, since they can run code), rows and IDs of different number, a stimulus that is missing.
    """
    path = Path(path)
    choice('layout', layout, LAYOUTS)
    wanted = None if stim_ids is None else id_array(stim_ids)
    found = find_layers(path, layout)
    names = _wanted(layers, list(found.layers))
    values = {new: _shaped(found.layers[old](), old, path) for old, new in names.items()}
    ids = found.ids if found.ids is None or root is None else np.array([_without(root, name) for name in found.ids])
    n_row = _same_number(values, ids, path)
    if wanted is not None:
        index = _rows_of(wanted, ids, n_row, path)
        ids, values = wanted, {name: value[index] for name, value in values.items()}
    made = cls()
    for name, value in values.items():
        made.set(name, value)
    told = {key: value for key, value in found.meta.items() if key != 'key'}      # no extraction of ours any more
    made.stim_ids, made.meta = ids, told | {'imported_from': str(path)}
    return made


def _wanted(layers, there: list[str]) -> dict[str, str]:
    """Name in the file -> name here."""
    if layers is None:
        return {name: name for name in there}
    names = dict(layers) if isinstance(layers, Mapping) else {
        name: name for name in ([layers] if isinstance(layers, str) else layers)}
    for name in names:
        choice('layer', name, there, owner='the files')
    if len(set(names.values())) < len(names):
        raise BadValue(f'two layers would have the same name: {listing(names.values())}')
    return names


def _shaped(value: np.ndarray, name: str, path: Path) -> np.ndarray:
    value = np.asarray(value)
    if value.dtype.kind not in 'biuf' or not 1 <= value.ndim <= 5:
        raise BadValue(f'layer {name!r} of {str(path)!r} must be numbers with 1 to 5 axes, stimuli first, not '
                       f'{value.dtype} of shape {value.shape}')
    if value.ndim == 3:
        value = value.transpose(0, 2, 1)
    return value.reshape(*value.shape, *[1] * (4 - value.ndim))


def _same_number(values: dict[str, np.ndarray], ids, path: Path) -> int:
    counts = {name: len(value) for name, value in values.items()}
    n_row = len(ids) if ids is not None else next(iter(counts.values()), 0)
    if any(count != n_row for count in counts.values()):
        told = '' if ids is None else f' for {len(ids)} stimulus IDs'
        raise BadValue(f'rows must be stimuli, but {str(path)!r} has {counts}{told}')
    return n_row


def _without(root, name) -> str:
    """`name` without the folder `root` in front."""
    place, front = (PurePosixPath(str(path).replace('\\', '/')) for path in (name, root))
    return str(place.relative_to(front)) if place.is_relative_to(front) else str(name)


def _rows_of(wanted: np.ndarray, ids, n_row: int, path: Path) -> slice | np.ndarray:
    if ids is not None:
        return rows_of(wanted, ids, repr(str(path)), (str, without_suffix, without_folder))
    if len(wanted) != n_row:
        raise BadValue(f'{str(path)!r} has {n_row} rows and no IDs, so that {len(wanted)} stimuli cannot be looked up; '
                       'give as many, in the order of the rows')
    return slice(None)
