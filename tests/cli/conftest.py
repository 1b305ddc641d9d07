"""Files that the commands which map layers are tried on."""

import nibabel as nib
import numpy as np
import pytest

from dnnbrain.dnn.core import Activation, Stimulus
from dnnbrain.io.roi_h5 import write_roi_h5

N = 24
AFFINE = np.diag([3.0, 3, 3, 1])


def stimuli(rows, **columns):
    return Stimulus({'type': 'image', 'path': '.'}, {'stimID': [f'{i}.png' for i in rows], **columns})


@pytest.fixture(scope='session')
def mapping_files(tmp_path_factory):
    """24 stimuli of two layers, a volume of 12 voxels and 3 regions that follow them, each shown once or twice."""
    folder, rng = tmp_path_factory.mktemp('mapping'), np.random.default_rng(0)
    activation = Activation('conv', rng.standard_normal((N, 2, 2, 2)).astype(np.float32))
    activation.set('fc', rng.standard_normal((N, 3, 1, 1)).astype(np.float32))
    activation.stim_ids = np.array([f'{i}.png' for i in range(N)])
    activation.save(folder / 'x.act.h5')
    conv, fc = activation.get('conv').reshape(N, -1), activation.get('fc').reshape(N, -1)
    Y = np.concatenate([conv @ rng.standard_normal((8, 6)), fc @ rng.standard_normal((3, 6))], axis=1)
    Y /= Y.std(axis=0)
    twice = np.tile(np.arange(N), 2)
    noisy = Y[twice] + 0.5 * rng.standard_normal((2 * N, 12))
    order = rng.permutation(2 * N)
    for name, values in (('once', Y), ('twice', noisy), ('mixed', noisy[order])):
        image = nib.Nifti1Image(np.moveaxis(values.reshape(-1, 3, 2, 2), 0, 3).astype(np.float32), AFFINE)
        image.header.set_xyzt_units('mm', 'sec')
        image.header.set_zooms((3, 3, 3, 2))
        nib.save(image, folder / f'{name}.nii.gz')
    mask = np.ones((3, 2, 2), np.uint8)
    mask.flat[:2] = 0
    nib.save(nib.Nifti1Image(mask, AFFINE), folder / 'mask.nii')
    nib.save(nib.Nifti1Image(np.ones((7, 4, 4), np.uint8), np.diag([1.5, 1.5, 1.5, 1])), folder / 'fine.nii')
    write_roi_h5(folder / 'x.roi.h5', ['V1', 'V4', 'FFA'], Y[:, [0, 1, 8]])
    write_roi_h5(folder / 'labels.roi.h5', ['V1', 'V4'], np.column_stack([conv[:, 0] > 0, np.arange(N) % 3]))
    run = np.arange(2 * N) // 6 % 4 + 1
    stimuli(twice, run=run).save(folder / 'twice.stim.csv')
    stimuli(twice[order], run=run[order]).save(folder / 'mixed.stim.csv')
    rows = rng.permutation(N)
    stimuli(rows, label=rows % 3, condition=[['cat', 'dog'][i] for i in (conv[rows, 0] > 0).astype(int)],
            mood=fc[rows, 0] + 0.3 * rng.standard_normal(N), age=rng.standard_normal(N)).save(folder / 'beh.stim.csv')
    return folder


@pytest.fixture
def out(mapping_files, tmp_path, monkeypatch):
    """A folder to write in; the files are in the working directory."""
    monkeypatch.chdir(mapping_files)
    return tmp_path / 'out'
