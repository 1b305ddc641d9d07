"""Predict the brain from a network: which layer explains which voxel."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np
import pandas as pd

from dnnbrain._checks import BadValue
from dnnbrain.activation.activation import Activation
from dnnbrain.brain.io import warn_bad_voxels
from dnnbrain.brain.profile import roi_profile
from dnnbrain.brain.time_series import TimeBlocks, as_hrf, blocks_of_time, of_stimuli, response_span
from dnnbrain.mapping.all_layers import map_layers
from dnnbrain.mapping.crossval import repeated, warn_of_split_repeats
from dnnbrain.mapping.inference.ceiling import noise_ceiling
from dnnbrain.mapping.mapper import Mapper, as_table, joined, map_tables, same_stimulus
from dnnbrain.mapping.scorers import known_scoring
from dnnbrain.mapping.scoring import SCORINGS, varies


class BrainEncoder(Mapper):
    """Encoding models of brain responses.

    Parameters
    ----------
    brain_activ : ndarray of shape (n_vol, n_meas)
        Responses: volumes (one per stimulus) x voxels, vertices or regions.
    map_type : {'mv', 'uv'}
        All units of a layer together predict each voxel, or the single unit that does best.
    estimator : str or estimator of scikit-learn
        'mv': 'ridge' (an alpha per voxel chosen inside the training folds), 'glm' (least squares), 'pls', 'lasso',
        'lrc', 'svc' (of labels), or 'banded' (all layers together). 'uv': 'corr', 'glm', 'lasso', 'lrc', 'svc'.
    cv : int or sklearn splitter
    scoring : str or callable, optional
        'explained_variance' by default, as in 1.0; 'correlation', 'r2', a name of scikit-learn or a function.
    stim_ids : sequence, optional
        Which stimulus each volume answers (with `hrf`, each event shows). Activations are then joined by ID, so
        that they may be in another order or hold each repeated stimulus once. Without it row order is trusted.
    groups : array_like of shape (n_vol,), optional
        Runs or sessions that no fold may split. By default presentations of the same stimulus
        stay together.
    hrf : ndarray of shape (n_vol, n_event), or (onsets, durations, tr) or (onsets, durations, tr, model), optional
        Volumes are points in time: how much of each event is in each of them, or its times in seconds and
        'spm' (default) or 'glover'. Folds are then whole runs (`groups`); without groups, as many contiguous
        blocks of volumes as `cv` says, for neighbouring volumes answer the same events; those next to the block
        that is held out, for as long as a response lasts, train no model.
    rng : int or None
        Seed of folds and permutations.
    **settings
        Of `UnivariateMapping`, `MultivariateMapping` or `BandedMapping`: alphas, inner_cv, standardise, alpha,
        n_components, C, selection, ...
    """

    def __init__(self, brain_activ, map_type: str = 'mv', estimator='ridge', cv=5, scoring=None, *, stim_ids=None,
                 groups=None, hrf=None, rng: int | None = 0, **settings):
        super().__init__(stim_ids, groups, rng, settings)
        self._hrf = hrf
        self.set_activ(brain_activ)
        self._first_mapper(map_type, estimator, cv, scoring)

    def set_activ(self, brain_activ) -> None:
        """Replace the responses, (n_vol, n_meas)."""
        brain_activ = as_table(brain_activ, 'brain_activ', '(n_vol, n_meas)')
        hrf = None if self._hrf is None else as_hrf(self._hrf, len(brain_activ))
        rows, n_row = ('volumes', len(brain_activ)) if hrf is None else ('events', hrf.shape[1])
        if self.stim_ids is not None and len(self.stim_ids) != n_row:
            raise BadValue(f'{len(self.stim_ids)} stim_ids came for {n_row} {rows}')
        if self.groups is not None and len(self.groups) != len(brain_activ):
            raise BadValue(f'{len(self.groups)} groups came for {len(brain_activ)} volumes')
        self.brain_activ, self.hrf = brain_activ, hrf

    def encode_dnn(self, dnn_activ: Activation, iter_axis: str | None = None, *, n_perm: int = 0, within=None,
                   predictions: bool = False, models: bool = True) -> dict[str, dict]:
        """Score every voxel under every layer.

        Parameters
        ----------
        dnn_activ : Activation
            In memory or on disk; layers are read in blocks.
        iter_axis : {None, 'channel', 'row_col'}
            One model per layer, per channel (over positions), or per position (over channels).
        n_perm : int
            Permutations of the stimuli for p-values, the same for all layers: of 'ridge' and 'glm' ('mv'), whose
            models are fitted anew to each, and of 'corr' ('uv'), which takes the best unit of each.
        within : array_like of shape (n_vol,), optional
            Runs that permutations keep. Repeats of a stimulus move together.
        predictions : bool
            Whether to return what was predicted for each volume while it was held out, by regressors.
        models : bool
            Whether to keep multivariate models, n_vol x n_meas numbers for each iteration.

        Returns
        -------
        result : dict
            layer -> dict of

            - score (n_iter, n_meas, n_fold), held out, NaN for constant voxels; 'corr': (n_iter, n_meas);
            - model (n_iter, n_meas) objects: one model of all voxels in [i, 0] ('mv'), one each ('uv' but 'corr');
            - location (n_iter, n_meas, 3), channel, row and column from 1, 0 for none ('uv');
            - fold_location (n_iter, n_meas, n_fold, 3) of the unit chosen in each fold ('uv' but 'corr');
            - conf_m (n_iter, n_meas, n_fold), confusion matrices (classifiers);
            - p and p_family (n_iter, n_meas), family-wise over voxels, iterations and layers (`n_perm`);
            - prediction (n_iter, n_vol, n_meas), float32, or float64 of raw BOLD, and fold (n_vol,) from 0
              (`predictions`).

            With 'banded' score is the layer's share of explained variance (the product measure; over layers they
            sum to that of the joint model), joint (1, n_meas, n_fold) the score of all layers together, unique
            what is lost without the layer, and model[0, 0] the `BandedModel`.
        """
        n_row = len(self.brain_activ) if self.hrf is None else self.hrf.shape[1]
        rows = joined(dnn_activ, self.stim_ids, n_row, 'brain', 'volumes' if self.hrf is None else 'events')
        same = None if self.hrf is not None else same_stimulus(dnn_activ, self.stim_ids)
        design = {'rows': rows} if self.hrf is None else {'hrf': of_stimuli(self.hrf, rows, len(dnn_activ))}
        warn_bad_voxels(self.brain_activ, varies(self.brain_activ))
        mapping, groups = self._folds(same)
        if self.hrf is not None and mapping.estimator_type != 'correlation':
            self._warn_of_repeats(rows, groups)
        return map_layers(dnn_activ, self.brain_activ, mapping, iter_axis, groups=groups, **design, n_perm=n_perm,
                          within=within, together=same, predictions=predictions, models=models, verb='encoding')

    def encode_behavior(self, beh) -> dict[str, np.ndarray]:
        """Score every voxel under behavioural or stimulus variables.

        Parameters
        ----------
        beh : ndarray of shape (n_vol, n_beh)
            With `hrf`, (n_event, n_beh).

        Returns
        -------
        result : dict
            score (n_meas, n_fold) and model (n_meas,) as in `encode_dnn`; 'uv': location (n_meas,), column of
            `beh` from 1, 0 for none.
        """
        n_row = len(self.brain_activ) if self.hrf is None else self.hrf.shape[1]
        beh = as_table(beh, 'behaviour', f'({n_row}, n_beh)').astype(np.float64)
        if len(beh) != n_row:
            raise BadValue(f'behaviour must have shape ({n_row}, n_beh), not {beh.shape}')
        if not np.isfinite(beh).all():
            raise BadValue('behaviour holds NaN or infinite values; leave those rows out')
        warn_bad_voxels(self.brain_activ, varies(self.brain_activ))
        same = None if self.hrf is not None else repeated(self.stim_ids)
        mapping, groups = self._folds(same)
        return map_tables(mapping, beh if self.hrf is None else self.hrf @ beh, self.brain_activ, groups)

    def noise_ceiling(self, scoring: str | None = None, n_trial: float | None = 1) -> np.ndarray:
        """How well a perfect model could score each voxel, (n_meas,), from repeats of stimuli.

        Parameters
        ----------
        scoring : {'correlation', 'r2', 'explained_variance'}, optional
            That of the mapping by default.
        n_trial : float or None
            As in `NoiseCeiling.of`: 1 where each volume is a single presentation.
        """
        if self.stim_ids is None or self.hrf is not None:
            raise BadValue('a noise ceiling needs repeated presentations: one volume each, and stim_ids')
        return noise_ceiling(self.brain_activ, self.stim_ids).of(self._scoring(scoring), n_trial)

    def profile(self, result: Mapping[str, dict], rois=None, ceiling: np.ndarray | None = None, *,
                n_boot: int = 1000, level: float = 0.95) -> pd.DataFrame:
        """A row per region and layer: mean score with its interval, from ``encode_dnn(..., predictions=True)``.

        Parameters
        ----------
        rois, ceiling, n_boot, level
            As in `dnnbrain.brain.profile.roi_profile`.
        """
        if not all('prediction' in found and len(found['prediction']) == 1 for found in result.values()):
            raise BadValue('a profile needs predictions of whole layers: encode_dnn(activations, predictions=True)')
        if self.hrf is not None:
            raise BadValue('a profile draws stimuli, and volumes of a time series are none; estimate an amplitude per '
                           'trial, and leave hrf out')
        found = next(iter(result.values()))
        return roi_profile(self.brain_activ, {layer: one['prediction'][0] for layer, one in result.items()}, rois,
                           self._scoring(None), found['fold'], repeated(self.stim_ids), ceiling, level=level,
                           n_boot=n_boot, rng=self._settings['rng'])

    def _scoring(self, scoring):
        own = 'correlation' if self.mapping.estimator_type == 'correlation' else self.mapping.scoring
        scoring = known_scoring(own if scoring is None else scoring, 'regressor')
        if scoring not in SCORINGS:
            raise BadValue(f'scoring must be one of {", ".join(SCORINGS)} here, not {scoring!r}')
        return scoring

    def _warn_of_repeats(self, rows: np.ndarray, groups: np.ndarray) -> None:
        """Say so where a stimulus is shown in several runs or stretches of the scan."""
        there = self.hrf.any(axis=0)
        warn_of_split_repeats(rows[there], groups[np.abs(self.hrf[:, there]).argmax(axis=0)],
                              'even unrelated layers then score above 0: estimate an amplitude per trial, and leave '
                              'hrf out')

    def _folds(self, same: np.ndarray | None) -> tuple:
        """The mapping with its folds, and what none of them may split."""
        if self.groups is not None or self.hrf is None or self.mapping.estimator_type == 'correlation':
            return self.mapping, self.fold_groups(same)
        mapping, groups = copy.copy(self.mapping), blocks_of_time(len(self.brain_activ), self.mapping.cv)
        mapping.cv = TimeBlocks(mapping.cv, response_span(self.hrf), mapping.rng)
        return mapping, groups
