"""Counting how often chance does as well, block by block, and the p-values that follow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from dnnbrain._checks import choice
from dnnbrain.mapping.inference.regions import Regions

TAILS = {'greater': lambda statistic: statistic, 'less': np.negative, 'two-sided': np.abs}


@dataclass(frozen=True)
class PermutationTest:
    """Statistics and their p-values, (1 + b) / (1 + n_perm), never 0.

    Attributes
    ----------
    statistic : ndarray of shape (n_target,)
    p : ndarray of shape (n_target,)
        Of each target by itself; NaN where the statistic is NaN.
    p_family : ndarray of shape (n_target,)
        Family-wise over targets: compared with the largest statistic of each permutation.
    null_max : ndarray of shape (n_perm,)
        That largest statistic, in the direction of the test.
    roi_statistic, roi_p : ndarray of shape (n_roi,)
        The same for means over the targets of a region; a single region of all by default.
    roi_names : list
    tail : {'greater', 'less', 'two-sided'}
    """

    statistic: np.ndarray
    p: np.ndarray
    p_family: np.ndarray
    null_max: np.ndarray
    roi_statistic: np.ndarray
    roi_p: np.ndarray
    roi_names: list
    tail: str = 'greater'


class Tally:
    """Counts exceedances voxel block by voxel block, so that the null distribution is never held."""

    def __init__(self, n_target: int, n_perm: int, tail: str, rois):
        self.turn, self.tail, self.n_perm = TAILS[choice('tail', tail, tuple(TAILS))], tail, n_perm
        self.regions = Regions.make(rois, n_target)
        self.observed, self.exceed = np.full(n_target, np.nan), np.zeros(n_target)
        self.null_max = np.full(n_perm, -np.inf)
        self.roi = np.zeros((2, n_perm + 1, len(self.regions.names)))         # sums and counts; last row: observed

    def add(self, voxels, observed: np.ndarray, blocks: Iterable[tuple[int, np.ndarray]]) -> None:
        """Take the observed statistics of some voxels and (first permutation, statistics (n_block, n_some))."""
        self.observed[voxels] = observed
        self.roi[:, -1] += self.regions.sums(observed, voxels)
        # an arrangement that is the observed one must count, whatever the order of its sums
        threshold = self.turn(observed) - 1e-6 * np.abs(observed)
        for first, statistics in blocks:
            here = slice(first, first + len(statistics))
            self.roi[:, here] += self.regions.sums(statistics, voxels)
            statistics = self.turn(statistics)
            self.exceed[voxels] += (statistics >= threshold).sum(axis=0)
            largest = np.where(np.isnan(statistics), -np.inf, statistics).max(axis=1, initial=-np.inf)
            self.null_max[here] = np.maximum(self.null_max[here], largest)

    def result(self) -> PermutationTest:
        p = np.where(np.isnan(self.observed), np.nan, (1 + self.exceed) / (1 + self.n_perm))
        with np.errstate(invalid='ignore'):
            roi = self.roi[0] / np.where(self.roi[1] > 0, self.roi[1], np.nan)
        turned = self.turn(roi)
        exceed = (turned[:-1] >= turned[-1] - 1e-6 * np.abs(turned[-1])).sum(axis=0)
        roi_p = np.where(np.isnan(roi[-1]), np.nan, (1 + exceed) / (1 + self.n_perm))
        return PermutationTest(self.observed, p, p_of_max(self.turn(self.observed), self.null_max), self.null_max,
                               roi[-1], roi_p, self.regions.names, self.tail)


def p_of_max(statistic: np.ndarray, null_max: np.ndarray) -> np.ndarray:
    """Family-wise p-values of statistics (n_target,), given the largest of each permutation (n_perm,)."""
    ordered = np.sort(null_max)
    exceed = len(ordered) - np.searchsorted(ordered, statistic - 1e-6 * np.abs(statistic), side='left')
    return np.where(np.isnan(statistic), np.nan, (1 + exceed) / (1 + len(ordered)))
