"""Digits as files, and a simulated subject with known truth."""

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from dnnbrain import datasets
from dnnbrain._checks import BadValue
from dnnbrain.brain.core import BrainEncoder
from dnnbrain.brain.io import load_brainimg, masked
from dnnbrain.brain.profile import fold_means, preferred_layer
from dnnbrain.dnn.core import Activation, Stimulus


def test_digits_are_those_of_sklearn(tmp_path):
    stim = datasets.digits(tmp_path / 'd', [7, 2])
    truth = load_digits()
    assert stim.get('condition').tolist() == ['7'] * 179 + ['2'] * 177
    assert stim.get('label').tolist() == [0] * 179 + [1] * 177
    assert len(stim.check_files()) == 0
    for name in ('7/0007.png', '2/0002.png'):
        number = int(name[2:6])
        with Image.open(tmp_path / 'd' / 'pictures' / name) as image:
            np.testing.assert_array_equal(np.asarray(image), np.round(truth.images[number] * 255 / 16))
        assert str(truth.target[number]) == name[0]
    again = Stimulus()
    again.load(tmp_path / 'd' / 'digits.stim.csv')
    assert again.header['path'] == 'pictures' and again.data.equals(stim.data)
    for wrong in ([10], [1, 1]):
        with pytest.raises(BadValue, match='different digits'):
            datasets.digits(tmp_path, wrong)


@pytest.fixture
def activ(rng):
    activation = Activation('early', rng.standard_normal((120, 6, 5, 5)))
    activation.set('late', rng.standard_normal((120, 30, 1, 1)))
    return activation


def test_layers_drive_voxels_from_back_to_front(activ):
    subject = datasets.simulate_subject(activ, resolution=12)
    place = np.argwhere(subject.mask) @ subject.header.get_best_affine()[:3, :3].T
    truth = subject.truth[subject.mask]
    assert set(truth) == {1, 2} and np.isnan(subject.truth[~subject.mask]).all()
    assert place[truth == 1, 1].max() < place[truth == 2, 1].min()
    assert 0.3 < (truth == 1).mean() < 0.7
    assert subject.responses.shape == (120, *subject.mask.shape) and (subject.responses[:, ~subject.mask] == 0).all()


def test_noise_level_is_as_asked(activ):
    quiet, loud = (masked(s.responses, s.mask) for s in
                   (datasets.simulate_subject(activ, noise, resolution=12, rng=3) for noise in (0, 2)))
    np.testing.assert_allclose(quiet.std(axis=0), 1, rtol=1e-4)
    assert (loud - quiet).std() == pytest.approx(2, rel=0.02)


def test_signal_lies_in_the_leading_components_of_its_layer(activ):
    subject = datasets.simulate_subject(activ, noise=0, resolution=12, n_component=5)
    late = masked(subject.responses, subject.mask)[:, subject.truth[subject.mask] == 2]
    X = activ.get('late').reshape(120, -1)
    components = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)[0][:, :5]
    np.testing.assert_allclose(components @ (components.T @ late), late, atol=1e-4)


def test_encoding_recovers_the_truth(activ):
    subject = datasets.simulate_subject(activ, noise=0.5, resolution=12)
    responses = masked(subject.responses, subject.mask)
    preferred = preferred_layer(fold_means(BrainEncoder(responses, scoring='correlation').encode_dnn(activ)))
    assert (preferred == subject.truth[subject.mask]).mean() > 0.95


def test_seeded_and_saved(activ, tmp_path):
    a, b, c = (datasets.simulate_subject(activ, resolution=16, rng=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a.responses, b.responses)
    assert not np.array_equal(a.responses, c.responses)
    paths = a.save(tmp_path / 'subject')
    bold, header = load_brainimg(paths['bold'])
    np.testing.assert_array_equal(bold, a.responses)
    np.testing.assert_array_equal(load_brainimg(paths['mask'], ismask=True)[0], a.mask)
    np.testing.assert_array_equal(load_brainimg(paths['truth'], ismask=True)[0], a.truth)
    np.testing.assert_array_equal(header.get_best_affine(), a.header.get_best_affine())
    assert int(header['sform_code']) == 4                             # MNI 152


def test_mistakes(activ):
    with pytest.raises(BadValue, match='noise must be a number from 0, not -1'):
        datasets.simulate_subject(activ, noise=-1)
    with pytest.raises(BadValue, match='answers the same to every stimulus'):
        datasets.simulate_subject(Activation('dead', np.ones((10, 2, 1, 1))), resolution=16)


def test_voxels_are_whole_millimetres_of_any_number_type():
    activ = Activation('conv5', np.random.default_rng(0).standard_normal((8, 4, 1, 1)))
    assert datasets.simulate_subject(activ, resolution=16.0).mask.shape == \
        datasets.simulate_subject(activ, resolution=16).mask.shape
    with pytest.raises(ValueError, match='resolution must be whole mm, not 2.5'):
        datasets.simulate_subject(activ, resolution=2.5)
