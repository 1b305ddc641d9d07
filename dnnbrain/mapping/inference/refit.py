"""Cross-validated scores of many shuffled copies of the responses at once, for permutation tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dnnbrain.mapping.crossval import Split


class Refit:
    """Ridge on a kernel, fitted again and again to shuffled responses.

    Parameters
    ----------
    K : ndarray of shape (n_stim, n_stim)
    splits : list of (train, test)
    alphas : ndarray of shape (n_alpha,)
        With several, generalised cross-validation of the training responses chooses.
    scoring : {'correlation', 'r2', 'explained_variance'}
    """

    def __init__(self, K: np.ndarray, splits: Sequence[Split], alphas: np.ndarray, scoring: str):
        size = np.trace(K) / len(K) - K.mean()              # in units of the mean eigenvalue nothing leaves float32
        size = size if size > 0 else 1.0
        self.alphas, self.scoring, K = alphas / size, scoring, K / size
        self.folds = [(*split, *self._prepared(K, *split)) for split in splits]

    def scores(self, Y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """A function from orders (n_block, n_stim) of the rows of Y to mean scores over folds (n_block, n_target)."""
        def of(orders: np.ndarray) -> np.ndarray:
            shuffled, total = Y[orders.T], np.zeros((len(orders), Y.shape[1]))
            for train, test, cross, basis in self.folds:
                known = shuffled[train].reshape(len(train), -1)
                mean = known.mean(axis=0)
                predicted = cross @ (known if basis is None else self._coefficients(*basis, known, mean))
                if self.scoring == 'r2':        # no other knows an offset, which would cost small predictions precision
                    predicted += mean
                total += quick_scores(self.scoring, shuffled[test], predicted.reshape(len(test), *total.shape))
            return total / len(self.folds)
        return of

    def _prepared(self, K: np.ndarray, train: np.ndarray, test: np.ndarray) -> tuple:
        """One matrix from training responses to predictions where the penalty is known, else by way of a basis."""
        values, vectors, cross = _decompose(K, train, test)
        if len(self.alphas) == 1:
            return ((cross / (values + self.alphas[0])) @ vectors.T).astype(np.float32), None
        return cross.astype(np.float32), (values, vectors.astype(np.float32))

    def _coefficients(self, values: np.ndarray, vectors: np.ndarray, known: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """Coefficients (n_vector, n_column) of the eigenvectors under each column's own penalty."""
        projected = vectors.T @ known
        left = self.alphas[:, None] / (values + self.alphas[:, None])                    # (n_alpha, n_vector)
        residual = (left ** 2).astype(np.float32) @ projected ** 2
        if len(values) < len(known) - 1:
            total = np.square(known).sum(axis=0) - len(known) * mean ** 2
            residual += np.maximum(total - np.square(projected).sum(axis=0), 0)
        freedom = len(known) - 1 - (1 - left).sum(axis=1)
        best = (residual / freedom[:, None] ** 2).argmin(axis=0)
        return projected * (1 / (values[:, None] + self.alphas)).astype(np.float32)[:, best]


def quick_scores(scoring: str, y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Scores (n_stack, n_target) of responses and predictions that broadcast to (n_stim, n_stack, n_target).

    The numbers of `scoring.SCORINGS` for targets that vary; a constant prediction correlates 0.
    """
    mean = y.mean(axis=0)
    centred = y - mean
    total = _dot(centred, centred)
    with np.errstate(divide='ignore', invalid='ignore'):
        if scoring == 'correlation':
            largest, p = np.abs(p).max(axis=0), p - p.mean(axis=0)
            spread = _dot(p, p)
            flat = spread <= len(p) * (4 * np.finfo(p.dtype).eps * largest) ** 2
            return np.where(flat, 0, _dot(centred, p) / np.sqrt(total * spread))
        residual = y - p
        if scoring == 'explained_variance':
            residual = residual - residual.mean(axis=0)
        return 1 - _dot(residual, residual) / total


def _decompose(K: np.ndarray, train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eigenvalues and vectors of the centred training kernel, and the centred cross-kernel in their basis."""
    own, cross = K[np.ix_(train, train)], K[np.ix_(test, train)]
    mean = own.mean(axis=0)
    own = own - mean - mean[:, None] + mean.mean()
    cross = cross - mean
    cross = cross - cross.mean(axis=1, keepdims=True)
    values, vectors = np.linalg.eigh(own)
    kept = values > values.max(initial=0) * len(own) * np.finfo(np.float64).eps
    vectors = vectors[:, kept]
    return values[kept], vectors, cross @ vectors


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum('i...,i...->...', a, b)
