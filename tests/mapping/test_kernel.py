"""Kernels streamed from disk against float64 algebra in memory."""

import numpy as np
import pytest

from dnnbrain._checks import BadValue
from dnnbrain.dnn.core import Activation
from dnnbrain.mapping.kernel import centred, kernels, linear_kernel, n_iterations


@pytest.fixture(params=['memory', 'disk'])
def activ(request, rng, tmp_path):
    values = (rng.standard_normal((40, 7, 6, 5)) * 50 + 20).astype(np.float32)
    activation = Activation('conv', values)
    if request.param == 'disk':
        activation.save(tmp_path / 'x.act.h5')
        activation.load(tmp_path / 'x.act.h5')
    return activation, values.astype(np.float64)


@pytest.mark.parametrize('n_bytes', [100, 5000, 2 ** 26])
def test_whole_layer(activ, n_bytes):
    activation, X = activ
    X = X.reshape(40, -1) - X.reshape(40, -1).mean(axis=0)
    np.testing.assert_allclose(linear_kernel(activation, 'conv', n_bytes), X @ X.T, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize('iter_axis, subscripts', [('channel', 'icrk,jcrk->cij'), ('row_col', 'icrk,jcrk->rkij')])
def test_iterations(activ, iter_axis, subscripts):
    activation, X = activ
    found = np.stack(list(kernels(activation, 'conv', iter_axis)))
    assert len(found) == n_iterations(X.shape, iter_axis)
    X = X - X.mean(axis=0)
    np.testing.assert_allclose(found, np.einsum(subscripts, X, X).reshape(-1, 40, 40), rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=0), linear_kernel(activation, 'conv'), rtol=1e-9, atol=1e-6)


def test_centring_leaves_nothing_of_a_constant_unit(rng):
    X = rng.standard_normal((50, 4)).astype(np.float32) * [1, 1e-3, 0, 0] + np.float32([0, 1e3, 0.1, 1e8])
    found = centred(X)
    np.testing.assert_allclose(found[:, :2], X[:, :2] - X[:, :2].mean(axis=0, dtype=np.float64), atol=1e-12)
    assert (found[:, 2:] == 0).all()


def test_broken_activations(rng):
    values = rng.standard_normal((5, 2, 1, 1))
    values[3, 1] = np.nan
    with pytest.raises(BadValue, match="layer 'fc' holds NaN or infinite activations for 1 stimuli"):
        linear_kernel(Activation('fc', values), 'fc')
