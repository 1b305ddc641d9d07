"""How well a perfect model of what subjects share could do: from below and from above."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from dnnbrain._checks import BadValue, choice
from dnnbrain.mapping.rsa.compare import METHODS, TAUS, comparable, drawn
from dnnbrain.mapping.rsa.pairs import two_sides
from dnnbrain.mapping.rsa.similarity import Draws, unit_sides
from dnnbrain.mapping.triangles import squares


@dataclass(frozen=True)
class RdmCeiling:
    """Where the mean similarity of the best possible model lies.

    Attributes
    ----------
    lower, upper : float
        Mean over subjects.
    lower_each, upper_each : ndarray of shape (n_subject,)
        Similarity of a subject with the others, and with all including oneself.
    best : ndarray of shape (n_pair,)
        The RDM that comes nearest to all subjects, whose similarity is the upper end.
    """

    lower: float
    upper: float
    lower_each: np.ndarray
    upper_each: np.ndarray
    best: np.ndarray


def rdm_ceiling(rdms, method: str = 'pearson') -> RdmCeiling:
    """Noise ceiling from the RDMs of subjects (Nili et al. 2014, doi 10.1371/journal.pcbi.1003553).

    RDMs are brought to the same scale first (standardised, ranked or to length 1, as the measure has it), so that
    their mean is the RDM most similar to all. For rank measures that mean is very nearly the best.

    Parameters
    ----------
    rdms : array_like of shape (n_subject, n_pair) or (n_subject, n_item, n_item)
    method : str
        As in `compare`.
    """
    choice('method', method, METHODS)
    rows, _ = two_sides(rdms, rdms, ('rdms', 'rdms'))
    if len(rows) < 2:
        raise BadValue(f'a noise ceiling needs the RDMs of two subjects or more, not {len(rows)}')
    bad = np.flatnonzero(~comparable(rows, method))
    if bad.size:
        raise BadValue(f'the RDM of subject {bad[0] + 1} holds NaN or does not vary; leave that subject out')
    whole = Draws.all_once(rows.shape[1])
    alike = _alike(rows, method)
    others = (alike.sum(axis=0) - alike) / (len(rows) - 1)
    best = alike.mean(axis=0)
    lower = np.array([drawn(own[None], rest[None], whole, method)[0, 0, 0]
                      for own, rest in zip(rows, others, strict=True)])
    upper = drawn(rows, best[None], whole, method)[0, :, 0]
    return RdmCeiling(float(lower.mean()), float(upper.mean()), lower, upper, best)


def ceiling_RSA(rdms, corr_type: str = 'pearson') -> tuple[float, float, np.ndarray]:
    """Noise ceiling, with the call of DNNBrain 1.0.

    Parameters
    ----------
    rdms : array_like of shape (n_subject, n_item, n_item)
    corr_type : str
        As in `compare`.

    Returns
    -------
    lower, upper : float
        See `rdm_ceiling`.
    mean : ndarray of shape (n_item, n_item)
        Plain mean over subjects.
    """
    found, rows = rdm_ceiling(rdms, corr_type), two_sides(rdms, rdms, ('rdms', 'rdms'))[0]
    return found.lower, found.upper, squares(rows.mean(axis=0))


def _alike(rows: np.ndarray, method: str) -> np.ndarray:
    if method in TAUS or method in ('spearman', 'rho-a'):
        return rankdata(rows, axis=1)                               # exact in their sums, so that ties remain ties
    return unit_sides(rows, method)[1]
