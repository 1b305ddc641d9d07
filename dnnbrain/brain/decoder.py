"""Predict a network, or behaviour, from the brain: what can be read out of these voxels."""

from __future__ import annotations

import logging
import math
import warnings

import numpy as np

from dnnbrain._checks import BadValue
from dnnbrain._progress import progress
from dnnbrain.activation.activation import Activation
from dnnbrain.mapping.crossval import repeated
from dnnbrain.mapping.mapper import Mapper, as_table, joined, map_tables, same_stimulus
from dnnbrain.mapping.probe import warn_bad_measures
from dnnbrain.mapping.scoring import varies
from dnnbrain.mapping.unit_targets import map_to_units

log = logging.getLogger(__name__)


class BrainDecoder(Mapper):
    """Models that predict units of a network, or behaviour, from brain responses.

    Parameters
    ----------
    brain_activ : ndarray of shape (n_vol, n_meas)
        Responses: volumes (one per stimulus) x voxels, vertices or regions. Voxels that are constant or not finite
        predict nothing.
    map_type : {'mv', 'uv'}
        All voxels together predict each unit, or the single voxel that does best.
    estimator, cv, scoring, rng, **settings
        As in `BrainEncoder`, without 'banded'. Classifiers take labels in `decode_behavior`.
    stim_ids : sequence, optional
        Which stimulus each volume answers; activations are then joined by ID. Without it row order is trusted.
    groups : array_like of shape (n_vol,), optional
        Runs or sessions that no fold may split. By default presentations of the same stimulus stay together.
    """

    def __init__(self, brain_activ, map_type: str = 'mv', estimator='ridge', cv=5, scoring=None, *, stim_ids=None,
                 groups=None, rng: int | None = 0, **settings):
        super().__init__(stim_ids, groups, rng, settings)
        self.set_activ(brain_activ)
        self._first_mapper(map_type, estimator, cv, scoring)

    def set_activ(self, brain_activ) -> None:
        """Replace the responses, (n_vol, n_meas)."""
        brain_activ = as_table(brain_activ, 'brain_activ', '(n_vol, n_meas)')
        for name, given in (('stim_ids', self.stim_ids), ('groups', self.groups)):
            if given is not None and len(given) != len(brain_activ):
                raise BadValue(f'{len(given)} {name} came for {len(brain_activ)} volumes')
        self.brain_activ = brain_activ

    def set_mapper(self, map_type: str, estimator, cv=5, scoring=None, **settings) -> None:
        if isinstance(estimator, str) and estimator == 'banded':
            raise BadValue("estimator 'banded' predicts from several layers, and the brain is one; take 'ridge'")
        super().set_mapper(map_type, estimator, cv, scoring, **settings)

    set_mapper.__doc__ = Mapper.set_mapper.__doc__

    def decode_dnn(self, dnn_activ: Activation, *, models: bool | None = None) -> dict[str, dict]:
        """Score every unit of every layer under the brain.

        Parameters
        ----------
        dnn_activ : Activation
            In memory or on disk; units are read in blocks, once for each fold.
        models : bool, optional
            Whether to keep multivariate models; by default those of layers where they take less than 256 MB.

        Returns
        -------
        result : dict
            layer -> dict of score (n_chn, n_row, n_col, n_fold), held out, NaN for constant units; 'corr':
            (n_chn, n_row, n_col). model (n_chn, n_row, n_col) objects: one model of all units in [0, 0, 0], or
            one each ('uv' but 'corr'); predict with it from responses (n_vol, n_meas). 'uv': location (n_chn,
            n_row, n_col), voxel from 1, 0 for none.
        """
        if self.mapping.estimator_type == 'classifier':
            raise BadValue('units of a network are numbers, and a classifier predicts labels; take a regressor, or '
                           'decode_behavior')
        rows = joined(dnn_activ, self.stim_ids, len(self.brain_activ), 'brain', 'volumes')
        same = same_stimulus(dnn_activ, self.stim_ids)
        X, groups = self._predictors(), self.fold_groups(same)
        ids = None if dnn_activ.stim_ids is None else np.asarray(dnn_activ.stim_ids)[rows]
        ids, result = None if same is not None else ids, {}
        with progress(None, 'decoding', total=len(dnn_activ.layers), unit='layer') as bar:
            for layer in dnn_activ.layers:
                bar.set_description(f'decoding {layer}')
                found = map_to_units(X, dnn_activ, layer, self.mapping, rows, groups, models, ids,
                                     lambda step, layer=layer: bar.set_description(f'decoding {layer}, {step}'))
                shape = dnn_activ.shape(layer)[1:]
                dead = np.isnan(found['score'].reshape(math.prod(shape), -1)).all(axis=1).sum()
                log.info('%s: %d of %d units are constant and score NaN', layer, dead, math.prod(shape))
                result[layer] = {key: values.reshape(*shape, *values.shape[1:]) for key, values in found.items()}
                bar.update()
        return result

    def decode_behavior(self, beh) -> dict[str, np.ndarray]:
        """Score behavioural or stimulus variables under the brain.

        Parameters
        ----------
        beh : array_like of shape (n_vol, n_beh)
            Measures; or labels, whole numbers or text, for classifiers.

        Returns
        -------
        result : dict
            score (n_beh, n_fold), or (n_beh,) for 'corr'; model (n_beh,); classifiers: conf_m (n_beh, n_fold);
            'uv': location (n_beh,), voxel from 1, 0 for none.
        """
        beh = np.asarray(beh)
        beh = beh[:, None] if beh.ndim == 1 else beh
        if beh.ndim != 2 or len(beh) != len(self.brain_activ):
            raise BadValue(f'behaviour must have shape ({len(self.brain_activ)}, n_beh), not {beh.shape}')
        warn_bad_measures(beh)
        return map_tables(self.mapping, self._predictors(), beh, self.fold_groups(repeated(self.stim_ids)))

    def _predictors(self) -> np.ndarray:
        """The responses, with zeros for voxels that hold NaN: a constant predicts nothing and keeps its number."""
        bad = ~np.isfinite(self.brain_activ).all(axis=0)
        left_out = ~varies(self.brain_activ)
        if left_out.any():
            warnings.warn(f'{left_out.sum()} of {len(left_out)} voxels are constant or not finite; they predict '
                          'nothing', stacklevel=3)
        return np.where(bad, 0, self.brain_activ) if bad.any() else self.brain_activ
