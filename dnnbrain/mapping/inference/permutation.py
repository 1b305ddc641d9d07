"""Is a voxel predicted better than chance? Permutations, with the maximum over voxels for family-wise error.

What is permuted decides what holds. Held-out predictions of cross-validation depend on the very
responses that are permuted, since what is tested in one fold trains the others: against fixed
predictions the null distribution is too narrow by a factor of about sqrt(2), and 5 % become 12 %.
So models of cross-validation are refitted to each permutation (`permute_encoding`), which for a
linear model on a kernel is one matrix product. Predictions of models that were trained on other
data may stay fixed (`permute_predictions`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.stats import false_discovery_control

from dnnbrain._checks import BadType, BadValue, choice
from dnnbrain._progress import progress
from dnnbrain.mapping.crossval import Split
from dnnbrain.mapping.inference.exchange import row_orders
from dnnbrain.mapping.inference.refit import Refit, quick_scores
from dnnbrain.mapping.inference.tally import TAILS, PermutationTest, Tally, p_of_max
from dnnbrain.mapping.ridge import default_alphas, deviations
from dnnbrain.mapping.scoring import SCORINGS, varies

_BLOCK_BYTES = 2 ** 28


def permutation_test(statistic: Callable[[np.ndarray], np.ndarray], n: int, n_perm: int = 1000, within=None,
                     together=None, tail: str = 'greater', rois=None, rng=0) -> PermutationTest:
    """p-values of any statistic by permuting rows.

    Parameters
    ----------
    statistic : callable
        Takes an order of the rows, (n,) int, and returns the statistic of each target, (n_target,),
        after the responses (or the stimuli, but not both) were put in that order. Everything that looked at
        the responses, such as the choice of a penalty, belongs inside.
    n, n_perm : int
    within, together
        Runs, and stimuli whose repeats move as one; see `exchange.row_orders`.
    tail : {'greater', 'less', 'two-sided'}
    rois
        Regions whose means are tested too; see `Regions.make`.
    rng : int or Generator
    """
    orders = row_orders(n, n_perm, within, together, rng)
    observed = np.asarray(statistic(np.arange(n)), dtype=np.float64)
    if observed.ndim != 1:
        raise BadValue(f'statistic must return an array (n_target,), not one of shape {observed.shape}')
    tally = Tally(len(observed), n_perm, tail, rois)
    tally.add(slice(None), observed, ((k, np.asarray(statistic(order))[None])
                                      for k, order in enumerate(progress(orders, 'permutations'))))
    return tally.result()


def permute_encoding(K: np.ndarray, Y: np.ndarray, splits: Sequence[Split], alphas=None, scoring: str = 'correlation',
                     n_perm: int = 1000, within=None, together=None, rois=None, rng=0) -> PermutationTest:
    """p-values of cross-validated scores of ridge or least squares, refitted to each permutation of the responses.

    Penalties are chosen anew for each permutation, fold and target, by generalised cross-validation of the
    training responses (Golub et al. 1979), which costs next to nothing. Those that an encoding chose for
    the true responses must not be kept: family-wise 5 % would become 10 to 15 %.

    Parameters
    ----------
    K : ndarray of shape (n_stim, n_stim)
        Kernel of the layer, rows in the order of the responses.
    Y : ndarray of shape (n_stim, n_target)
    splits : list of (train, test)
        The folds; repeats of a stimulus lie in one fold.
    alphas : float or sequence of float, optional
        Penalties to choose from, `ridge.default_alphas` by default. 0 alone is least squares of minimum norm.
    scoring : {'correlation', 'r2', 'explained_variance'}
        The statistic is the mean over folds.
    n_perm, within, together, rois, rng
        As in `permutation_test`. With the same seed, layers get the same permutations.

    Returns
    -------
    test : PermutationTest
        NaN for targets that are constant or not finite.
    """
    K, Y = np.asarray(K, dtype=np.float64), np.asarray(Y)
    choice('scoring', scoring, tuple(SCORINGS))
    if Y.ndim != 2 or K.shape != (len(Y), len(Y)):
        raise BadValue(f'K must have shape (n_stim, n_stim) and Y (n_stim, n_target), not {K.shape} and {Y.shape}')
    if not np.isfinite(K).all():
        raise BadValue('K holds NaN or infinite values')
    _check_splits(splits, len(Y))
    alphas = default_alphas(K) if alphas is None else np.atleast_1d(np.asarray(alphas))
    lowest = 'positive numbers, or 0 alone for least squares'
    if alphas.dtype.kind not in 'iuf' or not alphas.size or not np.isfinite(alphas).all():
        raise BadValue(f'alphas must be {lowest}, not {alphas.tolist()}')
    if alphas.min() < 0 or (alphas.size > 1 and alphas.min() == 0):
        raise BadValue(f'alphas must be {lowest}, not {alphas.tolist()}')
    orders, alphas = row_orders(len(Y), n_perm, within, together, rng), alphas.astype(np.float64)
    machine = Refit(K, splits, alphas, scoring)
    return _over_blocks(Y, varies(Y), orders, rois, lambda voxels: machine.scores(_single(Y[:, voxels])))


def permute_predictions(Y: np.ndarray, predicted: np.ndarray, scoring: str = 'correlation', n_perm: int = 1000,
                        within=None, together=None, rois=None, rng=0) -> PermutationTest:
    """p-values of predictions by models that never saw these responses: trained on another session or stimulus set.

    Not for predictions of cross-validation, for which `permute_encoding` refits.

    Parameters
    ----------
    Y, predicted : ndarray of shape (n_stim, n_target)
    scoring, n_perm, within, together, rois, rng
        As in `permute_encoding`.
    """
    Y, predicted = np.asarray(Y), np.asarray(predicted)
    choice('scoring', scoring, tuple(SCORINGS))
    if Y.ndim != 2 or Y.shape != predicted.shape:
        raise BadValue(f'Y and predicted must have the same shape (n_stim, n_target), not {Y.shape} and '
                       f'{predicted.shape}')
    good = varies(Y) & np.isfinite(predicted).all(axis=0)
    orders = row_orders(len(Y), n_perm, within, together, rng)

    def scores(voxels):
        y, p = _single(Y[:, voxels]), _single(predicted[:, voxels], Y[:, voxels])
        return lambda block: quick_scores(scoring, y[block.T], p[:, None])
    return _over_blocks(Y, good, orders, rois, scores)


def family(tests: Mapping[str, PermutationTest] | Sequence[PermutationTest]) -> list[np.ndarray]:
    """p-values (n_target,) of each test, family-wise over all targets of all tests (all layers, say).

    The tests must come from the same permutations: same rows, n_perm and seed.
    """
    tests = list(tests.values()) if isinstance(tests, Mapping) else list(tests)
    if len({(len(test.null_max), test.tail) for test in tests}) != 1:
        raise BadValue('tests must share their permutations: the same n_perm, seed and tail')
    highest = np.fmax.reduce([test.null_max for test in tests])
    return [p_of_max(TAILS[test.tail](test.statistic), highest) for test in tests]


def fdr(p: np.ndarray, method: str = 'bh') -> np.ndarray:
    """p-values adjusted for the false discovery rate; below 0.05 they are significant at a rate of 5 %.

    Parameters
    ----------
    p : array_like
        NaN stays NaN and does not count.
    method : {'bh', 'by'}
        Benjamini & Hochberg (1995) for independent or positively dependent tests, as voxels are;
        Benjamini & Yekutieli (2001) for any dependence.
    """
    p = np.asarray(p)
    choice('method', method, ('bh', 'by'))
    if p.dtype.kind not in 'iuf':
        raise BadType(f'p must be numbers, not {p.dtype}')
    known, adjusted = np.isfinite(p), np.full(p.shape, np.nan)
    if (p[known] < 0).any() or (p[known] > 1).any():
        raise BadValue('p-values must lie between 0 and 1')
    if known.any():
        adjusted[known] = false_discovery_control(p[known], method=method)
    return adjusted


def _over_blocks(Y: np.ndarray, good: np.ndarray, orders: np.ndarray, rois, make) -> PermutationTest:
    """Run `make(voxels)`, a function from orders to statistics, over blocks of voxels and permutations."""
    n, n_perm = len(Y), len(orders)
    tally, columns = Tally(Y.shape[1], n_perm, 'greater', rois), np.flatnonzero(good)
    if not len(columns):
        raise BadValue('no target varies; there is nothing to test')
    width = max(1, _BLOCK_BYTES // (4 * 4 * n))
    with progress(None, 'permutations', total=n_perm * len(columns), unit='target') as bar:
        for lo in range(0, len(columns), width):
            voxels = columns[lo:lo + width]
            scores, depth = make(voxels), max(1, width // len(voxels))

            tally.add(voxels, scores(np.arange(n)[None])[0], _blocks(scores, orders, depth, len(voxels), bar))
    return tally.result()


def _blocks(scores, orders: np.ndarray, depth: int, n_voxel: int, bar):
    for first in range(0, len(orders), depth):
        block = orders[first:first + depth]
        yield first, scores(block)
        bar.update(n_voxel * len(block))


def _check_splits(splits, n: int) -> None:
    pairs = isinstance(splits, Sequence) and len(splits) and all(len(split) == 2 for split in splits)
    if not pairs:
        raise BadType(f'splits must be a list of (train rows, test rows), as crossval.folds gives, not {splits!r}')
    last = max(np.max(rows) for split in splits for rows in split)
    if last >= n:
        raise BadValue(f'splits hold row {last}, but the responses have {n} rows')
    if any(np.intersect1d(train, test).size for train, test in splits):
        raise BadValue('a row is in the training and in the test set of the same fold')


def _single(values: np.ndarray, origin: np.ndarray | None = None) -> np.ndarray:
    """Float32 after taking out the mean and scale (of `origin`), so that neither offset nor unit costs precision."""
    origin = (values if origin is None else origin).astype(np.float64, copy=False)
    return ((values - origin.mean(axis=0)) / deviations(origin)).astype(np.float32)
