"""Predict behaviour from a network: which layer, channel or position holds what people (or labels) say."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from dnnbrain._checks import BadType, BadValue
from dnnbrain.activation.activation import Activation
from dnnbrain.mapping.all_layers import map_layers
from dnnbrain.mapping.mapper import Mapper, joined, same_stimulus
from dnnbrain.mapping.scoring import varies


class DnnProbe(Mapper):
    """Models that predict behaviour, or labels of stimuli, from activations.

    Parameters
    ----------
    dnn_activ : Activation, optional
        In memory or on disk.
    map_type : {'uv', 'mv'}, optional
        The best single unit for each measure, or all units together.
    estimator : str or estimator of scikit-learn, optional
        'uv': 'corr', 'glm', 'lasso', 'lrc', 'svc'; 'mv': 'ridge', 'glm', 'pls', 'lasso', 'lrc', 'svc', 'banded'.
        'lrc' and 'svc' take labels, numbers or text; the others measures.
    cv : int or sklearn splitter
    scoring : str or callable, optional
        'explained_variance' by default, 'accuracy' for labels.
    stim_ids : sequence, optional
        Which stimulus each row of the behaviour is about; the activations are then joined by ID. Without it row
        order is trusted.
    groups : array_like of shape (n_row,), optional
        What no fold may split: subjects, say. By default rows about the same stimulus stay together.
    rng : int or None
        Seed of folds and permutations.
    **settings
        Of `UnivariateMapping`, `MultivariateMapping` or `BandedMapping`.
    """

    def __init__(self, dnn_activ: Activation | None = None, map_type: str | None = None, estimator=None, cv=5,
                 scoring=None, *, stim_ids=None, groups=None, rng: int | None = 0, **settings):
        super().__init__(stim_ids, groups, rng, settings)
        self.dnn_activ = None
        if dnn_activ is not None:
            self.set_activ(dnn_activ)
        if map_type is not None or estimator is not None:
            self._first_mapper(map_type, estimator, cv, scoring)

    def set_activ(self, dnn_activ: Activation) -> None:
        """Replace the activations."""
        if not isinstance(dnn_activ, Activation):
            raise BadType(f'dnn_activ must be an Activation, not {type(dnn_activ).__name__}')
        self.dnn_activ = dnn_activ

    def probe(self, beh_data, iter_axis: str | None = None, *, n_perm: int = 0, within=None,
              predictions: bool = False, models: bool = True) -> dict[str, dict]:
        """Score every measure under every layer.

        Parameters
        ----------
        beh_data : array_like of shape (n_stim, n_beh)
            Measures; or labels, whole numbers or text, for classifiers.
        iter_axis : {None, 'channel', 'row_col'}
            One mapping of the layer, per channel (over positions), or per position (over channels).
        n_perm, within, predictions, models
            As in `BrainEncoder.encode_dnn`.

        Returns
        -------
        result : dict
            layer -> dict of score (n_iter, n_beh, n_fold), held out, or (n_iter, n_beh) for 'corr'; model
            (n_iter, n_beh); 'uv': location (n_iter, n_beh, 3), channel, row and column from 1; classifiers:
            conf_m (n_iter, n_beh, n_fold), confusion matrices with true classes as rows. More as in
            `BrainEncoder.encode_dnn`.
        """
        if self.dnn_activ is None or self.mapping is None:
            raise BadValue('DnnProbe needs activations and a mapping; call set_activ and set_mapper')
        beh = np.asarray(beh_data)
        beh = beh[:, None] if beh.ndim == 1 else beh
        if beh.ndim != 2 or not beh.size:
            raise BadValue(f'beh_data must have shape (n_stim, n_beh), not {beh.shape}')
        rows = joined(self.dnn_activ, self.stim_ids, len(beh), 'behaviour', 'rows')
        same = same_stimulus(self.dnn_activ, self.stim_ids)
        warn_bad_measures(beh)
        return map_layers(self.dnn_activ, beh, self.mapping, iter_axis, rows=rows,
                          groups=self.fold_groups(same), n_perm=n_perm, within=within,
                          together=same, predictions=predictions, models=models, verb='probing')


def warn_bad_measures(beh: np.ndarray) -> None:
    """One counted warning for measures or labels that cannot be predicted."""
    good = (beh != beh[:1]).any(axis=0) & ~pd.isna(beh).any(axis=0)
    good &= varies(beh) if beh.dtype.kind == 'f' else True
    if not good.all():
        warnings.warn(f'{int((~good).sum())} of {len(good)} measures are constant or not finite; they score NaN',
                      stacklevel=3)
