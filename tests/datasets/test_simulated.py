"""Simulated subjects of every format, repeated and in time: against nilearn, nibabel and the truth put into them."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.glm.first_level import compute_regressor

from dnnbrain import datasets
from dnnbrain._checks import BadType, BadValue
from dnnbrain.brain.core import BrainEncoder
from dnnbrain.brain.io import load_brainimg, masked
from dnnbrain.brain.profile import fold_means, preferred_layer
from dnnbrain.brain.responses import Responses
from dnnbrain.brain.trials import repetition_time, single_trials
from dnnbrain.dnn.core import Activation, Stimulus
from dnnbrain.mapping.inference.ceiling import noise_ceiling

FILES = {'volume': ('bold.nii.gz', 'bold.nii.gz'), 'left': ('bold_left.func.gii', 'bold_left.func.gii'),
         'right': ('bold_right.func.gii', 'bold_right.func.gii'), 'cifti': ('bold.dscalar.nii', 'bold.dtseries.nii')}


def activation(n_stim, rng):
    activ = Activation('early', rng.standard_normal((n_stim, 4, 3, 3)))
    activ.set('late', rng.standard_normal((n_stim, 20, 1, 1)))
    activ.stim_ids = [f'{i:02d}.png' for i in range(n_stim)]
    return activ


@pytest.fixture
def activ(rng):
    return activation(12, rng)


@pytest.mark.parametrize('tr', [None, 2.5])
@pytest.mark.parametrize('space', FILES)
def test_files_of_every_format(activ, tmp_path, space, tr):
    subject = datasets.simulate_subject(activ, resolution=16, space=space, tr=tr)
    paths = subject.save(tmp_path)
    assert paths['bold'].name == FILES[space][tr is not None]
    bold, header = load_brainimg(paths['bold'])
    np.testing.assert_array_equal(bold, subject.responses)
    responses = Responses.load(paths['bold'], paths['mask'])            # the mask is of the space of the responses
    np.testing.assert_array_equal(responses.values, masked(subject.responses, subject.mask))
    truth, _ = load_brainimg(paths['truth'], ismask=True)
    np.testing.assert_array_equal(truth, subject.truth)
    assert set(truth[subject.mask]) == {1, 2} and np.isnan(truth[~subject.mask]).all()
    shown = Stimulus()
    shown.load(paths['shown'])
    assert shown.get('stimID').tolist() == subject.shown.get('stimID').tolist()
    assert (tmp_path / 'events.tsv').exists() == (tr is not None)
    if tr and space in ('volume', 'cifti'):
        assert repetition_time(header) == tr                            # GIFTI has no place for it


def test_hemispheres_are_those_of_fsaverage5(activ):
    from nilearn.datasets import load_fsaverage
    for side in ('left', 'right'):
        subject = datasets.simulate_subject(activ, space=side)
        y = load_fsaverage('fsaverage5')['pial'].parts[side].coordinates[:, 1]
        truth = subject.truth[:, 0, 0]
        assert truth.shape == (10242,) and 0.9 < subject.mask.mean() < 0.95           # without the medial wall
        assert y[truth == 1].max() <= y[truth == 2].min()
        assert abs((truth == 1).sum() - (truth == 2).sum()) <= 2
        assert subject.header.meta == {'AnatomicalStructurePrimary': f'Cortex{side.title()}'}


def test_grayordinates_are_cortex_and_thalami(activ, tmp_path):
    subject = datasets.simulate_subject(activ, space='cifti', resolution=4)
    brain = nib.load(subject.save(tmp_path)['bold']).header.get_axis(1)
    parts = {name.removeprefix('CIFTI_STRUCTURE_'): model for name, _, model in brain.iter_structures()}
    assert list(parts) == ['CORTEX_LEFT', 'CORTEX_RIGHT', 'THALAMUS_LEFT', 'THALAMUS_RIGHT']
    assert set(brain.nvertices.values()) == {10242}
    for side, x in (('LEFT', -11), ('RIGHT', 11)):
        model = parts[f'THALAMUS_{side}']
        places = nib.affines.apply_affine(model.affine, model.voxel)
        assert np.linalg.norm(places - [x, -18, 8], axis=1).max() < 10
        assert len(model) * 4 ** 3 == pytest.approx(4 / 3 * np.pi * 10 ** 3, rel=0.2)         # whole voxels of a ball
        assert len(parts[f'CORTEX_{side}']) == datasets.simulate_subject(activ, space=side.lower()).mask.sum()


def test_repeats_have_the_signal_in_common_and_the_noise_asked_for(activ):
    subject = datasets.simulate_subject(activ, noise=2, resolution=16, n_repeat=30)
    Y = masked(subject.responses, subject.mask)
    assert subject.shown.get('stimID').tolist() == list(activ.stim_ids) * 30
    assert subject.run.tolist() == np.repeat(range(1, 31), 12).tolist() == subject.shown.get('run').tolist()
    np.testing.assert_allclose(subject.signal.std(axis=0), 1)
    assert repr(subject) == f'<SimulatedSubject: 360 volumes of {Y.shape[1]} places, 12 stimuli, 30 run(s)>'
    residual = Y - np.tile(subject.signal, (30, 1))
    assert residual.std() == pytest.approx(2, rel=0.01)
    means = Y.reshape(30, 12, -1).mean(axis=0)
    assert (means - subject.signal).std() == pytest.approx(2 / np.sqrt(30), rel=0.03)
    found = noise_ceiling(Y, subject.shown.get('stimID')).of('r2', 1)
    assert found.mean() == pytest.approx(1 / (1 + 2 ** 2), rel=0.1)     # explainable variance; population of 12 stimuli


def test_the_ceiling_of_a_perfect_model(rng):
    activ = activation(200, rng)
    subject = datasets.simulate_subject(activ, noise=1.5, resolution=16)
    Y = masked(subject.responses, subject.mask)
    r = [np.corrcoef(y, s)[0, 1] for y, s in zip(Y.T, subject.signal.T, strict=True)]
    assert np.mean(r) == pytest.approx(1 / np.sqrt(1 + 1.5 ** 2), rel=0.02)


def test_a_scan_is_what_nilearn_convolves(activ):
    subject = datasets.simulate_subject(activ, noise=0, resolution=16, tr=1.5, n_repeat=2, isi=5, duration=2)
    onsets, durations, tr = subject.events
    names = subject.shown.get('stimID')
    row = {name: i for i, name in enumerate(activ.stim_ids)}
    Y, times = masked(subject.responses, subject.mask), np.arange(len(subject.responses)) * tr
    for voxel in (0, 17):
        heights = [subject.signal[row[name], voxel] for name in names]
        expected = compute_regressor((onsets, durations, heights), 'spm', times)[0][:, 0]
        np.testing.assert_allclose(Y[:, voxel], expected, atol=1e-4 * np.abs(expected).max())
    amplitudes = single_trials(Y, *subject.events)
    np.testing.assert_allclose(amplitudes, subject.signal[[row[name] for name in names]], atol=1e-3)


def test_the_times_of_a_scan(activ, tmp_path):
    stimuli = Stimulus({'type': 'image', 'path': str(tmp_path / 'pictures')},
                       {'stimID': list(activ.stim_ids), 'condition': ['cat', 'dog'] * 6})
    subject = datasets.simulate_subject(activ, resolution=16, tr=2, n_repeat=3, isi=6, duration=1, stimuli=stimuli)
    onsets, durations, tr = subject.events
    run_of = subject.shown.get('run').astype(int)
    orders = [subject.shown.get('stimID')[run_of == run].tolist() for run in (1, 2, 3)]
    assert all(sorted(order) == sorted(activ.stim_ids) for order in orders) and orders[0] != orders[1] != orders[2]
    for run in (1, 2, 3):
        here, first = onsets[run_of == run], np.flatnonzero(subject.run == run)[[0, -1]] * tr
        gaps = np.diff(here)
        assert gaps.min() >= 3 - 0.002 and gaps.max() <= 9.002          # onsets are whole milliseconds
        assert here[0] == pytest.approx(first[0] + 4)
        assert here[-1] + 1 + 32 <= first[1] + tr                       # no run reaches the next
    assert (durations == 1).all() and set(np.unique(subject.run)) == {1, 2, 3}
    assert subject.shown.path == tmp_path / 'pictures' and subject.shown.get('condition')[0] in ('cat', 'dog')
    table = pd.read_csv(subject.save(tmp_path)['events'], sep='\t')
    assert table.columns.tolist() == ['onset', 'duration', 'trial_type', 'stim_file', 'run']
    np.testing.assert_array_equal(table.onset, onsets)
    assert table.run.dtype == int and table.run.tolist() == run_of.tolist()
    assert table.trial_type.tolist() == subject.shown.get('condition').tolist()


def test_noise_remembers_within_a_run(activ):
    subject = datasets.simulate_subject(activ, noise=1, resolution=16, tr=2, n_repeat=6, autocorrelation=0.6)
    quiet = datasets.simulate_subject(activ, noise=0, resolution=16, tr=2, n_repeat=6, autocorrelation=0.6)
    Y, still = (masked(s.responses, s.mask).astype(float) for s in (subject, quiet))
    noise = (Y - still) / still.std(axis=0)
    assert noise.std() == pytest.approx(1, rel=0.03)
    starts = np.flatnonzero(np.diff(subject.run)) + 1
    inner = np.setdiff1d(np.arange(1, len(noise)), starts)

    def correlation(rows):
        return (noise[rows] * noise[rows - 1]).mean() / (noise ** 2).mean()
    assert correlation(inner) == pytest.approx(0.6, abs=0.03)
    assert abs(correlation(starts)) < 0.15              # 5 boundaries x about 400 voxels


@pytest.mark.filterwarnings('ignore:.* stimuli are shown in several groups')
@pytest.mark.parametrize('space, tr', [('volume', 2), ('left', None), ('cifti', None)])
def test_encoding_recovers_the_truth(rng, space, tr):
    """In every space, of every second or fortieth place, from shuffled repeats and from a scan."""
    activ = activation(40, rng)
    n_repeat = 2 if tr is None else 4
    subject = datasets.simulate_subject(activ, noise=0.5, resolution=16, n_repeat=n_repeat, space=space, tr=tr)
    part = np.s_[:, ::2] if space == 'volume' else np.s_[:, ::40]
    values, truth = masked(subject.responses, subject.mask)[part], subject.truth[subject.mask][None][part][0]
    time = {} if tr is None else {'hrf': subject.events, 'groups': subject.run, 'cv': 4}
    encoder = BrainEncoder(values, scoring='correlation', stim_ids=subject.shown.get('stimID'), **time)
    found = preferred_layer(fold_means(encoder.encode_dnn(activ)))
    assert (found == truth).mean() > 0.9


def test_blocks_make_no_difference(activ, monkeypatch):
    whole = datasets.simulate_subject(activ, resolution=16, tr=2, n_repeat=2, autocorrelation=0.5)
    monkeypatch.setattr('dnnbrain.datasets.scan._BUDGET', 8 * whole.mask.sum() * 7)         # seven volumes at once
    parts = datasets.simulate_subject(activ, resolution=16, tr=2, n_repeat=2, autocorrelation=0.5)
    np.testing.assert_allclose(parts.responses, whole.responses, atol=1e-6)


def test_seeds(activ):
    def made(seed, **scan):
        return datasets.simulate_subject(activ, resolution=16, rng=seed, **scan)
    for scan in ({}, {'tr': 2}):
        np.testing.assert_array_equal(made(1, **scan).responses, made(1, **scan).responses)
        assert not np.array_equal(made(1, **scan).signal, made(2, **scan).signal)
    assert made(1, tr=2).shown.get('stimID').tolist() != made(2, tr=2).shown.get('stimID').tolist()
    np.testing.assert_array_equal(made(1).signal, made(1, tr=2).signal)         # the same brain, in the scanner


@pytest.mark.parametrize('given, words', [
    ({'space': 'lef'}, "space 'lef' is not known; did you mean 'left'"),
    ({'n_repeat': 0}, 'n_repeat at least 1, not 1.0 and 0'),
    ({'n_component': 0}, 'n_component must be at least 1, not 0'),
    ({'resolution': 0}, 'resolution must be a positive number'),
    ({'resolution': 500}, 'resolution of 500 mm leaves no voxel'),
    ({'tr': -2}, 'tr must be a positive number, not -2'),
    ({'autocorrelation': 0.3}, 'autocorrelation is that of volumes in a scan; give tr'),
    ({'tr': 2, 'autocorrelation': 1}, 'between -1 and 1, not 1'),
    ({'tr': 2, 'isi': 2, 'duration': 1.5}, 'duration at most half of isi'),
    ({'stimuli': Stimulus({}, {'stimID': ['a.png'] * 12})}, "row 1 is 'a.png' in one and '00.png' in the other"),
])
def test_mistakes(activ, given, words):
    with pytest.raises(BadValue, match=words):
        datasets.simulate_subject(activ, **{'resolution': 16} | given)


def test_mistakes_of_ids(activ):
    for wrong in (Activation(), activ.get('late')):
        with pytest.raises(BadType, match='activ must be an Activation with a layer'):
            datasets.simulate_subject(wrong)
    with pytest.raises(BadValue, match='only a scan has events'):
        datasets.simulate_subject(activ, resolution=16).events      # noqa: B018
    activ.stim_ids = None
    with pytest.raises(BadValue, match='activ has no stimIDs'):
        datasets.simulate_subject(activ, resolution=16, n_repeat=2)
    with pytest.raises(BadValue, match='stimuli has 2 rows and activ 12'):
        datasets.simulate_subject(activ, resolution=16, stimuli=Stimulus({}, {'stimID': ['a', 'b']}))
    numbered = datasets.simulate_subject(activ, resolution=16).shown
    assert numbered.get('stimID').tolist() == [str(i) for i in range(1, 13)]
