"""Regions: names, tables, the file, arithmetic, and the command."""

import nibabel as nib
import numpy as np
import pytest

from dnnbrain._checks import BadPath, BadType, BadValue
from dnnbrain.brain.core import ROI
from dnnbrain.brain.io import extract_brain_activation
from dnnbrain.brain.regions import name_regions, read_label_table


@pytest.fixture
def roi(rng):
    return ROI(['V1', 'FFA', 'PPA'], rng.standard_normal((5, 3)))


class TestExtraction:
    @pytest.mark.parametrize('method, by_hand', [('mean', np.mean), ('std', np.std), ('max', np.max)])
    def test_statistics(self, rng, method, by_hand):
        img, mask = rng.standard_normal((5, 3, 4, 2)), rng.integers(0, 4, (3, 4, 2)).astype(float)
        mask[0, 0, 0] = np.nan
        found = extract_brain_activation(img, mask, [3, 1, 3], method)
        assert len(found) == 3 and all(values.shape == (5,) for values in found)
        for label, values in zip([3, 1, 3], found, strict=True):
            np.testing.assert_allclose(values, [by_hand(volume[mask == label]) for volume in img], rtol=1e-12)

    def test_voxels(self, rng):
        img, mask = rng.standard_normal((5, 3, 4, 2)), rng.integers(0, 3, (3, 4, 2))
        first, second = extract_brain_activation(img, mask, [2, 1], 'voxel')
        np.testing.assert_array_equal(first, img[:, mask == 2])
        np.testing.assert_array_equal(second, img[:, mask == 1])

    def test_blocks_of_volumes(self, rng, monkeypatch):
        img, mask = rng.standard_normal((7, 3, 4, 2)), rng.integers(0, 3, (3, 4, 2))
        whole = extract_brain_activation(img, mask, [1, 2], 'std')
        monkeypatch.setattr('dnnbrain.brain.regions.BLOCK', 50)
        np.testing.assert_array_equal(extract_brain_activation(img, mask, [1, 2], 'std'), whole)

    def test_integers_do_not_overflow(self):
        found, = extract_brain_activation(np.full((1, 4, 1, 1), 200, np.uint8), np.ones((4, 1, 1)), 1)
        assert found.tolist() == [200.0]

    def test_mistakes(self, rng):
        img, mask = rng.standard_normal((5, 3, 4, 2)), np.ones((3, 4, 2))
        with pytest.raises(BadValue, match='roi 7 has no voxel in the mask; it holds 1'):
            extract_brain_activation(img, mask, [1, 7])
        with pytest.raises(BadValue, match=r'must have shape \(n_vol, 3, 4, 2\).*not \(3, 4, 2\)'):
            extract_brain_activation(img[0], mask, 1)
        with pytest.raises(BadValue, match="'median' is not known; .*choose from mean, std, max, voxel"):
            extract_brain_activation(img, mask, 1, 'median')
        with pytest.raises(BadValue, match='roilabels must be numbers'):
            extract_brain_activation(img, mask, 'V1')


class TestTable:
    def test_set_get_delete(self, roi):
        whole = roi.data.copy()
        np.testing.assert_array_equal(roi.get('FFA'), whole[:, [1]])
        np.testing.assert_array_equal(roi.get(['PPA', 'V1']), whole[:, [2, 0]])
        roi.set('V4', np.arange(5))
        assert roi.rois == ['V1', 'FFA', 'PPA', 'V4'] and roi.data.shape == (5, 4)
        roi.set(['V2', 'V3'], np.zeros((5, 2)), index=1)
        assert roi.rois == ['V1', 'V2', 'V3', 'FFA', 'PPA', 'V4']
        np.testing.assert_array_equal(roi.get(['V1', 'FFA', 'PPA']), whole)
        roi.set('FFA', whole[:, 1] + 1)                                     # in its place
        assert roi.rois.index('FFA') == 3
        np.testing.assert_array_equal(roi.get('FFA')[:, 0], whole[:, 1] + 1)
        roi.delete(['V2', 'V3', 'V4'])
        assert roi.rois == ['V1', 'FFA', 'PPA']
        np.testing.assert_array_equal(roi.get('V1'), whole[:, [0]])
        roi.delete(['V1', 'FFA', 'PPA'])
        assert roi.rois == [] and roi.data is None and len(roi) == 0
        roi.set('V1', np.ones(7))
        assert roi.data.shape == (7, 1)

    def test_values_that_differ_in_kind(self):
        roi = ROI('a', np.arange(3))
        roi.set('b', [0.5, 1.5, 2.5])
        assert roi.data.tolist() == [[0, 0.5], [1, 1.5], [2, 2.5]]

    def test_numbers_are_names(self, rng):
        """1.0 stored '1.0' where the mask was of floats."""
        roi = ROI([1.0, 2, '12'], rng.standard_normal((4, 3)))
        assert roi.rois == ['1', '2', '12']
        for name in ('2', 2, 2.0, '2.0', np.float32(2)):
            np.testing.assert_array_equal(roi.get(name), roi.data[:, [1]])

    def test_index(self, roi):
        for part, rois, data in (
                (roi[:2], ['V1', 'FFA', 'PPA'], roi.data[:2]), (roi[3], ['V1', 'FFA', 'PPA'], roi.data[3:4]),
                (roi[[0, 4], ['PPA', 'V1']], ['PPA', 'V1'], roi.data[[0, 4]][:, [2, 0]]),
                (roi[:, 'FFA'], ['FFA'], roi.data[:, [1]]), (roi[:, 1:], ['FFA', 'PPA'], roi.data[:, 1:]),
                (roi[:, -1], ['PPA'], roi.data[:, [2]]), (roi[roi.data[:, 0] > 9, [0]], ['V1'], roi.data[:0, [0]]),
                (roi[()], ['V1', 'FFA', 'PPA'], roi.data[:0])):
            assert isinstance(part, ROI) and part.rois == rois
            np.testing.assert_array_equal(part.data, data)

    def test_arithmetic(self, roi):
        other = ROI(roi.rois, np.full((5, 3), 4.0))
        for found, expected in ((roi + other, roi.data + 4), (roi - 1, roi.data - 1), (roi * other, roi.data * 4),
                                (roi / 2, roi.data / 2)):
            assert found.rois == roi.rois
            np.testing.assert_array_equal(found.data, expected)
        with pytest.raises(BadValue, match="regions differ: .*'V1'.* and .*'V2'"):
            roi + ROI(['V2', 'FFA', 'PPA'], other.data)
        with pytest.raises(BadValue, match=r'shapes differ: \(5, 3\) and \(4, 3\)'):
            roi - other[:4]
        with pytest.raises(TypeError):
            roi + 'V1'

    def test_integers_do_not_wrap(self):
        """The maximum over voxels of a uint8 image is uint8: 1 - 2 was 255, and - 300 an OverflowError."""
        one, two = (ROI(['V1'], np.array([value, 200], np.uint8)) for value in (1, 2))
        for found, expected in ((one - two, [-1, 0]), (one + two, [3, 400]), (one - 300, [-299, -100]),
                                (one * 2, [2, 400])):
            np.testing.assert_array_equal(found.data[:, 0], expected)

    def test_file(self, tmp_path, roi):
        roi.save(tmp_path / 'a.b.roi.h5')
        back = ROI()
        back.load(tmp_path / 'a.b.roi.h5', ['PPA', 'V1'])
        assert back.rois == ['PPA', 'V1']
        np.testing.assert_array_equal(back.data, roi.data[:, [2, 0]])

    def test_mistakes(self, tmp_path, roi):
        for call, says in (
                (lambda: ROI('V1'), 'rois and value come together'),
                (lambda: ROI().save('x.roi.h5'), 'no region to save'),
                (lambda: ROI()[0], 'no region yet'),
                (lambda: roi.get('V9'), "'V9' is not in this ROI; choose from V1, FFA, PPA"),
                (lambda: roi.set('V4', np.ones(4)), r'shape \(5, 1\), not \(4, 1\)'),
                (lambda: roi.set(['a', 'a'], np.ones((5, 2))), 'different names'),
                (lambda: roi.set('V4', np.ones(5), index=9), 'index 9 is out of range for 3'),
                (lambda: roi.set([], np.ones((5, 0))), 'different names')):
            with pytest.raises(BadValue, match=says):
                call()
        with pytest.raises(BadType, match='must be numbers'):
            roi.set('V4', np.array(['a'] * 5))


class TestNames:
    @pytest.mark.parametrize('text', ['1,V1\n2,FFA\n',
                                      'id,name\n1,"V1"\n\n2,FFA\n', '# LUT\n1  V1  255 0 0 0\n2 FFA 0 0 0',
                                      'index\tname\n1\tV1\n2\tFFA\n', '\ufeff1,V1,x\r\n2,FFA,y\r\n'])
    def test_tables(self, tmp_path, text):
        (tmp_path / 'x.txt').write_bytes(text.encode())
        assert read_label_table(tmp_path / 'x.txt') == {1: 'V1', 2: 'FFA'}

    def test_names_with_blanks(self, tmp_path):
        (tmp_path / 'x.csv').write_text('1,left V1\n')
        assert read_label_table(tmp_path / 'x.csv') == {1: 'left V1'}

    @pytest.mark.parametrize('suffix, text', [
        ('.tsv', '3\tV1, left\n17\tgroße Höhle\n'), ('.csv', '3,"V1, left"\n17,große Höhle\n'),
        ('.csv', 'label, name\n"3", "V1, left"\n17, große Höhle\n')])
    def test_names_with_commas(self, tmp_path, suffix, text):
        """The comma cut the name, or the first line was taken for a heading and its region lost its name."""
        (tmp_path / f'x{suffix}').write_text(text, encoding='utf-8')
        assert read_label_table(tmp_path / f'x{suffix}') == {3: 'V1, left', 17: 'große Höhle'}

    @pytest.mark.parametrize('text, says', [
        ('3;V1\n', "line 1: a number and a name are needed, not '3;V1'"),
        ('1,V1\ntwo,FFA\n', "line 2: a number and a name are needed, not 'two,FFA'"), ('id,name\n', 'holds no number'),
        ('1,V1\n1,FFA\n', 'label 1 stands twice'), ('1,V1\n2\n', 'line 2')])
    def test_bad_tables(self, tmp_path, text, says):
        (tmp_path / 'x.csv').write_text(text)
        with pytest.raises(BadValue, match=says):
            read_label_table(tmp_path / 'x.csv')

    def test_bad_files(self, tmp_path):
        (tmp_path / 'x.csv').write_bytes(b'\xff\xfe\x00\x81')
        with pytest.raises(BadValue, match='is no text'):
            read_label_table(tmp_path / 'x.csv')
        with pytest.raises(BadPath, match='does not exist'):
            read_label_table(tmp_path / 'y.csv')
        with pytest.raises(BadValue, match='must end in .csv or .tsv or .txt'):
            read_label_table(tmp_path / 'y.xml')

    def test_labels_of_a_mask(self):
        mask = np.array([0, 2.0, np.nan, 1, 12, 2, -3])
        assert name_regions(mask) == {'-3': -3, '1': 1, '2': 2, '12': 12}
        assert list(name_regions(mask, {1: 'V1', 2: 'FFA'}, ['FFA', 12, '1'])) == ['FFA', '12', 'V1']

    def test_mistakes(self):
        for mask, names, wanted, says in (
                ([0, 0.5, 1], None, (), 'the mask holds 0.5; .*threshold it'),
                ([0, 0.9999847, 2], None, (), 'the mask holds 0.9999847; .* or round it'),
                ([0, np.nan], None, (), 'holds no voxel'),
                ([1, 2], {1: 'V1', 2: 'V1'}, (), "several labels of the mask are named 'V1'"),
                ([1, 2], {1: 'V1'}, ['V2'], "label 'V2' is not in the mask; .*choose from V1, 2")):
            with pytest.raises(BadValue, match=says):
                name_regions(np.array(mask), names, wanted)


@pytest.mark.filterwarnings('ignore:unclosed file:ResourceWarning')      # nibabel's own writing of .mgh
class TestFromImage:
    def test_every_format(self, make_image, table, suffix, mask_suffix):
        data, labels = table
        roi = ROI.from_image(make_image('x.1', suffix, data), make_image('areas', mask_suffix, labels))
        assert roi.rois == (['V1', 'FFA', 'PPA'] if 'label' in mask_suffix else ['1', '2', '3'])
        expected = np.stack([data[:, labels == k].mean(axis=1) for k in (1, 2, 3)], axis=1)
        np.testing.assert_allclose(roi.data, expected, rtol=1e-6, atol=1e-7)

    def test_float_masks_with_nan(self, make_image, table):
        """1.0 named regions '1.0', and made NaN a region."""
        labels = table[1].astype(float)
        labels[labels == 0] = np.nan
        roi = ROI.from_image(make_image('x', 'nii', table[0]), make_image('m', 'nii.gz', labels), 'max')
        assert roi.rois == ['1', '2', '3']
        np.testing.assert_array_equal(roi.data[:, 0], table[0][:, labels == 1].max(axis=1))

    def test_regions_beyond_the_responses(self, tmp_path, make_image, table):
        """A shifted mask: region 9 lies in the plane that the responses do not have."""
        path, labels = make_image('x', 'nii', table[0]), np.full((5, 3, 3), 2, np.int16)
        labels[4] = 9
        nib.save(nib.Nifti1Image(labels, nib.load(path).affine), tmp_path / 'm.nii')
        with pytest.warns(UserWarning, match='1 of 2 regions have no voxel in the responses and are left out: 9'):
            roi = ROI.from_image(path, tmp_path / 'm.nii', resample=True)
        assert roi.rois == ['2']
        np.testing.assert_allclose(roi.data[:, 0], table[0].mean(axis=1), atol=1e-7)
        with pytest.raises(BadValue, match='roi 9 has no voxel in the mask; it holds 2'):
            ROI.from_image(path, tmp_path / 'm.nii', labels=['2', 9], resample=True)
        labels[:4] = 0
        nib.save(nib.Nifti1Image(labels, nib.load(path).affine), tmp_path / 'm.nii')
        with pytest.raises(BadValue, match='lie wholly beyond the responses'):
            ROI.from_image(path, tmp_path / 'm.nii', resample=True)

    @pytest.mark.parametrize('method, statistic', [('mean', np.mean), ('std', np.std), ('max', np.max)])
    def test_voxels_beyond_coverage(self, make_image, table, method, statistic):
        """A single NaN made the whole region NaN, while RDMs of the same region left the voxel out."""
        data, labels = table[0].copy(), table[1]
        some, whole = np.flatnonzero(labels == 1), labels == 3
        data[4, some[0]], data[0, some[1]], data[:, whole] = np.nan, np.inf, np.nan
        with pytest.warns(UserWarning) as caught:
            roi = ROI.from_image(make_image('x', 'nii', data), make_image('m', 'nii', labels), method)
        assert roi.rois == ['1', '2']
        assert f'{2 + whole.sum()} voxels of the regions are NaN or infinite' in str(caught[0].message)
        assert '1 of 3 regions have no voxel in the responses and are left out: 3' in str(caught[1].message)
        np.testing.assert_allclose(roi.data[:, 0], statistic(data[:, some[2:]].astype(np.float64), axis=1), rtol=1e-6)

    def test_censored_volumes(self, make_image, table):
        data = table[0].copy()
        data[2] = np.nan
        roi = ROI.from_image(make_image('x', 'nii', data), make_image('m', 'nii', table[1]))
        assert roi.rois == ['1', '2', '3'] and np.flatnonzero(np.isnan(roi.data).any(axis=1)).tolist() == [2]
        np.testing.assert_allclose(roi.data[3, 0], data[3, table[1] == 1].mean(), rtol=1e-6)

    def test_methods(self, make_image, table):
        with pytest.raises(BadValue, match="'voxel' is not known; choose from mean, std, max"):
            ROI.from_image(make_image('x', 'nii', table[0]), make_image('m', 'nii', table[1]), 'voxel')


class TestBrainRoi:
    def test_command(self, tmp_path, run, make_image, table):
        (tmp_path / 'areas.csv').write_text('1,V1\n3,PPA\n')
        code, out, err = run('brain_roi', '-nif', make_image('x', 'nii.gz', table[0]), '-mask',
                             make_image('m', 'nii', table[1]), '-method', 'std', '-table', tmp_path / 'areas.csv',
                             '-label', 3, 'V1', 2, '-out', tmp_path / 'x.roi.h5')
        assert (code, err) == (0, '') and out.startswith('6 volumes of 3 regions')
        roi = ROI()
        roi.load(tmp_path / 'x.roi.h5')
        assert roi.rois == ['PPA', 'V1', '2']
        np.testing.assert_allclose(roi.get('PPA')[:, 0], table[0][:, table[1] == 3].std(axis=1), rtol=1e-6)

    def test_command_lines_of_1_0(self, tmp_path, run, make_image, table):
        paths = make_image('x', 'nii.gz', table[0]), make_image('m', 'nii', table[1])
        code, *_ = run('brain_roi', '-nif', paths[0], '-mask', paths[1], '-out', tmp_path / 'x.roi.h5')
        roi = ROI()
        roi.load(tmp_path / 'x.roi.h5')
        assert code == 0 and roi.rois == ['1', '2', '3']

    def test_resample(self, tmp_path, run, make_image, table):
        path, mask = make_image('x', 'nii.gz', table[0]), nib.load(make_image('m', 'nii', table[1]))
        flipped = nib.Nifti1Image(np.asarray(mask.dataobj)[::-1], mask.affine @ [[-1, 0, 0, 3], [0, 1, 0, 0],
                                                                                 [0, 0, 1, 0], [0, 0, 0, 1]])
        nib.save(flipped, tmp_path / 'las.nii.gz')
        out = tmp_path / 'x.roi.h5'
        code, _, err = run('brain_roi', '-nif', path, '-mask', tmp_path / 'las.nii.gz', '-out', out)
        assert code == 2 and 'resample it first (-resample)' in err and not out.exists()
        assert run('brain_roi', '-nif', path, '-mask', tmp_path / 'las.nii.gz', '-out', out, '-resample')[0] == 0
        roi = ROI()
        roi.load(out)
        np.testing.assert_allclose(roi.get('1')[:, 0], table[0][:, table[1] == 1].mean(axis=1), rtol=1e-6)

    @pytest.mark.parametrize('more, says', [
        (['-label', 7], "label '7' is not in the mask"), (['-table', 'no.csv'], 'does not exist'),
        (['-method', 'median'], "'median' is not one of"), (['-out', 'x.h5'], "-out 'x.h5' must end in .roi.h5"),
        (['-out', 'nowhere/x.roi.h5'], "the folder 'nowhere' does not exist"), (['-nif', 'no.nii'], 'does not exist'),
        (['-table', 'other.csv'], 'names none of the labels of the mask, such as 1')])
    def test_mistakes(self, tmp_path, run, monkeypatch, make_image, table, more, says):
        monkeypatch.chdir(tmp_path)
        (tmp_path / 'other.csv').write_text('77,V1\n')
        options = {'-nif': make_image('x', 'nii', table[0]), '-mask': make_image('m', 'nii', table[1]),
                   '-out': 'x.roi.h5', more[0]: more[1]}
        code, _, err = run('brain_roi', *[part for pair in options.items() for part in pair])
        assert code == 2 and says in err and len(err.splitlines()) == 1 and not (tmp_path / 'x.roi.h5').exists()
