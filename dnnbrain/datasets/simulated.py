"""A simulated subject: responses driven by known layers at known places, for trying methods on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dnnbrain._checks import BadValue, output_folder
from dnnbrain.activation.activation import Activation
from dnnbrain.brain.io import save_brainimg, unmasked
from dnnbrain.mapping.kernel import linear_kernel


@dataclass(frozen=True)
class SimulatedSubject:
    """A brain whose truth is known.

    Attributes
    ----------
    responses : ndarray of shape (n_stim, x, y, z), float32
        One volume per stimulus; 0 outside the brain.
    mask : ndarray of shape (x, y, z), bool
    truth : ndarray of shape (x, y, z), float32
        Number (from 1) of the layer that drives each voxel; NaN outside.
    header : Nifti1Header
        MNI space.
    """

    responses: np.ndarray
    mask: np.ndarray
    truth: np.ndarray
    header: object

    def save(self, folder) -> dict[str, Path]:
        """Write ``bold.nii.gz``, ``mask.nii.gz`` and ``truth.nii.gz``; returns their paths."""
        folder = output_folder(folder)
        paths = {name: folder / f'{name}.nii.gz' for name in ('bold', 'mask', 'truth')}
        save_brainimg(paths['bold'], self.responses, self.header)
        save_brainimg(paths['mask'], self.mask, self.header, dtype=np.uint8)
        save_brainimg(paths['truth'], self.truth, self.header)
        return paths


def simulate_subject(activ: Activation, noise: float = 1.0, resolution: float = 8,
                     n_component: int | None = None, rng: int | None = 0) -> SimulatedSubject:
    """Responses of a brain in which later layers drive more anterior voxels.

    The voxels of nilearn's MNI152 brain mask are divided from posterior to anterior into as many
    parts as there are layers, whole slices of about equal size. A voxel's signal is a random
    mixture of the first principal components of its layer's activations, with unit variance; to it
    comes white noise.

    Parameters
    ----------
    activ : Activation
        Its layers in the order of the network.
    noise : float
        Standard deviation of the noise; the signal has 1.
    resolution : float, mm
    n_component : int, optional
        A quarter of the number of stimuli by default: many more could not be learnt from them.
    rng : int or None

    Returns
    -------
    subject : SimulatedSubject
    """
    from nilearn.datasets import load_mni152_brain_mask
    if noise < 0:
        raise BadValue(f'noise must not be negative, but is {noise}')
    generator = np.random.default_rng(rng)
    image = load_mni152_brain_mask(resolution=resolution)
    mask = np.asarray(image.dataobj) > 0
    layer_of = _posterior_to_anterior(mask, image.affine, len(activ.layers))
    signal = np.empty((len(activ), len(layer_of)))
    for number, layer in enumerate(activ.layers):
        here = layer_of == number
        components = _components(linear_kernel(activ, layer), n_component or max(1, len(activ) // 4))
        mixture = components @ generator.standard_normal((components.shape[1], here.sum()))
        signal[:, here] = mixture / mixture.std(axis=0)
    values = signal + noise * generator.standard_normal(signal.shape)
    responses = np.zeros((len(activ), *mask.shape), dtype=np.float32)
    responses[:, mask] = values
    header = image.header.copy()
    header.set_sform(image.affine, code='mni')
    header.set_xyzt_units('mm', 'sec')
    return SimulatedSubject(responses, mask, unmasked(layer_of + 1.0, mask, mask.shape), header)


def _posterior_to_anterior(mask: np.ndarray, affine: np.ndarray, n_part: int) -> np.ndarray:
    """Part (from 0) of each voxel inside the mask, by its y coordinate; whole coronal slices."""
    y = (np.argwhere(mask) @ affine[:3, :3].T + affine[:3, 3])[:, 1]
    edges = np.quantile(y, np.arange(1, n_part) / n_part)
    return np.searchsorted(edges, y, side='left')


def _components(K: np.ndarray, n_component: int) -> np.ndarray:
    """The first principal component scores of a kernel, each of unit length."""
    centred = K - K.mean(axis=0) - K.mean(axis=1, keepdims=True) + K.mean()
    values, vectors = np.linalg.eigh(centred)
    rank = int((values > values[-1] * 1e-10).sum())
    if rank == 0:
        raise BadValue('a layer answers the same to every stimulus; it cannot drive voxels')
    return vectors[:, ::-1][:, :min(n_component, rank)]
