"""RDMs of regions of the brain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dnnbrain._checks import BadValue
from dnnbrain.brain.io import load_brainimg, load_mask
from dnnbrain.brain.masks import fit_mask, masked
from dnnbrain.brain.regions import extract_brain_activation, name_regions, read_label_table
from dnnbrain.brain.responses import Responses
from dnnbrain.brain.roi import held
from dnnbrain.io.roi_h5 import SUFFIX
from dnnbrain.mapping.dissimilarity import checked, planned, settings_of, warn_undefined
from dnnbrain.mapping.distances.patterns import of_table
from dnnbrain.mapping.rdm import RDM

WHOLE = 'all'                 # key of an RDM over everything that is inside


def brain_rdm(responses, metric: str = 'euclidean', conditions=None, zscore: bool = False, runs=None, item_ids=None,
              p: float = 2, shrinkage: str = 'shrinkage_diag') -> RDM:
    """RDMs of regions.

    Parameters
    ----------
    responses : Responses, ndarray of shape (n_vol, n_meas), or dict of such arrays
        An RDM for each region of the dict; of one array the key is 'all'.
    conditions : array_like of shape (n_vol,), optional
        What each volume shows, such as stimulus IDs or categories: volumes of one condition are averaged
        first, and items are in sorted order. For 'crossnobis' the condition that is repeated.
    zscore : bool
        Each voxel over its deviation over all volumes, without its mean, before volumes are averaged.
    runs : array_like of shape (n_vol,), optional
        Run of each volume, for 'crossnobis'.
    item_ids : sequence of shape (n_vol,), optional
        IDs of the volumes, where they are the items.
    metric, p, shrinkage
        As in `dnnbrain.mapping.dissimilarity.dissimilarity`.

    Returns
    -------
    rdm : RDM
        'bRDM'.

    Notes
    -----
    Voxels that are NaN or infinite in some volume are left out of their region.

    Warns
    -----
    Dissimilarities that are not defined are NaN.
    """
    tables = {WHOLE: responses} if not isinstance(responses, dict) else responses
    tables = {key: values.values if isinstance(values, Responses) else np.asarray(values)
              for key, values in tables.items()}
    if not tables:
        raise BadValue('responses hold no region')
    lengths = {values.shape[:1] for values in tables.values()}
    if len(lengths) > 1 or any(values.ndim != 2 or values.dtype.kind not in 'iufb' for values in tables.values()):
        raise BadValue('responses of regions must be numbers of shape (n_vol, n_meas) with the same number of volumes')
    plan = checked(*lengths.pop(), metric, conditions, runs, p, shrinkage)
    if conditions is not None:
        item_ids = np.unique(np.asarray(conditions))
    rdm = RDM('bRDM', item_ids,
              meta={'metric': metric, 'zscore': bool(zscore)} | settings_of(metric, p, shrinkage))
    for key, values in tables.items():
        rdm.set(key, planned(of_table(_usable(key, values), f'region {key!r}'), plan, zscore), triu=True)
    warn_undefined(rdm)
    return rdm


def region_responses(path, mask=None, rois: Sequence = (), table=None, resample: bool = False) -> dict:
    """Voxels of each region of an image.

    Parameters
    ----------
    path : str
        A brain image, or a ``.roi.h5`` whose regions then are the units of one pattern, 'all'.
    mask : str, optional
        A brain image or label file in the same space: a region for each label. Without it every voxel
        belongs to the region 'all'.
    rois : sequence
        Labels or names of the mask, or names of a ``.roi.h5``; all by default.
    table : str, optional
        Number and name of each region.
    resample : bool
        Bring a volume mask to the grid of the responses.

    Returns
    -------
    regions : dict
        Name -> ndarray of shape (n_vol, n_meas).
    """
    if str(path).lower().endswith(SUFFIX):
        return {WHOLE: Responses.load(path, mask, [str(roi) for roi in rois]).values}
    data, header = load_brainimg(path)
    if mask is None:
        if rois or table:
            raise BadValue('regions are labels of a mask; give the mask too')
        return {WHOLE: masked(data, None)}
    labels, mask_header, names = load_mask(mask)
    regions = name_regions(labels, (names or {}) | (read_label_table(table) if table else {}), rois)
    labels = fit_mask(labels, mask_header, header, data.shape[1:], resample)
    regions = regions if rois else held(regions, labels)
    voxels = extract_brain_activation(data, labels, list(regions.values()), 'voxel')
    return dict(zip(regions, voxels, strict=True))


def _usable(key: str, values: np.ndarray) -> np.ndarray:
    kept = np.isfinite(values).all(axis=0)
    if not kept.any():
        raise BadValue(f'region {key!r} has no voxel that is finite in all volumes')
    return values if kept.all() else values[:, kept]
