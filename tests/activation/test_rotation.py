"""Channels turned together: distances stay, parts add up, nothing else changes."""

import numpy as np
import pytest
from scipy.linalg import block_diag, expm, logm
from scipy.spatial.distance import pdist
from scipy.stats import kstest, special_ortho_group

from dnnbrain._checks import BadType, BadValue
from dnnbrain.activation.rotation import Rotation, random_rotation, turned
from dnnbrain.dnn.core import Activation

ROLL = np.roll(np.eye(5), 1, 0)


@pytest.fixture
def activation(rng):
    activation = Activation('conv', rng.standard_normal((40, 7, 3, 2)).astype(np.float32))
    activation.set('fc', rng.standard_normal((40, 30, 1, 1)) @ np.ones((1, 1)) + 2)
    activation.stim_ids, activation.meta = np.array([f'{i}.png' for i in range(40)]), {'network': 'tiny', 'key': 'x'}
    return activation


@pytest.mark.parametrize('matrix', [
    np.eye(1), np.eye(4), np.diag([1.0, -1, -1]), -np.eye(6), ROLL, block_diag(ROLL, ROLL), block_diag(np.eye(3), ROLL),
    block_diag(-np.eye(2), ROLL, [[1.0]]), expm(1e-9 * np.array([[0, 1, 2], [-1, 0, 3], [-2, -3, 0]]))])
@pytest.mark.parametrize('tilted', [False, True])
def test_planes_of_any_rotation(matrix, tilted):
    """Also of equal angles, of half turns, and of none."""
    n = len(matrix)
    if tilted and n > 1:
        axes = special_ortho_group.rvs(n, random_state=1)
        matrix = axes @ matrix @ axes.T
    rotation = Rotation.of(matrix)
    third = rotation.matrix(1 / 3)
    np.testing.assert_allclose(rotation.matrix(), matrix, atol=1e-13)
    np.testing.assert_allclose(third @ third @ third, matrix, atol=1e-13)
    np.testing.assert_allclose(third @ third.T, np.eye(n), atol=1e-13)
    assert np.linalg.det(third) == pytest.approx(1)


@pytest.mark.parametrize('n', [2, 5, 40])
def test_parts_are_those_of_the_matrix_logarithm(n):
    rotation = random_rotation(n, 3)
    for alpha in (-1, .25, .9):
        np.testing.assert_allclose(rotation.matrix(alpha), expm(alpha * logm(rotation.matrix())), atol=1e-11)
    np.testing.assert_allclose(rotation.matrix(0), np.eye(n), atol=1e-13)


def test_random_rotations_are_uniform():
    """The first axis goes to any point of the sphere: its height is uniform (Archimedes); so is that of scipy's."""
    drawn = np.array([random_rotation(3, seed).matrix() for seed in range(400)])
    for heights in (drawn[:, 0, 0], drawn[:, 2, 1]):
        assert kstest(heights, 'uniform', (-1, 2)).pvalue > .01
    other = special_ortho_group.rvs(3, size=400, random_state=0)
    assert kstest(np.trace(drawn, axis1=1, axis2=2), np.trace(other, axis1=1, axis2=2)).pvalue > .01


@pytest.mark.parametrize('basis', ['random', 'pca'])
@pytest.mark.parametrize('alpha', [.3, 1, 2.5])
def test_distances_stay(activation, basis, alpha):
    found = activation.rotated(alpha, basis)
    for layer, tolerance in (('conv', 1e-5), ('fc', 1e-12)):                        # float32 and float64
        before, after = activation.get(layer), found.get(layer)
        np.testing.assert_allclose(pdist(after.reshape(40, -1)), pdist(before.reshape(40, -1)), rtol=tolerance)
        np.testing.assert_allclose((after ** 2).sum(1), (before ** 2).sum(1), rtol=tolerance)     # at each position
        assert np.abs(after - before).max() > .1 and after.dtype == before.dtype
    assert found.stim_ids[7] == '7.png' and found.meta['network'] == 'tiny' and 'key' not in found.meta
    assert found.meta['rotation'] == [{'alpha': alpha, 'basis': basis} | ({'seed': 0} if basis == 'random' else {})]


def test_nothing_halves_and_back(activation):
    whole, half = activation.rotated(1, rng=4), activation.rotated(.5, rng=4)
    for layer in activation.layers:
        np.testing.assert_array_equal(activation.rotated(0).get(layer), activation.get(layer))
        np.testing.assert_allclose(half.rotated(.5, rng=4).get(layer), whole.get(layer), atol=1e-5)
        np.testing.assert_allclose(whole.rotated(-1, rng=4).get(layer), activation.get(layer), atol=1e-5)
    assert [step['alpha'] for step in half.rotated(.5, rng=4).meta['rotation']] == [.5, .5]


def test_seeds_and_layers_draw_their_own(activation):
    part = activation.rotated(1, rng=1).get('fc')
    alone = Activation('fc', activation.get('fc')).rotated(1, rng=1).get('fc')
    np.testing.assert_array_equal(part, alone)
    assert np.abs(part - activation.rotated(1, rng=2).get('fc')).max() > .1
    same = Activation('other', activation.get('fc')).rotated(1, rng=1).get('other')
    assert np.abs(part - same).max() > .1


def test_components_come_first(activation):
    """At alpha 1 the channels are uncorrelated, with falling variance."""
    table = np.moveaxis(activation.rotated(1, 'pca').get('conv'), 1, -1).reshape(-1, 7).astype(float)
    covariance = np.cov(table.T)
    np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=1e-6)
    before = np.moveaxis(activation.get('conv'), 1, -1).reshape(-1, 7).astype(float)
    np.testing.assert_allclose(np.diag(covariance), np.linalg.eigvalsh(np.cov(before.T))[::-1], rtol=1e-5)


@pytest.mark.parametrize('basis', ['random', 'pca'])
def test_streamed_equals_memory(activation, basis, tmp_path, run, monkeypatch):
    monkeypatch.setattr('dnnbrain.activation.rotation._BYTES', 2000)                # several blocks
    monkeypatch.chdir(tmp_path)
    activation.save('x.act.h5')
    assert run('dnn_rotation', '-act', 'x.act.h5', '-layer', 'conv', '-chn', 2, 5, 7, '-alpha', .4, '-basis', basis,
               '-out', 'out.act.h5') == (0, '', '')
    found, picked = Activation(), activation.mask({'conv': {'chn': [2, 5, 7]}})
    found.load('out.act.h5')
    np.testing.assert_allclose(found.get('conv'), picked.rotated(.4, basis).get('conv'), atol=1e-6)
    assert found.layers == ['conv'] and found.stim_ids[39] == '39.png' and 'dmask' not in found.meta
    assert found.meta['rotation'][0]['dmask']['conv']['chn'] == [2, 5, 7]
    assert run('dnn_rotation', '-act', 'out.act.h5', '-alpha', -.4, '-basis', basis, '-out', 'out.act.h5')[0] == 0
    if basis == 'random':                                                           # onto the file that is read, too
        found.load('out.act.h5')
        np.testing.assert_allclose(found.get('conv'), picked.get('conv'), atol=1e-5)


@pytest.mark.parametrize('alpha', ['1', np.nan, np.inf, True, 1j])
def test_what_is_no_angle(activation, alpha):
    with pytest.raises(BadType, match='alpha must be a finite number, 0 for no rotation and 1 for the whole'):
        turned(activation, alpha)


@pytest.mark.parametrize('basis', ['random', 'pca'])
def test_what_can_go_wrong(activation, basis, monkeypatch, tmp_path, run):
    with pytest.raises(BadValue, match="did you mean 'random'"):
        activation.rotated(1, 'randm')
    with pytest.raises(BadValue, match='rng must be a whole number from 0, not -1'):
        activation.rotated(1, rng=-1)
    monkeypatch.setattr('dnnbrain.activation.rotation.MOST', 20)
    with pytest.raises(BadValue, match="layer 'fc' has 30 channels; rotations of up to 20 are feasible"):
        activation.rotated(1)
    values = activation.get('conv')
    values[3, 0, 0, 0] = np.nan
    with pytest.raises(BadValue, match="layer 'conv' holds NaN or infinite activations for 1 stimuli"):
        Activation('conv', values).rotated(1, basis)
    activation.save(tmp_path / 'x.act.h5')
    base = ['dnn_rotation', '-act', tmp_path / 'x.act.h5', '-out']
    for out, options, sentence in (('y.h5', '-alpha 1', "-out 'y.h5' must end in .act.h5"),
                                   ('y.act.h5', '-alpha 1 -basis pca -seed 1', '-seed goes with'),
                                   ('y.act.h5', '-alpha nan', 'alpha must be a finite number'),
                                   ('y.act.h5', '-alpha 1 -chn 2', '-chn needs -layer')):
        code, _, err = run(*base, tmp_path / out if out == 'y.act.h5' else out, *options.split())
        assert code == 2 and sentence in err and not (tmp_path / 'y.act.h5').exists()
