"""Brain images of all formats: data, affine, axes, names survive; masks must fit."""

import gzip

import nibabel as nib
import numpy as np
import pytest
from nibabel.cifti2 import Cifti2Image, LabelAxis, SeriesAxis
from nibabel.gifti import GiftiDataArray, GiftiImage

from dnnbrain._checks import BadPath, BadType, BadValue
from dnnbrain.brain.io import (
    load_brainimg,
    load_mask,
    save_brainimg,
)
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


def test_bad_files(tmp_path, data):
    with pytest.raises(BadPath, match='does not exist'):
        load_brainimg(tmp_path / 'no.nii.gz')
    with pytest.raises(BadValue, match='must end in .nii, .nii.gz, .mgh, .*or .dlabel.nii'):
        load_brainimg(tmp_path / 'x.img')
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


def shape_of(suffix):
    return (36, 1, 1) if 'gii' in suffix or suffix in ('dscalar.nii', 'dtseries.nii', 'dlabel.nii') else (4, 3, 3)


def test_files_are_closed(make_image, table):
    """nibabel warns of an open file when a .mgh is read; warnings are errors here."""
    assert load_brainimg(make_image('x', 'mgh', table[0]))[0].shape == (6, 4, 3, 3)


@pytest.mark.filterwarnings('ignore:unclosed file:ResourceWarning')      # nibabel's own reading of .mgh
class TestEveryFormat:
    """Written and read by nibabel alone on the other side."""

    def test_round_trip(self, tmp_path, make_image, values_of, table, suffix):
        path = make_image('sub-01.run.2', suffix, table[0])
        data, header = load_brainimg(path)
        assert data.shape == (6, *shape_of(suffix))
        np.testing.assert_array_equal(data.reshape(6, 36), table[0])
        again = tmp_path / f'a.b.{suffix}'
        save_brainimg(again, data, header)
        np.testing.assert_array_equal(values_of(again), table[0])
        before, after = nib.load(path), nib.load(again)
        if isinstance(before, GiftiImage):
            assert dict(after.meta) == dict(before.meta) == {'AnatomicalStructurePrimary': 'CortexLeft'}
            assert [dict(a.meta) for a in after.darrays] == [{'Name': f'run 1, {i}'} for i in range(6)]
            assert [a.intent for a in after.darrays] == [a.intent for a in before.darrays]
            assert header.names == [f'run 1, {i}' for i in range(6)]
        elif isinstance(before, Cifti2Image):
            assert after.header.get_axis(0) == before.header.get_axis(0)
            assert after.header.get_axis(1) == before.header.get_axis(1)
            assert after.nifti_header.get_intent() == before.nifti_header.get_intent()
        else:
            np.testing.assert_allclose(after.affine, before.affine, atol=1e-5)      # MGH keeps float32 cosines
            np.testing.assert_allclose(after.header.get_zooms(), before.header.get_zooms(), rtol=1e-6)

    def test_one_map_and_masks(self, tmp_path, make_image, values_of, table, suffix):
        data, header = load_brainimg(make_image('x', suffix, table[0]))
        scores = data[:1] / 7
        scores[0, :5, 0, 0] = np.nan
        for values in (scores, scores[0]):
            save_brainimg(tmp_path / f'y.{suffix}', values, header)
            found = values_of(tmp_path / f'y.{suffix}')
            assert found.dtype.newbyteorder('=') == np.float32
            np.testing.assert_array_equal(found, scores.reshape(1, 36))
        mask, _ = load_brainimg(tmp_path / f'y.{suffix}', ismask=True)
        assert mask.shape == shape_of(suffix)
        with pytest.raises(BadValue, match='must be one volume, not 6'):
            load_brainimg(make_image('z', suffix, table[0]), ismask=True)

    def test_damaged(self, tmp_path, make_image, table, suffix):
        raw = make_image('x', suffix, table[0]).read_bytes()
        for part in (raw[:len(raw) // 2], raw[:20], b'hello'):
            (tmp_path / f'bad.{suffix}').write_bytes(part)
            with pytest.raises(BadValue, match=f"bad.{suffix}' cannot be read") as error:
                load_brainimg(tmp_path / f'bad.{suffix}')
            assert '\n' not in str(error.value)

    def test_wrong_shapes_and_headers(self, tmp_path, make_image, table, suffix):
        data, header = load_brainimg(make_image('x', suffix, table[0]))
        other = 'x.nii.gz' if 'gii' in suffix or suffix.startswith('d') else 'x.func.gii'
        with pytest.raises(BadValue, match='cannot hold what this header .* describes; choose from'):
            save_brainimg(tmp_path / f'out.{other}', data, header)
        with pytest.raises(BadValue, match='2 names came for 6 maps'):
            save_brainimg(tmp_path / f'out.{suffix}', data, header, names=['a', 'b'])
        if shape_of(suffix) == (36, 1, 1):
            with pytest.raises(BadValue, match=r'\(n_map, 36, 1, 1\), not \(6, 35, 1, 1\)'):
                save_brainimg(tmp_path / f'out.{suffix}', data[:, 1:], header)
        assert not list(tmp_path.glob('*out*'))


def test_a_header_of_nobody(tmp_path):
    with pytest.raises(BadType, match='must come from load_brainimg, but is dict'):
        save_brainimg(tmp_path / 'x.nii', np.zeros((2, 2, 2)), {})


def test_maps_get_names(tmp_path, make_image, table):
    _, surface = load_brainimg(make_image('x', 'func.gii', table[0]))
    _, cifti = load_brainimg(make_image('x', 'dscalar.nii', table[0]))
    _, series = load_brainimg(make_image('x', 'dtseries.nii', table[0]))
    scores = table[0][:2, :, None, None]
    save_brainimg(tmp_path / 'y.shape.gii', scores, surface, names=['conv1', 'fc'])
    arrays = nib.load(tmp_path / 'y.shape.gii').darrays
    assert [a.meta['Name'] for a in arrays] == ['conv1', 'fc']
    assert {nib.nifti1.intent_codes.niistring[a.intent] for a in arrays} == {'NIFTI_INTENT_SHAPE'}
    for header in (cifti, series):
        save_brainimg(tmp_path / 'y.dscalar.nii', scores, header, names=['conv1', 'fc'])
        assert list(nib.load(tmp_path / 'y.dscalar.nii').header.get_axis(0).name) == ['conv1', 'fc']
        save_brainimg(tmp_path / 'y.dscalar.nii', scores, header)
        assert list(nib.load(tmp_path / 'y.dscalar.nii').header.get_axis(0).name) == ['map 1', 'map 2']
    save_brainimg(tmp_path / 'y.dtseries.nii', scores, series)
    assert nib.load(tmp_path / 'y.dtseries.nii').header.get_axis(0) == SeriesAxis(3, 0.72, 2)
    save_brainimg(tmp_path / 'y.dtseries.nii', scores, cifti)
    assert nib.load(tmp_path / 'y.dtseries.nii').header.get_axis(0) == SeriesAxis(0, 1, 2)


def test_label_files_keep_their_tables(tmp_path, make_image, values_of, table):
    for suffix in ('label.gii', 'dlabel.nii'):
        path = make_image('areas', suffix, table[1])
        data, header = load_brainimg(path)
        save_brainimg(tmp_path / f'y.{suffix}', data, header)
        np.testing.assert_array_equal(values_of(tmp_path / f'y.{suffix}'), table[1][None])
        _, _, names = load_mask(tmp_path / f'y.{suffix}')
        assert names == {0: '???', 1: 'V1', 2: 'FFA', 3: 'PPA'}
        with pytest.raises(BadValue, match='holds whole numbers'):
            save_brainimg(tmp_path / f'z.{suffix}', data + 0.5, header)
    before, after = (nib.load(tmp_path / name) for name in ('areas.dlabel.nii', 'y.dlabel.nii'))
    assert before.header.get_axis(0) == after.header.get_axis(0)
    before, after = (nib.load(tmp_path / name) for name in ('areas.label.gii', 'y.label.gii'))
    assert [x.rgba for x in after.labeltable.labels] == [x.rgba for x in before.labeltable.labels]
    assert after.darrays[0].data.dtype == np.int32
    header = load_brainimg(make_image('x', 'dscalar.nii', table[0]))[1]
    with pytest.raises(BadValue, match='needs the header of a label file'):
        save_brainimg(tmp_path / 'z.dlabel.nii', table[0][:1, :, None, None], header)
    _, header = load_brainimg(tmp_path / 'areas.dlabel.nii')
    save_brainimg(tmp_path / 'two.dlabel.nii', np.ones((2, 36, 1, 1)), header)
    assert isinstance(nib.load(tmp_path / 'two.dlabel.nii').header.get_axis(0), LabelAxis)


def test_scores_on_a_label_header_are_a_metric(tmp_path, make_image, table):
    data, header = load_brainimg(make_image('areas', 'label.gii', table[1]))
    save_brainimg(tmp_path / 'y.func.gii', data / 2, header)
    array, = nib.load(tmp_path / 'y.func.gii').darrays
    assert array.data.dtype == np.float32 and nib.nifti1.intent_codes.niistring[array.intent] == 'NIFTI_INTENT_NONE'


def test_labels_below_zero_are_outside(make_image, table):
    labels = table[1].copy()
    labels[labels == 3] = -1
    for suffix in ('label.gii', 'dlabel.nii'):
        mask, *_ = load_mask(make_image('areas', suffix, labels))
        np.testing.assert_array_equal(mask[:, 0, 0] != 0, labels > 0)


def test_surfaces_without_values(tmp_path, rng):
    points = GiftiDataArray(rng.random((5, 3)).astype(np.float32), intent='NIFTI_INTENT_POINTSET')
    long, short = (GiftiDataArray(np.ones(n, np.float32), intent='NIFTI_INTENT_SHAPE') for n in (5, 4))
    for name, arrays, says in (('mesh', [points], 'holds the mesh of a surface'), ('none', [], 'no data array'),
                               ('odd', [long, short], r'shapes \[\(4,\), \(5,\)\]')):
        nib.save(GiftiImage(darrays=arrays), tmp_path / f'{name}.gii')
        with pytest.raises(BadValue, match=f"{name}.gii' cannot be used: it.*{says}"):
            load_brainimg(tmp_path / f'{name}.gii')


@pytest.mark.parametrize('dtype', [np.complex64, np.dtype([('R', 'u1'), ('G', 'u1'), ('B', 'u1')])])
def test_volumes_that_are_not_numbers(dtype, tmp_path):
    nib.save(nib.Nifti1Image(np.zeros((2, 3, 4), dtype), np.eye(4)), tmp_path / 'x.nii')
    with pytest.raises(BadValue, match="x.nii' cannot be used: its voxels must be numbers, not colours or complex"):
        load_brainimg(tmp_path / 'x.nii', ismask=True)


def test_connectivity_is_refused(tmp_path, brain_axis):
    nib.save(Cifti2Image(np.zeros((36, 36), np.float32), (brain_axis, brain_axis)), tmp_path / 'x.dconn.nii')
    with pytest.raises(BadValue, match='must hold maps of vertices and voxels .*BrainModelAxis and BrainModelAxis'):
        load_brainimg(tmp_path / 'x.dconn.nii')


def test_types_that_a_format_cannot_hold(tmp_path, make_image, table):
    for suffix, dtype in (('func.gii', np.float64), ('mgz', np.float64), ('nii', bool)):
        data, header = load_brainimg(make_image('x', suffix, table[0]))
        with pytest.raises(BadValue, match='float64|bool'):
            save_brainimg(tmp_path / f'out.{suffix}', data, header, dtype=dtype)
    save_brainimg(tmp_path / 'out.nii', np.full((4, 3, 3), 2**40), header, dtype=np.int64)
    assert load_brainimg(tmp_path / 'out.nii')[0].max() == 2**40


def test_volumes_change_format(tmp_path, make_image, values_of, table):
    """NIfTI and MGH keep the same grid."""
    for source, target in (('nii.gz', 'mgz'), ('mgz', 'nii.gz')):
        data, header = load_brainimg(make_image('x', source, table[0]))
        save_brainimg(tmp_path / f'y.{target}', data, header)
        np.testing.assert_array_equal(values_of(tmp_path / f'y.{target}'), table[0])
        np.testing.assert_allclose(nib.load(tmp_path / f'y.{target}').affine, AFFINE, atol=1e-5)


def test_more_vertices_than_nifti_1_counts(tmp_path):
    """A surface in a NIfTI file: NIfTI-2 is written where it is needed, and kept where it was read."""
    values = np.arange(40000, dtype=np.float32).reshape(1, 40000, 1, 1)
    header = nib.Nifti1Image(np.zeros((2, 2, 2), np.uint8), AFFINE).header
    for _ in range(2):
        save_brainimg(tmp_path / 'x.nii.gz', values, header)
        assert isinstance(nib.load(tmp_path / 'x.nii.gz'), nib.Nifti2Image)
        found, header = load_brainimg(tmp_path / 'x.nii.gz')
        np.testing.assert_array_equal(found, values)
    np.testing.assert_allclose(header.get_best_affine(), AFFINE, atol=1e-6)


def test_a_cifti_file_by_another_name(make_image, table):
    path = make_image('x', 'dscalar.nii', table[0])
    plain = path.with_name('plain.nii')
    path.rename(plain)
    assert load_brainimg(plain)[0].shape == (6, 36, 1, 1)
    assert Responses.load(plain).suffix == '.dscalar.nii'


@pytest.mark.parametrize('dtype, value', [(np.int16, 40000.0), (np.uint8, -1), (np.int16, 0.5), (np.int32, np.nan)])
def test_whole_numbers_do_not_wrap(tmp_path, dtype, value):
    """40,000 became -25,536, and 0.5 became 0."""
    _, header = load_brainimg(image(tmp_path / 'x.nii', np.zeros((2, 3, 4))))
    data = np.full((2, 3, 4), value)
    with pytest.raises(BadValue, match=f'dtype {np.dtype(dtype)} holds whole numbers from .* data hold others'):
        save_brainimg(tmp_path / 'y.nii', data, header, dtype=dtype)
    assert not (tmp_path / 'y.nii').exists()
    save_brainimg(tmp_path / 'y.nii', np.full((2, 3, 4), 7.0), header, dtype=dtype)
    assert (nib.load(tmp_path / 'y.nii').get_fdata() == 7).all()
