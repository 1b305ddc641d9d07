"""How sure a similarity of RDMs is: stimuli drawn again, subjects, or both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from joblib import delayed

from dnnbrain._checks import BadValue, choice, whole_number
from dnnbrain.mapping.inference.exchange import bootstrap_weights, jackknife_weights
from dnnbrain.mapping.rsa.compare import drawn
from dnnbrain.mapping.rsa.permutation import checked, threads
from dnnbrain.mapping.rsa.similarity import Draws
from dnnbrain.mapping.rsa.variance import both_variance, bounded_interval, stimulus_variance, subject_variance
from dnnbrain.mapping.triangles import n_items

OVER = ('stimuli', 'subjects', 'both')
_BLOCK_BYTES = 2 ** 25


@dataclass(frozen=True)
class RdmBootstrap:
    """Similarities and how they vary.

    Attributes
    ----------
    r : ndarray of shape (n_first, n_second), or (n_first,) as means over subjects
    draws : ndarray of shape (n_boot, ...)
    variance : ndarray of the shape of r
        Corrected, see `variance`; the plain variance of the draws is often too large.
    freedom : int or ndarray of the shape of r
        Degrees of freedom of Student's t: stimuli or subjects less one, or between the two.
    """

    r: np.ndarray
    draws: np.ndarray
    variance: np.ndarray
    freedom: int | np.ndarray

    @property
    def error(self) -> np.ndarray:
        """Standard error."""
        return np.sqrt(self.variance)

    def interval(self, level: float = 0.95, method: str = 'corrected') -> tuple[np.ndarray, np.ndarray]:
        """Low and high end, each of the shape of r.

        Parameters
        ----------
        method : {'corrected', 'percentile'}
            'percentile' takes the draws as they are: where pairs are noisy a 95 % interval holds the truth more
            than 99 % of the time.
        """
        if not 0 < level < 1:
            raise BadValue(f'level must be between 0 and 1, such as 0.95, not {level}')
        if choice('method', method, ('corrected', 'percentile')) == 'corrected':
            return bounded_interval(self.r, self.error, self.freedom, level)
        known = np.where(np.isfinite(self.r), self.draws, 0)
        ends = np.nanquantile(known, [(1 - level) / 2, (1 + level) / 2], axis=0)
        return tuple(np.where(np.isfinite(self.r), end, np.nan) for end in ends)


def bootstrap(first, second, method: str = 'pearson', over: str = 'stimuli', n_boot: int = 1000, n_jobs: int = 1,
              rng=0) -> RdmBootstrap:
    """Similarities of RDMs in draws of stimuli, of subjects, or of both.

    Parameters
    ----------
    first, second : array_like
        RDMs of the same items, as in `compare`. For 'subjects' and 'both' the second are those of subjects, and
        the mean over subjects is what is estimated.
    method : str
        As in `compare`.
    over : {'stimuli', 'subjects', 'both'}
        To whom the interval generalises. A stimulus that is drawn twice makes a pair with itself, which is left out.
    n_jobs : int
        Threads; they do not change the result.
    rng : int or Generator

    Returns
    -------
    bootstrap : RdmBootstrap
    """
    one, two = checked(first, second, method)
    check_draws(two, over, n_boot)
    n, generator = n_items(one.shape[1]), np.random.default_rng(rng)
    each = drawn(one, two, Draws.all_once(one.shape[1]), method)[0]
    if over == 'subjects':
        weights = bootstrap_weights(len(two), n_boot, rng=generator)
        return RdmBootstrap(each.mean(axis=1), weights @ each.T / len(two), subject_variance(each), len(two) - 1)
    draws = redrawn(one, two, bootstrap_weights(n, n_boot, rng=generator), method, n_jobs)
    left_out = redrawn(one, two, jackknife_weights(n), method, n_jobs)
    if over == 'stimuli':
        return RdmBootstrap(each, draws, stimulus_variance(draws, left_out), n - 1)
    weights = bootstrap_weights(len(two), n_boot, rng=generator)
    mixed = np.einsum('bis,bs->bi', draws, weights) / len(two)
    return RdmBootstrap(each.mean(axis=1), mixed, *both_variance(draws, left_out, each))


def check_draws(rows: np.ndarray, over: str, n_boot: int) -> None:
    """Refuse to draw subjects where there are fewer than three, or where one cannot be compared."""
    if whole_number(n_boot, 'n_boot') is None or n_boot < 2:
        raise BadValue(f'n_boot must be at least 2, not {n_boot}')
    if choice('over', over, OVER) == 'stimuli':
        return
    if len(rows) < 3:
        raise BadValue(f'over {over!r} needs the RDMs of three subjects or more, not {len(rows)}')
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if bad.size:
        raise BadValue(f'the RDM of subject {bad[0] + 1} holds NaN or does not vary; leave that subject out')


def redrawn(first: np.ndarray, second: np.ndarray, items: np.ndarray, method: str, n_jobs: int = 1) -> np.ndarray:
    """Similarities (n_draw, n_first, n_second) in draws (n_draw, n_item) of items, block by block."""
    step = max(1, _BLOCK_BYTES // (8 * first.shape[1] * (2 * len(first) + 2 * len(second) + 1)))
    jobs = (delayed(_block)(first, second, items[low:low + step], method) for low in range(0, len(items), step))
    return np.concatenate(threads(n_jobs)(jobs))


def _block(first: np.ndarray, second: np.ndarray, items: np.ndarray, method: str) -> np.ndarray:
    return drawn(first, second, Draws.make(items), method)
