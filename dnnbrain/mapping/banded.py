"""Banded ridge: several layers together, each with a penalty of its own, and what each adds.

Dupre la Tour et al. 2022 (doi 10.1016/j.neuroimage.2022.119728), whose package himalaya searches
the weights of the layers. Variance is shared out in two ways, both on held-out folds: the product
measure of a layer, which sums to the explained variance of the full model, and its unique variance,
what the full model loses without the layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from himalaya.backend import set_backend
from himalaya.kernel_ridge import solve_multiple_kernel_ridge_random_search
from himalaya.scoring import r2_score_split
from sklearn.model_selection import check_cv

from dnnbrain._checks import BadValue, listing
from dnnbrain.activation.activation import Activation
from dnnbrain.mapping.crossval import Split, folds, inner_folds
from dnnbrain.mapping.engine import as_design, as_targets
from dnnbrain.mapping.kernel import LayerKernels, gather_kernels
from dnnbrain.mapping.models import BandedModel, LayerModel
from dnnbrain.mapping.ridge import RELATIVE_ALPHAS, as_alphas, deviations, target_batch
from dnnbrain.mapping.scorers import known_scoring, scorer
from dnnbrain.mapping.scoring import varies


@dataclass(frozen=True)
class BandedDual:
    """A fitted banded ridge.

    Attributes
    ----------
    dual_coef : ndarray of shape (n_band, n_train, n_target)
    intercept : ndarray of shape (n_target,)
    share : ndarray of shape (n_band, n_target)
        Weight of each kernel over the penalty.
    """

    dual_coef: np.ndarray
    intercept: np.ndarray
    share: np.ndarray

    def parts(self, Ks: np.ndarray) -> np.ndarray:
        """What each band predicts, (n_band, n_new, n_target), from inner products (n_band, n_new, n_train)."""
        return np.matmul(Ks, self.dual_coef)


def fit_banded(Ks: np.ndarray, Y: np.ndarray, alphas=None, n_iter=30, inner: list[Split] | int = 5,
               rng: int | None = 0) -> BandedDual:
    """Ridge with, for each target, the weights of bands and the alpha that predict inner folds best.

    Parameters
    ----------
    Ks : ndarray of shape (n_band, n_train, n_train)
        Each is divided by its mean eigenvalue first, so that no layer counts more for being large.
    Y : ndarray of shape (n_train, n_target)
    alphas : float or sequence of float, optional
        By default nine over eight decades around 1.
    n_iter : int or ndarray of shape (n_iter, n_band)
        How many weights are drawn from Dirichlet distributions (the first are equal), or the weights.
    """
    sizes = np.array([np.trace(K) / len(K) - K.mean() for K in Ks])
    sizes[sizes <= 0] = 1.0
    alphas = RELATIVE_ALPHAS if alphas is None else as_alphas(alphas, 1.0)
    batch = target_batch(len(alphas), Ks.shape[1])
    set_backend('numpy')
    weights, scale = n_iter if len(Ks) > 1 else np.ones((1, 1)), deviations(Y)
    deltas, dual, _, intercept = solve_multiple_kernel_ridge_random_search(
        Ks / sizes[:, None, None], Y / scale, n_iter=weights, alphas=alphas, cv=check_cv(inner), fit_intercept=True,
        return_weights='dual', random_state=rng, n_targets_batch=batch, progress_bar=False)
    share = np.exp(deltas)
    return BandedDual(scale * dual[None] * (share / sizes[:, None])[:, None], scale * intercept, share)


class BandedMapping:
    """Predict targets from several layers together, and share out the variance.

    Parameters
    ----------
    cv : int or sklearn splitter
    scoring : str or callable
        A name or a function, see `known_scoring`; of `score` and `unique`. The product measure is
        always of explained variance.
    standardise : bool
        Units over the training rows of each fold, as in `MultivariateMapping`.
    alphas : float or sequence of float, optional
        Penalties for kernels of mean eigenvalue 1.
    n_iter : int
        Random draws of the layers' weights.
    inner_cv, rng
        As in `MultivariateMapping`.
    unique : bool
        Whether to fit the full model without each layer in turn, which takes as many fits more.
    """

    estimator_type = 'regressor'

    def __init__(self, cv=5, scoring='explained_variance', *, standardise: bool = False, alphas=None,
                 n_iter: int = 30, inner_cv: int = 5, rng: int | None = 0, unique: bool = True):
        if not isinstance(n_iter, int | np.integer) or n_iter < 1:
            raise BadValue(f'n_iter must be a whole number from 1, not {n_iter!r}')
        if alphas is not None:
            as_alphas(alphas, 1.0)
        self.cv, self.scoring = cv, known_scoring(scoring, 'regressor')
        self.score = scorer(self.scoring, 'regressor')
        self.standardise, self.alphas, self.n_iter, self.inner_cv = standardise, alphas, int(n_iter), inner_cv
        self.rng, self.unique = rng, unique

    def map(self, activ: Activation, Y, layers: Sequence[str] | None = None, rows=None, groups=None,
            hrf=None) -> dict:
        """Held-out scores of all layers together and of each.

        Parameters
        ----------
        activ : Activation
            Each layer is read once, in blocks.
        Y : array_like of shape (n_row, n_target)
        layers : sequence of str, optional
            At least two; by default all of the activation.
        rows, groups, hrf
            As in `map_layer`.

        Returns
        -------
        result : dict
            score (n_target, n_fold); product and unique, dicts layer -> (n_target, n_fold); model, a
            `BandedModel` of all rows. NaN for targets that are constant or not finite.
        """
        layers = activ.layers if layers is None else list(layers)
        if len(layers) < 2 or len(set(layers)) < len(layers):
            raise BadValue(f'banded ridge needs at least two different layers, not {listing(layers) or "none"}; '
                           "for one layer take estimator 'ridge'")
        design = as_design(len(activ), rows, hrf)
        Y = as_targets(Y, len(activ) if design is None else len(design)).astype(np.float64)
        splits = folds(len(Y), self.cv, groups, self.rng)
        if any(len(test) < 2 for _, test in splits):
            raise BadValue('a fold with one sample cannot be scored; take fewer folds')
        trains = [train for train, _ in splits] if self.standardise else None
        bands = {layer: gather_kernels((block for _, block in activ.blocks(layer, 'unit')), layer, design, trains)
                 for layer in layers}
        good = varies(Y)
        found = self._held_out(list(bands.values()), Y[:, good], splits, groups) if good.any() else None
        score, product, unique = (_filled(values, good) for values in found) if found else \
            (np.full((*lead, len(good), len(splits)), np.nan) for lead in ((), (len(layers),), (len(layers),)))
        result = {'score': score, 'product': dict(zip(layers, product, strict=True)),
                  'unique': dict(zip(layers, unique, strict=True))}
        if not self.unique:
            del result['unique']
        result['model'] = self._model(bands, Y, good, groups, design, activ) if good.any() else None
        return result

    def _held_out(self, bands: list[LayerKernels], Y: np.ndarray, splits: list[Split], groups) -> tuple:
        """Scores (n_target, n_fold), product and unique variance (n_band, n_target, n_fold)."""
        score = np.empty((Y.shape[1], len(splits)))
        product, unique = (np.full((len(bands), *score.shape), np.nan) for _ in range(2))
        for k, (train, test) in enumerate(splits):
            known, new = (np.stack(side) for side in zip(*(band.split(k, train, test) for band in bands), strict=True))
            own = None if groups is None else np.asarray(groups)[train]
            model = self._fit(known, Y[train], own)
            parts = model.parts(new)
            score[:, k] = self.score(Y[test], parts.sum(axis=0) + model.intercept)
            product[:, :, k] = product_measure(Y[test], parts)
            for band in range(len(bands)) if self.unique else ():
                others = np.arange(len(bands)) != band
                reduced = self._fit(known[others], Y[train], own)
                predicted = reduced.parts(new[others]).sum(axis=0) + reduced.intercept
                unique[band, :, k] = score[:, k] - self.score(Y[test], predicted)
        return score, product, unique

    def _fit(self, Ks: np.ndarray, Y: np.ndarray, groups) -> BandedDual:
        inner = inner_folds(len(Y), self.inner_cv, groups, self.rng)
        return fit_banded(Ks, Y, self.alphas, self.n_iter, inner, self.rng)

    def _model(self, bands: dict[str, LayerKernels], Y, good, groups, design, activ) -> BandedModel:
        fitted = self._fit(np.stack([band.whole for band in bands.values()]), Y[:, good], groups)
        settings = {'estimator': 'banded', 'n_stim': len(activ), 'n_iter': self.n_iter, 'inner_cv': self.inner_cv,
                    'rng': self.rng, 'standardise': self.standardise}
        layer_models = {
            layer: LayerModel(layer, np.zeros(len(good)), dual_coef=_filled(dual[..., None], good)[..., 0],
                              mean=band.mean, scale=band.scale, design=design, stim_ids=activ.stim_ids,
                              settings=settings)
            for (layer, band), dual in zip(bands.items(), fitted.dual_coef, strict=True)}
        return BandedModel(layer_models, _filled(fitted.intercept[:, None], good)[:, 0],
                           _filled(fitted.share[..., None], good)[..., 0])


def product_measure(Y: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Explained variance of each part of a prediction; they sum to that of the whole.

    Parameters
    ----------
    Y : ndarray of shape (n_sample, n_target)
    parts : ndarray of shape (n_band, n_sample, n_target)

    Returns
    -------
    shares : ndarray of shape (n_band, n_target)
        NaN for constant targets. A part that works against the others is negative.
    """
    set_backend('numpy')
    good = varies(Y)
    centred = Y[:, good] - Y[:, good].mean(axis=0)
    size = np.linalg.norm(centred, axis=0)                              # himalaya wants means of 0 to an absolute 1e-6
    shares = np.full((len(parts), Y.shape[1]), np.nan)
    shares[:, good] = r2_score_split(centred / size, (parts - parts.mean(axis=1, keepdims=True))[..., good] / size)
    return shares


def _filled(values: np.ndarray, good: np.ndarray) -> np.ndarray:
    """NaN put in where targets (last but one axis) were left out."""
    filled = np.full((*values.shape[:-2], len(good), values.shape[-1]), np.nan)
    filled[..., good, :] = values
    return filled
