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
    rois : str or sequence of str, optional

    Returns
    -------
    rois : list of str
    data : ndarray of shape (n_vol, n_roi)
    """
    with open_h5(fname, SUFFIX, 'ROI file') as file:
        if 'data' not in file or 'roi' not in file.attrs:
            raise BadValue(f"ROI file {str(fname)!r} lacks its dataset 'data' or its attribute 'roi'")
        names = [n.decode() if isinstance(n, bytes) else str(n) for n in np.atleast_1d(file.attrs['roi'])]
        data = file['data'][()]
    if data.ndim != 2 or data.shape[1] != len(names):
        raise BadValue(f'ROI file {str(fname)!r} names {len(names)} regions, its data have shape {data.shape}')
    if rois is None:
        return names, data
    wanted = [rois] if isinstance(rois, str) else [str(r) for r in rois]
    for name in wanted:
        choice('roi', name, names, owner=repr(str(fname)))
    return wanted, data[:, [names.index(n) for n in wanted]]


def write_roi_h5(fname, rois, data) -> None:
    """Write names (n_roi) and responses (n_vol, n_roi)."""
    path = has_suffix(fname, [SUFFIX], 'ROI file')
    rois = [rois] if isinstance(rois, str) else [str(r) for r in rois]
    data = np.asarray(data)
    if data.ndim != 2 or data.shape[1] != len(rois):
        raise BadValue(f'data of {len(rois)} regions must have shape (n_vol, {len(rois)}), not {data.shape}')
    if len(set(rois)) < len(rois):
        raise BadValue(f'names of regions stand twice: {rois}')
    with atomic(path) as part, h5py.File(part, 'w') as file:
        file.attrs.create('roi', np.array(rois, dtype=object), dtype=h5py.string_dtype())
        file.create_dataset('data', data=data)
