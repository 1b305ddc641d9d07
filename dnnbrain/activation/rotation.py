"""Activations along other axes: all of them turned together, a part of the way or the whole.

A rotation keeps every distance, angle and inner product of stimuli, and with them whatever a linear readout, an RDM or
a kernel can see; it changes what single channels are selective for. If channels of the network are special, channels
turned away from them are less selective (Bau et al. 2017, arXiv:1704.05796, who turn along the geodesic from the
identity, as here).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dnnbrain._checks import BadType, BadValue, choice, whole_number
from dnnbrain.activation.products import finite
from dnnbrain.activation.streamed import Streamed

BASES = ('random', 'pca')
MOST = 8192                 # channels; the matrix of as many takes half a gigabyte, and minutes
_SAME = 1e-7                # cosines of angles that are nearer belong to one invariant space
_BYTES = 2 ** 24


@dataclass(frozen=True)
class Rotation:
    """A rotation of n axes as turns in planes that are perpendicular to each other.

    Attributes
    ----------
    vectors : ndarray of shape (n, n)
        Orthonormal columns; two by two they span the planes. Of an odd number the last stays where it is.
    angles : ndarray of shape (n // 2,), radians
        From the first vector of a plane towards the second, -pi to pi.
    """

    vectors: np.ndarray
    angles: np.ndarray

    @classmethod
    def of(cls, matrix: np.ndarray) -> Rotation:
        """The planes of a rotation matrix (n, n).

        The symmetric part of the matrix has the cosines of the angles as eigenvalues, each twice, and the planes as
        eigenspaces. Where several angles are equal, or nearly so, the real Schur form of that part tells their planes
        apart.
        """
        from scipy import linalg
        cosines, vectors = linalg.eigh((matrix + matrix.T) / 2, driver='evd')
        turned = matrix @ vectors
        cuts = np.flatnonzero(np.diff(cosines) > _SAME) + 1
        spaces = np.split(np.arange(len(cosines)), cuts)
        order = [space for space in spaces if len(space) == 2]
        angles = [np.arctan2(*_turn(vectors, turned, np.array(order, dtype=int).reshape(-1, 2)))]
        straight = []
        for space in spaces:
            if len(space) == 2:
                continue
            schur, inner = linalg.schur(vectors[:, space].T @ turned[:, space], output='real')
            vectors[:, space] = vectors[:, space] @ inner
            planes, back, same = _schur_blocks(schur)
            order += [space[pair] for pair in (*planes, *back)]
            angles += [[np.arctan2(schur[b, a], schur[a, a]) for a, b in planes], [np.pi] * len(back)]
            straight += space[same].tolist()
        order = np.concatenate([*order, straight]).astype(int)
        return cls(vectors[:, order], np.concatenate([*angles, np.zeros(len(straight) // 2)]))

    def matrix(self, alpha: float = 1.0) -> np.ndarray:
        """The rotation by a part of its angles, (n, n); 0 is the identity, 1 the whole, -1 the way back."""
        n = 2 * len(self.angles)
        first, second = self.vectors[:, 0:n:2], self.vectors[:, 1:n:2]
        cos, sin = np.cos(alpha * self.angles), np.sin(alpha * self.angles)
        turned = self.vectors.copy()
        turned[:, 0:n:2], turned[:, 1:n:2] = cos * first + sin * second, cos * second - sin * first
        return turned @ self.vectors.T


def random_rotation(n: int, rng=0) -> Rotation:
    """One of all rotations of `n` axes, each as probable as any other (Haar).

    Parameters
    ----------
    rng : int, sequence of int, or Generator
    """
    drawn, triangle = np.linalg.qr(np.random.default_rng(rng).standard_normal((n, n)))
    return Rotation.of(_proper(drawn * np.sign(np.diag(triangle))))


def pca_rotation(blocks: Iterator[np.ndarray], layer: str) -> Rotation:
    """The rotation that turns channels into principal components, the one with the largest variance first.

    Components are those of channels over stimuli and positions. The largest weight of each is positive, but for the
    last, which may be turned round so that nothing is mirrored.

    Parameters
    ----------
    blocks : iterable of ndarray of shape (n, n_chn, ...)
    """
    n, middle, total, products = 0, None, 0.0, 0.0
    for block in blocks:
        table = np.moveaxis(finite(block, layer), 1, -1).reshape(-1, block.shape[1]).astype(np.float64)
        middle = table.mean(axis=0) if middle is None else middle      # near the mean of all: no digit is lost
        table -= middle
        n, total, products = n + len(table), total + table.sum(axis=0), products + table.T @ table
    _, vectors = np.linalg.eigh(products - np.outer(total, total) / n)
    vectors = vectors[:, ::-1]
    peak = vectors[np.abs(vectors).argmax(axis=0), np.arange(len(vectors))]
    return Rotation.of(_proper(np.where(peak < 0, -vectors, vectors).T))


def turned(activ, alpha: float, basis: str = 'random', rng: int = 0) -> Streamed:
    """Activations with turned channels, to be gathered or saved; see `rotated`."""
    number = isinstance(alpha, int | float | np.number) and not isinstance(alpha, bool | np.complexfloating)
    if not number or not np.isfinite(alpha):
        raise BadType(f'alpha must be a finite number, 0 for no rotation and 1 for the whole, not {alpha!r}')
    choice('basis', basis, BASES)
    if (rng := whole_number(rng, 'rng')) is None or rng < 0:
        raise BadValue(f'rng must be a whole number from 0, not {rng}')
    for layer in activ.layers:
        n_chn = activ.shape(layer)[1]
        if n_chn > MOST:
            raise BadValue(f'layer {layer!r} has {n_chn} channels; rotations of up to {MOST} are feasible: pick '
                           'channels with a mask, or project the layer first (fe, srp)')

    def blocks(layer: str) -> Iterator[np.ndarray]:
        matrix = None if alpha == 0 else _rotation(activ, layer, basis, rng).matrix(alpha)
        for _, block in activ.blocks(layer, n_bytes=_BYTES):
            yield block if matrix is None else apply(matrix, finite(block, layer))

    step = {'alpha': float(alpha), 'basis': basis} | ({'seed': rng} if basis == 'random' else {})
    meta = {key: value for key, value in activ.meta.items() if key not in ('dmask', 'key')}
    step |= {'dmask': activ.meta['dmask']} if 'dmask' in activ.meta else {}
    meta['rotation'] = [*activ.meta.get('rotation', []), step]
    return Streamed(activ, blocks, len(activ), activ.stim_ids, meta)


def rotated(self, alpha: float, basis: str = 'random', *, rng: int = 0):
    """The same answers along other axes: at each position, channels become mixtures of all channels.

    Parameters
    ----------
    alpha : float
        How far: 0 changes nothing, 1 is the whole rotation, -1 turns it back. Parts add up, and at each of them the
        rotation is a true one: distances between stimuli stay.
    basis : {'random', 'pca'}
        A rotation drawn at random, each layer its own, or the one to the principal components of these activations
        (as directions: the mean is not taken out).
    rng : int
        Seed of 'random'.

    Returns
    -------
    activation : Activation
        In memory; `dnnbrain.activation.rotation.turned` saves to a file in bounded memory.

    References
    ----------
    Bau, Zhou, Khosla, Oliva and Torralba (2017). Network dissection. arXiv:1704.05796.
    """
    return turned(self, alpha, basis, rng).gather()


def apply(matrix: np.ndarray, block: np.ndarray) -> np.ndarray:
    """A matrix (n_chn, n_chn) on the channels of activations (n, n_chn, ...); float64 stays, else float32."""
    kind = np.float64 if block.dtype == np.float64 else np.float32
    mixed = np.tensordot(block.astype(kind, copy=False), matrix.astype(kind, copy=False), axes=(1, 1))
    return np.ascontiguousarray(np.moveaxis(mixed, -1, 1))


def _rotation(activ, layer: str, basis: str, rng: int) -> Rotation:
    if basis == 'pca':
        return pca_rotation((block for _, block in activ.blocks(layer, n_bytes=_BYTES)), layer)
    return random_rotation(activ.shape(layer)[1], zlib.crc32(f'{rng} {layer}'.encode()))


def _proper(matrix: np.ndarray) -> np.ndarray:
    """An orthogonal matrix without mirroring: its last row is turned round if need be."""
    if np.linalg.slogdet(matrix)[0] < 0:
        matrix[-1] *= -1
    return matrix


def _turn(vectors: np.ndarray, turned: np.ndarray, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sine and cosine (n_plane,) of the turns in planes spanned by columns, (n_plane, 2)."""
    first = turned[:, pairs[:, 0]]
    return (vectors[:, pairs[:, 1]] * first).sum(axis=0), (vectors[:, pairs[:, 0]] * first).sum(axis=0)


def _schur_blocks(schur: np.ndarray) -> tuple[list, list, list[int]]:
    """Of a real Schur form the pairs that turn, the pairs of axes turned round, and the axes that stay."""
    below = np.flatnonzero(np.abs(np.diag(schur, -1)) > 1e-12)
    planes = [np.array([i, i + 1]) for i in below]
    single = np.setdiff1d(np.arange(len(schur)), np.concatenate([*planes, []]))
    back = single[np.diag(schur)[single.astype(int)] < 0] if len(single) else single
    return planes, list(back.astype(int).reshape(-1, 2)), np.setdiff1d(single, back).astype(int).tolist()
