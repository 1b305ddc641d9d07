"""Noise ceilings: simulated truth, closed forms, rules, mistakes."""

import numpy as np
import pytest

from dnnbrain._checks import BadType, BadValue
from dnnbrain.mapping.inference.ceiling import noise_ceiling, normalise, on_scale, spearman_brown, split_half
from dnnbrain.mapping.inference.subject_ceiling import between_subjects
from dnnbrain.mapping.scoring import correlation


def simulate(rng, counts, n_voxel, signal, noise):
    """Responses with known variance of signal and noise, in random order."""
    ids = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    means = rng.standard_normal((len(counts), n_voxel)) * np.sqrt(signal)
    return means[ids] + rng.standard_normal((len(ids), n_voxel)) * np.sqrt(noise) + 7, ids, means


COUNTS = {'equal': np.full(60, 3), 'unequal': np.tile([1, 2, 3, 6], 15)}


@pytest.mark.parametrize('counts', COUNTS.values(), ids=COUNTS)
@pytest.mark.parametrize('signal', [0.0, 0.5])
def test_recovers_the_truth(rng, counts, signal):
    """Mean over 400 voxels without bias (4 standard errors); 2 standard errors hold 90 to 98 % of voxels."""
    found = noise_ceiling(*simulate(rng, counts, 400, signal, 2.0)[:2])
    for values, truth in ((found.signal, signal), (found.noise, 2.0)):
        assert abs(values.mean() - truth) < 4 * values.std() / 20
    for n_trial in (1, 3, None):
        n = 1 / np.mean(1 / counts) if n_trial is None else n_trial
        truth = signal / (signal + 2.0 / n)
        inside = np.abs(found.explainable(n_trial) - truth) < 2 * found.error(n_trial=n_trial)
        assert 0.90 <= inside.mean() <= 0.98
        # a ratio is biased by about 1 / n_stim
        assert abs(found.explainable(n_trial).mean() - truth) < 4 * found.error(n_trial=n_trial).mean() / 20 + 0.01
    assert abs(np.median(found.ncsnr) - np.sqrt(signal / 2)) < 0.2 * (signal == 0) + 0.03


def test_what_a_perfect_model_scores(rng):
    """The true signal correlates with single trials and with means as the ceiling says (mean over voxels, 0.01)."""
    responses, ids, means = simulate(rng, np.full(80, 4), 300, 1.0, 3.0)
    found = noise_ceiling(responses, ids)
    averaged = np.stack([responses[ids == i].mean(axis=0) for i in range(80)])
    assert found.of('correlation', 1).mean() == pytest.approx(correlation(responses, means[ids]).mean(), abs=0.01)
    assert found.of('correlation', None).mean() == pytest.approx(correlation(averaged, means).mean(), abs=0.01)


def test_equals_the_signal_power_of_schoppe(rng):
    """Equal repeats whose means over stimuli are alike: their formula, up to degrees of freedom of the noise."""
    y = rng.standard_normal((25, 1, 6)) + rng.standard_normal((25, 4, 6))
    y -= y.mean(axis=0)
    power = (y.sum(axis=1).var(axis=0, ddof=1) - y.var(axis=0, ddof=1).sum(axis=0)) / (4 * 3)
    found = noise_ceiling(y.reshape(100, 6), np.repeat(np.arange(25), 4))
    within = ((y - y.mean(axis=1, keepdims=True)) ** 2).sum(axis=(0, 1))
    np.testing.assert_allclose(found.noise, within / (25 * 3))
    # one-way noise has 25 * 3 degrees of freedom, theirs 24 * 3
    np.testing.assert_allclose(found.signal, power + within * (1 / 72 - 1 / 75) / 4)


def test_equals_the_noise_ceiling_of_the_natural_scenes_dataset(rng):
    responses, ids, _ = simulate(rng, np.full(40, 3), 5, 1.0, 1.0)
    found = noise_ceiling(responses, ids)
    noise = np.mean([responses[ids == i].var(axis=0, ddof=1) for i in range(40)], axis=0)
    np.testing.assert_allclose(found.noise, noise)
    for n in (1, 3):
        np.testing.assert_allclose(found.of('r2', n), found.ncsnr ** 2 / (found.ncsnr ** 2 + 1 / n))
    mixed = noise_ceiling(*simulate(rng, np.repeat([3, 2, 1], 10), 4, 1.0, 1.0)[:2])        # A, B, C of their paper
    np.testing.assert_allclose(mixed.of('r2', None), mixed.ncsnr ** 2 / (mixed.ncsnr ** 2 + (1 / 3 + 1 / 2 + 1) / 3))


def test_error_of_a_correlation_follows_from_that_of_its_square(rng):
    found = noise_ceiling(*simulate(rng, np.full(60, 3), 5, 4.0, 1.0)[:2])
    np.testing.assert_allclose(found.error('correlation') * 2 * found.of('correlation'), found.error('r2'))


def test_jackknife_is_leaving_out_each_stimulus(rng):
    responses, ids, _ = simulate(rng, np.tile([2, 3], 5), 4, 1.0, 1.0)
    found = noise_ceiling(responses, ids)
    left = np.stack([noise_ceiling(responses[ids != i], ids[ids != i]).signal for i in range(10)])
    np.testing.assert_allclose(found.covariance[0], 0.9 * ((left - left.mean(axis=0)) ** 2).sum(axis=0))


def test_split_half_equals_its_closed_form(rng):
    """Reliability of the mean of n trials is signal / (signal + noise / n) (mean over voxels, 0.015)."""
    responses, ids, _ = simulate(rng, np.full(100, 4), 300, 1.0, 2.0)
    for n_trial, truth in ((None, 1 / 1.5), (1, 1 / 3), (8, 1 / 1.25)):
        reliability, error = split_half(responses, ids, 20, n_trial)
        assert reliability.mean() == pytest.approx(truth, abs=0.015)
        assert (np.abs(reliability - truth) < 2 * error).mean() > 0.9
    assert spearman_brown(0.5) == pytest.approx(2 / 3)
    assert spearman_brown(spearman_brown(0.3, 4), 1 / 4) == pytest.approx(0.3)


def test_split_half_of_two_presentations_by_hand(rng):
    """Two presentations that mirror each other around a line: r is the same whatever half they fall into."""
    signal = np.repeat([1.0, -1, 2, -2], 2)[:, None]
    differs = np.tile([0.5, -0.5], 4)[:, None]
    rows = np.concatenate([signal, signal + differs])
    reliability, _ = split_half(np.concatenate([rows, rows * -3], axis=1), np.tile(np.arange(8), 2), 50)
    assert reliability[0] == pytest.approx(reliability[1])
    reference = []
    for swap in rng.integers(0, 2, (400, 8)).astype(bool):
        one, two = np.where(swap, rows[:8, 0], rows[8:, 0]), np.where(swap, rows[8:, 0], rows[:8, 0])
        reference.append(np.corrcoef(one, two)[0, 1])
    assert reliability[0] == pytest.approx(spearman_brown(np.mean(reference)), abs=0.01)


def test_split_half_leaves_out_single_and_odd_presentations(rng):
    responses, ids, _ = simulate(rng, np.tile([1, 2, 3, 5], 30), 100, 1.0, 1.0)
    reliability, _ = split_half(responses, ids, 30, 1)
    assert reliability.mean() == pytest.approx(0.5, abs=0.03)
    np.testing.assert_array_equal(reliability, split_half(responses, ids, 30, 1, rng=0)[0])
    assert not np.array_equal(reliability, split_half(responses, ids, 30, 1, rng=1)[0])


def test_between_subjects(rng):
    """Equal to the slow reference; the best shared model lies between the bounds."""
    shared = rng.standard_normal((50, 8))
    responses = shared + rng.standard_normal((6, 50, 8))
    found = between_subjects(responses)
    z = (responses - responses.mean(axis=1, keepdims=True)) / responses.std(axis=1, keepdims=True)
    lower = [correlation(z[s], np.delete(z, s, 0).mean(axis=0)) for s in range(6)]
    np.testing.assert_allclose(found.lower, np.mean(lower, axis=0))
    np.testing.assert_allclose(found.lower_error, np.std(lower, axis=0, ddof=1) / np.sqrt(6))
    np.testing.assert_allclose(found.upper, np.mean([correlation(s, z.mean(axis=0)) for s in z], axis=0))
    truth = np.mean([correlation(s, shared) for s in responses], axis=0)
    assert (found.upper >= truth).all()                     # by construction: no prediction does better
    assert found.lower.mean() < truth.mean()
    mean = responses.mean(axis=0)
    least = between_subjects(list(responses), 'r2')
    assert (least.upper >= np.mean([1 - ((s - shared) ** 2).sum(axis=0) / ((s - s.mean(axis=0)) ** 2).sum(axis=0)
                                    for s in responses], axis=0) - 0.02).all()
    np.testing.assert_allclose(least.upper, np.mean([1 - ((s - mean) ** 2).sum(axis=0)
                                                     / ((s - s.mean(axis=0)) ** 2).sum(axis=0) for s in responses], 0))


def test_subjects_without_a_voxel_do_not_count(rng):
    responses = rng.standard_normal((1, 30, 3)) + rng.standard_normal((4, 30, 3))
    without = responses.copy()
    without[0, :, 0], without[1:, :, 1] = np.nan, np.nan
    found = between_subjects(without)
    assert found.n_subject.tolist() == [3, 1, 4]
    np.testing.assert_allclose(found.lower[0], between_subjects(responses[1:]).lower[0])
    assert np.isnan(found.lower[1]) and np.isnan(found.upper_error[1])


def test_normalise():
    ceiling = np.array([0.8, 0.3, np.nan, 0.4])
    with pytest.warns(UserWarning, match='^1 of 4 voxels have an explainable variance below 0.1') as record:
        found = normalise(np.full((2, 4), 0.4), ceiling)
    assert len(record) == 1
    np.testing.assert_allclose(found, [[0.5, np.nan, np.nan, 1.0]] * 2)
    np.testing.assert_allclose(normalise(np.full(4, 0.4), ceiling, 'r2')[[0, 1, 3]], [0.5, 4 / 3, 1])
    np.testing.assert_allclose(on_scale(np.array([-0.1, 0.25, 1.2]), 'correlation'), [0, 0.5, 1])


def test_bad_voxels_are_nan_and_do_not_stop(rng):
    responses, ids, _ = simulate(rng, np.full(20, 3), 4, 1.0, 1.0)
    responses[:, 1], responses[3, 2] = 5, np.nan
    found = noise_ceiling(responses, ids)
    assert np.isfinite(found.error()).tolist() == np.isfinite(found.of()).tolist() == [True, False, False, True]
    assert np.isfinite(split_half(responses, ids)[0]).tolist() == [True, False, False, True]


@pytest.mark.parametrize('call, error, says', [
    (lambda y: noise_ceiling(y, np.arange(12)), BadValue, '0 of 12 stimuli were shown more than once'),
    (lambda y: noise_ceiling(y, np.arange(11)), BadValue, '11 stim_ids came for 12 trials'),
    (lambda y: noise_ceiling(y, list('aabbcc') + [''] * 6), BadValue, 'stim_ids has no entry for 6 trials; leave'),
    (lambda y: split_half(y, [1, 1, 2, 2, 3, 3] + [np.nan] * 6), BadValue, 'stim_ids has no entry for 6 trials'),
    (lambda y: noise_ceiling(y[:, 0], np.arange(12)), BadType, r'\(n_trial, n_voxel\)'),
    (lambda y: noise_ceiling(y, np.arange(12) // 2).of('correlations'), BadValue, "did you mean 'correlation'"),
    (lambda y: noise_ceiling(y, np.arange(12) // 2).of('r2', 0), BadValue, 'n_trial must be'),
    (lambda y: split_half(y, np.arange(12) // 2, 0), BadValue, 'n_split must be at least 1'),
    (lambda y: between_subjects([y]), BadValue, 'two subjects or more'),
    (lambda y: between_subjects([y, y[1:]]), BadValue, r'not of shapes \[\(12, 3\), \(11, 3\)\]'),
    (lambda y: normalise(y[0], y[0, :2]), BadValue, r'not \(3,\) and \(2,\)'),
    (lambda y: normalise(y[0], y[0], least=0), BadValue, 'least must be'),
])
def test_mistakes(rng, call, error, says):
    with pytest.raises(error, match=says):
        call(rng.standard_normal((12, 3)))
