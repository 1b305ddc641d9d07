"""The stimuli that drive channels most, to be seen."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from dnnbrain._checks import BadType, BadValue
from dnnbrain.interpret.preference.units import stimulus_rows
from dnnbrain.viz.feature_maps import stimulus_pictures
from dnnbrain.viz.pictures import imgarray_show

MOST_ROWS = 40
LONGEST = 26        # characters that fit above a picture


def plot_top_stimuli(table: pd.DataFrame, stimuli, show: bool = False, save_path=None) -> Figure:
    """The stimuli that drive channels most, a row per channel, best first, titled by ID and value.

    Parameters
    ----------
    table : DataFrame
        From `dnnbrain.interpret.preference.top_stimuli.top_stimuli`, or some rows of it; up to 40 channels.
    stimuli : Stimulus, ndarray of shape (n_stim, 3, height, width), uint8, or torch Dataset
        Of clips the frame in the middle is shown.
    show, save_path
        As in `imgarray_show`.

    Returns
    -------
    figure : Figure
    """
    from dnnbrain.stimuli.loaders import part_of
    if not isinstance(table, pd.DataFrame) or not {'rank', 'stimID', 'value'} <= set(table.columns):
        raise BadType('table must be what top_stimuli returns, a DataFrame with rank, stimID and value')
    if getattr(stimuli, 'type', None) == 'audio':
        raise BadValue('there is nothing to be seen of sounds; print the table')
    what = [name for name in ('target', 'layer', 'channel', 'frame', 'row', 'column') if name in table]
    groups = list(table.groupby(what, sort=False, dropna=False))
    if not 1 <= len(groups) <= MOST_ROWS:
        raise BadValue(f'the table holds {len(groups)} channels; a figure takes 1 to {MOST_ROWS}: pick some rows')
    wanted = list(dict.fromkeys(table['stimID'].tolist()))
    pictures = dict(zip(wanted, stimulus_pictures(part_of(stimuli, stimulus_rows(stimuli, wanted))), strict=True))
    ncols = max(len(rows) for _, rows in groups)
    shown, names = [], []
    for _, rows in groups:
        rows, gap = rows.sort_values('rank'), ncols - len(rows)
        shown += [pictures[name] for name in rows['stimID']] + [None] * gap
        names += [f'{str(name)[-LONGEST:]}\n{value:.4g}'
                  for name, value in zip(rows['stimID'], rows['value'], strict=True)] + [''] * gap
    return imgarray_show(shown, len(groups), ncols, [_label(what, key) for key, _ in groups], cmap='gray',
                         frame_on=False, img_names=names, show=show, save_path=save_path)


def _label(what: list[str], key: tuple) -> str:
    named = {name: f'{value:g}' if isinstance(value, float) else value for name, value in zip(what, key, strict=True)}
    place = [str(named[name]) for name in ('frame', 'row', 'column') if name in named and named[name] != 'nan']
    return named.get('target') or f'{named["layer"]}\nchannel {named["channel"]}' \
        + (f' ({", ".join(place)})' if place else '')
