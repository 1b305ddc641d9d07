"""Tables of units and their stimuli: whose the rows are, and what is written of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from dnnbrain._checks import BadValue, listing
from dnnbrain._progress import progress
from dnnbrain.activation.activation import Activation


def unit_columns(layer: str, shape: tuple[int, ...], axes: dict, unit: bool) -> dict[str, np.ndarray]:
    """Layer, channel and, of single units, row and column of each, in the order of their flattened array.

    Parameters
    ----------
    shape : tuple of int
        (n_chn, n_row, n_col), of clips (n_chn, n_frame, n_row, n_col).
    axes : dict
        Numbers of the network, {'chn':, 'row':, 'col':}, each 'all' or a list.
    """
    named = {'channel': 'chn', 'frame': None, 'row': 'row', 'column': 'col'}
    words = ['channel', 'row', 'column'] if len(shape) == 3 else list(named)
    numbers = [axes.get(named[word], 'all') for word in words]
    numbers = [np.asarray(chosen) if len(chosen) == n and not isinstance(chosen, str) else np.arange(1, n + 1)
               for chosen, n in zip(numbers, shape, strict=True)]
    if not unit:
        words, numbers = words[:1], numbers[:1]
    places = np.meshgrid(*numbers, indexing='ij')
    return {'layer': np.full(places[0].size, layer)} | dict(zip(words, (p.ravel() for p in places), strict=True))


def stimulus_rows(stimuli, ids) -> np.ndarray:
    """Rows (from 0) in which stimuli come first, by their IDs, or, of arrays and Datasets, by their numbers."""
    if not hasattr(stimuli, 'get'):
        return np.asarray(ids)
    known, first = np.unique(stimuli.get('stimID').astype(str), return_index=True)
    wanted = np.asarray(ids).astype(str)
    missing = wanted[~np.isin(wanted, known)]
    if len(missing):
        raise BadValue(f'{len(missing)} stimuli are not in the stimulus table: {listing(missing, 5)}')
    return first[np.searchsorted(known, wanted)]


def save_top_stimuli(folder, table: pd.DataFrame, stimuli, **meta) -> dict[tuple, Path]:
    """Write what `top_stimuli` found of channels.

    Parameters
    ----------
    folder : str or Path
        Gets ``LAYER_chnN_topK.stim.csv``, rows of the stimulus table with a column 'value', and ``topK.act.h5``, where
        layers are (k, n_chn, 1, 1), row by row the values of each channel, largest first.
    table : DataFrame
    stimuli : Stimulus
    **meta
        More to be told in the ``.act.h5``, which also tells the stimuli.

    Returns
    -------
    files : dict
        (layer, channel) -> the ``.stim.csv``.
    """
    folder, k, files, values = Path(folder), int(table['rank'].max()), {}, Activation()
    rows, value = stimulus_rows(stimuli, table['stimID']), table['value'].to_numpy()
    groups = table.groupby(['layer', 'channel'], sort=False).indices
    for (layer, channel), places in progress(groups.items(), 'writing tables', leave=False):
        chosen = stimuli[rows[places]]
        chosen.set('value', value[places])
        files[layer, channel] = folder / f'{layer}_chn{channel}_top{k}.stim.csv'
        chosen.save(files[layer, channel])
    layers = dict(list(table.groupby('layer', sort=False)))
    for layer, part in layers.items():
        values.set(layer, part['value'].to_numpy().reshape(-1, k).T[..., None, None])
    channels = {layer: part['channel'].to_numpy()[::k].tolist() for layer, part in layers.items()}
    values.meta = {'top': meta | {'k': k, 'rows': 'ranks', 'stimID': {
        layer: part['stimID'].astype(str).to_numpy().reshape(-1, k).tolist() for layer, part in layers.items()}},
        'dmask': {layer: {'chn': numbers, 'row': 'all', 'col': 'all'} for layer, numbers in channels.items()}}
    values.save(folder / f'top{k}.act.h5')
    return files
