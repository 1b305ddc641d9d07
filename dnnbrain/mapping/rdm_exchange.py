"""RDMs to and from plain arrays, pandas and rsatoolbox."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dnnbrain._checks import BadType, BadValue, choice
from dnnbrain._optional import optional


def from_array(cls, rdm_arr, key: str = 'rdm', rdm_type: str | None = None, item_ids=None, triu: bool = False):
    """An RDM of one key from an array.

    Parameters
    ----------
    rdm_arr : array_like
        Squares, or with `triu` vectors, with or without an axis of iterations; see `RDM.set`.
    """
    rdm = cls(rdm_type, item_ids)
    rdm.set(key, rdm_arr, triu)
    return rdm


def from_frame(cls, frames, rdm_type: str = 'bRDM'):
    """An RDM from square tables whose rows and columns are the items.

    Parameters
    ----------
    frames : DataFrame or dict of DataFrame
        Key -> table of shape (n_item, n_item); a single table gets the key 'rdm'. The order of the rows of
        the first one is taken; columns, and the other tables, are brought to it.
    """
    frames = {'rdm': frames} if isinstance(frames, pd.DataFrame) else frames
    if not isinstance(frames, dict) or not frames or not all(isinstance(f, pd.DataFrame) for f in frames.values()):
        raise BadType('frames must be a DataFrame or a dict of them')
    ids = next(iter(frames.values())).index
    rdm = cls(rdm_type, ids.to_numpy())
    for key, frame in frames.items():
        if not all(axis.is_unique and len(axis) == len(ids) and ids.isin(axis).all()
                   for axis in (frame.index, frame.columns)):
            raise BadValue(f'the table of {key!r} must have the same items as rows and columns, each once')
        whole = frame.loc[ids, ids].to_numpy(dtype=np.float64)
        rdm.set(key, whole if rdm_type == 'bRDM' else whole[None])
    return rdm


def to_frame(self, key: str, iteration: int = 0) -> pd.DataFrame:
    """A square table of a region or layer, items as rows and columns.

    Parameters
    ----------
    iteration : int
        Of a layer, from 0.
    """
    choice('iteration', iteration, range(self.n_iter(key)), owner=repr(key))
    labels = pd.RangeIndex(self.n_item) if self.item_ids is None else pd.Index(self.item_ids)
    whole = self.get(key)
    return pd.DataFrame(whole if whole.ndim == 2 else whole[iteration], index=labels, columns=labels)


def to_rsatoolbox(self, keys: Sequence[str] | None = None):
    """An `rsatoolbox.rdm.RDMs` of all keys and iterations, or of some keys.

    Its `rdm_descriptors` are 'key' and 'iteration' (from 0), its `pattern_descriptors` 'item' (the IDs) and
    our descriptors.
    """
    optional('rsatoolbox', 'RDM.to_rsatoolbox')
    from rsatoolbox.rdm import RDMs
    keys = self.keys if keys is None else list(keys)
    if not keys:
        raise BadValue('there is no RDM to hand over; set one first')
    parts = [np.atleast_2d(self.get(key, triu=True)) for key in keys]
    counts = [len(part) for part in parts]
    patterns = {} if self.item_ids is None else {'item': self.item_ids}
    return RDMs(
        np.concatenate(parts).astype(np.float64), dissimilarity_measure=self.meta.get('metric'),
        rdm_descriptors={'key': np.repeat(keys, counts), 'iteration': np.concatenate([np.arange(n) for n in counts])},
        pattern_descriptors=patterns | self.descriptors)


def from_rsatoolbox(cls, rdms, names: Sequence[str] | None = None, rdm_type: str = 'bRDM'):
    """An RDM from an `rsatoolbox.rdm.RDMs`.

    Parameters
    ----------
    names : sequence of str, optional
        Key of each of its RDMs, by default its descriptor 'key', else 'name', else numbers from 1. With
        'dRDM', those of one name are the iterations of a layer.
    rdm_type : {'bRDM', 'dRDM'}
    """
    vectors, told = np.asarray(rdms.dissimilarities), rdms.rdm_descriptors
    if names is None:
        names = next((told[name] for name in ('key', 'name') if name in told), range(1, len(vectors) + 1))
    names = [str(name) for name in names]
    if len(names) != len(vectors):
        raise BadValue(f'{len(names)} names came for {len(vectors)} RDMs')
    if rdm_type == 'bRDM' and len(set(names)) < len(names):
        raise BadValue("names of a bRDM must differ; give others, or rdm_type='dRDM' where they are iterations")
    told = {name: np.asarray(values) for name, values in rdms.pattern_descriptors.items() if name != 'index'}
    rdm = cls(rdm_type, told.pop('item', None), told, {'metric': rdms.dissimilarity_measure})
    for name in dict.fromkeys(names):
        found = vectors[[other == name for other in names]]
        rdm.set(name, found[0] if rdm_type == 'bRDM' else found, triu=True)
    return rdm
