"""Brain responses as a table, and the way back: voxels of a volume, or regions of interest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dnnbrain._checks import BadValue
from dnnbrain.brain.io import load_brainimg, masked, same_space, save_brainimg, unmasked
from dnnbrain.io import roi_h5
from dnnbrain.io.atomic import atomic


@dataclass(frozen=True)
class Responses:
    """Responses (n_vol, n_meas) and where each column lies.

    Attributes
    ----------
    values : ndarray of shape (n_vol, n_meas)
    suffix : str
        Of the file they came from; maps are written in the same format.
    names : list of str or None
        Regions, where they are regions.
    header : Nifti1Header or None
    mask : ndarray of shape (x, y, z) or None
    shape : tuple of int or None
    """

    values: np.ndarray
    suffix: str
    names: list[str] | None = None
    header: object = None
    mask: np.ndarray | None = None
    shape: tuple[int, ...] | None = None

    @classmethod
    def load(cls, path, mask_path=None, rois: Sequence[str] = ()) -> Responses:
        """Read voxels of an image (inside a mask), or regions of a ``.roi.h5``.

        Raises
        ------
        BadValue
            The mask is on another grid, is empty, or does not go with the kind of file.
        """
        if str(path).lower().endswith(roi_h5.SUFFIX):
            if mask_path is not None:
                raise BadValue('a brain mask goes with a brain image, not with a .roi.h5 file')
            names, values = roi_h5.read_roi_h5(path, list(rois) or None)
            return cls(values, roi_h5.SUFFIX, names)
        if rois:
            raise BadValue('regions by name go with a .roi.h5 file, not with a brain image')
        data, header = load_brainimg(path)
        mask = None
        if mask_path is not None:
            mask, mask_header = load_brainimg(mask_path, ismask=True)
            same_space(header, mask_header, data.shape[1:], mask.shape)
        values = masked(data, mask)
        if values.shape[1] == 0:
            raise BadValue(f'the mask {str(mask_path)!r} holds no voxel')
        suffix = '.nii.gz' if str(path).lower().endswith('.gz') else '.nii'
        return cls(values, suffix, None, header, mask, data.shape[1:])

    def maps(self, values: np.ndarray) -> np.ndarray:
        """Values (..., n_meas) as maps (..., x, y, z), NaN outside the mask."""
        return unmasked(np.asarray(values, dtype=np.float32), self.mask, self.shape)

    def write(self, folder: Path, name: str, values: np.ndarray) -> Path:
        """Write values (n_meas,) or (n_map, n_meas) as a map, or as a CSV with a column per region."""
        if self.names is None:
            path = folder / f'{name}{self.suffix}'
            save_brainimg(path, self.maps(values), self.header)
            return path
        path = folder / f'{name}.csv'
        with atomic(path) as part:
            pd.DataFrame(np.atleast_2d(values), columns=self.names).to_csv(part, index=False)
        return path
