"""Sets of models: written without pickles, read as they were."""

import numpy as np
import pytest

from dnnbrain._checks import BadValue
from dnnbrain.dnn.base import MultivariateMapping, UnivariateMapping
from dnnbrain.dnn.core import Activation
from dnnbrain.mapping.engine import map_layer
from dnnbrain.mapping.model_sets import load_models, save_models
from dnnbrain.mapping.models import load_model


@pytest.fixture
def activ(rng):
    return Activation('l', rng.standard_normal((30, 2, 2, 3)).astype(np.float32))


@pytest.mark.parametrize('estimator', ['glm', 'lrc', 'svc'])
def test_a_model_per_unit(activ, rng, tmp_path, estimator):
    Y = rng.standard_normal((30, 3)) if estimator == 'glm' else rng.integers(0, 3, (30, 3))
    Y[:, 1] = 1                                                    # without a model
    models = map_layer(activ, 'l', Y, UnivariateMapping(estimator, 3), 'channel')['model']
    save_models(tmp_path / 'm.h5', models)
    found, x = load_models(tmp_path / 'm.h5'), rng.standard_normal(8)
    assert found.shape == models.shape == (2, 3) and found[0, 1] is None and found[1, 1] is None
    for place in [(0, 0), (1, 0), (1, 2)]:
        assert type(found[place]) is type(models[place])
        np.testing.assert_array_equal(found[place].predict(x), models[place].predict(x))
    with pytest.raises(BadValue, match='a model per iteration or target; load_models'):
        load_model(tmp_path / 'm.h5')


@pytest.mark.parametrize('estimator, axis', [('ridge', 'row_col'), ('lasso', None), ('svc', 'channel')])
def test_models_of_layers(activ, rng, tmp_path, estimator, axis):
    Y = rng.integers(0, 3, (30, 2)) if estimator == 'svc' else rng.standard_normal((30, 2))
    models = map_layer(activ, 'l', Y, MultivariateMapping(estimator, 3, alpha=0.1), axis)['model']
    save_models(tmp_path / 'm.h5', models)
    found = load_models(tmp_path / 'm.h5')
    for place, model in np.ndenumerate(models):
        if model is not None:
            np.testing.assert_allclose(found[place].predict(activ, train=activ), model.predict(activ, train=activ))
    if axis is None:
        np.testing.assert_allclose(load_model(tmp_path / 'm.h5').predict(activ), models[0, 0].predict(activ))


def test_nothing_and_the_unsafe(activ, rng, tmp_path):
    from sklearn.tree import DecisionTreeRegressor
    with pytest.raises(BadValue, match='there is no model to save'):
        save_models(tmp_path / 'm.h5', np.full((1, 2), None))
    tree = map_layer(activ, 'l', rng.standard_normal(30), MultivariateMapping(DecisionTreeRegressor(), 3))['model']
    with pytest.raises(BadValue, match='a EstimatorModel cannot be saved with others'):
        save_models(tmp_path / 'm.h5', tree)
    assert not list(tmp_path.iterdir())
