"""Is an RDM related to another beyond chance? Items are permuted, rows and columns together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed

from dnnbrain._checks import BadValue, choice, whole_number
from dnnbrain.mapping.inference.exchange import row_orders
from dnnbrain.mapping.inference.tally import TAILS, Tally
from dnnbrain.mapping.rsa.compare import METHODS, TAUS, comparable
from dnnbrain.mapping.rsa.pairs import two_sides, warn_unusable
from dnnbrain.mapping.rsa.similarity import unit_sides
from dnnbrain.mapping.rsa.tau import codes, taus
from dnnbrain.mapping.triangles import n_items, squares

_BLOCK_BYTES = 2 ** 24
_CACHE_BYTES = 2 ** 19


@dataclass(frozen=True)
class RdmTest:
    """Similarities of RDMs and their p-values, (1 + b) / (1 + n_perm), never 0.

    Attributes
    ----------
    r, p : ndarray of shape (n_first, n_second), or (n_first,) where the second are subjects
        NaN for RDMs that hold NaN or do not vary.
    p_family : ndarray of the same shape
        Family-wise over all of them: compared with the largest of each permutation.
    null_max : ndarray of shape (n_perm,)
        That largest similarity, in the direction of the test.
    tail : {'greater', 'less', 'two-sided'}
    """

    r: np.ndarray
    p: np.ndarray
    p_family: np.ndarray
    null_max: np.ndarray
    tail: str = 'greater'


def permute_items(first, second, method: str = 'pearson', n_perm: int = 1000, tail: str = 'greater',
                  subjects: bool = False, within=None, n_jobs: int = 1, rng=0) -> RdmTest:
    """p-values of the similarity of each RDM of one set with each of another.

    The cells of an RDM depend on each other, so that permuting cells finds relations where there are none; under
    the null hypothesis items may be exchanged, not cells (Kriegeskorte et al. 2008, doi
    10.3389/neuro.06.004.2008). Permutations are run in blocks, so that memory does not grow with their number.

    Parameters
    ----------
    first, second : array_like
        RDMs of the same items, as in `compare`: say, of layers and of regions.
    method : str
        As in `compare`.
    tail : {'greater', 'less', 'two-sided'}
    subjects : bool
        The second are RDMs of subjects: test the mean over subjects of the similarity.
    within : array_like of shape (n_item,), optional
        Categories: an item only takes the place of one of its own, so that what is tested lies within categories.
    n_jobs : int
        Threads, as in joblib; they do not change the result.
    rng : int or Generator

    Returns
    -------
    test : RdmTest
    """
    one, two = checked(first, second, method)
    choice('tail', tail, tuple(TAILS))
    orders = row_orders(n_items(one.shape[1]), n_perm, within, rng=rng)
    shape = (len(one),) if subjects else (len(one), len(two))
    tally, statistic = Tally(int(np.prod(shape)), n_perm, tail, None), permuted(one, two, method, subjects)
    return tested(tally, statistic, orders, shape, len(two), n_jobs)


def tested(tally: Tally, statistic: Callable, orders: np.ndarray, shape: tuple, n_second: int, n_jobs: int) -> RdmTest:
    """Count, block by block, how often a statistic (n_block, ...) reaches that of the order that changes nothing."""
    identity = np.arange(orders.shape[1])[None]
    blocks = in_blocks(statistic, orders, n_second, n_jobs)
    flat = ((start, block.reshape(len(block), -1)) for start, block in blocks)
    tally.add(slice(None), statistic(identity).ravel(), flat)
    found = tally.result()
    return RdmTest(*(values.reshape(shape) for values in (found.statistic, found.p, found.p_family)),
                   found.null_max, tally.tail)


def checked(first, second, method: str, names: tuple[str, str] = ('first', 'second'), single: bool = False) -> \
        tuple[np.ndarray, np.ndarray]:
    """Vectors of both sides, with a warning for those that cannot be compared, which become NaN."""
    choice('method', method, METHODS)
    one, two = two_sides(first, second, names)
    for rows, name in zip((one, two), names, strict=True):
        if single and len(rows) > 1:
            raise BadValue(f'{name} must be one RDM, not {len(rows)}')
        good = comparable(rows, method)
        warn_unusable(rows, good, name)
        rows[~good] = np.nan
    return one, two


def permuted(first: np.ndarray, second: np.ndarray, method: str, subjects: bool = False) -> \
        Callable[[np.ndarray], np.ndarray]:
    """A function from orders (n_block, n_item) of the items of the second to similarities.

    It returns (n_block, n_first, n_second), or (n_block, n_first) as means over the second.
    """
    if method in TAUS:
        return _permuted_taus(first, second, TAUS[method], subjects)
    dual, values = unit_sides(first, method)[0], unit_sides(second, method)[1]
    if subjects:
        values = values.mean(axis=0, keepdims=True)                 # the mean of inner products is that of the mean
    full, cells = squares(values).reshape(len(values), -1), Cells(first.shape[1])
    step = max(1, _CACHE_BYTES // (8 * first.shape[1]))             # orders whose pairs stay in the cache

    def of(orders: np.ndarray) -> np.ndarray:
        found = np.empty((len(values), len(orders), len(dual)))
        for start in range(0, len(orders), step):
            places = cells(orders[start:start + step])
            for rdm, row in zip(found, full, strict=True):
                rdm[start:start + step] = np.take(row, places, mode='clip') @ dual.T
        return found[0] if subjects else found.transpose(1, 2, 0)
    return of


def in_blocks(statistic: Callable, orders: np.ndarray, n_second: int, n_jobs: int = 1) -> \
        Iterator[tuple[int, np.ndarray]]:
    """Run a statistic over blocks of orders: (number of the first, statistics), in their order."""
    n_item = orders.shape[1]
    step = max(1, _BLOCK_BYTES // (8 * n_item * (n_item - 1) // 2 * (1 + n_second)))
    starts = range(0, len(orders), step)
    jobs = (delayed(statistic)(orders[start:start + step]) for start in starts)
    yield from zip(starts, threads(n_jobs, return_as='generator')(jobs), strict=True)


def threads(n_jobs: int, **settings) -> Parallel:
    """joblib's Parallel with threads."""
    if whole_number(n_jobs, 'n_jobs') == 0:
        raise BadValue('n_jobs must be a number of threads, or -1 for one per core, not 0')
    return Parallel(n_jobs, prefer='threads', **settings)


class Cells:
    """Where each pair comes from when items are put in another order, as places in a flat square."""

    def __init__(self, n_pair: int):
        self.above, self.below = np.triu_indices(n_items(n_pair), 1)

    def __call__(self, orders: np.ndarray) -> np.ndarray:
        """Places (n_block, n_pair) for orders (n_block, n_item)."""
        orders = orders.astype(np.intp)
        places = np.take(orders * orders.shape[1], self.above, axis=1, mode='clip')     # 'raise' takes twice as long
        places += np.take(orders, self.below, axis=1, mode='clip')
        return places


def _permuted_taus(first: np.ndarray, second: np.ndarray, ties: str, subjects: bool) -> Callable:
    one, two, cells = codes(first), codes(second), Cells(first.shape[1])
    full = squares(two).astype(np.int64).reshape(len(two), -1)

    def of(orders: np.ndarray) -> np.ndarray:
        moved, found = np.take(full, cells(orders), axis=1), np.empty((len(orders), len(one), len(two)))
        for i, code in enumerate(one):
            for j, rows in enumerate(moved):
                found[:, i, j] = taus(np.broadcast_to(code, rows.shape), rows, ties=ties)
        return found.mean(axis=2) if subjects else found
    return of
