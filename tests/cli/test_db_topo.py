"""db_topo: receptive fields planted in a subject come back as maps of eccentricity and polar angle."""

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from dnnbrain.brain.algo import convolve_hrf
from dnnbrain.dnn.core import Activation, Stimulus

N, SIDE = 80, 6


@pytest.fixture
def subject(rng, tmp_path, monkeypatch):
    """Voxels (6, 6, 2): the first plane sees the 6 x 6 positions of a layer, the second corners of another's 3 x 3."""
    monkeypatch.chdir(tmp_path)
    activation = Activation('near', rng.standard_normal((N, 3, SIDE, SIDE)).astype(np.float32))
    activation.set('far', rng.standard_normal((N, 3, 3, 3)).astype(np.float32))
    activation.stim_ids = np.array([f'{i}.png' for i in range(N)])
    activation.save('x.act.h5')
    near = np.einsum('ncrs,crs->nrs', activation.get('near'), rng.standard_normal((3, SIDE, SIDE)))
    corners = activation.get('far')[:, :, ::2, ::2].repeat(3, axis=2).repeat(3, axis=3)
    far = np.einsum('ncrs,crs->nrs', corners, rng.standard_normal((3, SIDE, SIDE)))
    signal = np.stack([near, far], axis=-1)
    signal /= signal.std(axis=0)
    return tmp_path, signal, rng


def save(name, values, tr=1.0):
    image = nib.Nifti1Image(np.moveaxis(values, 0, 3).astype(np.float32), np.diag([2.0, 2, 2, 1]))
    image.header.set_xyzt_units('mm', 'sec')
    image.header.set_zooms((2, 2, 2, tr))
    nib.save(image, name)


def maps(folder, *names):
    return [nib.load(folder / f'{name}.nii.gz').get_fdata() for name in names]


@pytest.mark.parametrize('model', ['ridge', 'corr'])
def test_planted_receptive_fields(run, subject, model):
    folder, signal, rng = subject
    if model == 'corr':                              # a unit each, and not a mixture of channels
        activation = Activation()
        activation.load('x.act.h5')
        signal[..., 0], signal[..., 1] = activation.get('near')[:, 1], activation.get('far')[:, 2, ::2, ::2].repeat(
            3, axis=1).repeat(3, axis=2)
    order = rng.permutation(N)
    save('bold.nii.gz', (signal + 0.4 * rng.standard_normal(signal.shape))[order])
    Stimulus({'type': 'image', 'path': '.'}, {'stimID': [f'{i}.png' for i in order]}).save('x.stim.csv')
    code, out, err = run('db_topo', *'-act x.act.h5 -resp bold.nii.gz -stim x.stim.csv -fov 8 -out t'.split(), '-model',
                         model)
    assert code == 0, err
    layer, row, column = maps(folder / 't', 'layer', 'row', 'column')
    assert (layer == [1, 2]).all()
    rows, columns = np.indices((SIDE, SIDE))
    np.testing.assert_array_equal(row[..., 0], rows + 1)
    np.testing.assert_array_equal(column[..., 0], columns + 1)
    x, y = (columns + 0.5) / 3 - 1, 1 - (rows + 0.5) / 3
    corner = np.sign(x) * 2 / 3, np.sign(y) * 2 / 3
    where = np.stack([np.hypot(x, y), np.hypot(*corner)], axis=-1)
    angle = np.degrees(np.stack([np.arctan2(y, x), np.arctan2(corner[1], corner[0])], axis=-1)) % 360
    found = maps(folder / 't', 'eccentricity', 'eccentricity_degrees', 'polar_angle', 'score')
    np.testing.assert_allclose(found[0], where, rtol=1e-6)
    np.testing.assert_allclose(found[1], where * 4, rtol=1e-6)
    np.testing.assert_allclose(found[2], angle, rtol=1e-6)
    assert abs(found[3].mean() - 1.16 ** -0.5) < 0.05
    assert pd.read_csv('t/scores.csv')['n_best'].tolist() == [36, 36] and out.split()[:2] == ['layer', 'n_row']
    assert np.load('t/score.npy').shape == (72, 3)
    assert json.loads((folder / 't' / 'result.json').read_text())['settings']['fov'] == 8


def test_a_scan(run, subject):
    """The same from volumes of a scan with events every 3 s; the first six rows of voxels are of the mask."""
    folder, signal, rng = subject
    onsets, durations = np.arange(N) * 3.0, np.full(N, 1.0)
    scan = convolve_hrf(signal.reshape(N, -1), onsets, durations, 125, 2.0)
    scan += 0.2 * scan.std() * rng.standard_normal(scan.shape)
    save('scan.nii.gz', scan.reshape(125, SIDE, SIDE, 2), tr=2.0)
    nib.save(nib.Nifti1Image(np.stack([np.ones((SIDE, SIDE)), np.zeros((SIDE, SIDE))], -1).astype(np.uint8),
                             np.diag([2.0, 2, 2, 1])), 'mask.nii')
    Stimulus({'type': 'image', 'path': '.'}, {'stimID': [f'{i}.png' for i in range(N)], 'onset': onsets,
                                              'duration': durations}).save('events.stim.csv')
    code, _, err = run('db_topo', *('-act x.act.h5 -layer near -hrf -stim events.stim.csv -resp scan.nii.gz '
                                    '-bmask mask.nii -alpha 1 10 100 -seed 1 -out t').split())
    assert code == 0, err
    row, column = maps(folder / 't', 'row', 'column')
    rows, columns = np.indices((SIDE, SIDE))
    right = (row[..., 0] == rows + 1) & (column[..., 0] == columns + 1)
    assert right.mean() > 0.9 and np.isnan(row[..., 1]).all()
