"""Few numbers instead of millions of units: directions drawn at random, or learned from a training list.

A basis is fitted or drawn once, saved, and used for any number of stimuli: their features are comparable, which
those of a PCA on each set of stimuli are not.
"""

from __future__ import annotations

import hashlib
import logging
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from dnnbrain._checks import BadValue, choice
from dnnbrain.activation.activation import Activation
from dnnbrain.activation.products import finite
from dnnbrain.io.basis_h5 import PARTS, read_basis_h5, write_basis_h5

log = logging.getLogger(__name__)
KINDS = ('srp', 'pca')


@dataclass(frozen=True)
class LayerBasis:
    """The directions of one layer.

    Attributes
    ----------
    kind : {'srp', 'pca', 'whole'}
        'whole' leaves a layer as it is, which has no more units than features were asked for.
    shape : tuple of int
        Of its units, (n_chn, n_row, n_col).
    components : ndarray or scipy csr_array of shape (n_feat, n_unit), float32, or None
    mean : ndarray of shape (n_unit,), float32, or None
        What is subtracted first.
    explained : ndarray of shape (n_feat,) or None
        Share of the variance of the training list along each direction.
    """

    kind: str
    shape: tuple[int, ...]
    components: object = None
    mean: np.ndarray | None = None
    explained: np.ndarray | None = None

    def project(self, values: np.ndarray) -> np.ndarray:
        """Features (n_stim, n_feat, 1, 1) of activations (n_stim, n_chn, n_row, n_col)."""
        if self.kind == 'whole':
            return values
        flat = values.reshape(len(values), -1).astype(np.float32)
        flat = flat if self.mean is None else flat - self.mean
        return (self.components @ flat.T).T[..., None, None]

    def to_arrays(self) -> dict:
        """As `write_basis_h5` takes it."""
        source = self.components if self.kind == 'srp' else self
        return {'kind': self.kind, 'shape': self.shape} | {name: getattr(source, name) for name in PARTS[self.kind]}

    @classmethod
    def from_arrays(cls, found: dict) -> LayerBasis:
        """From what `read_basis_h5` returns."""
        kind, shape = found['kind'], found['shape']
        if kind == 'srp':
            parts = tuple(found[name] for name in PARTS['srp'])
            return cls(kind, shape, sparse.csr_array(parts, shape=(len(parts[2]) - 1, math.prod(shape))))
        return cls(kind, shape, *(found[name] for name in PARTS[kind]))


class Basis:
    """Directions for layers.

    Parameters
    ----------
    layers : dict of LayerBasis
    meta : dict
        How it came about.
    """

    def __init__(self, layers: dict[str, LayerBasis], meta: dict | None = None):
        self.layers, self.meta = layers, dict(meta or {})

    @classmethod
    def pca(cls, activ: Activation, n_feat: int) -> Basis:
        """The first principal components of activations, in memory or on disk.

        A layer is read twice in blocks of units, for the inner products of the stimuli and for the components, so that
        memory holds the components and one block. Signs are such that the largest weight of a component is positive.

        Raises
        ------
        BadValue
            A layer does not vary in so many directions, or holds NaN.
        """
        return cls({layer: _principal(activ, layer, n_feat) for layer in activ.layers},
                   activ.meta | {'reduce': f'pca:{n_feat}', 'fit_on': len(activ)})

    @classmethod
    def srp(cls, shapes: dict[str, tuple[int, ...]], n_feat: int, rng: int = 0) -> Basis:
        """Very sparse random directions, which keep distances (Li et al. 2006, doi 10.1145/1150402.1150436).

        Parameters
        ----------
        shapes : dict
            layer -> shape of its units.
        rng : int
            Seed; each layer draws its own directions, whatever the others are.
        """
        return cls({layer: random_directions(layer, shape, n_feat, rng) for layer, shape in shapes.items()},
                   {'reduce': f'srp:{n_feat}', 'seed': rng})

    def of(self, layer: str, shape: tuple[int, ...]) -> LayerBasis:
        """The directions of a layer whose units have this shape."""
        found = self.layers[choice('layer', layer, tuple(self.layers), owner='the basis')]
        if found.shape != tuple(shape):
            raise BadValue(f'the basis of layer {layer!r} is of units {found.shape}, not {tuple(shape)}: mask, pooling '
                           'and size of pictures must be those it was made with')
        return found

    def transform(self, activ: Activation) -> Activation:
        """Features of all layers of an activation, read in blocks of stimuli."""
        new = Activation()
        for layer in activ.layers:
            basis = self.of(layer, activ.shape(layer)[1:])
            new.set(layer, np.concatenate([basis.project(block) for _, block in activ.blocks(layer)]))
        new.stim_ids, new.meta = activ.stim_ids, activ.meta | {'reduce': self.meta.get('reduce')}
        return new

    def save(self, fname) -> None:
        """Write a ``.basis.h5``."""
        write_basis_h5(fname, {layer: basis.to_arrays() for layer, basis in self.layers.items()}, self.meta)

    @classmethod
    def load(cls, fname) -> Basis:
        """Read a ``.basis.h5``."""
        layers, meta = read_basis_h5(fname)
        return cls({layer: LayerBasis.from_arrays(found) for layer, found in layers.items()}, meta)

    def digest(self) -> str:
        """Tells one basis from another."""
        seen = hashlib.sha256()
        for layer, basis in self.layers.items():
            for name, value in basis.to_arrays().items():
                seen.update(f'{layer} {name} '.encode() + np.asarray(value).tobytes())
        return seen.hexdigest()


def parse(text: str) -> tuple[str, int]:
    """Kind and number of features of 'srp:4096' or 'pca:100'."""
    kind, _, number = text.partition(':')
    if kind not in KINDS or not number.isdecimal() or int(number) < 1:
        raise BadValue(f'reduce {text!r} is not understood; give srp:N or pca:N with N features, such as srp:4096, or '
                       'a saved .basis.h5')
    return kind, int(number)


def random_directions(layer: str, shape: tuple[int, ...], n_feat: int, rng: int) -> LayerBasis:
    """Directions of a layer for `Basis.srp`."""
    from sklearn.random_projection import SparseRandomProjection
    n_unit = math.prod(shape)
    if n_unit <= n_feat:
        return _whole(layer, shape, n_feat)
    drawn = SparseRandomProjection(n_feat, random_state=zlib.crc32(f'{rng} {layer}'.encode()))
    drawn.fit(np.zeros((1, n_unit), dtype=np.float32))
    return LayerBasis('srp', tuple(shape), sparse.csr_array(drawn.components_.astype(np.float32)))


def _principal(activ: Activation, layer: str, n_feat: int) -> LayerBasis:
    shape, n = activ.shape(layer)[1:], activ.shape(layer)[0]
    if math.prod(shape) <= n_feat:
        return _whole(layer, shape, n_feat)
    values, vectors = np.linalg.eigh(sum(block @ block.T for _, _, block in _centred(activ, layer)))
    values, vectors = values[::-1].clip(0), vectors[:, ::-1]
    rank = int((values > values[0] * n * np.finfo(np.float64).eps).sum())
    if n_feat > rank:
        raise BadValue(f'{n_feat} components of layer {layer!r} were asked for, but {n} stimuli vary in {rank} '
                       'directions; fit on more stimuli or ask for fewer')
    scale = vectors[:, :n_feat] / np.sqrt(values[:n_feat])
    mean, components = np.empty(math.prod(shape), np.float32), np.empty((n_feat, math.prod(shape)), np.float32)
    for units, middle, block in _centred(activ, layer):
        mean[units], components[:, units] = middle, scale.T @ block
    peak = components[np.arange(n_feat), np.abs(components).argmax(axis=1)]
    components *= np.sign(peak)[:, None]
    return LayerBasis('pca', tuple(shape), components, mean, values[:n_feat] / values.sum())


def _centred(activ: Activation, layer: str) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """(units, their means, what is left without them), block by block, float64."""
    for units, block in activ.blocks(layer, 'unit'):
        block = finite(block, layer).astype(np.float64)
        mean = block.mean(axis=0)
        yield units, mean, block - mean


def _whole(layer: str, shape: tuple[int, ...], n_feat: int) -> LayerBasis:
    log.info('layer %s has %d units, no more than %d features: it is kept whole', layer, math.prod(shape), n_feat)
    return LayerBasis('whole', tuple(shape))
