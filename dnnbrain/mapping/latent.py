"""Estimators that see units only through inner products, run on kernels and equal to themselves on units.

A centred kernel is ``U S U'``. Stimuli then have coordinates ``T = U sqrt(S)`` (n_stim, rank) with
the same inner products as in the space of all units, and any estimator that does not care for a
rotation of its space (partial least squares, L2 logistic regression, a linear support vector
machine) finds in T what it would find among a million units. Weights in T are dual coefficients
``U / sqrt(S)`` times them.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone
from sklearn.cross_decomposition import PLSRegression
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC

from dnnbrain.mapping.ridge import DualModel, decomposed


@dataclass(frozen=True)
class ClassModel:
    """A fitted linear classifier.

    Attributes
    ----------
    decision : DualModel or PrimalModel
        One column per class, per pair of classes, or a single one for two classes.
    classes : ndarray of shape (n_class,)
    pairwise : bool
        Columns are pairs of classes, each with a vote, as in a support vector machine.
    """

    decision: DualModel
    classes: np.ndarray
    pairwise: bool

    def predict(self, A: np.ndarray) -> np.ndarray:
        """Labels (n_new, 1) from what the decision takes."""
        return decided(self.decision.predict(A), self.classes, self.pairwise)[:, None]


def coordinates(K: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates T (n_train, rank) of the stimuli of a kernel, and B with ``T = Kc B``."""
    values, vectors, _ = decomposed(K)
    if not len(values):
        return np.zeros((len(K), 1)), np.zeros((len(K), 1))
    roots = np.sqrt(values)
    return vectors * roots, vectors / roots


def fit_pls(K: np.ndarray, Y: np.ndarray, n_components: int) -> DualModel:
    """Partial least squares as scikit-learn's ``PLSRegression``; its scaling of units is that of the kernel.

    As many components as the stimuli have dimensions, where these are fewer.
    """
    T, B = coordinates(K)
    if not T.any():                                                     # units that never vary predict the mean
        return DualModel(np.zeros(Y.shape), Y.mean(axis=0), np.zeros(Y.shape[1]))
    n_components = min(n_components, T.shape[1])                        # more would find nothing that is left
    mean, scale = Y.mean(axis=0), Y.std(axis=0, ddof=1)
    scale = np.where(scale > 0, scale, 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', ConvergenceWarning)             # 500 rounds of a power method: close enough
        model = PLSRegression(n_components, scale=False).fit(T, (Y - mean) / scale)
    return _dual(K, B, model.coef_.T * scale, mean, 0.0)


def fit_classifier(K: np.ndarray, labels: np.ndarray, classifier) -> ClassModel:
    """A clone of a linear classifier (coef_, intercept_, classes_) fitted on kernels; a sole class is the answer."""
    if (labels == labels[0]).all():                                     # a rare class may be missing from a fold
        return ClassModel(DualModel(np.zeros((len(K), 1)), np.zeros(1), np.zeros(1)), labels[:1], False)
    T, B = coordinates(K)
    model = clone(classifier).fit(T, labels)
    return ClassModel(_dual(K, B, model.coef_.T, model.intercept_, 0.0), model.classes_, isinstance(model, SVC))


def decided(decision: np.ndarray, classes: np.ndarray, pairwise: bool) -> np.ndarray:
    """Labels (n_new,) from one column for two classes, one per class, or one per pair of classes that votes."""
    if decision.shape[1] == 1:
        return classes[(decision[:, 0] > 0).astype(int)]
    if not pairwise:
        return classes[decision.argmax(axis=1)]
    first, second = np.triu_indices(len(classes), 1)
    winner = np.where(decision > 0, first, second)
    votes = (winner[:, :, None] == np.arange(len(classes))).sum(axis=1)
    return classes[votes.argmax(axis=1)]


def _dual(K: np.ndarray, B: np.ndarray, coef: np.ndarray, intercept, alpha: float) -> DualModel:
    dual = B @ coef
    return DualModel(dual, intercept - K.mean(axis=0) @ dual, np.full(dual.shape[1], alpha))
