"""Representational dissimilarity matrices of regions or layers, with the IDs of their items."""

from __future__ import annotations

import numpy as np

from dnnbrain._checks import BadType, BadValue, choice, listing, rows
from dnnbrain.io.rdm_h5 import TYPES, n_items, read_rdm_h5, read_rdm_notes, write_rdm_h5
from dnnbrain.mapping import rdm_exchange
from dnnbrain.mapping.triangles import pair_numbers, squares, triangles


class RDM:
    """Dissimilarities of the same items in several regions or layers.

    Parameters
    ----------
    rdm_type : {'bRDM', 'dRDM'}, optional
        Of the brain: a vector (n_pair,) for each region. Of a network: (n_iter, n_pair) for each layer,
        iterations being channels or positions. Left out, the first `set` decides.
    item_ids : sequence of shape (n_item,), optional
    descriptors : dict, optional
        More about the items: name -> (n_item,), such as their category.
    meta : dict, optional
        How they came about, such as the metric.

    Notes
    -----
    Pairs are in row-major order of the upper triangle.
    """

    def __init__(self, rdm_type: str | None = None, item_ids=None, descriptors: dict | None = None,
                 meta: dict | None = None):
        self._type: str | None = None
        self._rdms: dict[str, np.ndarray] = {}
        self._ids: np.ndarray | None = None
        self.meta: dict = dict(meta or {})
        if rdm_type is not None:
            self.rdm_type = rdm_type
        self.item_ids = item_ids
        self.descriptors: dict[str, np.ndarray] = {}
        for name, values in (descriptors or {}).items():
            self.describe(name, values)

    @property
    def rdm_type(self) -> str | None:
        return self._type

    @rdm_type.setter
    def rdm_type(self, value: str) -> None:
        choice('rdm_type', value, TYPES)
        if self._rdms and value != self._type:
            raise BadValue(f'rdm_type cannot become {value}: there are RDMs of type {self._type}; begin a new RDM()')
        self._type = value

    @property
    def item_ids(self) -> np.ndarray | None:
        return self._ids

    @item_ids.setter
    def item_ids(self, value) -> None:
        ids = None if value is None else np.asarray(value)
        if ids is not None and (ids.ndim != 1 or self._rdms and len(ids) != self.n_item):
            raise BadValue(f'item_ids must be one for each of the {self.n_item or "n"} items, not shape {ids.shape}')
        if ids is not None and ids.dtype.kind == 'f' and (ids == np.floor(ids)).all():
            ids = ids.astype(np.int64)                  # '1' as everywhere, never '1.0'
        self._ids = ids if ids is None or ids.dtype.kind in 'iu' else ids.astype(str)

    def describe(self, name: str, values) -> None:
        """Keep something more about the items, (n_item,)."""
        values = np.asarray(values)
        n = self.n_item or (len(values) if self._ids is None else len(self._ids))
        if values.shape != (n,):
            raise BadValue(f'descriptor {name!r} must have a value for each of the {n} items, not shape {values.shape}')
        self.descriptors[name] = values if values.dtype.kind in 'iufb' else values.astype(str)

    @property
    def keys(self) -> list[str]:
        """Regions or layers, in the order set."""
        return list(self._rdms)

    @property
    def n_item(self) -> int:
        """Number of items, 0 while there is no RDM."""
        return next((n_items(rdm.shape[-1]) for rdm in self._rdms.values()), 0)

    def n_iter(self, key: str) -> int:
        """Number of iterations of a layer, 1 of a region."""
        return 1 if self._type == 'bRDM' else len(self._found(key))

    def get(self, key: str, triu: bool = False) -> np.ndarray:
        """Dissimilarities of a region or layer.

        Parameters
        ----------
        triu : bool
            The upper triangle as a vector instead of the whole square.

        Returns
        -------
        rdm_arr : ndarray
            bRDM: (n_item, n_item), symmetric with a zero diagonal, or (n_pair,). dRDM: the same with an
            axis of iterations before it.
        """
        found = self._found(key)
        return found.copy() if triu else squares(found)

    def set(self, key: str, rdm_arr, triu: bool = False) -> None:
        """Set the dissimilarities of a region or layer; shapes as in `get`.

        Raises
        ------
        BadValue
            The shape is another, a square is not symmetric (only its upper triangle filled will do) or has a
            diagonal, or the number of items is not that of the others.
        """
        array = np.asarray(rdm_arr)
        if array.dtype.kind not in 'iufb':
            raise BadType(f'rdm_arr must be numbers, not {array.dtype}')
        n_dim = array.ndim - (0 if triu else 1)
        kind = self._type or {1: 'bRDM', 2: 'dRDM'}.get(n_dim)
        if kind is None or n_dim != TYPES.index(kind) + 1:
            raise BadValue(f'rdm_arr of {kind or "an RDM"} {key!r} must have shape {_shape(kind, triu)}, not '
                           f'{array.shape}')
        vectors = np.array(array, dtype=np.result_type(array, np.float32)) if triu else _upper(array, key)
        n = n_items(vectors.shape[-1])
        others = {n_items(rdm.shape[-1]) for name, rdm in self._rdms.items() if name != str(key)}
        if self._ids is not None:
            others.add(len(self._ids))
        if n < 2 or others - {n}:
            known = f'there are {others.pop()}' if others else 'two or more are needed'
            raise BadValue(f'rdm_arr of {key!r} has {n} items, but {known}')
        self._type, self._rdms[str(key)] = kind, vectors

    def delete(self, key: str) -> None:
        """Take a region or layer away."""
        self._found(key)
        del self._rdms[str(key)]

    def load(self, fname) -> None:
        """Read a ``.rdm.h5``, also of DNNBrain 1.0."""
        kind, rdms, ids = read_rdm_h5(fname)
        descriptors, meta = read_rdm_notes(fname)
        new = RDM(kind, ids, descriptors, meta)
        for key, vectors in rdms.items():
            new.set(key, vectors, triu=True)
        self.__dict__.update(new.__dict__)

    def save(self, fname) -> None:
        """Write a ``.rdm.h5``."""
        if not self._rdms:
            raise BadValue('there is no RDM to save; set one first')
        write_rdm_h5(fname, self._type, self._rdms, self._ids, self.descriptors, self.meta)

    def __contains__(self, key) -> bool:
        return str(key) in self._rdms

    def __len__(self) -> int:
        return len(self._rdms)

    def __getitem__(self, items) -> RDM:
        """Some of the items, in the order asked: numbers from 0, a slice, a boolean mask, or IDs."""
        index = rows(items, self.n_item, self._ids, 'item')
        if len(index) < 2 or len(set(index.tolist())) < len(index):
            raise BadValue(f'items must be two or more, each once, not {listing(index)}')
        new = RDM(self._type, None if self._ids is None else self._ids[index],
                  {name: values[index] for name, values in self.descriptors.items()}, self.meta)
        pairs = pair_numbers(index, self.n_item)
        for key, vectors in self._rdms.items():
            new.set(key, vectors[..., pairs], triu=True)
        return new

    def _found(self, key) -> np.ndarray:
        return self._rdms[choice('key', str(key), self.keys, owner='the RDM')]

    def __repr__(self) -> str:
        return f'<{self._type or "RDM"} of {self.n_item} items: {listing(self.keys, 5)}>'

    from_array = classmethod(rdm_exchange.from_array)
    from_frame = classmethod(rdm_exchange.from_frame)
    to_frame = rdm_exchange.to_frame
    from_rsatoolbox = classmethod(rdm_exchange.from_rsatoolbox)
    to_rsatoolbox = rdm_exchange.to_rsatoolbox


def same_items(first: RDM, second: RDM, names: tuple[str, str] = ('the first RDM', 'the second')) -> RDM:
    """`second` with the items of `first`, in their order.

    Items are matched by ID; where one has no IDs, the numbers of items must be the same and the order is
    trusted.

    Raises
    ------
    BadValue
        An item of one is not in the other, or an ID that is not in the same place occurs twice.
    """
    if first.item_ids is None or second.item_ids is None:
        if first.n_item != second.n_item:
            raise BadValue(f'{names[0]} has {first.n_item} items and {names[1]} has {second.n_item}; without IDs in '
                           'both they cannot be matched')
        return second
    ours, theirs = first.item_ids.astype(str), second.item_ids.astype(str)
    if np.array_equal(ours, theirs):
        return second
    for ids, others, name in ((ours, theirs, names[1]), (theirs, ours, names[0])):
        missing = ids[~np.isin(ids, others)]
        if len(missing):
            raise BadValue(f'{len(missing)} items are not in {name}: {listing(missing, 5)}; keep those that both have '
                           '(rdm[ids]), or compute both for the same stimuli')
    if len(set(ours)) < len(ours) or len(ours) != len(theirs):
        raise BadValue(f'{names[0]} has {len(ours)} items and {names[1]} has {len(theirs)}, some with the same ID in '
                       'another order; average repeated stimuli (conditions=, in commands -cate TABLE -column '
                       'stimID), or make IDs differ')
    order = np.argsort(theirs)
    return second[order[np.searchsorted(theirs[order], ours)]]


def _shape(kind: str | None, triu: bool) -> str:
    inner = 'n_pair' if triu else 'n_item, n_item'
    shapes = {'bRDM': f'({inner},)' if triu else f'({inner})', 'dRDM': f'(n_iter, {inner})'}
    return shapes[kind] if kind else ' or '.join(shapes.values())


def _upper(array: np.ndarray, key: str) -> np.ndarray:
    """Upper triangles of squares that are symmetric, or empty below the diagonal."""
    if array.shape[-1] != array.shape[-2]:
        raise BadValue(f'rdm_arr of {key!r} must be square, not {array.shape}; vectors of pairs need triu=True')
    array = array.astype(np.result_type(array, np.float32))
    size = np.abs(array).max(initial=0, where=np.isfinite(array))
    diagonal = np.diagonal(array, axis1=-2, axis2=-1)
    if (np.abs(diagonal) > 1e-5 * size).any():
        raise BadValue(f'rdm_arr of {key!r} has {diagonal[np.abs(diagonal) > 1e-5 * size][0]:g} on its diagonal, where '
                       'a dissimilarity is 0; of similarities give 1 - rdm_arr')
    mirrored = np.swapaxes(array, -1, -2)
    if not np.allclose(array, mirrored, rtol=1e-5, atol=1e-6 * size, equal_nan=True) and np.tril(array, -1).any():
        raise BadValue(f'rdm_arr of {key!r} is not symmetric; give (rdm_arr + rdm_arr.T) / 2 if that is meant')
    return triangles(array)
