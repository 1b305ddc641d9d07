"""Brain responses as a table, and the way back: voxels, vertices, or regions of interest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dnnbrain._checks import BadValue
from dnnbrain.brain import volumes
from dnnbrain.brain.formats import family_of_header, map_suffix
from dnnbrain.brain.io import load_brainimg, load_mask, save_brainimg
from dnnbrain.brain.masks import fit_mask, masked, unmasked
from dnnbrain.io import roi_h5
from dnnbrain.io.atomic import atomic


@dataclass(frozen=True)
class Responses:
    """Responses (n_vol, n_meas) and where each column lies.

    Attributes
    ----------
    values : ndarray of shape (n_vol, n_meas)
    suffix : str
        Of the maps that are written: that of the file they came from (label files give .func.gii and
        .dscalar.nii, which can hold scores).
    names : list of str or None
        Regions, where they are regions.
    header : object or None
        Of the image, as `load_brainimg` gives it.
    mask : ndarray of shape (x, y, z) or None
    shape : tuple of int or None
        (x, y, z) of a volume, (n, 1, 1) of a surface or CIFTI.
    """

    values: np.ndarray
    suffix: str
    names: list[str] | None = None
    header: object = None
    mask: np.ndarray | None = None
    shape: tuple[int, ...] | None = None

    @classmethod
    def load(cls, path, mask_path=None, rois: Sequence[str] = (), resample: bool = False) -> Responses:
        """Read voxels or vertices of an image (inside a mask), or regions of a ``.roi.h5``.

        Parameters
        ----------
        path : str
            Any brain image, or a ``.roi.h5``.
        mask_path : str, optional
            A brain image of the same space, or a label file: every label above 0 is inside.
        rois : sequence of str
            Regions of a ``.roi.h5``; all by default.
        resample : bool
            Bring a volume mask on another grid to that of the responses.

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
            mask, mask_header, _ = load_mask(mask_path)
            mask = fit_mask(mask, mask_header, header, data.shape[1:], resample)
        values = masked(data, mask)
        if values.shape[1] == 0:
            raise BadValue(f'the mask {str(mask_path)!r} holds no voxel')
        return cls(values, map_suffix(path, header), None, header, mask, data.shape[1:])

    @property
    def is_volume(self) -> bool:
        """Whether the columns are voxels of a grid, which a glass brain can show."""
        return (self.header is not None and family_of_header(self.header) is volumes
                and not volumes.on_surface(self.shape))

    def maps(self, values: np.ndarray) -> np.ndarray:
        """Values (..., n_meas) as maps (..., x, y, z), NaN outside the mask."""
        return unmasked(np.asarray(values, dtype=np.float32), self.mask, self.shape)

    def write(self, folder: Path, name: str, values: np.ndarray) -> Path:
        """Write values (n_meas,) or (n_map, n_meas) as a map, or as a CSV with a column per region."""
        if self.names is None:
            path = folder / f'{name}{self.suffix}'
            maps = self.maps(np.atleast_2d(values))
            names = [name] if len(maps) == 1 else [f'{name} {number}' for number in range(1, len(maps) + 1)]
            save_brainimg(path, maps, self.header, names=names)
            return path
        path = folder / f'{name}.csv'
        with atomic(path) as part:
            pd.DataFrame(np.atleast_2d(values), columns=self.names).to_csv(part, index=False)
        return path
