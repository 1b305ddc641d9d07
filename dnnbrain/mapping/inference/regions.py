"""Regions of interest as a matrix, so that means over voxels are one product."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dnnbrain._checks import BadType, BadValue


@dataclass(frozen=True)
class Regions:
    """Named sets of voxels.

    Attributes
    ----------
    names : list
    member : ndarray of shape (n_voxel, n_roi), bool
    """

    names: list
    member: np.ndarray

    @classmethod
    def make(cls, rois, n_voxel: int) -> Regions:
        """Regions from what users have.

        Parameters
        ----------
        rois : dict, array_like of shape (n_voxel,), Regions or None
            Name -> voxels (boolean (n_voxel,) or indices), a label per voxel (0, '' and NaN are
            outside), or one region of all voxels, called 'all'.
        """
        if isinstance(rois, Regions):
            return rois
        if rois is None:
            return cls(['all'], np.ones((n_voxel, 1), dtype=bool))
        member = _named(rois, n_voxel) if isinstance(rois, Mapping) else _labelled(np.asarray(rois), n_voxel)
        empty = [name for name, voxels in member.items() if not voxels.any()]
        if empty or not member:
            raise BadValue(f'region {empty[0]!r} holds no voxel' if empty else 'there is no region in rois')
        return cls(list(member), np.stack(list(member.values()), axis=1))

    def means(self, values: np.ndarray) -> np.ndarray:
        """Means (..., n_roi) of values (..., n_voxel), leaving out NaN; NaN where nothing is left."""
        total, count = self.sums(values)
        with np.errstate(invalid='ignore'):
            return total / np.where(count > 0, count, np.nan)

    def sums(self, values: np.ndarray, voxels=slice(None)) -> tuple[np.ndarray, np.ndarray]:
        """Sums and numbers of finite values (..., n_roi) of values (..., n_some) of some voxels."""
        member, finite = self.member[voxels].astype(np.float64), np.isfinite(values)
        return np.where(finite, values, 0) @ member, finite @ member


def _named(rois: Mapping, n_voxel: int) -> dict:
    member = {}
    for name, voxels in rois.items():
        voxels = np.asarray(voxels)
        boolean = voxels.dtype.kind == 'b'
        if voxels.ndim != 1 or voxels.dtype.kind not in 'bui':
            raise BadType(f'region {name!r} must be indices of voxels or a boolean per voxel')
        if boolean and len(voxels) != n_voxel:
            raise BadValue(f'region {name!r} has {len(voxels)} voxels and the responses {n_voxel}')
        if not boolean and voxels.size and (voxels.min() < 0 or voxels.max() >= n_voxel):
            raise BadValue(f'region {name!r} holds voxel {voxels.max()}, but indices are from 0 to {n_voxel - 1}')
        member[name] = np.zeros(n_voxel, dtype=bool)
        member[name][voxels] = True
    return member


def _labelled(labels: np.ndarray, n_voxel: int) -> dict:
    if labels.shape != (n_voxel,):
        raise BadValue(f'rois must have a label for each of {n_voxel} voxels, not shape {labels.shape}')
    outside = ('', '0', 'nan') if labels.dtype.kind in 'UO' else (0,)
    values = labels[~np.isnan(labels)] if labels.dtype.kind == 'f' else labels
    return {name: labels == name for name in np.unique(values).tolist() if name not in outside}
