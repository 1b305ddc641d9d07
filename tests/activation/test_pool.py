"""Statistics of arrays and pooling of maps."""

import numpy as np
import pytest

from dnnbrain._checks import BadValue
from dnnbrain.activation.pool import pool_maps
from dnnbrain.dnn.base import array_statistic

METHODS = ['max', 'mean', 'median', 'L1', 'L2']


@pytest.mark.parametrize('method, value', [('max', 4), ('mean', 2.5), ('median', 2.5), ('L1', 10), ('L2', 30 ** 0.5)])
@pytest.mark.parametrize('axis', [None, (0, 1)])
def test_closed_form(method, value, axis):
    """1.0 used matrix norms: L1 was 6, L2 5.465."""
    assert array_statistic([[1, 2], [3, 4]], method, axis) == pytest.approx(value)


@pytest.mark.parametrize('method, value', [('L1', [4, 6]), ('L2', [10 ** 0.5, 20 ** 0.5]), ('max', [3, -2])])
def test_along_an_axis_with_signs(method, value):
    np.testing.assert_allclose(array_statistic([[1, -2], [3, -4]], method, 0), value)
    assert array_statistic([[1, -2], [3, -4]], method, 0, keepdims=True).shape == (1, 2)


def test_unknown_method():
    with pytest.raises(BadValue, match="'l1' is not known; .*choose from max, mean, median, L1, L2"):
        array_statistic([1], 'l1')


@pytest.mark.parametrize('dtype, value, result', [
    (np.uint8, 200, np.float64), (np.int8, -128, np.float64), (np.int64, 2 ** 40, np.float64),
    (np.float16, 60000, np.float32), (np.float32, 3, np.float32), (np.float64, 3, np.float64), (bool, 1, np.float64),
])
@pytest.mark.parametrize('pool', [False, True])
def test_sums_do_not_overflow(dtype, value, result, pool):
    maps = np.full((2, 3, 4, 4), value, dtype)
    for method, expected in (('L1', 16.0 * abs(value)), ('L2', 4.0 * abs(value))):
        found = pool_maps(maps, method) if pool else array_statistic(maps, method, (2, 3), keepdims=True)
        assert found.dtype == result and found.shape == (2, 3, 1, 1)
        np.testing.assert_allclose(found, expected, rtol=1e-3)
