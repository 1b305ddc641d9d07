"""Where in the picture: planted positions, nothing found in noise, angles by hand."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import explained_variance_score, r2_score
from sklearn.model_selection import KFold

from dnnbrain._checks import BadValue
from dnnbrain.dnn.core import Activation
from dnnbrain.mapping.topography import Positions, best_positions


def planted(activ, n, rng, noise):
    """A target per position of each layer, driven by the channels there; and where each is (layer, row, column)."""
    truth = [(number, row, column) for number, layer in enumerate(activ.layers, 1)
             for row in range(activ.shape(layer)[2]) for column in range(activ.shape(layer)[3])]
    signal = [activ.get(activ.layers[number - 1])[:, :, row, column] @ rng.standard_normal(n)
              for number, row, column in truth]
    signal = np.stack(signal, axis=1)
    Y = signal / signal.std(axis=0) + noise * rng.standard_normal(signal.shape)
    return Y, np.array(truth) + [0, 1, 1]


@pytest.fixture
def activ(rng):
    activation = Activation('early', rng.standard_normal((90, 4, 3, 5)).astype(np.float32))
    activation.set('late', rng.standard_normal((90, 4, 2, 2)).astype(np.float32))
    return activation


@pytest.mark.parametrize('model, scoring, alphas', [
    ('ridge', 'correlation', 3.0), ('glm', 'r2', None), ('ridge', 'explained_variance', None)])
def test_planted_positions_are_found(activ, rng, model, scoring, alphas):
    """In every fold, so that held-out scores are those of scikit-learn with the channels that drive a target."""
    Y, truth = planted(activ, 4, rng, 0.7)
    cv = KFold(3)
    found = best_positions(activ, Y, None, model, cv, scoring, alphas=alphas)
    np.testing.assert_array_equal(np.stack([found.layer, found.row, found.column], axis=1), truth)
    score = {'correlation': lambda y, p: np.corrcoef(y, p)[0, 1], 'r2': r2_score,
             'explained_variance': explained_variance_score}[scoring]
    theirs = Ridge(alphas) if alphas else LinearRegression()
    for y, scores, (layer, row, column) in zip(Y.T, found.score, truth, strict=True):
        X = activ.get(activ.layers[layer - 1])[:, :, row - 1, column - 1].astype(float)
        expected = [score(y[test], theirs.fit(X[train], y[train]).predict(X[test])) for train, test in cv.split(X)]
        # products are in single precision; a penalty that was chosen shrinks a little
        np.testing.assert_allclose(scores, expected, atol=0.15 if model == 'ridge' and not alphas else 1e-5)


def test_a_unit_is_found_by_correlation(activ, rng):
    units = activ.get('early').reshape(90, -1)
    Y = np.sign(rng.standard_normal(60)) * units + 0.5 * rng.standard_normal(units.shape)
    found = best_positions(activ, Y, model='corr')
    rows, columns = np.unravel_index(np.arange(60) % 15, (3, 5))
    np.testing.assert_array_equal(np.stack([found.row, found.column]) - 1, [rows, columns])
    assert (found.layer == 1).all()
    assert abs(found.score.mean() - 1.25 ** -0.5) < 0.02         # whatever the sign


@pytest.mark.parametrize('model', ['ridge', 'corr'])
def test_noise_scores_nothing(activ, rng, model):
    """The best of 19 positions (76 units) by the score that chose them would be about .2 (.3)."""
    found = best_positions(activ, rng.standard_normal((90, 150)), model=model)
    assert abs(found.score.mean()) < 4 * 90 ** -0.5 / 150 ** 0.5 + 0.01
    assert np.unique(found.row * 10 + found.column).size > 10


def test_rows_scans_and_constants(activ, rng):
    Y, truth = planted(activ, 4, rng, 0.5)
    rows = rng.permutation(90)
    mixed = best_positions(activ, Y[rows], rows=rows, cv=KFold(3))
    np.testing.assert_array_equal(mixed.column, truth[:, 2])
    H = np.eye(90) + np.eye(90, k=1)                              # two neighbours in each volume
    scan = best_positions(activ, np.column_stack([H @ Y, np.ones(90)]), hrf=H, groups=np.arange(90) // 15)
    np.testing.assert_array_equal(scan.row[:-1], truth[:, 1])
    assert np.isnan([scan.layer[-1], scan.row[-1], *scan.score[-1]]).all() and np.isnan(scan.polar()[0][-1])


def test_frames_of_clips(rng):
    activation = Activation('conv', rng.standard_normal((60, 3, 2, 2, 3)).astype(np.float32))
    Y = activation.get('conv')[:, :, 1, 0, 2] @ rng.standard_normal((3, 2))
    for model in ('glm', 'corr'):
        found = best_positions(activation, Y, model=model)
        np.testing.assert_array_equal([found.row, found.column], [[1, 1], [3, 3]])


def test_polar_angles_by_hand():
    """Two maps: 5 x 5, whose middle is (3, 3), and 2 x 4, half of whose width is 2 positions."""
    row, column = np.array([3, 3, 1, 5, 3, 1, 2, 1]), np.array([3, 5, 3, 5, 1, 4, 1, 1])
    layer = np.array([1, 1, 1, 1, 1, 2, 2, np.nan])
    found = Positions(['a', 'b'], layer, row, column, np.zeros((8, 3)), np.array([[5, 5], [2, 4]]))
    eccentricity, angle = found.polar()
    np.testing.assert_allclose(eccentricity[:7], [0, 0.8, 0.8, 0.8 * 2 ** 0.5, 0.8, *[0.625 ** 0.5] * 2], atol=1e-12)
    slope = np.degrees(np.arctan(1 / 3))
    np.testing.assert_allclose(angle[1:7], [0, 90, 315, 180, slope, 180 + slope], atol=1e-9)
    assert np.isnan(angle[[0, 7]]).all() and np.isnan(eccentricity[7])


def test_parts_of_maps_have_no_place_in_the_picture(activ, rng):
    """Column 5 of 5, of a map cut to columns 4 and 5, was reported as column 2 of 2 under another angle."""
    Y = activ.get('early')[:, 1, 0, 4, None] + 0.1 * rng.standard_normal((90, 1))
    for axes in ({'col': [4, 5]}, {'row': [1, 2]}):
        with pytest.raises(BadValue, match='layer early was masked to some rows or columns'):
            best_positions(activ.mask({'early': axes}), Y)
    found = best_positions(activ.mask({'early': {'chn': [2, 3]}}), Y)
    assert (found.layer, found.row, found.column) == (1, 1, 5)


def test_mistakes(activ, rng):
    Y = rng.standard_normal((90, 2))
    activ.set('fc', rng.standard_normal((90, 5, 1, 1)))
    with pytest.raises(BadValue, match='layer fc has no maps of at least 2 x 2 positions'):
        best_positions(activ, Y)
    for settings, says in [({'model': 'pls'}, "model 'pls' is not known"), ({'scoring': 'mse'}, "scoring 'mse'"),
                           ({'model': 'corr', 'scoring': 'r2'}, "'corr' is scored by correlation"),
                           ({'model': 'glm', 'alphas': 1}, 'alphas are penalties of ridge'),
                           ({'cv': 90}, 'a fold with one sample'), ({'rows': np.arange(90) + 1}, 'from 0 to 89')]:
        with pytest.raises(BadValue, match=says):
            best_positions(activ, Y, ['early'], **settings)
    with pytest.raises(BadValue, match='no target varies'):
        best_positions(activ, np.ones((90, 2)), ['early'])
