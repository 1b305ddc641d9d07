"""How alike RDMs are: correlations, rank correlations, cosines, whitened ones."""

from __future__ import annotations

import numpy as np

from dnnbrain._checks import choice
from dnnbrain.mapping.rsa.pairs import two_sides, warn_unusable
from dnnbrain.mapping.rsa.similarity import PRODUCTS, Draws, sides
from dnnbrain.mapping.rsa.tau import codes, taus

TAUS = {'kendall': 'b', 'tau-b': 'b', 'tau-a': 'a'}
METHODS = (*PRODUCTS, *TAUS)
_BLOCK_BYTES = 2 ** 26


def compare(first, second, method: str = 'pearson') -> np.ndarray:
    """Similarity of each RDM of one set with each of another.

    Parameters
    ----------
    first, second : array_like
        RDMs of the same items: (n_pair,), (n_rdm, n_pair), (n_item, n_item) or (n_rdm, n_item, n_item).
    method : str
        'pearson', 'spearman', 'kendall' (tau-b, also 'tau-b'), 'tau-a', 'rho-a', 'cosine', 'corr_cov' or
        'cosine_cov'. Where an RDM has ties, as models of categories have, tau-a and rho-a are fair (Nili et al.
        2014; Schuett et al. 2023, doi 10.7554/eLife.82566); rho-a is the mean Spearman correlation over ways to
        break the ties. The last two take into account that pairs which share an item err together (Diedrichsen et
        al. 2020, arXiv 2007.02789).

    Returns
    -------
    similarity : ndarray of shape (n_first, n_second)
        NaN for RDMs that hold NaN or do not vary, which are counted in a warning.

    Raises
    ------
    BadValue
        The RDMs are of different items in number, or no RDMs.
    """
    choice('method', method, METHODS)
    one, two = two_sides(first, second)
    similarity = drawn(one, two, Draws.all_once(one.shape[1]), method)[0]
    warn_unusable(one, comparable(one, method), 'first')
    warn_unusable(two, comparable(two, method), 'second')
    return similarity


def comparable(rows: np.ndarray, method: str) -> np.ndarray:
    """Which RDMs (n_rdm, n_pair) are finite and vary, (n_rdm,) bool; for a cosine, are not all 0."""
    finite = np.isfinite(rows).all(axis=1)
    reference = 0 if method.startswith('cosine') else rows[:, :1]
    return finite & (rows != reference).any(axis=1)


def drawn(first: np.ndarray, second: np.ndarray, draws: Draws, method: str) -> np.ndarray:
    """Similarities (n_draw, n_first, n_second) of vectors (n_rdm, n_pair) in draws of items."""
    if method in TAUS:
        return _drawn_taus(codes(first), codes(second), draws, TAUS[method])
    dual, _, size = sides(first, draws, method)
    _, values, other = sides(second, draws, method)
    return np.clip(dual @ values.transpose(0, 2, 1) / (size[:, :, None] * other[:, None]), -1, 1)


def _drawn_taus(first: np.ndarray, second: np.ndarray, draws: Draws, ties: str) -> np.ndarray:
    shape = (len(draws.pairs), len(first), len(second))
    found, size, whole = np.empty(shape), int(np.prod(shape)), (draws.items == 1).all()
    step = max(1, _BLOCK_BYTES // (100 * first.shape[1]))
    for low in range(0, size, step):
        draw, i, j = np.unravel_index(np.arange(low, min(low + step, size)), shape)
        weights = None if whole else draws.pairs[draw].astype(np.int64)
        found.reshape(-1)[low:low + step] = taus(first[i], second[j], weights, ties)
    return found
