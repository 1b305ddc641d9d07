"""The RSA class of DNNBrain 1.0: RDMs, one against one, one against many, or pair by pair."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dnnbrain._checks import BadType, BadValue, choice, whole_number
from dnnbrain.mapping.inference.tally import TAILS
from dnnbrain.mapping.rsa.bootstrap import bootstrap
from dnnbrain.mapping.rsa.compare import METHODS, compare
from dnnbrain.mapping.rsa.pairs import two_sides
from dnnbrain.mapping.rsa.permutation import permute_items

INPUT_TYPES = ('one2one', 'one2n', 'n2n')


class RSA:
    """Similarity of RDMs, with a p-value or an interval.

    Parameters
    ----------
    rdm1, rdm2 : array_like
        RDMs of the same items: one is (n_item, n_item) or (n_pair,), several are (n_rdm, n_item, n_item) or
        (n_rdm, n_pair) or a list.
    input_type : {'one2one', 'one2n', 'n2n'}
        One RDM with one, one with each of several, or each of several with the one in the same place.
    n_jobs : int
        Threads; they do not change results.
    n_iter : int
        Permutations or draws.
    alpha : float
        An interval of a bootstrap holds the truth with probability 1 - alpha.
    tail : {'greater', 'less', 'two-sided'}
        Of the permutation test.
    rng : int or Generator
    """

    def __init__(self, rdm1, rdm2, input_type: str = 'one2one', n_jobs: int = 1, n_iter: int = 1000,
                 alpha: float = 0.05, tail: str = 'greater', rng=0):
        choice('input_type', input_type, INPUT_TYPES)
        choice('tail', tail, tuple(TAILS))
        if not isinstance(alpha, int | float) or not 0 < alpha < 1:
            raise BadValue(f'alpha must be between 0 and 1, such as 0.05, not {alpha!r}')
        if whole_number(n_iter, 'n_iter') is None or n_iter < 2:
            raise BadValue(f'n_iter must be at least 2, not {n_iter}')
        self.rdm1, self.rdm2 = two_sides(rdm1, rdm2, ('rdm1', 'rdm2'))
        many = {'one2one': (False, False), 'one2n': (False, True), 'n2n': (True, True)}[input_type]
        for rows, several, name in zip((self.rdm1, self.rdm2), many, ('rdm1', 'rdm2'), strict=True):
            if len(rows) > 1 and not several:
                raise BadValue(f'{name} holds {len(rows)} RDMs, but input_type {input_type!r} takes one there')
        if input_type == 'n2n' and len(self.rdm1) != len(self.rdm2):
            raise BadValue(f"input_type 'n2n' pairs RDMs by place; rdm1 holds {len(self.rdm1)} and rdm2 "
                           f'{len(self.rdm2)}')
        self.input_type, self.n_jobs, self.n_iter, self.alpha = input_type, n_jobs, int(n_iter), alpha
        self.tail, self.rng = tail, rng

    def rsa(self, corr_method: str = 'pearson', sig_method: str = 'permutation'):
        """Similarities, and what they are worth.

        Parameters
        ----------
        corr_method : str
            'pearson', 'spearman', 'kendall', or any other of `compare`.
        sig_method : {'permutation', 'bootstrap'}
            Permute items: a p-value. Draw stimuli again: an interval.

        Returns
        -------
        r : float, or list of float
        significance : float or (low, high), or list of them
        """
        significance = {'permutation': self.corr_permutation, 'bootstrap': self.corr_bootstrap}
        choice('sig_method', sig_method, tuple(significance))
        return self._similarity(corr_method), significance[sig_method](corr_method)

    def corr_rdm(self, corr_method: str = 'pearson') -> float:
        """Similarity of one RDM with one."""
        return self._similarity(corr_method, 'one2one')

    def corr_rdm_rdms(self, corr_method: str = 'pearson') -> list[float]:
        """Similarity of one RDM with each of several."""
        return self._similarity(corr_method, 'one2n')

    def corr_rdms(self, corr_method: str = 'pearson') -> list[float]:
        """Similarity of several RDMs, each with the one in the same place."""
        return self._similarity(corr_method, 'n2n')

    def corr_permutation(self, corr_method: str = 'pearson'):
        """p-value (1 + b) / (1 + n_iter) when items are permuted, rows and columns together; or a list of them."""
        return self._each(lambda one, two: permute_items(one, two, corr_method, self.n_iter, self.tail,
                                                         n_jobs=self.n_jobs, rng=self.rng).p)

    def corr_bootstrap(self, corr_method: str = 'pearson'):
        """(low, high) when stimuli are drawn again, or a list of them; see `RdmBootstrap.interval`."""
        return self._each(lambda one, two: np.stack(bootstrap(
            one, two, corr_method, n_boot=self.n_iter, n_jobs=self.n_jobs, rng=self.rng).interval(1 - self.alpha), -1))

    def _similarity(self, corr_method: str, input_type: str | None = None):
        choice('corr_method', corr_method, METHODS)
        if input_type not in (None, self.input_type):
            raise BadType(f'this RSA was made for input_type {self.input_type!r}, not {input_type!r}')
        return self._each(lambda one, two: compare(one, two, corr_method))

    def _each(self, of: Callable[[np.ndarray, np.ndarray], np.ndarray]):
        """Plain numbers, tuples or lists from a function of vectors that returns (n_first, n_second[, 2])."""
        if self.input_type == 'n2n':
            found = [of(one[None], two[None])[0, 0] for one, two in zip(self.rdm1, self.rdm2, strict=True)]
        else:
            found = of(self.rdm1, self.rdm2)[0]
        found = [float(value) if np.ndim(value) == 0 else (float(value[0]), float(value[1])) for value in found]
        return found[0] if self.input_type == 'one2one' else found
