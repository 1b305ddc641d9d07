"""Brains to simulate: the place of each voxel or vertex, and the header of its files. All come with nilearn."""

from __future__ import annotations

from dataclasses import dataclass

import nibabel as nib
import numpy as np
from nibabel.cifti2 import BrainModelAxis, Cifti2Header, ScalarAxis, SeriesAxis

from dnnbrain._checks import BadValue, choice, positive_number
from dnnbrain.brain.surfaces import HEMISPHERE, SurfaceHeader

SIDES = ('left', 'right')
_THIN = 1.5                             # mm of cortex, below which a vertex of fsaverage is of the medial wall
_THALAMUS = np.array([11.0, -18.0, 8.0])        # mm in MNI space, of the right one


@dataclass(frozen=True)
class Space:
    """A brain without responses.

    Attributes
    ----------
    mask : ndarray of shape (x, y, z), bool
        Surfaces and CIFTI: (n, 1, 1).
    y : ndarray of shape (n_meas,), mm
        From posterior to anterior, of what is inside.
    header : Nifti1Header, SurfaceHeader or Cifti2Header
    names : tuple of str
        Of the files of responses and of maps, with room for what they hold.
    """

    mask: np.ndarray
    y: np.ndarray
    header: object
    names: tuple[str, str]


def space_of(name: str, resolution: float, tr: float | None) -> Space:
    """A brain by name: 'volume', 'left', 'right' or 'cifti', its voxels `resolution` mm wide, a volume every `tr` s."""
    choice('space', name, SPACES)
    if positive_number(resolution, 'resolution') is None:
        raise BadValue('resolution must be a number of mm')
    return _volume(resolution, tr) if name == 'volume' else _cifti(resolution, tr) if name == 'cifti' else \
        _hemisphere(name)


SPACES = ('volume', *SIDES, 'cifti')


def _brain_mask(resolution: float) -> tuple[np.ndarray, object]:
    from nilearn.datasets import load_mni152_brain_mask
    if resolution != int(resolution):
        raise BadValue(f'resolution must be whole mm, not {resolution:g}')
    image = load_mni152_brain_mask(resolution=int(resolution))
    mask = np.asarray(image.dataobj) > 0
    if not mask.any():
        raise BadValue(f'resolution of {resolution:g} mm leaves no voxel of the brain; take 2 to 20')
    return mask, image


def _volume(resolution: float, tr: float | None) -> Space:
    mask, image = _brain_mask(resolution)
    header = image.header.copy()
    header.set_sform(image.affine, code='mni')
    header.set_xyzt_units('mm', 'sec')
    header['pixdim'][4] = tr or 0
    return Space(mask, _places(mask, image.affine)[:, 1], header, ('{}.nii.gz', '{}.nii.gz'))


def _hemisphere(side: str) -> Space:
    y, cortex = _fsaverage5(side)
    header = SurfaceHeader(len(cortex), (), {HEMISPHERE: f'Cortex{side.title()}'})
    name = f'{{}}_{side}.func.gii'
    return Space(cortex[:, None, None], y[cortex], header, (name, name))


def _cifti(resolution: float, tr: float | None) -> Space:
    brain_mask, image = _brain_mask(resolution)
    models, ys = [], []
    for side in SIDES:
        y, cortex = _fsaverage5(side)
        models.append(BrainModelAxis.from_mask(cortex, f'CIFTI_STRUCTURE_CORTEX_{side.upper()}'))
        ys.append(y[cortex])
    for side in SIDES:
        places = _places(np.ones_like(brain_mask), image.affine)
        distance = np.linalg.norm(places - _THALAMUS * (1 if side == 'right' else -1, 1, 1), axis=1)
        ball = distance.reshape(brain_mask.shape) < max(10, resolution)         # one voxel at least
        models.append(BrainModelAxis.from_mask(ball, f'CIFTI_STRUCTURE_THALAMUS_{side.upper()}', affine=image.affine))
        ys.append(_places(ball, image.affine)[:, 1])
    brain, y = models[0] + models[1] + models[2] + models[3], np.concatenate(ys)
    maps = ScalarAxis(['map 1']) if tr is None else SeriesAxis(0, tr, 1)
    responses = '{}.dscalar.nii' if tr is None else '{}.dtseries.nii'
    return Space(np.ones((len(y), 1, 1), bool), y, Cifti2Header.from_axes((maps, brain)), (responses, '{}.dscalar.nii'))


def _places(inside: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Coordinates (n, 3) in mm of the voxels of a mask."""
    return nib.affines.apply_affine(affine, np.argwhere(inside))


def _fsaverage5(side: str) -> tuple[np.ndarray, np.ndarray]:
    """Of each of 10,242 vertices the y coordinate, and whether it is cortex."""
    from nilearn.datasets import load_fsaverage, load_fsaverage_data
    y = load_fsaverage('fsaverage5')['pial'].parts[side].coordinates[:, 1]
    thickness = load_fsaverage_data(mesh='fsaverage5', data_type='thickness').data.parts[side]
    return np.asarray(y, dtype=np.float64), np.asarray(thickness) >= _THIN
