"""The best unit per target: against scikit-learn, loops, and chance."""

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.linear_model import HuberRegressor, Lasso, LinearRegression, LogisticRegression
from sklearn.metrics import confusion_matrix, mean_absolute_error
from sklearn.model_selection import ShuffleSplit
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC

from dnnbrain._checks import BadInput
from dnnbrain.dnn.base import (
    UnivariateMapping,
    correlation_scorer,
    cross_val_confusion,
    cross_val_scores,
    gen_estimator_from_name,
)
from dnnbrain.dnn.core import Activation
from dnnbrain.mapping.crossval import folds
from dnnbrain.mapping.scoring import SCORINGS, correlation_score
from dnnbrain.mapping.single_unit.linear_svc import PairwiseSVC
from dnnbrain.mapping.single_unit.logistic import LogisticModel, fit_logistic

SKLEARN = {'glm': LinearRegression, 'lasso': lambda: Lasso(alpha=0.1, tol=1e-8),
           'lrc': lambda: LogisticRegression(tol=1e-8, solver='newton-cholesky'),
           'svc': lambda: SVC(kernel='linear', C=0.025, tol=1e-6)}


@pytest.fixture
def data(rng):
    """40 stimuli, 12 units of unlike scale, 4 targets driven by units 3, 7, 0 and by nothing."""
    X = rng.standard_normal((40, 12)) * np.logspace(-1, 1, 12) + 5
    return X.astype(np.float32), X[:, [3, 7, 0, 1]] / X.std(axis=0)[[3, 7, 0, 1]] * [1, -1, 1, 0] \
        + rng.standard_normal((40, 4)) * [0.5, 1, 2, 1]


@pytest.fixture
def labelled(rng):
    """60 stimuli, 10 units, labels of 2 and of 3 classes driven by units 4 and 8."""
    Y = np.stack([np.arange(60) % 2, np.arange(60) % 3], axis=1)
    X = rng.standard_normal((60, 10))
    X[:, 4] += Y[:, 0]
    X[:, 8] -= 1.5 * Y[:, 1]
    return X * np.logspace(-0.5, 0.5, 10), Y


def loop(make, X, y, score, groups=None, cv=3, labels=None, inner_cv=5):
    """Nested selection as slowly as it is said: (score, unit) per fold, the unit of all data, its mean scores."""
    def fold_scores(u, splits):
        return [score(y[b], make().fit(X[a][:, [u]], y[a]).predict(X[b][:, [u]])) for a, b in splits]

    def best(splits):
        means = np.array([np.mean(fold_scores(u, splits)) for u in range(X.shape[1])])
        return int(np.flatnonzero(means >= means.max() - 1e-9)[0])
    outer = folds(len(y), cv, groups, 0, labels)
    results = []
    for train, test in outer:
        own = None if groups is None else groups[train]
        inner_n = min(inner_cv, len(train) // 2 if groups is None else len(np.unique(own)))
        inner = [(train[a], train[b]) for a, b in
                 folds(len(train), inner_n, own, 0, None if labels is None else labels[train])]
        unit = best(inner)
        results.append((*fold_scores(unit, [(train, test)]), unit))
    whole = best(outer)
    return np.array(results), whole, fold_scores(whole, outer)


@pytest.mark.parametrize('grouped', [False, True])
@pytest.mark.parametrize('scoring', SCORINGS)
@pytest.mark.parametrize('name', ['glm', 'lasso'])
def test_regressors_equal_a_loop_over_sklearn(data, name, scoring, grouped):
    """Scores to 1e-6 (the loop fits float32 units); units exactly."""
    X, Y = data
    Y = Y[:, :2] if grouped else Y[:, 1:]
    groups = np.arange(40) // 4 if grouped else None

    def score(truth, predicted):
        return SCORINGS[scoring](truth[:, None], predicted[:, None])[0]
    mapper = UnivariateMapping(name, 3, scoring, alpha=0.1)
    result = mapper.map(X, Y, groups)
    biased = UnivariateMapping(name, 3, scoring, alpha=0.1, selection='in_sample').map(X, Y, groups)
    for t, y in enumerate(Y.T):
        expected, whole, in_sample = loop(SKLEARN[name], X.astype(float), y, score, groups)
        np.testing.assert_allclose(result['score'][t], expected[:, 0], atol=1e-6)
        np.testing.assert_array_equal(result['fold_location'][t], expected[:, 1])
        np.testing.assert_allclose(biased['score'][t], in_sample, atol=1e-6)
        model, reference = result['model'][t], SKLEARN[name]().fit(X[:, [whole]].astype(float), y)
        if reference.coef_[0] == 0:
            assert result['location'][t] == biased['location'][t] == -1 and model is None
        else:
            assert result['location'][t] == biased['location'][t] == whole
            np.testing.assert_allclose([model.slope, model.intercept], [reference.coef_[0], reference.intercept_],
                                       rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(model.predict(X[:, whole]), reference.predict(X[:, [whole]]), atol=1e-4)
    assert mapper.estimator_type == 'regressor' and result['score'].shape == (Y.shape[1], 3)


@pytest.mark.parametrize('name', ['lrc', 'svc'])
def test_classifiers_equal_a_loop_over_sklearn(labelled, name):
    X, Y = labelled
    result = UnivariateMapping(name, 3, inner_cv=3).map(X, Y)
    for t, y in enumerate(Y.T):
        expected, whole, _ = loop(SKLEARN[name], X, y, lambda a, b: (a == b).mean(), labels=y, inner_cv=3)
        np.testing.assert_allclose(result['score'][t], expected[:, 0])
        np.testing.assert_array_equal(result['fold_location'][t], expected[:, 1])
        assert result['location'][t] == whole == [4, 8][t]
        fitted = SKLEARN[name]().fit(X[:, [whole]], y)
        np.testing.assert_array_equal(result['model'][t].predict(X[:, whole]), fitted.predict(X[:, [whole]]))
        for k, (train, test) in enumerate(folds(60, 3, None, 0, y)):
            unit = [result['fold_location'][t, k]]
            predicted = SKLEARN[name]().fit(X[train][:, unit], y[train]).predict(X[test][:, unit])
            np.testing.assert_array_equal(result['conf_m'][t, k], confusion_matrix(y[test], predicted))


@pytest.mark.parametrize('n_class', [2, 3, 5])
def test_logistic_regression_is_solved_to_the_end(rng, n_class):
    """Probabilities within 1e-7 of scikit-learn's Newton solver at tol 1e-10, separable classes included."""
    y = np.arange(30) % n_class
    X = (rng.standard_normal((30, 6)) + np.outer(y, [0, 1, 3, 9, -3, 0.5])) * [1, 0.01, 1, 30, 1, 100] + 7
    slope, intercept = fit_logistic(X, y, np.unique(y), 1.0)
    for u in range(6):
        model = LogisticModel(np.unique(y), slope[u], intercept[u])
        theirs = LogisticRegression(tol=1e-10, max_iter=1000, solver='newton-cholesky').fit(X[:, [u]], y)
        np.testing.assert_allclose(model.predict_proba(X[:, u]), theirs.predict_proba(X[:, [u]]), atol=1e-7)


@pytest.mark.parametrize('C', [0.025, 1.0])
@pytest.mark.parametrize('shares', [(15, 15), (18, 7), (9, 12, 14)])
def test_the_support_vector_solution_is_exact(rng, shares, C):
    """Slopes and intercepts of libsvm at tol 1e-6, to 1e-4; ties among activations included."""
    y = np.repeat(np.arange(len(shares)), shares)
    X = rng.standard_normal((len(y), 6)) + np.outer(y, [1, -1, 2, 0.3, 4, 0])
    X[:, 5] = np.round(X[:, 2], 0)
    for x in X.T:
        theirs = SVC(kernel='linear', C=C, tol=1e-6, max_iter=10 ** 6).fit(x[:, None], y)
        model = PairwiseSVC(C).fit(x, y)
        turn = -1 if len(shares) == 2 else 1                           # scikit-learn's sign for two classes
        np.testing.assert_allclose(model.slope * turn, theirs.coef_[:, 0], atol=1e-4)
        np.testing.assert_allclose(model.intercept * turn, theirs.intercept_, atol=1e-4)


def test_correlation_is_the_largest_with_its_sign(data):
    X, Y = data
    result = UnivariateMapping('corr').map(X, Y)
    r = np.array([[pearsonr(x.astype(float), y)[0] for x in X.T] for y in Y.T])
    best = np.abs(r).argmax(axis=1)
    np.testing.assert_array_equal(result['location'], best)
    np.testing.assert_allclose(result['score'], r[np.arange(4), best], rtol=1e-9)
    assert result['score'][1] < 0 and set(result) == {'score', 'location'}


@pytest.mark.parametrize('name', ['corr', 'glm', 'lrc', 'svc'])
def test_blocks_of_any_size_and_layers_on_disk_give_the_same(data, name, tmp_path):
    X, Y = data
    X = np.hstack([X, X])                                             # twins: the first of them is named
    Y = (Y > Y.mean(axis=0)).astype(int) if name in ('lrc', 'svc') else Y
    mapper = UnivariateMapping(name, 3, n_perm=20 if name == 'corr' else 0)
    whole = mapper.map(X, Y)
    activation = Activation('layer', X.reshape(40, 2, 4, 3))
    activation.save(tmp_path / 'x.act.h5')
    activation = Activation()
    activation.load(tmp_path / 'x.act.h5')
    for blocks in ([X[:, i:i + 1] for i in range(24)], ((slice(i, i + 7), X[:, i:i + 7]) for i in range(0, 24, 7)),
                   lambda: activation.blocks('layer', 'unit', 40 * 12 * 4)):
        part = mapper.map(blocks, Y)
        assert (whole['location'] < 12).all()
        for key in whole.keys() - {'model', 'conf_m'}:
            np.testing.assert_allclose(part[key], whole[key], atol=1e-6 if key == 'null_max' else 1e-12, err_msg=key)


def test_nested_scores_of_noise_are_zero_and_those_of_1_0_are_not(rng):
    """50 samples, 300 units, 200 targets of noise: a mean over 1,000 folds, standard error about .015."""
    X, Y = rng.standard_normal((50, 300)), rng.standard_normal((50, 200))
    nested = UnivariateMapping('glm', 5, 'correlation').map(X, Y)['score']
    biased = UnivariateMapping('glm', 5, 'correlation', selection='in_sample').map(X, Y)['score']
    assert abs(nested.mean()) < 0.06
    assert biased.mean() == pytest.approx(0.48, abs=0.06)


def test_p_values_are_uniform_under_the_null(rng):
    """2,000 targets of noise; three standard errors of a share of .05 are .015, of .5 are .034."""
    X, Y = rng.standard_normal((30, 20)), rng.standard_normal((30, 2000))
    p = UnivariateMapping('corr', n_perm=199).map(X, Y)['p']
    assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=0.02)
    assert np.mean(p <= 0.5) == pytest.approx(0.5, abs=0.045)


def test_p_values_find_what_is_there(data):
    X, Y = data
    Y = np.column_stack([Y, np.full(40, 2.0)])
    result = UnivariateMapping('corr', n_perm=99).map(X, Y)
    assert result['p'][0] == result['p_family'][0] == 0.01                     # (1 + 0) / (1 + 99)
    assert (result['p_family'] >= result['p'])[:4].all() and np.isnan([result['p'][4], result['p_family'][4]]).all()
    again = UnivariateMapping('corr', n_perm=99).map(X, Y[:, :4])
    np.testing.assert_array_equal(again['p'], result['p'][:4])
    # exchanging only repeats changes nothing, so that every permutation does as well; moved as one they tell
    twice, Z = np.repeat(np.arange(20), 2), np.repeat(X[:20], 2, axis=0)
    V, mapper = Z[:, [3]] + Y[:, [3]] * 0.01, UnivariateMapping('corr', n_perm=50)
    assert mapper.map(Z, V, twice)['p'] == 1
    assert mapper.map(Z, V, twice, together=twice)['p'] == pytest.approx(1 / 51)


def test_repeats_do_not_leak_into_the_choice(rng):
    """Noise shown twice: without groups a twin in the training rows predicts the other."""
    X = np.repeat(rng.standard_normal((25, 200)), 2, axis=0)
    Y = np.repeat(rng.standard_normal((25, 40)), 2, axis=0)
    mapper = UnivariateMapping('glm', 5, 'correlation')
    assert abs(mapper.map(X, Y, np.repeat(np.arange(25), 2))['score'].mean()) < 0.15 < mapper.map(X, Y)['score'].mean()


@pytest.mark.parametrize('name', ['corr', 'glm', 'lasso', 'lrc', 'svc'])
def test_constant_and_nan_targets_and_constant_units(data, name):
    X, Y = data
    X = np.column_stack([np.full(40, 0.1, np.float32), X])
    Y = (Y > Y.mean(axis=0)).astype(float) if name in ('lrc', 'svc') else Y
    Y[:, 1], Y[3, 2] = 0.0 if name in ('lrc', 'svc') else 0.1, np.nan
    result = UnivariateMapping(name, 4, alpha=0.01).map(X, Y)
    assert (result['location'][[1, 2]] == -1).all() and (result['location'][[0, 3]] > 0).all()
    assert name in ('lrc', 'svc') or result['location'][0] == 4
    assert np.isnan(result['score'][[1, 2]]).all() and np.isfinite(result['score'][[0, 3]]).all()
    if 'model' in result:
        assert [model is None for model in result['model']] == [False, True, True, False]
        assert (result['fold_location'][[0, 3]] > 0).all()
    none = UnivariateMapping(name, 4).map(X, Y[:, 1:3])
    assert np.isnan(none['score']).all() and (none['location'] == -1).all()
    dead = UnivariateMapping(name, 4).map(X[:, :1], Y[:, :1])
    assert np.isnan(dead['score']).all() and dead['location'] == -1


def test_a_unit_that_fires_once_and_one_constant_within_training(data):
    X, Y = data
    X[:, 0] = 0
    X[5, 0], X[:, 3] = 1e6, X[:, 3] + 1e4                            # nothing of this may overflow or divide by 0
    result = UnivariateMapping('glm', 5, 'r2').map(X, Y)
    assert np.isfinite(result['score']).all() and result['location'][0] == 3


def test_a_lasso_that_uses_no_unit_says_so(data):
    X, Y = data
    result = UnivariateMapping('lasso', 3, alpha=1e6).map(X, Y)
    assert (result['location'] == -1).all() and result['model'].tolist() == [None] * 4
    np.testing.assert_allclose(result['score'], 0, atol=1e-12)


def test_text_labels_and_missing_classes(labelled):
    X, Y = labelled
    words = np.array(['cat', 'dog'])[Y[:, :1]]
    result = UnivariateMapping('svc', 3).map(X, words)
    assert set(result['model'][0].predict(X[:, 4])) == {'cat', 'dog'}
    np.testing.assert_array_equal(result['score'], UnivariateMapping('svc', 3).map(X, Y[:, :1])['score'])
    ordered = np.repeat([0, 1, 2], 20)                               # a training half may lack a class altogether
    for name in ('lrc', 'svc'):
        result = UnivariateMapping(name, ShuffleSplit(3, train_size=5, random_state=1), inner_cv=2,
                                   selection='in_sample').map(X, ordered[:, None])
        assert np.isfinite(result['score']).all() and result['conf_m'][0, 0].shape == (3, 3)


def test_estimators_of_sklearn_give_what_closed_forms_give(data, labelled):
    X, Y = data
    regressor = LinearRegression()
    slow, fast = (UnivariateMapping(e, 3, inner_cv=2).map(X[:, :6].astype(float), Y[:, :2]) for e in (regressor, 'glm'))
    np.testing.assert_allclose(slow['score'], fast['score'], atol=1e-6)
    np.testing.assert_array_equal(slow['fold_location'], fast['fold_location'])
    assert not hasattr(regressor, 'coef_') and slow['model'][0].coef_ == pytest.approx(fast['model'][0].slope, rel=1e-5)
    found = UnivariateMapping(HuberRegressor(), 2, inner_cv=2, n_jobs=1).map(X[:, 2:5], Y[:, :1])
    assert found['location'] == 1
    bayes = UnivariateMapping(GaussianNB(), 3, inner_cv=2)
    result = bayes.map(*labelled)
    X, Y = labelled
    expected, whole, _ = loop(GaussianNB, X, Y[:, 1], lambda a, b: (a == b).mean(), labels=Y[:, 1], inner_cv=2)
    np.testing.assert_array_equal(result['fold_location'][1], expected[:, 1])
    assert bayes.estimator_type == 'classifier' and result['location'][1] == whole == 8
    assert result['conf_m'][1, 0].shape == (3, 3)


def test_scores_of_sklearn_and_of_the_user(data, labelled):
    X, Y = data
    default = UnivariateMapping('glm', 3).map(X, Y)
    named = UnivariateMapping('glm', 3, 'neg_mean_absolute_error').map(X, Y)
    own = UnivariateMapping('glm', 3, mean_absolute_error).map(X, Y)
    np.testing.assert_array_equal(named['score'], -own['score'])
    np.testing.assert_array_equal(named['fold_location'], default['fold_location'])
    assert (own['score'] > 0).all()
    as_1_0 = UnivariateMapping('glm', 3, correlation_scorer).map(X, Y)
    three = UnivariateMapping('glm', 3, lambda estimator, X, y: correlation_score(y, estimator.predict(X))).map(X, Y)
    np.testing.assert_array_equal(as_1_0['score'], UnivariateMapping('glm', 3, 'correlation').map(X, Y)['score'])
    assert three['score'].shape == (4, 3)
    X, Y = labelled
    plain, balanced = (UnivariateMapping('svc', 3, s).map(X, Y)['score'][0] for s in (None, 'balanced_accuracy'))
    np.testing.assert_allclose(plain, balanced)                             # ten of either class in each fold


@pytest.mark.parametrize('change, says', [
    ({'estimator': 'ridg'}, "estimator 'ridg' is not known"), ({'estimator': 3}, 'must be one of corr, glm'),
    ({'cv': 'five'}, 'sklearn splitter'), ({'scoring': 'corelation'}, "did you mean 'correlation'"),
    ({'scoring': 3}, 'a name or a function'), ({'scoring': 'roc_auc'}, 'cannot be told from the predictions'),
    ({'estimator': 'svc', 'scoring': 'r2'}, 'a classifier predicts labels'), ({'selection': 'best'}, 'nested'),
    ({'inner_cv': 1}, 'at least 2'), ({'n_perm': -1}, 'not negative'), ({'alpha': -1}, 'alpha must be a number from 0'),
    ({'C': 0}, 'C must be a positive number'),
])
def test_settings_that_cannot_be(change, says):
    with pytest.raises(BadInput, match=says):
        UnivariateMapping(**({'estimator': 'glm'} | change))


def test_data_that_cannot_be(data):
    X, Y = data
    glm, svc = UnivariateMapping('glm'), UnivariateMapping('svc')
    bad = X.copy()
    bad[2, 3] = np.nan
    for call, says in [
            (lambda: UnivariateMapping().map(X, Y), 'no estimator is set'),
            (lambda: glm.map(X[:39], Y), '39 stimuli came with 40'), (lambda: glm.map(X[0], Y), 'X must have shape'),
            (lambda: glm.map(bad, Y), 'NaN or infinite values for 1 stimuli'),
            (lambda: glm.map([(slice(0, 2), X[:9, :2])].__iter__(), Y), r'shape \(9, 2\)'),
            (lambda: glm.map(X.astype(str), Y), 'units must be numbers'),
            (lambda: glm.map(X, Y[:, :, None]), 'Y must have shape'),
            (lambda: glm.map(X, Y.astype(str)), 'labels need a classifier'),
            (lambda: svc.map(X, Y), 'whole numbers or text'),
            (lambda: UnivariateMapping('glm', 40).map(X, Y), 'one sample cannot be scored'),
            (lambda: UnivariateMapping('glm', 2).map(X, Y, np.repeat([0, 1], 20)), 'a single group'),
            (lambda: UnivariateMapping('corr', n_perm=5).map(X, Y, np.arange(40)), 'no row can take the place'),
            (lambda: UnivariateMapping('corr', n_perm=5).map(X, Y, [0, 1]), '2'),
            (lambda: glm.set_scoring('accuracy'), 'cannot be told'),
            (lambda: UnivariateMapping(scoring='r2').set_estimator('lrc'), 'a classifier predicts labels')]:
        with pytest.raises(BadInput, match=says):
            call()


def test_calls_of_1_0(data, labelled):
    assert {name: type(gen_estimator_from_name(name)).__name__ for name in ('lrc', 'svc', 'glm', 'lasso')} == {
        'lrc': 'LogisticRegression', 'svc': 'SVC', 'glm': 'LinearRegression', 'lasso': 'Lasso'}
    assert gen_estimator_from_name('svc').C == 0.025
    X, Y = labelled
    matrices, accuracies = cross_val_confusion(gen_estimator_from_name('svc'), X, Y[:, 1], 3)
    assert [m.sum() for m in matrices] == [20] * 3 and all((m.sum(axis=1) >= 6).all() for m in matrices)
    assert accuracies == [pytest.approx(np.trace(m) / 20) for m in matrices]
    X, Y = data
    together, apart = (cross_val_scores(LinearRegression(), X.astype(float), Y, correlation_scorer, 3, flag)
                       for flag in (True, False))
    np.testing.assert_allclose(together, apart, atol=1e-10)
    for k, (train, test) in enumerate(folds(40, 3)):
        fitted = LinearRegression().fit(X[train].astype(float), Y[train])
        np.testing.assert_allclose(together[k], correlation_score(Y[test], fitted.predict(X[test]), 'raw_values'))
        assert correlation_scorer(fitted, X[test], Y[test]) == pytest.approx(together[k].mean())
    for call in (lambda: gen_estimator_from_name('ols'), lambda: cross_val_scores(LinearRegression(), X[:3], Y)):
        with pytest.raises(BadInput):
            call()
