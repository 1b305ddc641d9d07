"""Preferred layers without double dipping, and layer profiles of regions."""

import numpy as np
import pytest

from dnnbrain._checks import BadValue
from dnnbrain.brain.profile import chosen_score, preferred_on_halves, roi_profile
from dnnbrain.mapping.crossval import folds
from dnnbrain.mapping.inference.ceiling import noise_ceiling
from dnnbrain.mapping.inference.confidence import fold_numbers
from dnnbrain.mapping.inference.permutation import permute_encoding
from dnnbrain.mapping.ridge import fit_ridge
from dnnbrain.mapping.scoring import correlation


def held_out(K, Y, splits, alpha):
    predicted = np.empty_like(Y)
    for train, test in splits:
        predicted[test] = fit_ridge(K[np.ix_(train, train)], Y[train], alpha).predict(K[np.ix_(test, train)])
    return predicted


def encode(kernels, Y, rows):
    """Layer -> correlation (n_voxel, 4) of four folds of some rows."""
    scores, splits, Y = {}, folds(len(rows), 4), Y[rows]
    for layer, K in kernels.items():
        predicted = held_out(K[np.ix_(rows, rows)], Y, splits, 5.0)
        scores[layer] = np.stack([correlation(Y[test], predicted[test]) for _, test in splits], axis=1)
    return scores


class TestPreferred:
    def test_by_hand(self):
        first = {'a': np.array([0.5, 0.1, np.nan, 0.2]), 'b': np.array([0.4, 0.3, np.nan, np.nan])}
        second = {'a': np.array([0.1, 0.2, 0.3, 0.6]), 'b': np.array([0.9, 0.7, 0.3, 0.1])}
        preferred, score = chosen_score(first, second)
        np.testing.assert_array_equal(preferred, [1, 2, np.nan, 1])
        np.testing.assert_array_equal(score, [0.1, 0.7, np.nan, 0.6])
        preferred, score = preferred_on_halves(first, second)
        np.testing.assert_array_equal(preferred, [[1, 2, np.nan, 1], [2, 2, 1, 1]])
        np.testing.assert_allclose(score, [0.25, 0.5, np.nan, 0.4])

    def test_noise_scores_nothing_on_halves_but_does_on_folds(self, rng):
        """200 voxels of noise, 6 layers, 12 experiments; without double dipping the mean is 0 within 0.02."""
        halves, dipped, naive = [], [], []
        for number in range(12):
            X = rng.standard_normal((6, 60, 80)) * np.arange(1, 81) ** -0.5
            kernels = {f'layer{k}': x @ x.T for k, x in enumerate(X)}
            Y = rng.standard_normal((60, 200))
            one, two = folds(60, 2, rng=number)[0]
            scores = [{k: s.mean(axis=1) for k, s in encode(kernels, Y, rows).items()} for rows in (one, two)]
            halves.append(preferred_on_halves(*scores)[1].mean())
            whole = encode(kernels, Y, np.arange(60))
            dipped.append(chosen_score({k: s[:, :2].mean(axis=1) for k, s in whole.items()},
                                       {k: s[:, 2:].mean(axis=1) for k, s in whole.items()})[1].mean())
            naive.append(np.max([s.mean(axis=1) for s in whole.values()], axis=0).mean())
        assert abs(np.mean(halves)) < 0.02
        assert np.mean(dipped) > 0.05 and np.mean(naive) > 0.1

    def test_a_planted_preference_is_found(self, rng):
        X = rng.standard_normal((3, 100, 40))
        kernels = {f'layer{k}': x @ x.T for k, x in enumerate(X)}
        truth = np.arange(30) % 3
        Y = np.stack([X[k, :, :3].sum(axis=1) for k in truth], axis=1) + rng.standard_normal((100, 30))
        scores = [{k: s.mean(axis=1) for k, s in encode(kernels, Y, rows).items()} for rows in folds(100, 2)[0]]
        preferred, score = preferred_on_halves(*scores)
        assert (preferred == truth + 1).mean() > 0.9 and score.mean() > 0.2

    def test_mistakes(self):
        with pytest.raises(BadValue, match='same layers in the same order'):
            chosen_score({'a': np.zeros(2), 'b': np.zeros(2)}, {'b': np.zeros(2), 'a': np.zeros(2)})
        with pytest.raises(BadValue, match=r'one shape, not \(2,\) and \(3,\)'):
            chosen_score({'a': np.zeros(2)}, {'a': np.zeros(3)})


class TestProfile:
    @pytest.fixture
    def experiment(self, rng):
        """Thirty pictures shown three times; the first of two layers drives five of ten voxels."""
        ids = np.repeat(np.arange(30), 3)
        X = rng.standard_normal((2, 30, 8))[:, ids]
        Y = rng.standard_normal((90, 10))
        Y[:, :5] += X[0] @ rng.standard_normal((8, 5))
        splits = folds(90, 3, ids)
        predictions, tests = {}, {}
        for layer, x in zip(('conv', 'fc'), X, strict=True):
            K = x @ x.T
            predictions[layer] = held_out(K, Y, splits, 1.0)
            tests[layer] = permute_encoding(K, Y, splits, n_perm=99, together=ids, rois=np.arange(10) // 5 + 1)
        return Y, predictions, tests, fold_numbers(splits, 90), ids

    def test_table(self, experiment):
        Y, predictions, tests, fold, ids = experiment
        ceiling = noise_ceiling(Y, ids).of('correlation')
        table = roi_profile(Y, predictions, np.arange(10) // 5 + 1, folds=fold, together=ids, ceiling=ceiling,
                            tests=tests, n_boot=200)
        assert list(table) == ['roi', 'layer', 'mean', 'low', 'high', 'ceiling', 'n_voxel', 'p']
        assert table['roi'].tolist() == [1, 1, 2, 2] and table['layer'].tolist() == ['conv', 'fc'] * 2
        assert (table['low'] < table['mean']).all() and (table['mean'] < table['high']).all()
        assert table['p'].tolist()[0] == 0.01 and table['low'][0] > 0.5
        assert (table['low'][1:] < 0.1).all() and (table['n_voxel'] == 5).all()
        np.testing.assert_allclose(table['ceiling'][[0, 2]], [ceiling[:5].mean(), ceiling[5:].mean()])
        assert table['mean'][0] < table['ceiling'][0] + 0.05

    def test_without_tests_and_ceiling(self, experiment):
        Y, predictions, _, fold, _ = experiment
        Y[:, 3] = 0
        table = roi_profile(Y, predictions, {'V1': [3, 4], 'LO': np.arange(10) > 4}, 'r2', fold, method='percentile',
                            n_boot=50)
        assert table['n_voxel'].tolist() == [1, 1, 5, 5] and table['roi'].tolist() == ['V1', 'V1', 'LO', 'LO']
        assert table[['ceiling', 'p']].isna().all(axis=None)

    def test_mistakes(self, experiment):
        Y, predictions, tests, fold, _ = experiment
        with pytest.raises(BadValue, match=r'ceiling must have shape \(10,\)'):
            roi_profile(Y, predictions, ceiling=np.ones(9))
        with pytest.raises(BadValue, match="tests must hold layer 'conv' with the regions"):
            roi_profile(Y, predictions, tests=tests)
