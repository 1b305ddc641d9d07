"""Multivariate mapping against scikit-learn and himalaya, fold by fold; models that predict, save and load."""

import numpy as np
import pytest
from himalaya.backend import set_backend
from himalaya.kernel_ridge import MultipleKernelRidgeCV
from himalaya.scoring import r2_score_split
from sklearn.base import clone
from sklearn.cross_decomposition import PLSRegression
from sklearn.decomposition import PCA
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import confusion_matrix, mean_squared_error, r2_score
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeRegressor

from dnnbrain._checks import BadType, BadValue
from dnnbrain.activation.hrf import hrf_matrix
from dnnbrain.dnn.base import MultivariateMapping, correlation_score
from dnnbrain.dnn.core import Activation
from dnnbrain.mapping.banded import BandedMapping, fit_banded
from dnnbrain.mapping.engine import map_layer
from dnnbrain.mapping.kernel import cross_kernel, gather_kernels
from dnnbrain.mapping.models import load_model
from dnnbrain.mapping.multivariate import PRIMAL_BELOW
from dnnbrain.mapping.single_unit.univariate import UnivariateMapping
from dnnbrain.mapping.tables import one_table, unit_tables

N, CV = 60, KFold(3, shuffle=True, random_state=1)
SHAPES = {'wide': (5, 6, 5), 'tall': (4, 2, 2)}                        # 150 units on kernels, 16 on units


@pytest.fixture(params=SHAPES)
def table(request, rng):
    """Units with means and spreads of all sizes, as (n_stim, n_unit), and their maps."""
    maps = rng.standard_normal((N, *SHAPES[request.param])) * 2 + 5
    maps *= np.geomspace(0.5, 4, maps.shape[1])[:, None, None]
    assert (maps[0].size <= PRIMAL_BELOW * 40) == (request.param == 'tall')
    return maps.reshape(N, -1), maps


@pytest.fixture
def targets(table, rng):
    X, _ = table
    return X @ rng.standard_normal((X.shape[1], 4)) / X.shape[1] ** 0.5 + rng.standard_normal((N, 4)) + 7


@pytest.fixture
def labels(targets):
    """Two classes, and three."""
    return np.column_stack([targets[:, 0] > np.median(targets[:, 0]), np.digitize(targets[:, 1], [5, 9])]).astype(int)


def activation(maps, tmp_path=None, ids=True, layer='conv'):
    made = Activation(layer, maps)
    made.stim_ids = np.array([f'{i}.png' for i in range(len(maps))]) if ids else None
    if tmp_path is not None:
        made.save(tmp_path / f'{layer}.act.h5')
        made.load(tmp_path / f'{layer}.act.h5')
    return made


REGRESSIONS = {
    'ridge': (MultivariateMapping('ridge', CV, 'r2', alphas=30.0), Ridge(30.0)),
    'scaled ridge': (MultivariateMapping('ridge', CV, 'r2', alphas=30.0, standardise=True),
                     make_pipeline(StandardScaler(), Ridge(30.0))),
    'glm': (MultivariateMapping('glm', CV, 'r2'), LinearRegression()),
    'scaled glm': (MultivariateMapping('glm', CV, 'r2', standardise=True),
                   make_pipeline(StandardScaler(), LinearRegression())),
    'lasso': (MultivariateMapping('lasso', CV, 'r2', alpha=0.3), Lasso(0.3)),
    'pls': (MultivariateMapping('pls', CV, 'r2', n_components=3), PLSRegression(3)),
    'pipeline': (MultivariateMapping(make_pipeline(PCA(8), LinearRegression()), CV, 'r2'),
                 make_pipeline(PCA(8), LinearRegression())),
    'scaled svr': (MultivariateMapping(SVR(kernel='linear'), CV, 'r2', standardise=True),
                   make_pipeline(StandardScaler(), SVR(kernel='linear'))),
}


def of_sklearn(estimator, X, Y):
    """A prediction per target, from estimators that take one target too."""
    if isinstance(estimator, SVR) or 'svr' in getattr(estimator, 'named_steps', {}):
        fits = [clone(estimator).fit(X, y) for y in Y.T]
        return lambda new: np.column_stack([fit.predict(new) for fit in fits])
    return clone(estimator).fit(X, Y).predict


class TestRegressors:
    @pytest.mark.parametrize('name', REGRESSIONS)
    def test_fold_by_fold_equals_sklearn(self, name, table, targets):
        (X, _), (mapping, theirs) = table, REGRESSIONS[name]
        found = mapping.map(X, targets)
        assert list(found) == ['score', 'model'] and found['model'].shape == (4,)
        assert mapping.estimator_type == 'regressor'
        for k, (train, test) in enumerate(CV.split(X)):
            predicted = of_sklearn(theirs, X[train], targets[train])(X[test])
            expected = r2_score(targets[test], predicted, multioutput='raw_values')
            # coordinate descent (lasso) and libsvm stop at tolerances of their own
            np.testing.assert_allclose(found['score'][:, k], expected, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize('name, iter_axis', [
        (name, axis) for axis in (None, 'channel', 'row_col') for name in REGRESSIONS
        if axis is None or name not in ('pipeline', 'pls')])           # fewer units there than components
    def test_models_predict_new_activations(self, name, iter_axis, table, targets, rng, tmp_path):
        """From disk, with another block structure than the training, and after a round trip through a file."""
        (_, maps), (mapping, theirs) = table, REGRESSIONS[name]
        train, new = activation(maps, tmp_path), activation(rng.standard_normal((7, *maps.shape[1:])) + 3)
        found = map_layer(train, 'conv', targets, mapping, iter_axis)
        i = 0 if iter_axis is None else 2
        cut = {None: lambda m: m.reshape(len(m), -1), 'channel': lambda m: m[:, i].reshape(len(m), -1),
               'row_col': lambda m: m.reshape(*m.shape[:2], -1)[:, :, i]}[iter_axis]
        expected = of_sklearn(theirs, cut(maps), targets)(cut(new.get('conv')))
        models = found['model'][i]
        if name == 'scaled svr':
            predicted = np.column_stack([model.predict(new)[:, 0] for model in models])
        else:
            assert all(model is None for model in models[1:])
            predicted = models[0].predict(new, train=train)
        np.testing.assert_allclose(predicted, expected, rtol=1e-4, atol=1e-4)
        models[0].save(tmp_path / 'model.h5')
        again = load_model(tmp_path / 'model.h5')
        assert again.settings['estimator'] == mapping.name and again.iteration == i
        np.testing.assert_allclose(again.predict(new, train=train), models[0].predict(new, train=train), rtol=1e-9)


@pytest.mark.parametrize('name, theirs', [('lrc', LogisticRegression(C=0.5, tol=1e-7, max_iter=100_000)),
                                          ('svc', SVC(kernel='linear', C=0.5))])
@pytest.mark.parametrize('standardise', [False, True])
class TestClassifiers:
    def test_fold_by_fold_equals_sklearn(self, name, theirs, standardise, table, labels):
        X, _ = table
        mapping = MultivariateMapping(name, 3, C=0.5, standardise=standardise)
        assert mapping.estimator_type == 'classifier' and mapping.scoring == 'accuracy'
        found = mapping.map(X, labels)
        assert found['score'].shape == found['conf_m'].shape == (2, 3)
        if standardise:
            theirs = make_pipeline(StandardScaler(), theirs)
        for t, own in enumerate(labels.T):
            splits = StratifiedKFold(3, shuffle=True, random_state=0).split(X, own)
            for k, (train, test) in enumerate(splits):
                predicted = clone(theirs).fit(X[train], own[train]).predict(X[test])
                assert found['score'][t, k] == pytest.approx((predicted == own[test]).mean())
                expected = confusion_matrix(own[test], predicted, labels=np.unique(own))
                np.testing.assert_array_equal(found['conf_m'][t, k], expected)

    def test_models(self, name, theirs, standardise, table, labels, rng, tmp_path):
        """Text labels; the same decisions from dual coefficients, weights, and a file."""
        X, maps = table
        words = np.array(['cat', 'dog', 'owl'])[labels]
        train, new = activation(maps), activation(maps + rng.standard_normal(maps.shape))
        found = map_layer(train, 'conv', words, MultivariateMapping(name, 3, C=0.5, standardise=standardise))
        if standardise:
            theirs = make_pipeline(StandardScaler(), theirs)
        for t, model in enumerate(found['model'][0]):
            expected = clone(theirs).fit(X, words[:, t]).predict(new.get('conv').reshape(N, -1))
            np.testing.assert_array_equal(model.predict(new, train=train), expected)
            model.to_weights(train, tmp_path / 'w.h5')
            np.testing.assert_array_equal(load_model(tmp_path / 'w.h5').predict(new), expected)


def test_standard_default_costs(table, labels):
    """1.0 had C = .025 for the support vector machine."""
    X, _ = table
    model = MultivariateMapping('svc', 3).map(X, labels[:, 0])['model'][0]
    theirs = SVC(kernel='linear', C=0.025).fit(X, labels[:, 0])
    np.testing.assert_allclose(model.coef_, theirs.coef_, atol=1e-3 * np.abs(theirs.coef_).max())


class TestKernels:
    @pytest.mark.parametrize('n_bytes', [5000, 2 ** 26])
    @pytest.mark.parametrize('design', ['stimuli', 'rows', 'hrf'])
    @pytest.mark.parametrize('standardise', [False, True])
    def test_streamed_equals_memory(self, n_bytes, design, standardise, rng, tmp_path):
        maps = (rng.standard_normal((30, 7, 6, 5)) * 50 + 200).astype(np.float32)
        maps[:, 3, 2, 1] = 0.1                                         # a dead unit
        activ = activation(maps, tmp_path)
        matrix = {'stimuli': None, 'rows': rng.integers(0, 30, 40),
                  'hrf': hrf_matrix(np.arange(30) * 3.1, np.full(30, 2.0), 50, 2.0)}[design]
        X = maps.reshape(30, -1).astype(np.float64)
        X = X if matrix is None else X[matrix] if matrix.ndim == 1 else matrix @ X
        trains = [np.arange(20), np.arange(10, 25)] if standardise else None
        found = gather_kernels(next(unit_tables(activ, 'conv', None, n_bytes)), 'conv', matrix, trains)

        def double_centred(K, rows=slice(None)):
            K = K - K[rows].mean(axis=0) - K[:, rows].mean(axis=1)[:, None] + K[rows][:, rows].mean()
            return K
        if not standardise:
            Z = X - X.mean(axis=0)
            expected, K = double_centred(Z @ Z.T), double_centred(found.whole)
            np.testing.assert_allclose(K, expected, rtol=0, atol=1e-10 * np.abs(expected).max())
            return
        for K, train in zip((*found.folds, found.whole), (*trains, np.arange(len(X))), strict=True):
            Z = StandardScaler().fit(X[train]).transform(X)
            Z[:, np.ptp(X[train], axis=0) <= 1e-9] = 0
            np.testing.assert_allclose(K, Z @ Z.T, rtol=0, atol=1e-10 * np.abs(K).max())

    @pytest.mark.parametrize('iter_axis', [None, 'channel', 'row_col'])
    def test_cross_kernel(self, iter_axis, rng, tmp_path):
        """New stimuli in memory against training stimuli on disk, cut at other units."""
        maps, others = (rng.standard_normal((n, 6, 4, 5)).astype(np.float32) * 3 + 9 for n in (20, 8))
        train, new = activation(maps, tmp_path), activation(others)
        i = 0 if iter_axis is None else 1
        tables = [np.concatenate(list(one_table(a, 'conv', iter_axis, i)), axis=1).astype(float) for a in (train, new)]
        found = gather_kernels(one_table(train, 'conv', iter_axis, i), 'conv', None, [])
        small = (block for _, block in new.blocks('conv', 'unit', 700)) if iter_axis is None else \
            one_table(new, 'conv', iter_axis, i)
        K = cross_kernel(small, one_table(train, 'conv', iter_axis, i), 'conv', found.mean, found.scale)
        scaler = StandardScaler().fit(tables[0])
        expected = scaler.transform(tables[1]) @ scaler.transform(tables[0]).T
        np.testing.assert_allclose(K, expected, rtol=0, atol=1e-10 * np.abs(expected).max())

    def test_other_layer(self, rng):
        maps = rng.standard_normal((10, 3, 2, 2))
        found = gather_kernels(next(unit_tables(activation(maps), 'conv')), 'conv')
        with pytest.raises(BadValue, match='another number of units'):
            cross_kernel(iter([maps.reshape(10, -1)[:, :5]]), iter([maps.reshape(10, -1)]), 'conv', found.mean)


class TestEngine:
    @pytest.mark.parametrize('name', ['ridge', 'scaled ridge', 'lasso'])
    @pytest.mark.parametrize('design', ['rows', 'hrf'])
    def test_rows_of_stimuli(self, name, design, table, rng):
        (X, maps), (mapping, theirs) = table, REGRESSIONS[name]
        rows = rng.permutation(np.repeat(np.arange(N), 2))[:80]
        H = hrf_matrix(np.arange(N) * 2.7, np.full(N, 1.0), 80, 2.0)
        Z, given = {'rows': (X[rows], {'rows': rows}), 'hrf': (H @ X, {'hrf': H})}[design]
        Y = Z @ rng.standard_normal((X.shape[1], 2)) / X.shape[1] + rng.standard_normal((80, 2))
        train = activation(maps)
        found = map_layer(train, 'conv', Y, mapping, **given)
        for k, (i, j) in enumerate(CV.split(Z)):
            expected = r2_score(Y[j], of_sklearn(theirs, Z[i], Y[i])(Z[j]), multioutput='raw_values')
            np.testing.assert_allclose(found['score'][0, :, k], expected, rtol=1e-5, atol=1e-6)
        predicted = found['model'][0, 0].predict(activation(maps[:9]), train=train)
        np.testing.assert_allclose(predicted, of_sklearn(theirs, Z, Y)(X[:9]), rtol=1e-4, atol=1e-4)

    def test_without_models(self, table, targets):
        _, maps = table
        found = map_layer(activation(maps), 'conv', targets, REGRESSIONS['glm'][0], 'channel', models=False)
        assert all(model is None for model in found['model'].ravel())
        kept = map_layer(activation(maps), 'conv', targets, REGRESSIONS['glm'][0], 'channel')
        np.testing.assert_array_equal(found['score'], kept['score'])

    @pytest.mark.parametrize('iter_axis', [None, 'channel', 'row_col'])
    def test_univariate(self, iter_axis, rng):
        """Targets that are single units are found where they are."""
        maps = rng.standard_normal((N, 3, 4, 2))
        Y = np.column_stack([maps[:, 1, 2, 1], maps[:, 2, 0, 0], np.ones(N)])
        rows = rng.permutation(N)
        found = map_layer(activation(maps), 'conv', Y[rows], UnivariateMapping('corr'), iter_axis, rows=rows)
        where = {None: (0, 0), 'channel': (1, 2), 'row_col': (5, 0)}[iter_axis]
        for t, position in enumerate([(2, 3, 2), (3, 1, 1)]):
            assert found['score'][where[t], t] == pytest.approx(1)
            np.testing.assert_array_equal(found['location'][where[t], t], position)
        np.testing.assert_array_equal(found['location'][:, 2], 0)

    def test_primal_equals_dual(self, table, targets, monkeypatch):
        X, _ = table
        for mapping in (MultivariateMapping('ridge', CV), MultivariateMapping('ridge', CV, standardise=True),
                        MultivariateMapping('ridge', CV, alphas=5.0), MultivariateMapping('glm', CV)):
            found = []
            for below in (0, 100):
                monkeypatch.setattr('dnnbrain.mapping.multivariate.PRIMAL_BELOW', below)
                found.append(mapping.map(X, targets))
            np.testing.assert_allclose(found[0]['score'], found[1]['score'], rtol=1e-8)
            np.testing.assert_allclose(found[0]['model'][0].coef_, found[1]['model'][0].coef_, rtol=1e-6, atol=1e-9)

    def test_bad_targets(self, table, targets, labels):
        X, _ = table
        Y = np.column_stack([np.full(N, 3.0), targets, np.where(np.arange(N) == 4, np.nan, 1)])
        for name, (mapping, _) in REGRESSIONS.items():
            found, clean = mapping.map(X, Y), REGRESSIONS[name][0].map(X, targets)
            assert np.isnan(found['score'][[0, 5]]).all()
            np.testing.assert_allclose(found['score'][1:5], clean['score'], rtol=1e-6)
            if name != 'scaled svr':
                predicted = found['model'][0].predict(X)
                assert predicted.shape == (N, 6) and np.isnan(predicted[:, [0, 5]]).all()
                assert np.isfinite(predicted[:, 1:5]).all()
        found = MultivariateMapping('svc', 3).map(X, np.column_stack([np.ones(N), labels[:, 0]]))
        assert np.isnan(found['score'][0]).all() and found['model'][0] is None and found['conf_m'][0, 0] is None
        assert np.isfinite(found['score'][1]).all()
        assert np.isnan(MultivariateMapping('glm', 3).map(X, np.ones((N, 2)))['score']).all()

    def test_scores(self, table, targets):
        X, _ = table
        predicted = np.empty_like(targets)
        splits = list(CV.split(X))
        for train, test in splits:
            predicted[test] = Ridge(3.0).fit(X[train], targets[train]).predict(X[test])
        measures = {
            'correlation': lambda y, p: correlation_score(y, p, 'raw_values'),
            'neg_mean_squared_error': lambda y, p: -mean_squared_error(y, p, multioutput='raw_values'),
            'neg_max_error': lambda y, p: -np.abs(y - p).max(axis=0),
        }
        for scoring, measure in measures.items():
            found = MultivariateMapping('ridge', CV, scoring, alphas=3.0).map(X, targets)['score']
            np.testing.assert_allclose(found.T, [measure(targets[j], predicted[j]) for _, j in splits], rtol=1e-6)
        expected = [mean_squared_error(targets[j], predicted[j], multioutput='raw_values') for _, j in splits]
        for own in (mean_squared_error_of_two, lambda model, X, y: mean_squared_error(y, model.predict(X))):
            found = MultivariateMapping('ridge', CV, own, alphas=3.0).map(X, targets)['score']
            np.testing.assert_allclose(found.T, expected, rtol=1e-6)

    def test_estimators_are_left_as_they_were(self, table, targets):
        X, _ = table
        theirs = make_pipeline(PCA(5), LinearRegression())
        MultivariateMapping(theirs, 3).map(X, targets)
        assert not hasattr(theirs[0], 'components_') and not hasattr(theirs[1], 'coef_')

    def test_setters_of_1_0(self, table, targets, labels):
        X, _ = table
        mapping = MultivariateMapping()
        mapping.set_estimator('lrc')
        mapping.set_cv(4)
        assert mapping.map(X, labels)['score'].shape == (2, 4)
        mapping.set_estimator(LinearRegression())
        assert mapping.estimator_type == 'regressor' and mapping.scoring == 'explained_variance'
        mapping.set_scoring('correlation')
        assert mapping.map(X, targets)['model'][0].predict(X).shape == (N, 4)

    def test_groups_stay_together(self, rng):
        """Repeated noise is predictable only if repeats are split, in inner folds and classes too."""
        X = np.repeat(rng.standard_normal((20, 100)), 3, axis=0)
        Y, groups = np.repeat(rng.standard_normal((20, 30)), 3, axis=0), np.repeat(np.arange(20), 3)
        mapping = MultivariateMapping('ridge', 5, 'correlation', standardise=True)
        assert mapping.map(X, Y)['score'].mean() > 0.9
        assert abs(mapping.map(X, Y, groups)['score'].mean()) < 0.15         # standard error about .05
        found = MultivariateMapping('svc', 5, C=1).map(X, (Y > 0)[:, :10].astype(int), groups)
        assert abs(found['score'].mean() - 0.5) < 0.15


def mean_squared_error_of_two(y, predicted):
    return mean_squared_error(y, predicted)


class TestBanded:
    @pytest.fixture
    def bands(self, rng):
        """A wide and a tall layer of very different size; targets of one, the other, both."""
        latent = rng.standard_normal((N, 3))
        a = latent @ rng.standard_normal((3, 80)) + 0.1 * rng.standard_normal((N, 80))
        b = 300 * rng.standard_normal((N, 6, 1, 1)) + 1000
        both = activation(a.reshape(N, 4, 5, 4), layer='a')
        both.set('b', b)
        from_a = latent @ rng.standard_normal((3, 2))
        from_b = (b[:, :, 0, 0] - 1000) @ rng.standard_normal((6, 2)) / 300
        Y = np.column_stack([from_a, from_b, from_a + from_b]) + 0.3 * rng.standard_normal((N, 6))
        return both, Y + 4

    def test_equals_himalaya(self, bands):
        activ, Y = bands
        X = [activ.get(layer).reshape(N, -1) for layer in 'ab']
        Ks = np.stack([(x - x.mean(axis=0)) @ (x - x.mean(axis=0)).T for x in X])
        alphas, inner = np.logspace(-2, 2, 4), KFold(3, shuffle=True, random_state=2)
        own = [K[:40, :40] for K in Ks]
        sizes = np.array([np.trace(K) / 40 - K.mean() for K in own])[:, None, None]
        set_backend('numpy')
        theirs = MultipleKernelRidgeCV(kernels='precomputed', cv=inner, random_state=4, fit_intercept=True,
                                       solver_params={'n_iter': 6, 'alphas': alphas, 'progress_bar': False})
        theirs.fit(np.stack(own) / sizes, Y[:40])
        model = fit_banded(np.stack(own), Y[:40], alphas, 6, list(inner.split(np.zeros(40))), 4)
        np.testing.assert_allclose(model.share, np.exp(theirs.deltas_), rtol=1e-8)
        predicted = model.parts(Ks[:, 40:, :40]).sum(axis=0) + model.intercept
        np.testing.assert_allclose(predicted, theirs.predict(Ks[:, 40:, :40] / sizes), rtol=1e-6)

    @pytest.mark.parametrize('standardise', [False, True])
    def test_partitions_variance(self, bands, standardise):
        activ, Y = bands
        Y = np.column_stack([Y, np.ones(N)])
        found = BandedMapping(3, n_iter=8, standardise=standardise, inner_cv=3).map(activ, Y)
        assert found['score'].shape == (7, 3) and np.isnan(found['score'][6]).all()
        np.testing.assert_allclose(found['product']['a'] + found['product']['b'], found['score'], rtol=1e-9)
        mean = {kind: {layer: found[kind][layer].mean(axis=1) for layer in 'ab'} for kind in ('product', 'unique')}
        for kind in mean:
            assert (mean[kind]['a'][:2] > 0.7).all() and (np.abs(mean[kind]['b'][:2]) < 0.15).all()
            assert (mean[kind]['b'][2:4] > 0.7).all() and (np.abs(mean[kind]['a'][2:4]) < 0.15).all()
            assert (mean[kind]['a'][4:6] > 0.1).all() and (mean[kind]['b'][4:6] > 0.1).all()

    def test_product_measure_equals_himalaya(self, rng):
        from dnnbrain.mapping.banded import product_measure
        Y, parts = rng.standard_normal((30, 3)), rng.standard_normal((2, 30, 3))
        centred = parts - parts.mean(axis=1, keepdims=True)
        np.testing.assert_allclose(product_measure(Y + 100, parts + 5), r2_score_split(Y - Y.mean(axis=0), centred))

    def test_one_band_without_weight_is_ridge(self, bands):
        activ, Y = bands
        K = gather_kernels(next(unit_tables(activ, 'a')), 'a').whole
        size = np.trace(K) / N
        model = fit_banded(K[None], Y, 0.7, 1, 3)
        X = activ.get('a').reshape(N, -1)
        np.testing.assert_allclose(model.parts(K[None])[0] + model.intercept,
                                   Ridge(0.7 * size).fit(X, Y).predict(X), rtol=1e-6)

    def test_model(self, bands, tmp_path, rng):
        activ, Y = bands
        mapping = BandedMapping(3, n_iter=4, inner_cv=3, unique=False)
        model = mapping.map(activ, np.column_stack([Y, np.ones(N)]))['model']
        new = activ[rng.integers(0, N, 9)]
        predicted = model.predict(new, activ)
        assert np.corrcoef(predicted[:, 2], Y[[int(i[:-4]) for i in new.stim_ids], 2])[0, 1] > 0.8
        model.save(tmp_path / 'dual.h5')
        model.to_weights(activ).save(tmp_path / 'weights.h5')
        np.testing.assert_allclose(load_model(tmp_path / 'dual.h5').predict(new, activ), predicted, rtol=1e-9)
        np.testing.assert_allclose(load_model(tmp_path / 'weights.h5').predict(new), predicted, rtol=1e-7)

    def test_mistakes(self, bands):
        activ, Y = bands
        with pytest.raises(BadValue, match='at least two different layers, not a'):
            BandedMapping().map(activ, Y, ['a'])
        with pytest.raises(BadValue, match='n_iter must be a whole number'):
            BandedMapping(n_iter=0)
        with pytest.raises(BadValue, match='a fold with one sample'):
            BandedMapping(N).map(activ, Y)


def linear(rng, tmp_path=None):
    maps = rng.standard_normal((30, 40, 1, 1))
    train = activation(maps, tmp_path)
    return train, map_layer(train, 'conv', rng.standard_normal((30, 2)), MultivariateMapping('ridge', 3))['model'][0, 0]


class TestModels:
    def test_training_activations_are_joined_by_id(self, rng):
        train, model = linear(rng)
        shuffled = train[rng.permutation(30)]
        np.testing.assert_allclose(model.predict(train, train=shuffled), model.predict(train, train=train), rtol=1e-9)
        with pytest.raises(BadValue, match='1 stimuli of the training are not in the activations given: 29.png'):
            model.predict(train, train=train[:29])
        train.stim_ids = None
        with pytest.raises(BadValue, match='trained on 30 stimuli; the activations given as training hold 29'):
            model.predict(train, train=train[:29])

    def test_mistakes(self, rng, tmp_path):
        train, model = linear(rng)
        with pytest.raises(BadValue, match=r'give the activations it was trained on \(train=...\)'):
            model.predict(train)
        with pytest.raises(BadValue, match='to_weights'):
            model.coef_  # noqa: B018
        weights = model.to_weights(train)
        np.testing.assert_allclose(weights.predict(train), model.predict(train, train=train), rtol=1e-9)
        with pytest.raises(BadValue, match='weights of 40 units'):
            weights.predict(train.get('conv')[:, :30, 0, 0])
        with pytest.raises(BadValue, match='must be an Activation or have shape'):
            weights.predict(np.zeros(3))
        with pytest.raises(BadValue, match='must end in .h5'):
            model.save(tmp_path / 'model.pkl')
        train.save(tmp_path / 'x.act.h5')
        with pytest.raises(BadValue, match='holds no model of dnnbrain'):
            load_model(tmp_path / 'x.act.h5')

    def test_nothing_is_pickled(self, rng, tmp_path):
        X, Y = rng.standard_normal((30, 4)), rng.standard_normal((30, 2))
        model = MultivariateMapping(DecisionTreeRegressor(random_state=0), 3).map(X, Y)['model'][0]
        with pytest.raises(BadValue, match='a fitted DecisionTreeRegressor cannot be saved without a pickle'):
            model.save(tmp_path / 'tree.h5')
        assert not (tmp_path / 'tree.h5').exists()
        assert model.predict(X).shape == (30, 2) and model.get_depth() > 1       # the estimator's own
        with pytest.raises(BadValue, match='fitted on 4 units'):
            model.predict(X[:, :3])

    @pytest.mark.parametrize('estimator', [
        PLSRegression(2), make_pipeline(StandardScaler(), PCA(3, whiten=True), Ridge())])
    def test_linear_estimators_are_saved_as_weights(self, estimator, rng, tmp_path):
        X, Y = rng.standard_normal((30, 6)) + 4, rng.standard_normal((30, 2)) * 3
        MultivariateMapping(estimator, 3).map(X, Y)['model'][0].save(tmp_path / 'm.h5')
        np.testing.assert_allclose(load_model(tmp_path / 'm.h5').predict(X), estimator.fit(X, Y).predict(X), rtol=1e-8)


@pytest.mark.parametrize('given, kind, sentence', [
    ({'estimator': 'rige'}, BadValue, "estimator 'rige' is not known; did you mean 'ridge'"),
    ({'estimator': 'corr'}, BadValue, "'corr' is univariate only"),
    ({'estimator': 'banded'}, BadValue, 'BandedMapping'),
    ({'estimator': Ridge}, BadType, 'must be a name'),
    ({'estimator': PCA(2)}, BadType, 'must be a name'),
    ({'estimator': 'ridge', 'alphas': [0, 1]}, BadValue, 'alphas must be positive'),
    ({'estimator': 'ridge', 'alphas': 'low'}, BadValue, "alphas must be positive numbers, not 'low'"),
    ({'estimator': 'ridge', 'inner_cv': 1}, BadValue, 'inner_cv must be a number of folds from 2, not 1'),
    ({'estimator': 'lasso', 'alpha': -1}, BadValue, 'alpha must be a positive number, not -1'),
    ({'estimator': 'svc', 'C': 0}, BadValue, 'C must be a positive number, not 0'),
    ({'estimator': 'pls', 'n_components': 0}, BadValue, 'n_components must be a whole number from 1'),
    ({'scoring': 'corelation'}, BadValue, "did you mean 'correlation'"),
    ({'scoring': 5}, BadType, 'scoring must be a name or a function'),
    ({'scoring': lambda y: 0}, BadValue, 'it takes 1 arguments'),
])
def test_settings_are_checked_at_once(given, kind, sentence):
    with pytest.raises(kind, match=sentence):
        MultivariateMapping(**given)


@pytest.mark.parametrize('given, change, sentence', [
    ({'estimator': None}, {}, 'no estimator'),
    ({'estimator': 'ridge'}, {'X': np.zeros(12)}, r'X must have shape \(n_sample, n_feature\), not \(12,\)'),
    ({'estimator': 'ridge'}, {'Y': np.zeros((11, 2))}, '12 stimuli came with 11 responses'),
    ({'estimator': 'ridge'}, {'Y': np.array(['cat', 'dog'] * 6)}, 'predicts numbers, and Y holds <U3'),
    ({'estimator': 'svc', 'scoring': 'r2'}, {}, 'is for numbers'),
    ({'estimator': 'ridge'}, {'Y': np.zeros((12, 2, 1))}, r'Y must have shape \(n_sample, n_target\), not'),
    ({'estimator': 'ridge'}, {'groups': [1, 2]}, '2 groups came for 12 rows'),
    ({'estimator': 'ridge', 'cv': 12}, {}, 'a fold with one sample'),
    ({'estimator': 'lasso', 'max_bytes': 100}, {}, 'needs .* GB in memory for this estimator'),
    ({'estimator': 'pls', 'n_components': 9}, {}, 'n_components must be from 1 to 3'),
    ({'estimator': 'svc'}, {}, 'a classifier predicts labels: Y must be whole numbers or text'),
    ({'estimator': 'lrc', 'scoring': 'roc_auc', 'cv': 2}, {'Y': np.arange(12) % 2}, 'cannot be told from'),
    ({'estimator': 'glm', 'scoring': lambda y, p: y}, {}, 'one number per target'),
])
def test_data_are_checked(given, change, sentence, rng):
    data = {'X': rng.standard_normal((12, 3)), 'Y': rng.standard_normal((12, 2))} | change
    with pytest.raises(BadValue, match=sentence):
        MultivariateMapping(**({'cv': 3} | given)).map(**data)


@pytest.mark.parametrize('given, sentence', [
    ({'rows': [0, 30]}, 'rows must be whole numbers from 0 to 29'),
    ({'hrf': np.zeros((5, 9))}, r'shape \(n_row, 30\), not \(5, 9\)'),
    ({'hrf': np.zeros((5, 30)), 'rows': [1]}, 'rows or hrf, not both'),
    ({'iter_axis': 'chn'}, "iter_axis 'chn' is not known"),
])
def test_designs_are_checked(given, sentence, rng):
    train, _ = linear(rng)
    with pytest.raises(BadValue, match=sentence):
        map_layer(train, 'conv', rng.standard_normal((30, 2)), MultivariateMapping('ridge', 3), **given)
