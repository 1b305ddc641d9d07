"""RDMs of the neighbourhood of every voxel or vertex, and maps of how they resemble model RDMs.

Kriegeskorte, Goebel & Bandettini (2006, doi 10.1073/pnas.0600244103). Neighbourhoods are computed in chunks,
many at once by batched matrix products, so that memory does not grow with their number.
"""

from __future__ import annotations

import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dnnbrain._checks import BadValue, choice, whole_number
from dnnbrain._progress import progress
from dnnbrain.brain.masks import inside, unmasked
from dnnbrain.brain.neighbours import Finder, neighbours
from dnnbrain.mapping.dissimilarity import checked, planned
from dnnbrain.mapping.distances.patterns import of_table
from dnnbrain.mapping.distances.products import CLOSE, PRODUCT_METRICS, squared_distances
from dnnbrain.mapping.rdm import RDM, same_items
from dnnbrain.mapping.rsa.compare import METHODS, comparable, compare
from dnnbrain.mapping.rsa.pairs import vectors
from dnnbrain.mapping.triangles import triangles

_QUERY = 256
_CHUNK_BYTES = 2 ** 25


def searchlight_rdms(data: np.ndarray, mask: np.ndarray | None, header, radius: float, metric: str = 'correlation',
                     mesh=None, conditions=None, zscore: bool = False, runs=None, p: float = 2,
                     shrinkage: str = 'shrinkage_diag', min_voxels: int = 3,
                     n_jobs: int = 1) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """RDMs around every voxel or vertex, chunk by chunk.

    Parameters
    ----------
    data : ndarray of shape (n_vol, x, y, z)
        Surfaces and CIFTI: (n_vol, n, 1, 1), as `load_brainimg` gives it.
    mask : ndarray of shape (x, y, z) or None
        Where centres and neighbours may lie; voxels that are NaN or infinite in some volume are left out.
    header
        Of `data`.
    radius : float, mm
        See `dnnbrain.brain.neighbours.neighbours`.
    mesh : str, tuple of arrays, or dict
        For surfaces and CIFTI; see there.
    metric, conditions, zscore, runs, p, shrinkage
        As in `dnnbrain.mapping.dissimilarity.dissimilarity`. Euclidean, correlation and cosine distances are
        computed many neighbourhoods at once, others one after the other.
    min_voxels : int
        Centres with fewer in their neighbourhood give NaN.
    n_jobs : int
        Threads; -1 for one per processor. Results are the same.

    Yields
    ------
    centres : ndarray of int of shape (n_centre,)
        Positions in ``data[0].ravel()``.
    rdms : ndarray of shape (n_centre, n_pair)
    """
    light = _prepared(data, mask, header, radius, metric, mesh, conditions, zscore, runs, p, shrinkage, min_voxels)
    return _in_order(light.rdms, light.chunks(), _jobs(n_jobs))


def searchlight_rsa(data: np.ndarray, mask: np.ndarray | None, header, model_rdms, radius: float,
                    method: str = 'spearman', n_jobs: int = 1, *, metric: str = 'correlation', mesh=None,
                    conditions=None, item_ids=None, zscore: bool = False, runs=None, p: float = 2,
                    shrinkage: str = 'shrinkage_diag', min_voxels: int = 3) -> np.ndarray:
    """Maps of the similarity between the RDM around each voxel or vertex and model RDMs.

    Parameters
    ----------
    model_rdms : RDM, or array_like of shape (n_pair,), (n_model, n_pair), or squares of them
        Of an RDM every key and iteration is a model, in order; it is brought to the items of the data by
        ID where both have IDs.
    method : str
        Any of `dnnbrain.mapping.rsa.compare.compare`.
    item_ids : sequence of shape (n_vol,), optional
        IDs of the volumes; where `conditions` are given, these are the IDs.
    data, mask, header, radius, metric, mesh, conditions, zscore, runs, p, shrinkage, min_voxels, n_jobs
        As in `searchlight_rdms`.

    Returns
    -------
    maps : ndarray of float32 of shape (n_model, x, y, z)
        NaN outside the mask and where no RDM is defined; for `save_brainimg`.
    """
    choice('method', method, METHODS)
    light = _prepared(data, mask, header, radius, metric, mesh, conditions, zscore, runs, p, shrinkage, min_voxels)
    models = _models(model_rdms, light.n_item, item_ids if conditions is None else np.unique(np.asarray(conditions)))
    unfit = np.flatnonzero(~comparable(models, method))
    if len(unfit):
        raise BadValue(f'model {unfit[0] + 1} of model_rdms holds NaN or does not vary; nothing can resemble it')
    found, done = np.full((len(models), len(light.places)), np.nan, dtype=np.float32), 0

    def similarity(chunk):
        rdms = light.rdms(chunk)[1]
        usable = comparable(rdms, method)
        values = np.full((len(models), len(rdms)), np.nan)
        values[:, usable] = compare(models, rdms[usable], method) if usable.any() else 0
        return values
    for values in progress(_in_order(similarity, light.chunks(), _jobs(n_jobs)), 'searchlight', unit='chunk'):
        found[:, done:done + values.shape[1]] = values
        done += values.shape[1]
    bad = int(np.isnan(found).all(axis=0).sum())
    if bad:
        warnings.warn(f'{bad} of {found.shape[1]} neighbourhoods hold too few voxels or constant patterns; they are '
                      'NaN', stacklevel=2)
    return unmasked(found, light.kept, light.kept.shape)


@dataclass(frozen=True)
class _Light:
    """Patterns, where each column lies, and what surrounds it."""

    columns: np.ndarray           # (n_meas, n_row): the values of a voxel side by side
    kept: np.ndarray              # (x, y, z)
    find: Finder
    plan: dict
    min_voxels: int

    @cached_property
    def places(self) -> np.ndarray:
        return np.flatnonzero(self.kept)

    @property
    def n_item(self) -> int:
        return self.columns.shape[1] if self.plan['groups'] is None else int(self.plan['groups'].max()) + 1

    def chunks(self) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
        """Centres and their neighbourhoods, as many at a time as fit into a chunk of memory."""
        for start in range(0, len(self.places), _QUERY):
            centres = np.arange(start, min(start + _QUERY, len(self.places)))
            around = self.find(centres)
            n_row = self.columns.shape[1]
            one = 8 * n_row * (max(map(len, around)) + 3 * n_row)
            step = max(1, _CHUNK_BYTES // one)
            for first in range(0, len(centres), step):
                yield centres[first:first + step], around[first:first + step]

    def rdms(self, chunk: tuple[np.ndarray, list[np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the centres and RDMs (n_centre, n_pair) of a chunk."""
        centres, around = chunk
        large = np.array([len(near) >= self.min_voxels for near in around])
        found = np.full((len(centres), self.n_item * (self.n_item - 1) // 2), np.nan)
        chosen = [near for near, enough in zip(around, large, strict=True) if enough]
        if chosen and self.plan['metric'] in PRODUCT_METRICS:
            found[large] = _batched(self.columns, chosen, self.plan['metric'])
        elif chosen:
            found[large] = [planned(of_table(self.columns[near].T, 'a neighbourhood'), self.plan, False)
                            for near in chosen]
        return self.places[centres], found


def _prepared(data, mask, header, radius, metric, mesh, conditions, zscore, runs, p, shrinkage, min_voxels) -> _Light:
    """Everything is checked, rows are standardised and averaged, neighbourhoods can be asked for."""
    data = np.asarray(data)
    if data.ndim != 4:
        raise BadValue(f'data must have shape (n_vol, x, y, z), not {data.shape}')
    kept = np.ones(data.shape[1:], dtype=bool) if mask is None else inside(np.asarray(mask))
    if kept.shape != data.shape[1:]:
        raise BadValue(f'mask must have shape {data.shape[1:]} as the data, not {kept.shape}')
    kept &= np.isfinite(data).all(axis=0)
    if not kept.any():
        raise BadValue('the mask holds no voxel that is finite in all volumes')
    if whole_number(min_voxels, 'min_voxels') < 1:
        raise BadValue(f'min_voxels must be 1 or more, not {min_voxels}')
    plan = checked(len(data), metric, conditions, runs, p, shrinkage)
    patterns = of_table(data[:, kept], 'data')
    patterns = patterns.standardised() if zscore else patterns
    if plan['groups'] is not None and not plan['noisy']:
        patterns, plan = patterns.averaged(plan['groups']), plan | {'groups': None}
    columns = np.ascontiguousarray(patterns.table().T)
    return _Light(columns, kept, neighbours(header, kept, radius, mesh), plan, min_voxels)


def _models(model_rdms, n_item: int, item_ids) -> np.ndarray:
    """Vectors (n_model, n_pair) of the items of the data."""
    if isinstance(model_rdms, RDM):
        if not len(model_rdms):
            raise BadValue('model_rdms holds no RDM')
        if item_ids is not None and len(item_ids) == n_item:
            ours = RDM('bRDM', item_ids)
            ours.set('data', np.zeros(n_item * (n_item - 1) // 2), triu=True)
            model_rdms = same_items(ours, model_rdms, ('the data', 'model_rdms'))
        model_rdms = np.concatenate([np.atleast_2d(model_rdms.get(key, triu=True)) for key in model_rdms.keys])
    models = vectors(model_rdms, 'model_rdms')
    if models.shape[1] != n_item * (n_item - 1) // 2:
        raise BadValue(f'model_rdms must be of the {n_item} items of the data, (n_model, '
                       f'{n_item * (n_item - 1) // 2}), not {models.shape}')
    return models


def _batched(columns: np.ndarray, around: list[np.ndarray], metric: str) -> np.ndarray:
    """Distances (n_centre, n_pair) of neighbourhoods, filled up with zeros to the largest."""
    count = np.array([len(near) for near in around])
    there = np.arange(count.max()) < count[:, None]
    index = np.zeros(there.shape, dtype=np.intp)
    index[there] = np.concatenate(around)
    X = columns[index]                                          # (n_centre, n_voxel, n_item)
    X[~there] = 0
    if metric == 'correlation':
        mean = X.sum(axis=1) / count[:, None]
        X -= mean[:, None]
        X[~there] = 0
    size = np.einsum('cvi,cvi->ci', X, X)
    if metric == 'correlation':
        size[size <= count[:, None] * (1e-12 * mean) ** 2] = 0
    X -= X.mean(axis=2, keepdims=True)
    squared = squared_distances(X.transpose(0, 2, 1) @ X)
    _refine(squared, X)
    return PRODUCT_METRICS[metric](triangles(squared), np.sqrt(size))


def _refine(squared: np.ndarray, X: np.ndarray) -> None:
    """Squared distances of the closest pairs from the differences themselves, in place."""
    own = np.einsum('cvi,cvi->ci', X, X)
    near = np.triu(squared < CLOSE * (own[:, :, None] + own[:, None, :]), 1)
    for centre in np.flatnonzero(near.any(axis=(1, 2))):
        first, second = np.nonzero(near[centre])
        squared[centre, first, second] = np.square(X[centre][:, first] - X[centre][:, second]).sum(axis=0)


def _jobs(n_jobs: int) -> int:
    n_jobs = whole_number(n_jobs, 'n_jobs')
    if n_jobs is None or n_jobs == 0 or n_jobs < -1:
        raise BadValue(f'n_jobs must be 1 or more, or -1 for all processors, not {n_jobs}')
    return n_jobs if n_jobs > 0 else os.cpu_count() or 1


def _in_order(work: Callable, items: Iterable, n_jobs: int) -> Iterator:
    """Results in the order of the items; no more than twice `n_jobs` wait at a time."""
    if n_jobs == 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(n_jobs) as pool:
        waiting = deque()
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= 2 * n_jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
