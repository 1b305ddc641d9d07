"""``.roi.h5``: responses of regions of interest. Attribute `roi` (names), dataset `data` (n_vol, n_roi)."""

from __future__ import annotations

import h5py
import numpy as np

from dnnbrain._checks import BadValue, choice, has_suffix
from dnnbrain.io.atomic import atomic
from dnnbrain.io.h5 import open_h5

SUFFIX = '.roi.h5'


def read_roi_h5(fname, rois=None) -> tuple[list[str], np.ndarray]:
    """Names and responses, of all regions or of those asked for, in the order asked.

    Parameters
    ----------
    rois : str, number or sequence of them, optional
        '2', 2 and 2.0 mean the same region, also where 1.0 stored it as '2.0'.

    Returns
    -------
    rois : list of str
    data : ndarray of shape (n_vol, n_roi)
    """
    with open_h5(fname, SUFFIX, 'ROI file') as file:
        if 'data' not in file or 'roi' not in file.attrs:
            raise BadValue(f"ROI file {str(fname)!r} lacks its dataset 'data' or its attribute 'roi'")
        names = region_names(np.atleast_1d(file.attrs['roi']))
        data = file['data'][()]
    if data.ndim != 2 or data.shape[1] != len(names):
        raise BadValue(f'ROI file {str(fname)!r} names {len(names)} regions, its data have shape {data.shape}')
    if rois is None:
        return names, data
    wanted = region_names(rois)
    return wanted, data[:, [region_column(name, names, repr(str(fname))) for name in wanted]]


def write_roi_h5(fname, rois, data) -> None:
    """Write names (n_roi) and responses (n_vol, n_roi); whole numbers (1.0, from a mask) become '1'."""
    path = has_suffix(fname, [SUFFIX], 'ROI file')
    rois = region_names(rois)
    data = np.asarray(data)
    if data.ndim != 2 or data.shape[1] != len(rois):
        raise BadValue(f'data of {len(rois)} regions must have shape (n_vol, {len(rois)}), not {data.shape}')
    if len(set(rois)) < len(rois):
        raise BadValue(f'names of regions stand twice: {rois}')
    with atomic(path) as part, h5py.File(part, 'w') as file:
        file.attrs.create('roi', np.array(rois, dtype=object), dtype=h5py.string_dtype())
        file.create_dataset('data', data=data)


def region_names(rois) -> list[str]:
    """Names as text, from one or several names or numbers; whole numbers become '1', never '1.0'."""
    return [_name(roi) for roi in ([rois] if np.isscalar(rois) else rois)]


def _name(roi) -> str:
    """Text of a name; 1.0 is '1', as labels of a float mask are meant."""
    if isinstance(roi, bytes):
        return roi.decode()
    return str(int(roi)) if isinstance(roi, float | np.floating) and float(roi).is_integer() else str(roi)


def region_column(name: str, names: list[str], owner: str) -> int:
    """Where a region stands; '2' is '2.0' where there is no '2', and the other way round."""
    if name in names:
        return names.index(name)
    bare = [n.removesuffix('.0') for n in names]
    if name.removesuffix('.0') not in bare:
        choice('roi', name, names, owner=owner)
    return bare.index(name.removesuffix('.0'))
