"""Regions of a mask: their labels, their names, and what the brain answers in each."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence

import numpy as np

from dnnbrain._checks import BadValue, choice, existing_file, has_suffix, listing
from dnnbrain.brain.masks import inside

TABLES = ('.csv', '.tsv', '.txt')
BLOCK = 2 ** 24                # numbers held at a time, beside the image


def extract_brain_activation(brainimg: np.ndarray, mask: np.ndarray, roilabels,
                             method: str = 'mean') -> list[np.ndarray]:
    """Responses of regions.

    Parameters
    ----------
    brainimg : ndarray of shape (n_vol, x, y, z)
    mask : ndarray of shape (x, y, z)
        A label per voxel; NaN is outside.
    roilabels : number or sequence of numbers
    method : {'mean', 'std', 'max', 'voxel'}
        Over the voxels of a region; 'voxel' keeps them.

    Returns
    -------
    activations : list of ndarray
        For each label (n_vol,), or (n_vol, n_voxel) with 'voxel', voxels in the order of the mask.

    Raises
    ------
    BadValue
        Shapes that do not fit, a label without voxels, an unknown method.
    """
    choice('method', method, [*STATISTICS, 'voxel'])
    brainimg, mask, labels = np.asarray(brainimg), np.asarray(mask), np.atleast_1d(roilabels)
    if brainimg.shape[1:] != mask.shape or brainimg.ndim < 2:
        raise BadValue(f'brainimg must have shape (n_vol, {", ".join(map(str, mask.shape))}), a mask with an axis of '
                       f'volumes before it, not {brainimg.shape}')
    if labels.ndim != 1 or labels.size == 0 or labels.dtype.kind not in 'iufb':
        raise BadValue(f'roilabels must be numbers of the mask, not {roilabels!r}')
    regions, which = np.unique(labels, return_inverse=True)
    voxels = np.flatnonzero(np.isin(mask, regions))
    region = np.searchsorted(regions, mask.ravel()[voxels])
    sizes = np.bincount(region, minlength=len(regions))
    if not sizes.all():
        raise BadValue(f'roi {regions[sizes == 0][0]:g} has no voxel in the mask; it holds '
                       f'{listing(f"{label:g}" for label in np.unique(mask[inside(mask)]))}')
    order = voxels[np.argsort(region, kind='stable')]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    places, step = np.unravel_index(order, mask.shape), max(1, BLOCK // len(order))
    if method == 'voxel':
        found = np.split(brainimg[:, *places], starts[1:], axis=1)
    else:
        found = np.concatenate([STATISTICS[method](brainimg[first:first + step, *places], starts, sizes)
                                for first in range(0, max(1, len(brainimg)), step)], axis=1)
    return [found[number] for number in which]


def _mean(voxels: np.ndarray, starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(n_roi, n_vol) from voxels (n_vol, n_voxel) that lie region by region."""
    return (np.add.reduceat(voxels, starts, axis=1, dtype=np.float64) / sizes).T


def _std(voxels: np.ndarray, starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    off = voxels - np.repeat(_mean(voxels, starts, sizes).T, sizes, axis=1)
    return np.sqrt(_mean(off ** 2, starts, sizes))


def _max(voxels: np.ndarray, starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    return np.maximum.reduceat(voxels, starts, axis=1).T


STATISTICS = {'mean': _mean, 'std': _std, 'max': _max}


def name_regions(mask: np.ndarray, names: dict[int, str] | None = None,
                 wanted: Sequence = ()) -> dict[str, int]:
    """Name -> label of the regions of a mask, in the order of labels or as asked.

    Parameters
    ----------
    mask : ndarray
        Whole numbers; 0 and NaN are outside.
    names : dict, optional
        Label -> name; a label that is not in it is called by its number, '1'.
    wanted : sequence of int or str
        Labels or names; all by default.
    """
    found = np.unique(mask[inside(mask)])
    if found.size == 0:
        raise BadValue('the mask holds no voxel')
    if not np.array_equal(found, np.round(found)):
        raise BadValue(f'the mask holds {found[found != np.round(found)][0]:.9g}; labels of regions must be whole '
                       'numbers: threshold it first, or round it')
    names = names or {}
    labels = [int(label) for label in found]
    called = [names.get(label, str(label)) for label in labels]
    twice = sorted({name for name in called if called.count(name) > 1}) if len(set(called)) < len(called) else []
    if twice:
        raise BadValue(f'several labels of the mask are named {twice[0]!r}; give a table with a name for each')
    regions = dict(zip(called, labels, strict=True))
    return {name: regions[name] for name in (_name(roi, regions) for roi in wanted)} if wanted else regions


def _name(roi, regions: dict[str, int]) -> str:
    """The name of a region given by name or by label."""
    if str(roi) in regions:
        return str(roi)
    by_label = {str(label): name for name, label in regions.items()}
    return by_label.get(str(roi)) or choice('label', roi, [*regions], owner='the mask')


def read_label_table(path) -> dict[int, str]:
    """Label -> name from a table: per line a number and a name, by comma, tab or spaces.

    Columns behind the second (colours), lines that begin with ``#``, and a first line without a number are
    passed over.

    Raises
    ------
    BadValue
        A line has no number and name, or a number stands twice.
    """
    path = existing_file(has_suffix(path, TABLES, 'table'), 'table')
    try:
        lines = path.read_text(encoding='utf-8-sig').splitlines()
    except UnicodeDecodeError:
        raise BadValue(f'table {str(path)!r} is no text') from None
    table, first = {}, True
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith('#'):
            continue
        cells = _cells(line)
        if len(cells) > 1 and cells[1] and re.fullmatch(r'-?\d+', cells[0]):
            if int(cells[0]) in table:
                raise BadValue(f'table {str(path)!r}: label {cells[0]} stands twice')
            table[int(cells[0])] = cells[1]
        elif not first or re.match(r'\s*-?\d', line):
            raise BadValue(f'table {str(path)!r}, line {number}: a number and a name are needed, not {line.strip()!r}')
        first = False
    if not table:
        raise BadValue(f'table {str(path)!r} holds no number and name')
    return table


def _cells(line: str) -> list[str]:
    """What stands between tabs, else commas (quoted names may hold some), else spaces."""
    mark = next((m for m in ('\t', ',') if m in line), None)
    cells = line.split() if mark is None else next(csv.reader([line], delimiter=mark, skipinitialspace=True))
    return [cell.strip().strip('"') for cell in cells]
