"""Responses of regions of interest: a table with names, its file, its arithmetic."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Sequence

import numpy as np

from dnnbrain._checks import BadType, BadValue, choice, listing, rows
from dnnbrain.brain.io import load_brainimg, load_mask
from dnnbrain.brain.masks import fit_mask, inside
from dnnbrain.brain.regions import STATISTICS, extract_brain_activation, name_regions, read_label_table
from dnnbrain.io.roi_h5 import read_roi_h5, region_column, region_names, write_roi_h5


class ROI:
    """Responses of regions.

    Parameters
    ----------
    rois : str or sequence of str, optional
        Names; whole numbers become '1', never '1.0'.
    value : array_like of shape (n_vol, n_roi), or (n_vol,) for one region, optional

    Attributes
    ----------
    rois : list of str
    data : ndarray of shape (n_vol, n_roi), or None while there is no region
    """

    def __init__(self, rois=None, value=None):
        self.rois: list[str] = []
        self.data: np.ndarray | None = None
        if (rois is None) != (value is None):
            raise BadValue('rois and value come together: names and responses of shape (n_vol, n_roi)')
        if rois is not None:
            self.set(rois, value)

    @classmethod
    def from_image(cls, path, mask, method: str = 'mean', labels: Sequence = (), table=None,
                   resample: bool = False) -> ROI:
        """Regions of a brain image.

        Parameters
        ----------
        path : str
            Responses, any brain image.
        mask : str
            A brain image with a whole number per region, or a label file, whose names are taken.
        method : {'mean', 'std', 'max'}
            Over the voxels of a region.
        labels : sequence of int or str
            Regions by number or name, in the order wanted; all by default.
        table : str, optional
            Numbers and names (.csv, .tsv, .txt); goes before those of a label file.
        resample : bool
            Bring a volume mask on another grid to that of the responses.

        Raises
        ------
        BadValue
            The mask is in another space or holds no such region.

        Warns
        -----
        Voxels that are NaN or infinite in some volume are left out of their region. Regions that lie wholly beyond
        the responses are left out, unless `labels` names them.
        """
        choice('method', method, list(STATISTICS))
        named = read_label_table(table) if table is not None else {}
        values, mask_header, own_names = load_mask(mask)
        regions = name_regions(values, (own_names or {}) | named, labels)
        if named and not set(named) & set(regions.values()):
            raise BadValue(f'table {str(table)!r} names none of the labels of the mask, such as '
                           f'{next(iter(regions.values()))}')
        data, header = load_brainimg(path)
        values = covered(fit_mask(values, mask_header, header, data.shape[1:], resample), data)
        regions = regions if labels else held(regions, values)
        found = extract_brain_activation(data, values, list(regions.values()), method)
        return cls(list(regions), np.column_stack(found))

    def load(self, fname, rois=None) -> None:
        """Read a ``.roi.h5``, all regions or those named."""
        self.rois, self.data = read_roi_h5(fname, rois)

    def save(self, fname) -> None:
        """Write a ``.roi.h5``."""
        if self.data is None:
            raise BadValue('there is no region to save; set one first')
        write_roi_h5(fname, self.rois, self.data)

    def get(self, rois) -> np.ndarray:
        """Responses (n_vol, n_roi) of one or several regions, in the order asked."""
        columns = self._columns(rois)
        return self.data[:, columns]

    def set(self, rois, value, index: int | None = None) -> None:
        """Set responses of regions; those that are not there yet are added.

        Parameters
        ----------
        rois : str or sequence of str
        value : array_like of shape (n_vol, n_roi), or (n_vol,) for one region
        index : int, optional
            Where new regions are inserted, counted from 0; at the end by default.
        """
        names, value = region_names(rois), np.asarray(value)
        value = value[:, None] if value.ndim == 1 and len(names) == 1 else value
        n_vol = 'n_vol' if self.data is None else len(self.data)
        if value.ndim != 2 or value.shape[1] != len(names) or (self.data is not None and len(value) != n_vol):
            raise BadValue(f'value of {len(names)} regions must have shape ({n_vol}, {len(names)}), not {value.shape}')
        if value.dtype.kind not in 'iufb':
            raise BadType(f'value must be numbers, not {value.dtype}')
        if not names or len(set(names)) < len(names):
            raise BadValue(f'rois must be different names, not {names}')
        if index is not None and not -len(self.rois) <= index <= len(self.rois):
            raise BadValue(f'index {index} is out of range for {len(self.rois)} regions')
        whole = {} if self.data is None else dict(zip(self.rois, self.data.T, strict=True))
        columns = whole | dict(zip(names, value.T, strict=True))
        order, fresh = list(self.rois), [name for name in names if name not in whole]
        place = len(order) if index is None else index
        order[place:place] = fresh
        self.rois, self.data = order, np.column_stack([columns[name] for name in order])

    def delete(self, rois) -> None:
        """Take regions away."""
        gone = set(self._columns(rois))
        left = [column for column in range(len(self.rois)) if column not in gone]
        self.rois, self.data = [self.rois[i] for i in left], self.data[:, left] if left else None

    def __len__(self) -> int:
        return 0 if self.data is None else len(self.data)

    def __getitem__(self, key) -> ROI:
        """Some volumes, and some regions: ``roi[:10]``, ``roi[[0, 5], ['V1', 'V4']]``, ``roi[:, 0]``."""
        if self.data is None:
            raise BadValue('there is no region yet; set or load some first')
        picked, names = key if isinstance(key, tuple) and len(key) == 2 else (key, slice(None))
        index = rows(picked, len(self.data), argument='volume')
        columns = self._positions(names)
        return ROI([self.rois[i] for i in columns], self.data[np.ix_(index, columns)])

    def __add__(self, other) -> ROI:
        return self._with(other, operator.add)

    def __sub__(self, other) -> ROI:
        return self._with(other, operator.sub)

    def __mul__(self, other) -> ROI:
        return self._with(other, operator.mul)

    def __truediv__(self, other) -> ROI:
        return self._with(other, operator.truediv)

    def _with(self, other, operation: Callable) -> ROI:
        """Volume by volume and region by region with another of the same regions, or all with a number."""
        if not isinstance(other, ROI):
            if not np.isscalar(other) or isinstance(other, str):
                return NotImplemented
            return self if self.data is None else ROI(self.rois, operation(_floats(self.data), other))
        if self.data is None or self.rois != other.rois:
            raise BadValue(f'regions differ: {self.rois} and {other.rois}')
        if self.data.shape != other.data.shape:
            raise BadValue(f'shapes differ: {self.data.shape} and {other.data.shape}')
        return ROI(self.rois, operation(_floats(self.data), _floats(other.data)))

    def _columns(self, rois) -> list[int]:
        return [region_column(name, self.rois, 'this ROI') for name in region_names(rois)]

    def _positions(self, names) -> list[int]:
        """Columns by name, number (from 0), slice or boolean mask; text, also '1', is a name."""
        texts = [names] if isinstance(names, str) else names
        if not isinstance(texts, slice | int | np.integer) and len(texts) and isinstance(texts[0], str):
            return self._columns(texts)
        return list(rows(names, len(self.rois), argument='region'))

    def __repr__(self) -> str:
        return f'ROI({len(self)} volumes of {len(self.rois)} regions)'


def covered(mask: np.ndarray, data: np.ndarray) -> np.ndarray:
    """The mask without voxels that are NaN or infinite in some volume of data (n_vol, x, y, z), as beyond coverage.

    A volume without any number, such as a censored one, does not count.
    """
    here, finite = inside(mask), np.ones(mask.shape, dtype=bool)
    for volume in data:
        known = np.isfinite(volume)
        if known[here].any():
            finite &= known
    gone = int((here & ~finite).sum())
    if gone:
        warnings.warn(f'{gone} voxels of the regions are NaN or infinite in some volume and are left out', stacklevel=3)
    return np.where(finite, mask, 0) if gone else mask


def held(regions: dict[str, int], mask: np.ndarray) -> dict[str, int]:
    """The regions that have voxels in a mask that was brought to another grid or other brain models."""
    there = np.isin(list(regions.values()), mask)
    if not there.any():
        raise BadValue('the regions of the mask lie wholly beyond the responses')
    if not there.all():
        gone = [name for name, found in zip(regions, there, strict=True) if not found]
        warnings.warn(f'{len(gone)} of {len(regions)} regions have no voxel in the responses and are left out: '
                      f'{listing(gone)}', stacklevel=3)
    return {name: label for (name, label), found in zip(regions.items(), there, strict=True) if found}


def _floats(data: np.ndarray) -> np.ndarray:
    """Numbers that a difference may leave the range of integers with."""
    return data.astype(np.result_type(data, np.float32), copy=False)
