"""RDMs of networks and subjects as a command names them, and the categories of their items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dnnbrain._checks import BadValue, choice, listing
from dnnbrain.io.rdm_h5 import SUFFIX
from dnnbrain.mapping.conditions import category_column, values_of
from dnnbrain.mapping.rdm import RDM
from dnnbrain.stimuli.stimulus import Stimulus


def read_networks(files: Sequence[str], layers: Sequence[str] = ()) -> dict[str, RDM]:
    """Name of a network (of its file) -> RDM, with those of the layers asked for that it has; all by default."""
    found = {file: (name, _load(file)) for name, file in _names(files, '-drdm').items()}
    known = [key for _, rdm in found.values() for key in rdm.keys]
    for layer in layers:
        choice('-layer', layer, known, ', '.join(found))
    out = {}
    for file, (name, rdm) in found.items():
        own = [layer for layer in layers if layer in rdm]
        if layers and not own:
            raise BadValue(f'-layer names no layer of {file}; name one of {listing(rdm.keys)}, or leave the file out')
        out[name] = _some_keys(rdm, own, '-layer', file)
    return out


def read_subjects(files: Sequence[str], rois: Sequence[str] = (), subjects: str = 'files') -> dict[str, RDM]:
    """Name of a subject -> RDM, with the regions asked for; all by default.

    Parameters
    ----------
    files : sequence of str
    rois : sequence of str
    subjects : {'files', 'keys'}
        Whether a file is a subject, or each key of the one file, whose region is then called after
        the file.
    """
    found = {name: _load(file) for name, file in _names(files, '-brdm').items()}
    for name, rdm in found.items():
        if rdm.rdm_type != 'bRDM':
            raise BadValue(f'-brdm {name}{SUFFIX} holds RDMs of layers (dRDM); give it to -drdm')
    found = {name: _some_keys(rdm, rois, '-roi', name + SUFFIX) for name, rdm in found.items()}
    if subjects == 'files':
        return found
    if len(found) > 1:
        raise BadValue(f'-subjects keys takes one file of -brdm, not {len(found)}; leave it out where each file is '
                       'a subject')
    (region, rdm), = found.items()
    out = {}
    for key in rdm.keys:
        out[key] = RDM('bRDM', rdm.item_ids)
        out[key].set(region, rdm.get(key, triu=True), triu=True)
    return out


def item_categories(fname: str, rdm: RDM, column: str | None = None) -> np.ndarray:
    """The category of each item of an RDM from a ``.stim.csv``, joined by ID; by row where there are no IDs.

    Parameters
    ----------
    fname : str
    rdm : RDM
    column : str, optional
        'condition' by default, else 'label'.
    """
    stimuli = Stimulus()
    stimuli.load(fname)
    if column is None:
        column = 'condition' if 'condition' in stimuli.items else category_column(stimuli)
    values = values_of(stimuli, column, rdm.item_ids)
    if len(values) != rdm.n_item:
        raise BadValue(f'{fname!r} has {len(values)} rows for RDMs of {rdm.n_item} items without IDs')
    return values.astype(str)


def _names(files: Sequence[str], option: str) -> dict[str, str]:
    """A short name for each file: without folder and suffix, or with the folder where two would be the same."""
    if len(set(map(str, files))) < len(files):
        raise BadValue(f'{option} names a file twice')
    short = {str(file): Path(file).name.removesuffix(SUFFIX) for file in files}
    often = Counter(short.values())
    return {name if often[name] == 1 else file.removesuffix(SUFFIX): file for file, name in short.items()}


def _load(file: str) -> RDM:
    rdm = RDM()
    rdm.load(file)
    return rdm


def _some_keys(rdm: RDM, keys: Sequence[str], option: str, owner: str) -> RDM:
    for key in keys:
        choice(option, key, rdm.keys, owner)
    for key in [key for key in rdm.keys if keys and key not in keys]:
        rdm.delete(key)
    return rdm
