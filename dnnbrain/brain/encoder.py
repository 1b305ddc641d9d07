"""Predict the brain from a network: which layer explains which voxel."""

from __future__ import annotations

import logging

import numpy as np

from dnnbrain._checks import BadValue, choice, listing
from dnnbrain._progress import progress
from dnnbrain.activation.activation import Activation
from dnnbrain.brain.io import warn_bad_voxels
from dnnbrain.mapping.crossval import repeated
from dnnbrain.mapping.kernel import ITER_AXES, centred, kernels, n_iterations
from dnnbrain.mapping.multivariate import KernelMapping
from dnnbrain.mapping.scoring import varies

log = logging.getLogger(__name__)
MAP_TYPES = ('mv',)


class BrainEncoder:
    """Encoding models of brain responses.

    Parameters
    ----------
    brain_activ : ndarray of shape (n_vol, n_meas)
        Responses: volumes (one per stimulus) x voxels, vertices or regions.
    map_type : {'mv'}
        Multivariate: all units of a layer together predict each voxel.
    estimator : {'ridge', 'glm'}
        Ridge with an alpha per voxel chosen inside the training folds, or least squares.
    cv : int or sklearn splitter
    scoring : {'explained_variance', 'correlation', 'r2'}, optional
        'explained_variance' by default, as in 1.0.
    stim_ids : sequence, optional
        Which stimulus each volume answers. Activations are then joined by ID, so that they may be
        in another order or hold each repeated stimulus once. Without it row order is trusted.
    groups : array_like of shape (n_vol,), optional
        Runs or sessions that no fold may split. By default presentations of the same stimulus
        stay together.
    alphas, inner_cv, rng
        As in `KernelMapping`.
    """

    def __init__(self, brain_activ, map_type: str = 'mv', estimator: str = 'ridge', cv=5,
                 scoring: str | None = None, *, stim_ids=None, groups=None, alphas=None, inner_cv: int = 5,
                 rng: int | None = 0):
        self.stim_ids = None if stim_ids is None else np.asarray(stim_ids)
        self.groups = groups
        self.alphas, self.inner_cv, self.rng = alphas, inner_cv, rng
        self.set_activ(brain_activ)
        self.set_mapper(map_type, estimator, cv, scoring)

    def set_activ(self, brain_activ) -> None:
        """Replace the responses, (n_vol, n_meas)."""
        brain_activ = np.asarray(brain_activ)
        if brain_activ.ndim != 2:
            raise BadValue(f'brain_activ must have shape (n_vol, n_meas), not {brain_activ.shape}')
        if self.stim_ids is not None and len(self.stim_ids) != len(brain_activ):
            raise BadValue(f'{len(self.stim_ids)} stim_ids came for {len(brain_activ)} volumes')
        self.brain_activ = brain_activ

    def set_mapper(self, map_type: str, estimator: str, cv=5, scoring: str | None = None) -> None:
        """Choose how responses are predicted and scored."""
        self.map_type = choice('map_type', map_type, MAP_TYPES)
        self.mapping = KernelMapping(estimator, cv, scoring or 'explained_variance', self.alphas,
                                     self.inner_cv, self.rng)

    def encode_dnn(self, dnn_activ: Activation, iter_axis: str | None = None) -> dict[str, dict]:
        """Score every voxel under every layer.

        Parameters
        ----------
        dnn_activ : Activation
            In memory or on disk; layers are read in blocks.
        iter_axis : {None, 'channel', 'row_col'}
            One model per layer, per channel (over positions), or per position (over channels).

        Returns
        -------
        result : dict
            layer -> dict of score (n_iter, n_meas, cv), held out, NaN for constant voxels, and model
            (n_iter, n_meas) objects: one `DualModel` of all voxels sits in [i, 0].
        """
        choice('iter_axis', iter_axis, ITER_AXES)
        rows = self._rows(dnn_activ)
        groups = self._groups(dnn_activ)
        warn_bad_voxels(self.brain_activ, varies(self.brain_activ))
        total = sum(n_iterations(dnn_activ.shape(layer), iter_axis) for layer in dnn_activ.layers)
        result = {}
        with progress(None, 'encoding', total=total, unit='model') as bar:
            for layer in dnn_activ.layers:
                bar.set_description(f'encoding {layer}')
                scores, models = [], []
                for K in kernels(dnn_activ, layer, iter_axis):
                    score, model = self.mapping.map(K[np.ix_(rows, rows)], self.brain_activ, groups)
                    scores.append(score)
                    models.append(model)
                    bar.update()
                result[layer] = {'score': np.stack(scores), 'model': self._objects(models)}
                log.info('%s: mean %s %.4f', layer, self.mapping.scoring, _mean(result[layer]['score']))
        return result

    def encode_behavior(self, beh) -> dict:
        """Score every voxel under behavioural or stimulus variables.

        Parameters
        ----------
        beh : ndarray of shape (n_vol, n_beh)

        Returns
        -------
        result : dict
            score (n_meas, cv) and model (n_meas,) as in `encode_dnn`.
        """
        beh = np.asarray(beh, dtype=np.float64)
        if beh.ndim != 2 or len(beh) != len(self.brain_activ):
            raise BadValue(f'behaviour must have shape ({len(self.brain_activ)}, n_beh), not {beh.shape}')
        if not np.isfinite(beh).all():
            raise BadValue('behaviour holds NaN or infinite values; leave those rows out')
        beh = centred(beh)
        warn_bad_voxels(self.brain_activ, varies(self.brain_activ))
        groups = repeated(self.stim_ids) if self.groups is None else self.groups
        score, model = self.mapping.map(beh @ beh.T, self.brain_activ, groups)
        return {'score': score, 'model': self._objects([model])[0]}

    def _rows(self, dnn_activ: Activation) -> np.ndarray:
        """Which stimulus of the activations each volume answers."""
        n_stim, n_vol = len(dnn_activ), len(self.brain_activ)
        if self.stim_ids is None or dnn_activ.stim_ids is None:
            if n_stim != n_vol:
                raise BadValue(f'the activations have {n_stim} stimuli and the brain {n_vol} volumes; '
                               'give one volume per stimulus, or stim_ids to join them')
            log.info('stimuli and volumes are joined by their order, for lack of IDs')
            return np.arange(n_vol)
        place = {str(name): row for row, name in enumerate(dnn_activ.stim_ids)}
        missing = [str(name) for name in self.stim_ids if str(name) not in place]
        if missing:
            raise BadValue(f'{len(missing)} stimuli of the brain are not in the activations: {listing(missing, 5)}')
        return np.array([place[str(name)] for name in self.stim_ids])

    def _groups(self, dnn_activ: Activation):
        if self.groups is not None:
            return self.groups
        return repeated(dnn_activ.stim_ids if self.stim_ids is None else self.stim_ids)

    def _objects(self, models: list) -> np.ndarray:
        objects = np.full((len(models), self.brain_activ.shape[1]), None, dtype=object)
        objects[:, 0] = models
        return objects


def _mean(score: np.ndarray) -> float:
    return float(np.nanmean(score)) if np.isfinite(score).any() else float('nan')
