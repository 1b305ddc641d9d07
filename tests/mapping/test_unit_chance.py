"""p-values of units: as of a layer alone, family-wise over layers, 5 % in noise."""

import numpy as np
import pytest

from dnnbrain._checks import BadValue
from dnnbrain.dnn.base import MultivariateMapping, UnivariateMapping
from dnnbrain.dnn.core import Activation
from dnnbrain.mapping import unit_chance
from dnnbrain.mapping.inference.permutation import permute_encoding
from dnnbrain.mapping.unit_chance import units_by_chance


@pytest.fixture
def activ(rng):
    activation = Activation('conv', rng.standard_normal((40, 3, 2, 4)).astype(np.float32))
    activation.set('fc', rng.standard_normal((40, 5, 1, 1)).astype(np.float32))
    activation.get('fc')[:, 2] = 1
    return activation


def test_equals_the_test_of_all_units(activ, rng, monkeypatch):
    """In blocks of a few units as at once; the family of one layer is that of `permute_encoding`."""
    rows = rng.permutation(40)
    X = activ.get('conv').reshape(40, -1)[rows] @ rng.standard_normal((24, 6)) + rng.standard_normal((40, 6))
    X[:, 5] = np.nan
    mapping, one = MultivariateMapping('ridge', 4, 'correlation', alphas=2.0, rng=3), activ[:]
    one.delete('fc')
    monkeypatch.setattr(unit_chance, '_BLOCK_BYTES', 40 * 4 * 5)
    found = units_by_chance(X, one, mapping, rows, n_perm=99)['conv']
    K = X[:, :5] @ X[:, :5].T
    expected = permute_encoding(K, one.get('conv').reshape(40, -1)[rows], mapping.splits(40), 2.0, n_perm=99, rng=3)
    np.testing.assert_allclose(found['p'].ravel(), expected.p, atol=0.011)          # rounding may move one of 99
    np.testing.assert_allclose(found['p_family'].ravel(), expected.p_family, atol=0.011)
    assert (found['p'] < 0.05).mean() > 0.15                       # chance is .04


@pytest.mark.parametrize('mapping', [MultivariateMapping('glm', 4, 'correlation'), UnivariateMapping('corr')])
def test_layers_share_a_family(activ, rng, mapping):
    X = rng.standard_normal((40, 4)) + activ.get('fc')[:, [0] * 4, 0, 0]
    found = units_by_chance(X, activ, mapping, np.arange(40), n_perm=99)
    assert found['fc']['p'].shape == (5, 1, 1) and found['fc']['p_family'][0, 0, 0] == 0.01
    assert np.isnan(found['fc']['p'][2, 0, 0]) and np.isnan(found['fc']['p_family'][2, 0, 0])
    assert (found['conv']['p_family'] >= found['conv']['p']).all()
    alone = activ[:]
    alone.delete('conv')
    fewer = units_by_chance(X, alone, mapping, np.arange(40), n_perm=99)['fc']['p_family'].ravel()
    assert (found['fc']['p_family'].ravel() >= fewer)[[0, 1, 3, 4]].all()


@pytest.mark.parametrize('mapping', [MultivariateMapping('ridge', 3, 'correlation'), UnivariateMapping('corr')])
def test_five_percent_of_noise(rng, mapping):
    activ = Activation('noise', rng.standard_normal((30, 600, 1, 1)))
    p = units_by_chance(rng.standard_normal((30, 8)), activ, mapping, np.arange(30), n_perm=199)['noise']['p']
    assert abs((p <= 0.05).mean() - 0.05) < 4 * (0.05 * 0.95 / 600) ** 0.5 and abs(p.mean() - 0.5) < 0.05


def test_what_cannot_be_permuted(activ, rng):
    with pytest.raises(BadValue, match='models are fitted anew to every permutation'):
        units_by_chance(rng.standard_normal((40, 4)), activ, MultivariateMapping('pls'), np.arange(40), n_perm=9)
