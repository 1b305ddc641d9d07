"""Brain images: data, affine and header survive; masks must fit."""

import gzip

import nibabel as nib
import numpy as np
import pytest

from dnnbrain._checks import BadPath, BadValue
from dnnbrain.brain.io import load_brainimg, masked, same_space, save_brainimg, unmasked
from dnnbrain.brain.responses import Responses

AFFINE = np.array([[-3, 0.2, 0, 90], [0.1, 2, 0, -126], [0, 0, 2.5, -72], [0, 0, 0, 1.0]])


def image(path, data, dtype=np.float32, code='scanner'):
    """Write with nibabel alone: (x, y, z[, n_vol])."""
    img = nib.Nifti1Image(data.astype(dtype), AFFINE)
    img.set_sform(AFFINE, code)
    img.set_qform(AFFINE, code, strip_shears=True)
    img.header.set_xyzt_units('mm', 'sec')
    if data.ndim == 4:
        img.header.set_zooms((*img.header.get_zooms()[:3], 1.5))
    nib.save(img, path)
    return str(path)


@pytest.fixture
def data(rng):
    return rng.standard_normal((5, 6, 4, 7))


@pytest.mark.parametrize('name', ['x.nii', 'x.nii.gz', 'sub-01.run.2_bold.v1.nii.gz'])
def test_round_trip(tmp_path, data, name):
    path = image(tmp_path / name, data)
    values, header = load_brainimg(path)
    assert values.shape == (7, 5, 6, 4)
    np.testing.assert_allclose(values, np.moveaxis(data, 3, 0), rtol=1e-6)
    save_brainimg(tmp_path / f'out.{name}', values, header)
    before, after = nib.load(path), nib.load(tmp_path / f'out.{name}')
    np.testing.assert_array_equal(after.get_fdata(), before.get_fdata())
    np.testing.assert_array_equal(after.affine, before.affine)
    assert after.header.get_zooms() == before.header.get_zooms()
    assert after.header.get_xyzt_units() == ('mm', 'sec')
    assert after.header['sform_code'] == 1


def test_one_volume_and_masks(tmp_path, data):
    path = image(tmp_path / 'x.nii.gz', data[..., 0])
    assert load_brainimg(path)[0].shape == (1, 5, 6, 4)
    mask, header = load_brainimg(path, ismask=True)
    assert mask.shape == (5, 6, 4)
    save_brainimg(tmp_path / 'y.nii.gz', mask, header)
    assert nib.load(tmp_path / 'y.nii.gz').shape == (5, 6, 4)
    with pytest.raises(BadValue, match='must be one volume, not 7'):
        load_brainimg(image(tmp_path / 'z.nii.gz', data), ismask=True)


def test_scores_do_not_take_the_integer_type_of_the_responses(tmp_path, data):
    """1.0 wrote scores as uint8 where the responses were."""
    _, header = load_brainimg(image(tmp_path / 'x.nii.gz', data * 50 + 100, np.uint8))
    scores = np.linspace(-1, 1, 120).reshape(5, 6, 4)
    scores[0, 0, 0] = np.nan
    save_brainimg(tmp_path / 'y.nii.gz', scores, header)
    back = nib.load(tmp_path / 'y.nii.gz')
    assert back.get_data_dtype() == np.float32
    np.testing.assert_allclose(back.get_fdata(), scores, atol=1e-7)
    save_brainimg(tmp_path / 'z.nii.gz', scores > 0, header, dtype=np.uint8)
    assert nib.load(tmp_path / 'z.nii.gz').get_data_dtype() == np.uint8


def test_scaled_integers_are_read_as_values(tmp_path):
    img = nib.Nifti1Image(np.arange(8, dtype=np.int16).reshape(2, 2, 2), AFFINE)
    img.header.set_slope_inter(0.5, 10)
    nib.save(img, tmp_path / 'x.nii')
    expected = nib.load(tmp_path / 'x.nii').get_fdata()
    values, header = load_brainimg(tmp_path / 'x.nii')
    np.testing.assert_array_equal(values[0], expected)
    save_brainimg(tmp_path / 'y.nii', values, header)
    np.testing.assert_allclose(nib.load(tmp_path / 'y.nii').get_fdata(), expected)


def test_an_image_with_a_qform_only(tmp_path, data):
    img = nib.Nifti1Image(data.astype(np.float32), None)
    affine = np.diag([2.0, 2, 2, 1])
    img.set_qform(affine, 'mni')
    nib.save(img, tmp_path / 'x.nii')
    values, header = load_brainimg(tmp_path / 'x.nii')
    save_brainimg(tmp_path / 'y.nii', values, header)
    np.testing.assert_array_equal(nib.load(tmp_path / 'y.nii').affine, affine)


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
    response = image(tmp_path / 'x.nii.gz', data)
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


def test_bad_files(tmp_path, data):
    with pytest.raises(BadPath, match='does not exist'):
        load_brainimg(tmp_path / 'no.nii.gz')
    with pytest.raises(BadValue, match='must end in .nii or .nii.gz'):
        load_brainimg(tmp_path / 'x.mgz')
    with pytest.raises(BadValue, match='is CIFTI'):
        load_brainimg(tmp_path / 'x.dscalar.nii')
    (tmp_path / 'x.nii').write_text('hello')
    with pytest.raises(BadValue, match='cannot be read'):
        load_brainimg(tmp_path / 'x.nii')
    path = image(tmp_path / 'y.nii.gz', data)
    whole = (tmp_path / 'y.nii.gz').read_bytes()
    (tmp_path / 'y.nii.gz').write_bytes(whole[:len(whole) // 2])
    with pytest.raises(BadValue, match='cannot be read'):
        load_brainimg(path)
    with pytest.raises(BadValue, match='must have shape'):
        save_brainimg(tmp_path / 'z.nii', np.zeros((3, 3)), nib.Nifti1Header())
    assert not (tmp_path / 'z.nii').exists()


def broken(raw, position, value):
    return raw[:position] + value + raw[position + len(value):]


def test_damaged_images(tmp_path, data):
    """A packed stream with wrong bytes, an impossible data type, and a shift beyond all numbers."""
    image(tmp_path / 'x.nii', data)
    raw = (tmp_path / 'x.nii').read_bytes()
    packed = gzip.compress(raw)
    for name, damaged in (('stream.nii.gz', broken(packed, 100, b'\xff' * 60)),
                          ('kind.nii', broken(raw, 70, b'\x03\x00')),
                          ('offset.nii', broken(raw, 108, np.float32(np.inf).tobytes())),
                          ('far.nii', broken(raw, 108, np.float32(1e30).tobytes())),
                          ('axes.nii', broken(raw, 40, b'\x63\x00'))):
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(BadValue, match=f"{name}' cannot be read"):
            load_brainimg(tmp_path / name)
