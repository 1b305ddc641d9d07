"""Bases against sklearn, on layers in memory and on disk."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from dnnbrain.activation.basis import Basis, parse
from dnnbrain.dnn.core import Activation


@pytest.fixture
def activ(rng, tmp_path):
    """Two layers of 30 stimuli on disk; units have means far from 0."""
    made = Activation('conv', rng.normal(size=(30, 6, 5, 4)).astype(np.float32) + 40)
    made.set('fc', rng.normal(size=(30, 3, 1, 1)).astype(np.float32))
    made.stim_ids = np.arange(30)
    made.save(tmp_path / 'x.act.h5')
    on_disk = Activation()
    on_disk.load(tmp_path / 'x.act.h5')
    return on_disk


def test_pca_is_sklearns(activ, rng):
    activ.delete('fc')
    basis = Basis.pca(activ, 7)
    flat = activ.mask('conv').get('conv').reshape(30, -1).astype(float)
    theirs = PCA(7, svd_solver='full').fit(flat)
    ours = basis.layers['conv']
    np.testing.assert_allclose(ours.explained, theirs.explained_variance_ratio_, rtol=1e-10)
    np.testing.assert_allclose(ours.mean, theirs.mean_, rtol=1e-6)      # kept as float32
    new = Activation('conv', rng.normal(size=(4, 6, 5, 4)) + 40)
    signs = np.sign(np.sum(ours.components * theirs.components_, axis=1))
    expected = theirs.transform(new.get('conv').reshape(4, -1)) * signs
    np.testing.assert_allclose(basis.transform(new).get('conv')[:, :, 0, 0], expected, atol=1e-4)
    assert (np.take_along_axis(ours.components, np.abs(ours.components).argmax(1)[:, None], 1) > 0).all()


def test_pca_in_small_blocks_is_the_same(activ, monkeypatch):
    whole = Basis.pca(activ.mask('conv'), 5).layers['conv']
    blocks = Activation.blocks
    monkeypatch.setattr(Activation, 'blocks', lambda self, layer, axis='stim': blocks(self, layer, axis, 700))
    np.testing.assert_allclose(Basis.pca(activ.mask('conv'), 5).layers['conv'].components, whole.components, atol=1e-6)


def test_random_directions_keep_distances(rng):
    X = rng.normal(size=(12, 10, 20, 20)).astype(np.float32)
    found = Basis.srp({'conv': (10, 20, 20)}, 1000, rng=3).transform(Activation('conv', X)).get('conv')
    assert found.shape == (12, 1000, 1, 1)
    near = np.linalg.norm(found[:, None, :, 0, 0] - found[None, :, :, 0, 0], axis=-1)
    true = np.linalg.norm(X.reshape(12, 1, -1) - X.reshape(1, 12, -1), axis=-1)
    off = ~np.eye(12, dtype=bool)
    # a projected squared distance has a relative deviation of sqrt(2 / 1000) = 4.5 %: five of them, halved by the root
    np.testing.assert_allclose(near[off] / true[off], 1, atol=5 * 0.0225)


def test_random_directions_depend_on_seed_and_layer_only():
    one = Basis.srp({'a': (4, 5, 5), 'b': (4, 5, 5)}, 20, rng=1)
    again = Basis.srp({'b': (4, 5, 5)}, 20, rng=1)
    assert (one.layers['b'].components != again.layers['b'].components).nnz == 0
    assert (one.layers['a'].components != one.layers['b'].components).nnz
    assert one.digest() != Basis.srp({'a': (4, 5, 5), 'b': (4, 5, 5)}, 20, rng=2).digest()


@pytest.mark.parametrize('kind', ['pca', 'srp'])
def test_saved_and_loaded(kind, activ, tmp_path):
    basis = Basis.pca(activ, 5) if kind == 'pca' else Basis.srp({'conv': (6, 5, 4), 'fc': (3, 1, 1)}, 5)
    basis.save(tmp_path / 'x.basis.h5')
    again = Basis.load(tmp_path / 'x.basis.h5')
    assert again.digest() == basis.digest() and again.meta['reduce'] == f'{kind}:5'
    for layer in ('conv', 'fc'):
        np.testing.assert_array_equal(again.transform(activ).get(layer), basis.transform(activ).get(layer))
    np.testing.assert_array_equal(basis.transform(activ).get('fc'), activ.get('fc'))       # 3 units: kept whole
    assert list(basis.transform(activ).stim_ids) == list(range(30))


def test_wrong_input(activ, tmp_path):
    with pytest.raises(ValueError, match='40 components of layer .conv. were asked for, but 30 stimuli vary in 29'):
        Basis.pca(activ, 40)
    basis = Basis.srp({'conv': (6, 5, 4)}, 5)
    with pytest.raises(ValueError, match='is of units .6, 5, 4., not .6, 1, 1.: mask, pooling'):
        basis.of('conv', (6, 1, 1))
    with pytest.raises(ValueError, match="layer 'fc' is not in the basis; choose from conv"):
        basis.transform(activ)
    for wrong in ('pca', 'pca:0', 'pca:1.5', 'umap:3', 'pca:-2'):
        with pytest.raises(ValueError, match='give srp:N or pca:N'):
            parse(wrong)
    assert parse('srp:4096') == ('srp', 4096)
    (tmp_path / 'x.basis.h5').write_bytes((tmp_path / 'x.act.h5').read_bytes())
    with pytest.raises(ValueError, match='is not a basis that dnnbrain wrote'):
        Basis.load(tmp_path / 'x.basis.h5')
