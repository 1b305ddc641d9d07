"""The permutation test of DNNBrain 1.0, with items permuted."""

from __future__ import annotations

import numpy as np

from dnnbrain._checks import choice
from dnnbrain.mapping.inference.exchange import row_orders
from dnnbrain.mapping.inference.tally import TAILS
from dnnbrain.mapping.rsa.permutation import checked, in_blocks, permuted
from dnnbrain.mapping.triangles import n_items


def permutation_RSA(rdm1, rdm2, corr_type: str = 'pearson', n_iter: int = 1000, tail: str = 'greater',
                    n_jobs: int = 1, rng=0) -> tuple[float, np.ndarray, float]:
    """Similarity of two RDMs, what it is when items are permuted, and the p-value.

    Parameters
    ----------
    rdm1, rdm2 : array_like of shape (n_item, n_item) or (n_pair,)
    corr_type : str
        As in `compare`.
    n_iter : int
        Permutations; p is (1 + b) / (1 + n_iter).
    tail : {'greater', 'less', 'two-sided'}
    n_jobs : int
        Threads; they do not change the result.
    rng : int or Generator

    Returns
    -------
    r : float
    null : ndarray of shape (n_iter,)
    p : float
    """
    one, two = checked(rdm1, rdm2, corr_type, names=('rdm1', 'rdm2'), single=True)
    turn = TAILS[choice('tail', tail, tuple(TAILS))]
    orders, statistic = row_orders(n_items(one.shape[1]), n_iter, rng=rng), permuted(one, two, corr_type)
    r = float(statistic(np.arange(orders.shape[1])[None])[0, 0, 0])
    null = np.concatenate([block[:, 0, 0] for _, block in in_blocks(statistic, orders, 1, n_jobs)])
    # an arrangement that is the observed one must count, whatever the order of its sums
    reached = (turn(null) >= turn(r) - 1e-6 * abs(r)).sum()
    return r, null, float('nan') if np.isnan(r) else float((1 + reached) / (1 + n_iter))
