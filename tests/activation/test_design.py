"""Regressors equal nilearn's for modulated events, and are what nilearn, SPM and FSL read."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import scipy.io
from nilearn.glm.first_level import FirstLevelModel, make_first_level_design_matrix

from dnnbrain._checks import BadPath, BadType, BadValue
from dnnbrain.activation.exchange.design import regressors
from dnnbrain.dnn.core import Activation, Stimulus

TR, N_VOL = 1.5, 60
ONSETS = np.array([0.0, 5.3, 11.1, 11.9, 30.0, 62.0, 71.5])
DURATIONS = np.array([1.0, 2.0, 0.3, 4.0, 1.0, 1.0, 0.5])
SHOWN = ['c', 'a', 'b', 'a', 'd', 'f', 'e']             # six stimuli, seven events


@pytest.fixture
def activ(rng):
    activation = Activation('conv5', rng.standard_normal((6, 2, 1, 2)).astype(np.float32))
    activation.set('fc', np.maximum(rng.standard_normal((6, 1, 1, 1)), 0.1))
    activation.stim_ids = np.array(list('abcdef'))
    return activation


NAMES = ['conv5_c1_r1_c1', 'conv5_c1_r1_c2', 'conv5_c2_r1_c1', 'conv5_c2_r1_c2', 'fc_c1_r1_c1']


def amplitudes_of(activ):
    table = np.concatenate([activ.get('conv5').reshape(6, -1), activ.get('fc').reshape(6, -1)], axis=1)
    return table[['abcdef'.index(name) for name in SHOWN]].astype(float)


def nilearn_design(amplitudes, hrf='spm', **kwargs):
    """A condition per unit, modulated by its activation."""
    events = pd.concat([pd.DataFrame({'onset': ONSETS, 'duration': DURATIONS, 'trial_type': name, 'modulation': column})
                        for name, column in zip(NAMES, amplitudes.T, strict=True)])
    return make_first_level_design_matrix(np.arange(N_VOL) * TR, events, hrf_model=hrf, **kwargs)


@pytest.mark.parametrize(('hrf', 'drift', 'suffix'), [('spm', 'cosine', 'tsv'), ('glover', 'polynomial', 'csv'),
                                                       ('spm', 'none', 'tsv')])
def test_equals_nilearn(activ, tmp_path, hrf, drift, suffix):
    out = tmp_path / f'design.{suffix}'
    activ.export_design(out, 'nilearn', ONSETS, DURATIONS, N_VOL, TR, hrf, stim_ids=SHOWN, drift=drift, high_pass=0.02)
    expected = nilearn_design(amplitudes_of(activ), hrf, drift_model=None if drift == 'none' else drift, high_pass=0.02)
    found = pd.read_csv(out, sep='\t' if suffix == 'tsv' else ',')
    assert list(found)[:5] == NAMES and set(found) == set(expected) and list(found)[-1] == 'constant'
    # the same sums in another order, and text
    np.testing.assert_allclose(found[list(expected)], expected, atol=1e-10)


@pytest.mark.filterwarnings('ignore:.*Generation of a mask has been requested:RuntimeWarning')   # nilearn to itself
def test_fits_in_a_first_level_model(activ, tmp_path, rng):
    """Weights put into a scan come back, from the file as it is."""
    activ.export_design(tmp_path / 'design.tsv', 'nilearn', ONSETS, DURATIONS, N_VOL, TR, stim_ids=SHOWN)
    weights = np.array([2.0, -1.0, 0.5, 3.0, 1.5])
    signal = nilearn_design(amplitudes_of(activ))[NAMES].to_numpy() @ weights
    image = nib.Nifti1Image(np.tile(100 + signal, (3, 3, 3, 1)), np.eye(4))
    model = FirstLevelModel(mask_img=nib.Nifti1Image(np.ones((3, 3, 3), np.uint8), np.eye(4)),
                            noise_model='ols', signal_scaling=False)
    model.fit(image, design_matrices=str(tmp_path / 'design.tsv'))
    for name, weight in zip(NAMES, weights, strict=True):
        effect = model.compute_contrast(name, output_type='effect_size').get_fdata()
        np.testing.assert_allclose(effect, weight, rtol=1e-5)


def test_spm(activ, tmp_path):
    activ.export_design(tmp_path / 'R.mat', 'spm', ONSETS, DURATIONS, N_VOL, TR, stim_ids=SHOWN, layers='conv5')
    found = scipy.io.loadmat(tmp_path / 'R.mat')
    assert found['R'].dtype == np.float64 and found['names'].shape == (1, 4)
    assert [cell.item() for cell in found['names'][0]] == NAMES[:4]
    np.testing.assert_allclose(found['R'], nilearn_design(amplitudes_of(activ))[NAMES[:4]], atol=1e-10)


def test_fsl(activ, tmp_path):
    """3 columns before convolution, one value per volume after it; a row and a line is told apart by the list."""
    out = tmp_path / 'new' / 'evs'
    activ.export_design(out, 'fsl', ONSETS, DURATIONS, N_VOL, TR, stim_ids=SHOWN)
    table = pd.read_csv(out / 'regressors.tsv', sep='\t')
    assert table['regressor'].tolist() == NAMES and table['file'].tolist() == [f'{name}.txt' for name in NAMES]
    amplitudes, expected = amplitudes_of(activ), nilearn_design(amplitudes_of(activ))
    for index, name in enumerate(NAMES):
        event = np.loadtxt(out / 'events' / f'{name}.txt')
        np.testing.assert_allclose(event, np.column_stack([ONSETS, DURATIONS, amplitudes[:, index]]), rtol=1e-9)
        volumes = np.loadtxt(out / 'volumes' / f'{name}.txt')
        np.testing.assert_allclose(volumes, expected[name], atol=1e-9)
    assert sorted(file.name for file in tmp_path.rglob('.*')) == []
    with pytest.raises(BadValue, match='is not empty; give a new one'):
        activ.export_design(out, 'fsl', ONSETS, DURATIONS, N_VOL, TR, stim_ids=SHOWN)


def test_centred_amplitudes_and_all_events(activ):
    """Over the events shown, not over the stimuli; the main effect takes what is subtracted."""
    raw = regressors(activ, ONSETS, DURATIONS, N_VOL, TR, stim_ids=SHOWN)
    made = regressors(activ, ONSETS, DURATIONS, N_VOL, TR, stim_ids=SHOWN, center=True, main=True)
    assert made.names == [*NAMES, 'events'] and (made.amplitudes[:, -1] == 1).all()
    np.testing.assert_allclose(made.amplitudes[:, :5].mean(axis=0), 0, atol=1e-12)
    mean = amplitudes_of(activ).mean(axis=0)
    np.testing.assert_allclose(made.values[:, :5] + np.outer(made.values[:, 5], mean), raw.values, atol=1e-12)


def test_rows_are_events_where_nobody_says_otherwise(activ):
    made = regressors(activ, ONSETS[:6], DURATIONS[:6], N_VOL, TR)
    np.testing.assert_array_equal(made.amplitudes[:, 0], activ.get('conv5')[:, 0, 0, 0])
    activ.stim_ids = None
    assert regressors(activ, ONSETS[:6], DURATIONS[:6], N_VOL, TR, stim_ids=list('uvwxyz')).values.shape == (N_VOL, 5)


def test_regressors_that_cannot_be_told_apart(activ, tmp_path):
    """Still written: some programs estimate them together."""
    silent = Activation('relu', np.array([[0.0, 1.0], [0.0, 2.0]])[..., None, None])
    with pytest.warns(UserWarning, match=r'2 regressors have rank 1.* 1 are 0 throughout \(relu_c1_r1_c1\)'):
        silent.export_design(tmp_path / 'R.mat', 'spm', [0, 5], [1, 1], 20, 2.0)
    assert not scipy.io.loadmat(tmp_path / 'R.mat')['R'][:, 0].any()
    with pytest.warns(UserWarning, match='5 regressors have rank 3, .*fewer components than there are stimuli'):
        activ[:3].export_design(tmp_path / 'x.csv', 'nilearn', ONSETS[:3], DURATIONS[:3], N_VOL, TR)


@pytest.mark.parametrize(('changed', 'error', 'said'), [
    ({'tool': 'afni'}, BadValue, "tool 'afni' is not known; choose from nilearn, spm, fsl"),
    ({'out': 'x.mat'}, BadValue, 'must end in .tsv or .csv'),
    ({'out': 'no/x.tsv'}, BadPath, 'make it first'),
    ({'tool': 'spm'}, BadValue, 'must end in .mat'),
    ({'hrf': 'fir'}, BadValue, "hrf 'fir' is not known; choose from spm, glover"),
    ({'drift': 'linear'}, BadValue, "drift 'linear' is not known"),
    ({'limit': 4}, BadValue, '5 units would become as many regressors, and 1 to 4 are allowed; pool, mask or reduce'),
    ({'stim_ids': SHOWN[:3]}, BadValue, 'each event needs a stimulus and an onset, but there are 3 and 7'),
    ({'stim_ids': None}, BadValue, '7 events need as many rows, but the activation has 6'),
    ({'stim_ids': ['x', *SHOWN[1:]]}, BadValue,
     '1 of 6 stimuli cannot be found in the activation, or not without doubt: x; it has a, b'),
    ({'stim_ids': 'abcdefg'}, BadType, "must be a sequence of stimulus IDs, such as .*, not str"),
    ({'stim_ids': Stimulus({}, {'stimID': SHOWN})}, BadType, 'not Stimulus'),
    ({'durations': DURATIONS[:2]}, BadValue, 'each event needs an onset and a duration'),
    ({'onsets': ONSETS * 1000 + 9e5}, BadValue, 'no event reaches into the scan of 90 s; onsets must be seconds'),
    ({'tr': 0}, BadValue, 'tr must be above 0'),
])
def test_wrong_requests(activ, tmp_path, monkeypatch, changed, error, said):
    monkeypatch.chdir(tmp_path)
    settings = {'out': 'x.tsv', 'tool': 'nilearn', 'onsets': ONSETS, 'durations': DURATIONS, 'n_vol': N_VOL, 'tr': TR,
                'stim_ids': SHOWN} | changed
    with pytest.raises(error, match=said):
        activ.export_design(**settings)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_a_regressor(activ, tmp_path):
    activ.get('conv5')[2, 1, 0, 0] = np.nan
    with pytest.raises(BadValue, match='1 units hold NaN or infinity .*: conv5_c2_r1_c1; mask them'):
        regressors(activ, ONSETS, DURATIONS, N_VOL, TR, stim_ids=SHOWN)
    activ.stim_ids = np.array(list('abcdea'))
    with pytest.raises(BadValue, match='not without doubt: a'):
        regressors(activ, ONSETS, DURATIONS, N_VOL, TR, 'spm', 'fc', SHOWN)
    assert len(regressors(activ, ONSETS[:6], DURATIONS[:6], N_VOL, TR, 'spm', 'fc', list('abcdea')).amplitudes) == 6


def test_a_folder_that_breaks_off_does_not_appear(activ, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr(np, 'savetxt', full)
    with pytest.raises(OSError, match='No space left'):
        activ.export_design(tmp_path / 'evs', 'fsl', ONSETS, DURATIONS, N_VOL, TR, stim_ids=SHOWN)
    assert list(tmp_path.iterdir()) == []
