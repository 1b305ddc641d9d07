"""What a network is trained to predict: categories, ratings, or responses of the brain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dnnbrain._checks import BadValue, output_folder
from dnnbrain.brain.io import warn_bad_voxels
from dnnbrain.brain.profile import nan_mean
from dnnbrain.brain.responses import Responses
from dnnbrain.brain.trials import repetition_time, single_trials
from dnnbrain.io.atomic import atomic
from dnnbrain.mapping.scoring import varies
from dnnbrain.stimuli.stimulus import Stimulus


@dataclass(frozen=True)
class Measures:
    """Targets, one row per stimulus.

    Attributes
    ----------
    task : {'classification', 'regression'}
    values : ndarray
        (n_stim,) labels from 0, or (n_stim, n_out) values.
    names : list of str
        Categories, or columns; empty for responses.
    responses : Responses or None
        Where the values came from, if from the brain.
    good : ndarray of shape (n_meas,), bool, or None
        Which of their voxels are among `values`: those that vary.
    """

    task: str
    values: np.ndarray
    names: list[str]
    responses: Responses | None = None
    good: np.ndarray | None = None

    @property
    def n_out(self) -> int:
        """Outputs a network needs."""
        return len(self.names) if self.task == 'classification' else self.values.shape[1]

    @classmethod
    def categories(cls, stim: Stimulus, column: str) -> Measures:
        """Categories of a column, in the order of their names."""
        names, labels = np.unique(stim.get(column), return_inverse=True)
        if len(names) < 2:
            raise BadValue(f'column {column!r} holds one category only')
        return cls('classification', labels, [str(name) for name in names])

    @classmethod
    def ratings(cls, stim: Stimulus, columns: Sequence[str]) -> Measures:
        """Numbers of one or several columns."""
        values = [stim.get(column) for column in columns]
        text = [column for column, found in zip(columns, values, strict=True) if found.dtype.kind not in 'iuf']
        if text:
            raise BadValue(f'column {text[0]!r} holds text; a measure to predict must be numbers')
        return cls('regression', np.column_stack(values).astype(np.float32), list(columns))

    @classmethod
    def brain(cls, stim: Stimulus, responses: Responses, hrf: bool = False, tr: float | None = None) -> Measures:
        """Responses of voxels or regions, a volume per stimulus; with `hrf`, amplitudes out of a scan.

        Parameters
        ----------
        hrf : bool
            The volumes are a time series; the table has columns onset and duration (seconds).
        tr : float, seconds, optional
            Between volumes; from the header by default.
        """
        values = responses.values
        if hrf:
            if tr is None and responses.header is None:
                raise BadValue('regions of a .roi.h5 do not say the time between volumes; give it (-tr)')
            values = single_trials(values, stim.get('onset'), stim.get('duration'),
                                   tr or repetition_time(responses.header))
        elif len(values) != len(stim):
            raise BadValue(f'{len(values)} volumes came for {len(stim)} stimuli; one per stimulus is needed, or a scan '
                           'with onsets (-hrf)')
        good = varies(values)
        warn_bad_voxels(values, good)
        if not good.any():
            raise BadValue('no voxel varies; there is nothing to predict')
        return cls('regression', values[:, good].astype(np.float32), [], responses, good)

    def write(self, folder, result: dict, splits, ids) -> pd.DataFrame:
        """Write what `DNN.cross_validate` found.

        ``score.npy`` (n_out, cv), and for regression ``correlation.npy``; of responses also the mean over
        folds as maps. ``prediction.csv`` (or ``prediction.npy`` of responses) holds what was predicted
        for each stimulus while it was left out, ``scores.csv`` the table that is returned.

        Returns
        -------
        table : DataFrame
            A row per fold and output; of responses, a row per fold with means over voxels.
        """
        folder = output_folder(folder)
        found = {name: self._everywhere(result[name]) for name in ('score', 'correlation') if name in result}
        for name, values in found.items():
            with atomic(folder / f'{name}.npy') as part:
                np.save(part, values)
            if self.responses is not None:
                self.responses.write(folder, name, nan_mean(values, axis=-1))
        self._write_predictions(folder, result, ids)
        table = self._table(found, splits)
        with atomic(folder / 'scores.csv') as part:
            table.to_csv(part, index=False)
        return table

    def _everywhere(self, scores: np.ndarray) -> np.ndarray:
        """Scores (n_out, cv) with NaN rows for voxels that do not vary."""
        if self.good is None:
            return scores
        whole = np.full((len(self.good), scores.shape[1]), np.nan)
        whole[self.good] = scores
        return whole

    def _write_predictions(self, folder: Path, result: dict, ids) -> None:
        true, predicted = result['true_value'], result['pred_value']
        if self.responses is not None:
            with atomic(folder / 'prediction.npy') as part:
                np.save(part, self._everywhere(predicted.T).T)
            return
        table = pd.DataFrame({'stimID': ids})
        if self.task == 'classification':
            names = np.array([*self.names, ''])          # -1, in no fold, has none
            table['true'], table['predicted'] = names[true], names[predicted]
        else:
            for number, name in enumerate(self.names):
                table[name], table[f'{name}_predicted'] = true[:, number], predicted[:, number]
        with atomic(folder / 'prediction.csv') as part:
            table.to_csv(part, index=False)

    def _table(self, found: dict[str, np.ndarray], splits) -> pd.DataFrame:
        rows = []
        for fold, (learn, judge) in enumerate(splits):
            sizes = {'fold': fold + 1, 'n_train': len(learn), 'n_test': len(judge)}
            if self.responses is not None or self.task == 'classification':
                rows.append(sizes | {name: float(nan_mean(values[:, fold], axis=0)) for name, values in found.items()})
                continue
            rows += [sizes | {'measure': measure} | {name: values[number, fold] for name, values in found.items()}
                     for number, measure in enumerate(self.names)]
        return pd.DataFrame(rows)
