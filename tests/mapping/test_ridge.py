"""Ridge and least squares on kernels against himalaya and scikit-learn on features."""

import numpy as np
import pytest
from himalaya.kernel_ridge import KernelRidgeCV
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import KFold

from dnnbrain.mapping.multivariate import MultivariateMapping
from dnnbrain.mapping.ridge import default_alphas, fit_least_squares, fit_ridge, least_squares_solver, ridge_solver

WIDE_AND_TALL = pytest.mark.parametrize('n_unit', [400, 15], ids=['more units', 'more stimuli'])


@pytest.fixture
def problem(n_unit, rng):
    """Features far from centred, targets of several kinds of difficulty."""
    X = rng.standard_normal((90, n_unit)) * np.geomspace(1, 10, n_unit) + 3
    noise = rng.standard_normal((90, 12)) * np.geomspace(0.1, 100, 12)
    return X, X @ rng.standard_normal((n_unit, 12)) / n_unit ** 0.5 + noise + 7


def fit_both(X, Y, fit, **kwargs):
    """Predictions of the last 30 stimuli, and weights, from a model of the first 60."""
    K = X @ X.T
    model = fit(K[:60, :60], Y[:60], **kwargs)
    return model, model.predict(K[60:, :60]), model.weights(X[:60])


@WIDE_AND_TALL
@pytest.mark.parametrize('alpha', [1e-2, 1, 1e4])
def test_fixed_alpha_equals_sklearn(problem, alpha):
    X, Y = problem
    model, predicted, weights = fit_both(X, Y, fit_ridge, alphas=alpha)
    theirs = Ridge(alpha).fit(X[:60], Y[:60])
    scale = Y.std(axis=0)         # predictions near zero are as exact as the target's own scale allows
    np.testing.assert_allclose(predicted / scale, theirs.predict(X[60:]) / scale, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(weights, theirs.coef_.T, rtol=1e-4, atol=1e-6)
    assert (model.alpha == alpha).all()


@WIDE_AND_TALL
def test_chosen_alpha_equals_himalaya_on_features(problem):
    X, Y = problem
    alphas, inner = np.logspace(-2, 6, 9), KFold(4, shuffle=True, random_state=3)
    model, predicted, _ = fit_both(X, Y, fit_ridge, alphas=alphas, inner=list(inner.split(X[:60])))
    theirs = KernelRidgeCV(alphas=alphas, kernel='linear', fit_intercept=True, cv=inner, warn=False)
    theirs.fit(X[:60], Y[:60])
    np.testing.assert_allclose(model.alpha, theirs.best_alphas_, rtol=1e-12)
    np.testing.assert_allclose(predicted, theirs.predict(X[60:]), rtol=1e-4)
    assert len(set(model.alpha)) > 2                                 # each target has its own


@WIDE_AND_TALL
def test_least_squares_equals_sklearn(problem):
    """Of minimum norm where there are more units than stimuli."""
    X, Y = problem
    _, predicted, weights = fit_both(X, Y, fit_least_squares)
    theirs = LinearRegression().fit(X[:60], Y[:60])
    np.testing.assert_allclose(predicted, theirs.predict(X[60:]), rtol=1e-6)
    np.testing.assert_allclose(weights, theirs.coef_.T, rtol=1e-6, atol=1e-8)


@WIDE_AND_TALL
def test_default_alphas_follow_the_scale_of_the_layer(problem):
    """Activations in other units choose the same model."""
    X, Y = problem
    inner = list(KFold(4).split(X[:60]))
    _, one, _ = fit_both(X, Y, fit_ridge, inner=inner)
    _, other, _ = fit_both(X * 1e4 + 5, Y, fit_ridge, inner=inner)
    np.testing.assert_allclose(one, other, rtol=1e-3)
    centred = X[:60] - X[:60].mean(axis=0)
    eigenvalues = np.linalg.eigvalsh(centred @ centred.T)
    assert default_alphas(X[:60] @ X[:60].T)[4] == pytest.approx(eigenvalues.mean())


@WIDE_AND_TALL
@pytest.mark.parametrize('alphas', [None, 3.0])
def test_solvers_are_the_fits_of_many_tables(problem, alphas):
    """What depends on the kernel alone is kept; targets may come in parts."""
    X, Y = problem
    K, inner = X @ X.T, list(KFold(4).split(X))
    for fit, solve in ((fit_ridge(K, Y, alphas, inner), ridge_solver(K, alphas, inner)),
                       (fit_least_squares(K, Y), least_squares_solver(K))):
        parts = [solve(Y[:, :5]), solve(Y[:, 5:])]
        np.testing.assert_array_equal(np.concatenate([part.alpha for part in parts]), fit.alpha)
        np.testing.assert_allclose(np.hstack([part.dual_coef for part in parts]), fit.dual_coef, rtol=1e-6)


@WIDE_AND_TALL
@pytest.mark.parametrize('estimator', ['ridge', 'glm'])
@pytest.mark.parametrize('scoring', ['correlation', 'r2', 'explained_variance'])
def test_fold_by_fold_equals_sklearn(problem, estimator, scoring):
    from sklearn.metrics import explained_variance_score, r2_score

    from dnnbrain.dnn.base import correlation_score
    X, Y = problem
    cv = KFold(4, shuffle=True, random_state=1)
    found = MultivariateMapping(estimator, cv, scoring, alphas=5.0).map(X, Y)
    theirs = {'ridge': Ridge(5.0), 'glm': LinearRegression()}[estimator]
    metric = {'correlation': correlation_score, 'r2': r2_score, 'explained_variance': explained_variance_score}[scoring]
    for k, (train, test) in enumerate(cv.split(X)):
        expected = metric(Y[test], theirs.fit(X[train], Y[train]).predict(X[test]), multioutput='raw_values')
        np.testing.assert_allclose(found['score'][:, k], expected, rtol=1e-4)
    np.testing.assert_allclose(found['model'][0].predict(X), theirs.fit(X, Y).predict(X), rtol=1e-5)


@WIDE_AND_TALL
def test_targets_without_variance_are_left_out(problem):
    X, Y = problem
    clean = MultivariateMapping('ridge', 3).map(X, Y)['score']
    Y = np.insert(Y, 4, 2.5, axis=1)
    Y[7, 0] = np.nan
    found = MultivariateMapping('ridge', 3).map(X, Y)
    assert np.isnan(found['score'][[0, 4]]).all() and np.isnan(found['model'][0].coef_[[0, 4]]).all()
    np.testing.assert_allclose(np.delete(found['score'], [0, 4], axis=0), clean[1:], rtol=1e-6)
    found = MultivariateMapping('ridge', 3).map(X, np.ones((90, 2)))
    assert np.isnan(found['score']).all() and found['model'][0] is None


def test_pure_noise_scores_nothing_on_average(rng):
    """300 units, 50 stimuli, 400 voxels of noise: what was chosen in training does not leak."""
    X, Y = rng.standard_normal((50, 300)), rng.standard_normal((50, 400))
    score = MultivariateMapping('ridge', scoring='correlation').map(X, Y)['score']
    assert abs(score.mean()) < 0.04                                  # standard error about .015


def test_repeats_on_both_sides_of_a_fold_would_leak(rng):
    """Noise repeated for repeated stimuli is predictable only if groups are split."""
    X = np.repeat(rng.standard_normal((25, 300)), 4, axis=0)
    Y = np.repeat(rng.standard_normal((25, 50)), 4, axis=0)
    mapping = MultivariateMapping('ridge', scoring='correlation')
    assert mapping.map(X, Y)['score'].mean() > 0.9
    assert abs(mapping.map(X, Y, np.repeat(np.arange(25), 4))['score'].mean()) < 0.1


@pytest.mark.parametrize('n_unit', [3, 50])
def test_a_dead_layer(n_unit, rng):
    """Units that answer the same to everything predict the mean, and score 0."""
    X = np.full((30, n_unit), 0.1)
    for estimator in ('ridge', 'glm'):
        score = MultivariateMapping(estimator, 3, 'correlation').map(X, rng.standard_normal((30, 2)))['score']
        np.testing.assert_allclose(score, 0, atol=1e-12)


@pytest.mark.parametrize('n_unit', [5, 200])
@pytest.mark.parametrize('scale', [1e-13, 1e6])
def test_penalties_do_not_depend_on_the_unit_of_the_responses(rng, n_unit, scale):
    """Tesla of MEG are of the order of 1e-13: equal errors must be told apart by their share of the variance."""
    X = rng.standard_normal((60, n_unit))
    Y = X @ rng.standard_normal((n_unit, 4)) + rng.standard_normal((60, 4))
    mapping = MultivariateMapping('ridge', 3, 'correlation')
    one, other = mapping.map(X, Y), mapping.map(X, Y * scale)
    np.testing.assert_array_equal(other['model'][0].alpha, one['model'][0].alpha)
    np.testing.assert_allclose(other['score'], one['score'], rtol=1e-6)
