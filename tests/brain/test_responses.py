"""Responses of every format as a table, and scores back as a map of that format."""

import json

import nibabel as nib
import numpy as np
import pytest

from dnnbrain._checks import BadValue
from dnnbrain.brain.io import load_brainimg
from dnnbrain.brain.measures import Measures
from dnnbrain.brain.responses import Responses
from dnnbrain.brain.trials import repetition_time
from dnnbrain.dnn.core import Activation, Stimulus

pytestmark = pytest.mark.filterwarnings('ignore:unclosed file:ResourceWarning')      # nibabel's own reading of .mgh


def test_table_and_back(tmp_path, make_image, values_of, table, suffix, mask_suffix):
    """Masks of another format of the same family; the map opens in nibabel on the same points."""
    data, labels = table
    inside = labels > 0
    path, mask = make_image('sub.run.1', suffix, data), make_image('areas', mask_suffix, labels)
    responses = Responses.load(path, mask)
    np.testing.assert_array_equal(responses.values, data[:, inside])
    scores = np.linspace(-1, 1, inside.sum())
    written = responses.write(tmp_path, 'score.v1', scores)
    assert written.name == f'score.v1.{suffix}'
    found, = values_of(written)
    assert found.dtype.newbyteorder('=') == np.float32
    np.testing.assert_array_equal(found[inside], scores.astype(np.float32))
    assert np.isnan(found[~inside]).all()
    image, source = nib.load(written), nib.load(path)
    if hasattr(image, 'affine') and not hasattr(image, 'darrays'):
        np.testing.assert_allclose(image.affine, source.affine, atol=1e-5)
        assert image.shape == source.shape[:3]
    elif hasattr(image, 'darrays'):
        assert dict(image.meta) == dict(source.meta) and image.darrays[0].meta['Name'] == 'score.v1'
    else:
        assert image.header.get_axis(1) == source.header.get_axis(1)
    several = responses.write(tmp_path, 'channels', np.stack([scores, -scores]))
    assert values_of(several).shape == (2, 36)
    np.testing.assert_array_equal(values_of(several)[1, inside], -scores.astype(np.float32))


def test_nifti_scores_overlay_their_mask(tmp_path, make_image, table):
    path, mask = make_image('x', 'nii.gz', table[0]), make_image('m', 'nii', table[1])
    responses = Responses.load(path, mask)
    score, mask = nib.load(responses.write(tmp_path, 's', np.ones(27))), nib.load(mask)
    np.testing.assert_array_equal(score.affine, mask.affine)
    np.testing.assert_array_equal(np.isfinite(score.get_fdata()), np.asarray(mask.dataobj) > 0)
    assert (responses.is_volume, responses.header is not None) == (True, True)


@pytest.mark.parametrize('kind', ['nii.gz', 'mgz', 'func.gii', 'dscalar.nii'])
def test_integer_responses_do_not_truncate_scores(tmp_path, make_image, values_of, rng, kind):
    """1.0 wrote scores in the data type of the responses."""
    data = rng.integers(0, 255, (5, 36)).astype(np.int32 if kind != 'nii.gz' else np.uint8)
    scores = rng.random(36) - 0.5
    responses = Responses.load(make_image('x', kind, data))
    np.testing.assert_array_equal(responses.values, data)
    np.testing.assert_allclose(values_of(responses.write(tmp_path, 's', scores))[0], scores, rtol=1e-6)


def test_names_of_maps(tmp_path, make_image, table):
    responses = Responses.load(make_image('x', 'dscalar.nii', table[0]))
    one = nib.load(responses.write(tmp_path, 'score', table[0][0]))
    assert list(one.header.get_axis(0).name) == ['score']
    six = nib.load(responses.write(tmp_path, 'score', table[0]))       # as many as there are responses
    assert list(six.header.get_axis(0).name) == [f'score {i}' for i in range(1, 7)]


@pytest.mark.parametrize('kind, scores', [('label.gii', '.func.gii'), ('dlabel.nii', '.dscalar.nii')])
def test_label_files_cannot_hold_scores(tmp_path, make_image, values_of, table, kind, scores):
    responses = Responses.load(make_image('x', kind, table[1]))
    assert responses.suffix == scores
    np.testing.assert_allclose(values_of(responses.write(tmp_path, 's', np.full(36, 0.5))), 0.5)


def test_an_empty_mask_and_regions(make_image, table):
    path = make_image('x', 'dtseries.nii', table[0])
    with pytest.raises(BadValue, match='holds no voxel'):
        Responses.load(path, make_image('m', 'dscalar.nii', np.zeros(36)))
    with pytest.raises(BadValue, match='go with a .roi.h5'):
        Responses.load(path, rois=['V1'])


@pytest.mark.parametrize('kind, tr', [('nii.gz', 1.5), ('dtseries.nii', 0.72)])
def test_time_between_volumes(make_image, table, kind, tr):
    assert repetition_time(load_brainimg(make_image('x', kind, table[0]))[1]) == pytest.approx(tr)


def test_time_between_volumes_of_mgh(tmp_path):
    """MGH counts milliseconds."""
    image = nib.MGHImage(np.zeros((2, 2, 2, 3), np.float32), np.eye(4))
    image.header['tr'] = 2100
    nib.save(image, tmp_path / 'x.mgz')
    assert repetition_time(load_brainimg(tmp_path / 'x.mgz')[1]) == pytest.approx(2.1)


@pytest.mark.parametrize('kind', ['func.gii', 'dscalar.nii', 'mgz'])
def test_time_that_no_header_says(make_image, table, kind):
    with pytest.raises(BadValue, match='does not say the time between volumes'):
        repetition_time(load_brainimg(make_image('x', kind, table[0]))[1])


@pytest.fixture
def activation(tmp_path, rng):
    """Two layers for 30 stimuli, and responses of 36 voxels that follow the first."""
    act = Activation('conv', rng.standard_normal((30, 2, 2, 2)).astype(np.float32))
    act.set('fc', rng.standard_normal((30, 4, 1, 1)).astype(np.float32))
    act.save(tmp_path / 'x.act.h5')
    return act.get('conv').reshape(30, -1) @ rng.standard_normal((8, 36))


@pytest.mark.parametrize('kind, mask_kind', [('dtseries.nii', 'dlabel.nii'), ('func.gii', 'label.gii'), ('mgz', 'nii')])
def test_db_encode(tmp_path, run, make_image, values_of, table, activation, kind, mask_kind):
    """The true layer predicts every voxel of the mask; the map has the format of the responses."""
    inside = table[1] > 0
    code, out, err = run('db_encode', '-anal', 'mv', '-act', tmp_path / 'x.act.h5', '-resp',
                         make_image('sub.1', kind, activation), '-bmask', make_image('m', mask_kind, table[1]),
                         '-model', 'ridge', '-scoring', 'correlation', '-out', tmp_path / 'out')
    assert (code, err) == (0, '')
    score, = values_of(tmp_path / 'out' / 'conv' / f'score.{kind}')
    assert (score[inside] > 0.8).all() and np.isnan(score[~inside]).all()
    preferred, = values_of(tmp_path / 'out' / f'preferred_layer.{kind}')
    assert (preferred[inside] == 1).all()
    assert json.loads((tmp_path / 'out' / 'result.json').read_text())['n_meas'] == 27


def test_glass_brains_need_volumes(tmp_path, run, make_image, activation):
    code, _, err = run('db_encode', '-anal', 'mv', '-act', tmp_path / 'x.act.h5', '-resp',
                       make_image('x', 'dtseries.nii', activation), '-model', 'ridge', '-glass', '-out',
                       tmp_path / 'out')
    assert code == 2 and '-glass draws held-out scores of whole layers in a volume' in err
    assert not (tmp_path / 'out').exists()


def test_measures_of_a_surface(tmp_path, make_image, values_of, table):
    """What dnn_finetune uses: voxels that do not vary are left out, and come back as NaN."""
    data, labels = table
    data[:, 5] = 1
    stim = Stimulus({'type': 'image'}, {'stimID': [f'{i}.png' for i in range(6)]})
    responses = Responses.load(make_image('x', 'func.gii', data), make_image('m', 'label.gii', labels))
    with pytest.warns(UserWarning, match='1 of 27 voxels are constant'):
        measures = Measures.brain(stim, responses)
    assert measures.n_out == 26
    splits = [(np.arange(3), np.arange(3, 6)), (np.arange(3, 6), np.arange(3))]
    result = {'score': np.full((26, 2), 0.25), 'true_value': measures.values, 'pred_value': measures.values}
    measures.write(tmp_path / 'out', result, splits, stim.get('stimID'))
    score, = values_of(tmp_path / 'out' / 'score.func.gii')
    expected = np.where(labels > 0, 0.25, np.nan)
    expected[5] = np.nan
    np.testing.assert_array_equal(score, expected.astype(np.float32))
