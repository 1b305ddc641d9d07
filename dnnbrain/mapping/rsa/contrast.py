"""Is one layer or network more similar to the brain than another?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from dnnbrain._checks import BadValue
from dnnbrain.mapping.inference.exchange import bootstrap_weights, jackknife_weights
from dnnbrain.mapping.inference.permutation import fdr
from dnnbrain.mapping.rsa.bootstrap import check_draws, redrawn
from dnnbrain.mapping.rsa.compare import drawn
from dnnbrain.mapping.rsa.permutation import checked
from dnnbrain.mapping.rsa.similarity import Draws
from dnnbrain.mapping.rsa.variance import both_variance, stimulus_variance, subject_variance
from dnnbrain.mapping.triangles import n_items


@dataclass(frozen=True)
class RdmContrast:
    """Differences of similarity between all pairs of layers.

    Attributes
    ----------
    difference : ndarray of shape (n_layer, n_layer)
        Similarity of the layer of the row less that of the column.
    error : ndarray of shape (n_layer, n_layer)
        Standard error.
    p : ndarray of shape (n_layer, n_layer)
        Two-sided; NaN on the diagonal.
    freedom : int or ndarray of shape (n_layer, n_layer)
        Degrees of freedom of Student's t.
    """

    difference: np.ndarray
    error: np.ndarray
    p: np.ndarray
    freedom: int | np.ndarray

    def interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Low and high end of the differences, each (n_layer, n_layer), by Student's t; 0 on the diagonal."""
        if not 0 < level < 1:
            raise BadValue(f'level must be between 0 and 1, such as 0.95, not {level}')
        reach = student.ppf(0.5 + level / 2, self.freedom) * self.error
        np.fill_diagonal(reach, 0)
        return self.difference - reach, self.difference + reach

    @property
    def p_fdr(self) -> np.ndarray:
        """p adjusted for the false discovery rate over all pairs of layers, (n_layer, n_layer)."""
        above = np.triu_indices(len(self.p), 1)
        adjusted = np.full(self.p.shape, np.nan)
        adjusted[above] = fdr(self.p[above])
        adjusted.T[above] = adjusted[above]
        return adjusted


def contrast(layers, brain, method: str = 'pearson', over: str = 'stimuli', n_boot: int = 1000, n_jobs: int = 1,
             rng=0) -> RdmContrast:
    """Compare all pairs of layers by how similar they are to the same brain RDM or RDMs.

    Over stimuli or both: the corrected standard error of the difference in the same draws (`variance`), and
    Student's t. Over subjects: signs of the subjects' differences are flipped, all ways where they are fewer than
    `n_boot`; with fewer than six subjects p cannot fall below 0.05.

    Parameters
    ----------
    layers : array_like
        RDMs of two layers or more, of one network or of several.
    brain : array_like
        One RDM, or for 'subjects' and 'both' those of subjects, over which similarities are averaged.
    method, n_jobs, rng
        As in `bootstrap`.
    over : {'stimuli', 'subjects', 'both'}
    n_boot : int
        Draws, or flips.
    """
    one, two = checked(layers, brain, method, ('layers', 'brain'))
    check_draws(two, over, n_boot)
    if len(one) < 2:
        raise BadValue('layers holds a single RDM; two or more are needed to compare them')
    if over == 'stimuli' and len(two) > 1:
        raise BadValue(f"brain holds {len(two)} RDMs; give one, or over='subjects' or 'both'")
    n, generator = n_items(one.shape[1]), np.random.default_rng(rng)
    each = drawn(one, two, Draws.all_once(one.shape[1]), method)[0]                   # (n_layer, n_subject)
    apart = each[:, None] - each
    difference = apart.mean(axis=-1)
    if over == 'subjects':
        p = _flipped(apart, n_boot, generator)
        return RdmContrast(difference, np.sqrt(subject_variance(apart)), _open_diagonal(p), len(two) - 1)
    draws = redrawn(one, two, bootstrap_weights(n, n_boot, rng=generator), method, n_jobs)
    left_out = redrawn(one, two, jackknife_weights(n), method, n_jobs)
    # layer by layer, for the differences of all draws would fill the memory
    variance, freedom = (np.stack(rows) for rows in zip(*(
        _VARIANCE[over](draws[:, [i]] - draws, left_out[:, [i]] - left_out, apart[i]) for i in range(len(one))),
        strict=True))
    error = np.sqrt(variance)
    with np.errstate(divide='ignore', invalid='ignore'):
        p = 2 * student.sf(np.abs(difference) / error, freedom)
    return RdmContrast(difference, error, _open_diagonal(np.where(difference == 0, 1, p)), freedom)


def _over_stimuli(draws: np.ndarray, left_out: np.ndarray, each: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    variance = stimulus_variance(draws[..., 0], left_out[..., 0])
    return variance, np.full(variance.shape, len(left_out) - 1.0)


_VARIANCE = {'stimuli': _over_stimuli, 'both': both_variance}


def sign_flips(n_subject: int, n_flip: int, generator: np.random.Generator) -> tuple[np.ndarray, bool]:
    """Signs (n_flips, n_subject): all there are if no more than `n_flip`, else random ones; and whether all."""
    if 2 ** n_subject <= n_flip:
        return 1.0 - 2 * (np.arange(2 ** n_subject)[:, None] >> np.arange(n_subject) & 1), True
    return generator.choice(np.array([-1.0, 1.0]), (n_flip, n_subject)), False


def _flipped(apart: np.ndarray, n_flip: int, generator: np.random.Generator) -> np.ndarray:
    """Two-sided p (n_layer, n_layer) of mean differences (n_layer, n_layer, n_subject)."""
    signs, every = sign_flips(apart.shape[-1], n_flip, generator)
    reached = np.abs(apart.mean(axis=-1)) * (1 - 1e-9)
    exceed = np.stack([(np.abs(row @ signs.T) / apart.shape[-1] >= least[:, None]).sum(axis=1)
                       for row, least in zip(apart, reached, strict=True)])
    # all ways of flipping hold the observed one; random ones do not
    p = exceed / len(signs) if every else (1 + exceed) / (1 + len(signs))
    return np.where(np.isfinite(reached), p, np.nan)


def _open_diagonal(p: np.ndarray) -> np.ndarray:
    p = p.copy()
    np.fill_diagonal(p, np.nan)
    return p

