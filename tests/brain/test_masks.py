"""Masks: image to table and back, the same space or a sentence, resampling by the nearest voxel."""

import nibabel as nib
import numpy as np
import pytest
from nibabel.cifti2 import BrainModelAxis, Cifti2Image, ScalarAxis
from nibabel.gifti import GiftiDataArray, GiftiImage, GiftiMetaData

from dnnbrain._checks import BadValue
from dnnbrain.brain.io import load_brainimg, load_mask, masked, resample_mask, same_space, unmasked
from dnnbrain.brain.masks import fit_mask
from dnnbrain.brain.responses import Responses

AFFINE = np.array([[-3, 0.2, 0, 90], [0.1, 2, 0, -126], [0, 0, 2.5, -72], [0, 0, 0, 1.0]])


@pytest.fixture
def data(rng):
    return rng.standard_normal((5, 6, 4, 7))


def test_mask_is_a_two_way_door(data):
    volumes = np.moveaxis(data, 3, 0)
    mask = (np.arange(120).reshape(5, 6, 4) % 3 == 0).astype(float)
    mask[0, 0, 0] = np.nan                                            # NaN is outside
    table = masked(volumes, mask)
    assert table.shape == (7, 39)
    back = unmasked(table, mask, (5, 6, 4))
    chosen = (mask == 1)
    np.testing.assert_allclose(back[:, chosen], volumes[:, chosen], rtol=1e-6)
    assert np.isnan(back[:, ~chosen]).all()
    np.testing.assert_array_equal(unmasked(masked(volumes, None), None, (5, 6, 4)), volumes)


def test_masks_of_another_space_are_refused(tmp_path, data):
    response = tmp_path / 'x.nii.gz'
    nib.save(nib.Nifti1Image(data.astype(np.float32), AFFINE), response)
    _, header = load_brainimg(response)
    moved = nib.Nifti1Image(np.ones((5, 6, 4), np.uint8), AFFINE + np.eye(4) * [1, 0, 0, 0])
    nib.save(moved, tmp_path / 'm.nii.gz')
    with pytest.raises(BadValue, match=r'another space.*shapes \(5, 6, 4\) and \(5, 6, 4\), affines'):
        Responses.load(response, tmp_path / 'm.nii.gz')
    nib.save(nib.Nifti1Image(np.ones((5, 6, 5), np.uint8), AFFINE), tmp_path / 'm.nii.gz')
    with pytest.raises(BadValue, match=r'shapes \(5, 6, 5\) and \(5, 6, 4\)'):
        Responses.load(response, tmp_path / 'm.nii.gz')
    nib.save(nib.Nifti1Image(np.zeros((5, 6, 4), np.uint8), AFFINE), tmp_path / 'm.nii.gz')
    with pytest.raises(BadValue, match='holds no voxel'):
        Responses.load(response, tmp_path / 'm.nii.gz')
    same_space(header, header, (5, 6, 4), (5, 6, 4))


class TestMasksOfAnotherSpace:
    def test_vertices(self, tmp_path, make_image, table):
        _, header = load_brainimg(make_image('x', 'func.gii', table[0]))
        nib.save(GiftiImage(darrays=[GiftiDataArray(np.ones(30, np.float32))]), tmp_path / 'small.shape.gii')
        with pytest.raises(BadValue, match='30 and 36 vertices; give one of the same surface'):
            Responses.load(tmp_path / 'x.func.gii', tmp_path / 'small.shape.gii')
        nib.save(GiftiImage(meta=GiftiMetaData({'AnatomicalStructurePrimary': 'CortexRight'}),
                            darrays=[GiftiDataArray(np.ones(36, np.float32))]), tmp_path / 'right.shape.gii')
        with pytest.raises(BadValue, match='CortexRight and CortexLeft'):
            Responses.load(tmp_path / 'x.func.gii', tmp_path / 'right.shape.gii')

    @pytest.mark.parametrize('response, mask, says', [
        ('nii', 'label.gii', r'36 vertices of a surface and a volume of shape \(4, 3, 3\)'),
        ('dscalar.nii', 'label.gii', '36 vertices of a surface and 36 vertices and voxels of CIFTI'),
        ('func.gii', 'nii.gz', r'a volume of shape \(4, 3, 3\) and 36 vertices of a surface')])
    def test_families(self, make_image, table, response, mask, says):
        with pytest.raises(BadValue, match=f'{says}; give one of the same kind'):
            Responses.load(make_image('x', response, table[0]), make_image('m', mask, table[1]))

    def test_overlays_in_mgh_go_with_gifti(self, tmp_path, make_image, table):
        nib.save(nib.MGHImage(table[0].T.reshape(36, 1, 1, 6).copy(), np.eye(4)), tmp_path / 'lh.mgz')
        responses = Responses.load(tmp_path / 'lh.mgz', make_image('m', 'label.gii', table[1]))
        np.testing.assert_array_equal(responses.values, table[0][:, table[1] > 0])
        assert not responses.is_volume

    def test_brain_models_are_matched_by_vertex(self, tmp_path, make_image, table, brain_axis):
        """A mask of the right cortex, whole, with the medial wall, before a part of the volume."""
        path = make_image('x', 'dtseries.nii', table[0])
        right = BrainModelAxis.from_mask(np.ones(20, bool), name='CortexRight')
        even = np.arange(12).reshape(2, 3, 2) % 2 == 0
        volume = BrainModelAxis.from_mask(even, 'other', affine=np.diag([2.0, 2, 2, 1]))
        values = np.concatenate([np.arange(20) + 1, np.arange(6) + 100]).astype(np.float32)
        nib.save(Cifti2Image(values[None], (ScalarAxis(['m']), right + volume)), tmp_path / 'm.dscalar.nii')
        mask, mask_header, _ = load_mask(tmp_path / 'm.dscalar.nii')
        found = fit_mask(mask, mask_header, load_brainimg(path)[1], (36, 1, 1))[:, 0, 0]
        expected = np.zeros(36)
        expected[12:24] = np.flatnonzero(np.isin(np.arange(20) % 5, [1, 2, 4])) + 1
        expected[24::2] = np.arange(6) + 100
        np.testing.assert_array_equal(found, expected)

    @pytest.mark.parametrize('other', [
        BrainModelAxis.from_mask(np.ones(32, bool), name='CortexLeft'),
        BrainModelAxis.from_mask(np.ones((2, 3, 2), bool), 'thalamus_left', affine=np.diag([3.0, 3, 3, 1]))])
    def test_brain_models_of_another_space(self, tmp_path, make_image, table, other):
        image = Cifti2Image(np.ones((1, len(other)), np.float32), (ScalarAxis(['m']), other))
        nib.save(image, tmp_path / 'm.dscalar.nii')
        with pytest.raises(BadValue, match=r'brain models \(\w+ \d+.*\) and \(CORTEX_LEFT 12 of 20 vertices, '):
            Responses.load(make_image('x', 'dtseries.nii', table[0]), tmp_path / 'm.dscalar.nii')


class TestResampling:
    def test_a_finer_mask(self, tmp_path, make_image, table):
        """Each voxel divided into 8: the mask comes back exactly, by hand."""
        path = make_image('x', 'nii.gz', table[0])
        fine = np.kron(table[1].reshape(4, 3, 3), np.ones((2, 2, 2), np.int16))
        affine = AFFINE @ np.diag([0.5, 0.5, 0.5, 1])
        affine[:3, 3] = AFFINE[:3] @ [-0.24, -0.24, -0.24, 1]        # a centre is nearest to one fine voxel
        nib.save(nib.Nifti1Image(fine, affine), tmp_path / 'fine.nii.gz')
        with pytest.raises(BadValue, match='another space.*resample it first'):
            Responses.load(path, tmp_path / 'fine.nii.gz')
        responses = Responses.load(path, tmp_path / 'fine.nii.gz', resample=True)
        np.testing.assert_array_equal(responses.mask.ravel(), table[1])
        np.testing.assert_array_equal(responses.values, table[0][:, table[1] > 0])

    def test_a_turned_grid(self, rng):
        """The voxel whose box holds the centre, by rounding, up to the rim of the image."""
        mask, turn = rng.integers(0, 5, (6, 5, 7)), np.eye(4)
        turn[:2, :2] = [[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]]
        turn[:3, 3] = [-2.3, 0.7, -0.45]
        header, wanted = nib.Nifti1Header(), nib.Nifti1Header()
        header.set_sform(AFFINE, 1)
        wanted.set_sform(AFFINE @ turn, 1)
        places = np.indices((8, 8, 8)).reshape(3, -1)
        matrix = np.linalg.inv(header.get_best_affine()) @ wanted.get_best_affine()
        nearest = np.round(matrix[:3, :3] @ places + matrix[:3, 3:]).astype(int)
        held = ((nearest >= 0) & (nearest < np.array(mask.shape)[:, None])).all(axis=0)
        expected = np.zeros(512, int)
        expected[held] = mask[tuple(nearest[:, held])]
        found = resample_mask(mask, header, wanted, (8, 8, 8))
        assert held.sum() > 50 and found.dtype == mask.dtype
        np.testing.assert_array_equal(found.ravel(), expected)
        wanted.set_sform(AFFINE + [[0, 0, 0, 500], [0] * 4, [0] * 4, [0] * 4], 1)
        with pytest.raises(BadValue, match='lies nowhere within the responses'):
            resample_mask(mask, header, wanted, (8, 8, 8))

    def test_beyond_the_edge_and_nan_are_outside(self):
        mask = np.array([[[1.0]], [[np.nan]], [[70000.0]]])
        header, wanted = nib.Nifti1Header(), nib.Nifti1Header()
        header.set_sform(np.eye(4), 1)
        shifted = np.eye(4)
        shifted[0, 3] = -1
        wanted.set_sform(shifted, 1)
        assert resample_mask(mask, header, wanted, (5, 1, 1)).ravel().tolist() == [0, 1, 0, 70000, 0]
