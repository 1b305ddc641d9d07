"""How well a model of what subjects share could score: ceilings from the other subjects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dnnbrain._checks import BadValue, choice
from dnnbrain.mapping.scoring import SCORINGS, varies


@dataclass(frozen=True)
class SubjectCeiling:
    """Where the score of the best model of what subjects share must lie.

    Attributes
    ----------
    lower, upper : ndarray of shape (n_voxel,)
        Mean over subjects of the score of the others' mean, and of the mean of all with oneself.
    lower_error, upper_error : ndarray of shape (n_voxel,)
        Standard errors over subjects.
    n_subject : ndarray of shape (n_voxel,)
        Subjects whose responses vary and are finite there.
    """

    lower: np.ndarray
    upper: np.ndarray
    lower_error: np.ndarray
    upper_error: np.ndarray
    n_subject: np.ndarray


def between_subjects(responses: Sequence[np.ndarray], scoring: str = 'correlation') -> SubjectCeiling:
    """Ceilings from how well the other subjects predict one (Nili et al. 2014, doi 10.1371/journal.pcbi.1003553).

    For a correlation, responses are standardised first: their mean then correlates best with all.

    Parameters
    ----------
    responses : ndarray of shape (n_subject, n_stim, n_voxel) or list of arrays (n_stim, n_voxel)
        The same stimuli in the same order, and the same voxels. NaN where a subject has none.
    scoring : {'correlation', 'r2', 'explained_variance'}

    Returns
    -------
    ceiling : SubjectCeiling
        NaN where fewer than two subjects have responses.
    """
    choice('scoring', scoring, tuple(SCORINGS))
    shapes = [np.shape(values) for values in responses]
    if len(shapes) < 2 or len(set(shapes)) > 1 or len(shapes[0]) != 2:
        raise BadValue('responses must be those of two subjects or more, each (n_stim, n_voxel) alike, '
                       f'not of shapes {shapes[:4]}')
    total, count = np.zeros(shapes[0]), np.zeros(shapes[0][1], dtype=int)
    for values in responses:
        own, good = _prepared(values, scoring)
        total, count = total + own, count + good
    lower, upper = np.full((2, len(shapes), shapes[0][1]), np.nan)
    for subject, values in enumerate(responses):
        own, good = _prepared(values, scoring)
        good &= count > 1
        lower[subject, good] = SCORINGS[scoring](own[:, good], (total - own)[:, good] / (count[good] - 1))
        upper[subject, good] = SCORINGS[scoring](own[:, good], total[:, good] / count[good])
    enough = np.where(count > 1, count, np.nan)
    means = [np.nansum(found, axis=0) / enough for found in (lower, upper)]
    errors = [np.sqrt(np.nansum((found - mean) ** 2, axis=0) / (enough - 1) / enough)
              for found, mean in zip((lower, upper), means, strict=True)]
    return SubjectCeiling(*means, *errors, count)


def _prepared(values: np.ndarray, scoring: str) -> tuple[np.ndarray, np.ndarray]:
    """Responses of a subject, 0 where it has none, and where it has some."""
    values = np.asarray(values, dtype=np.float64)
    good = varies(values)
    own = np.where(good, values, 0)
    if scoring == 'correlation':
        own -= own.mean(axis=0)
        own /= np.where(good, own.std(axis=0), 1)
    return own, good
