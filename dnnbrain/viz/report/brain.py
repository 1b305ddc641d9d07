"""The maps of a result, and the viewer that can show them."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from dnnbrain._checks import BadInput
from dnnbrain.brain import grayordinates, volumes
from dnnbrain.brain.formats import family_of_header
from dnnbrain.brain.io import load_brainimg
from dnnbrain.viz.report.figures import table_link
from dnnbrain.viz.report.map_scale import scales
from dnnbrain.viz.report.results import Result, brain_file
from dnnbrain.viz.report.surface_viewer import N_VERTEX, said_side, sides_of, surface_viewer
from dnnbrain.viz.report.volume_viewer import volume_viewer

MAX_MAPS = 12
WHOLE = {'score': 'score', 'correlation': 'score', 'preferred_layer': 'layer',
         'layer': 'layer', 'polar_angle': 'angle', 'eccentricity': 'eccentricity',
         'ceiling': 'score', 'joint': 'score'}
TITLES = {'preferred_layer': 'preferred layer', 'polar_angle': 'polar angle', 'ceiling': 'noise ceiling',
          'joint': 'all layers together', 'layer': 'best layer'}


def brain_maps(result: Result) -> tuple[dict[str, np.ndarray], dict[str, str], object, str]:
    """Maps of a result.

    Returns
    -------
    maps : dict
        Name -> (x, y, z), NaN where there is nothing; of several iterations the best of each voxel.
    kinds : dict
        Name -> what its numbers are.
    header : object
        Of the first file, None without maps.
    name : str
        Of the file of the responses.
    """
    maps, kinds, header = {}, {}, None
    files = [(TITLES.get(name, name), brain_file(result.folder, name), kind) for name, kind in WHOLE.items()]
    files = [(layer, brain_file(result.place(layer), 'score'), 'score') for layer in result.layers] + files
    for title, path, kind in files:
        if path is None or title in maps or (title == 'best layer' and len(result.layers) == 1):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            data, header = load_brainimg(path)
        maps[title], kinds[title] = _one_map(np.asarray(data, dtype=np.float32), result.model == 'corr'), kind
    return maps, kinds, header, str(result.settings.get('resp') or '')


def _one_map(data: np.ndarray, signed: bool) -> np.ndarray:
    """The highest value of each voxel over volumes, of correlations by size; a constant 0 outside is nothing."""
    if len(data) == 1:
        return data[0]
    filled = np.where(np.isfinite(data), np.abs(data) if signed else data, -np.inf)
    best = np.take_along_axis(data, filled.argmax(axis=0)[None], axis=0)[0]
    return np.where(np.isfinite(filled.max(axis=0)), best, np.nan)


def brain_section(result: Result, name: str) -> dict | None:
    """The viewer of a result, or why there is none; None where a result has no maps.

    Returns
    -------
    section : dict
        viewer (dict or None), statement (text), csv (dict or None).
    """
    try:
        maps, kinds, header, source = brain_maps(result)
    except BadInput as error:
        return {'viewer': None, 'csv': None, 'statement': f'Maps cannot be shown: {error}'}
    if not maps:
        return None
    shapes = {values.shape for values in maps.values()}
    if len(shapes) > 1:
        return {'viewer': None, 'csv': None, 'statement': 'Maps cannot be shown together: their shapes differ.'}
    csv = _table(maps, header, name)
    shown = _first(maps, kinds)
    statement = ''
    if len(shown) < len(maps):
        statement = f'{len(shown)} of {len(maps)} maps are shown; the others are in the folder of the result. '
    empty = [title for title, values in shown.items() if not np.isfinite(values).any()]
    if len(empty) == len(shown):
        return {'viewer': None, 'csv': csv, 'statement': 'Maps cannot be shown: no voxel has a score.'}
    viewer, why = _viewer({title: shown[title] for title in shown if title not in empty}, kinds, header, source)
    return {'viewer': viewer, 'csv': csv, 'statement': statement + why}


def _first(maps: dict, kinds: dict) -> dict:
    """As many maps as the page holds: those of layers from the first to the last, and what is not a layer."""
    if len(maps) <= MAX_MAPS:
        return maps
    others = [title for title in maps if title in TITLES.values()]
    layers = [title for title in maps if title not in others]
    kept = {layers[i] for i in np.unique(np.linspace(0, len(layers) - 1, MAX_MAPS - len(others)).astype(int))}
    return {title: maps[title] for title in maps if title in kept or title in others}


def _viewer(maps: dict, kinds: dict, header, source: str) -> tuple[dict | None, str]:
    family, shape = family_of_header(header), next(iter(maps.values())).shape
    n = int(np.prod(shape))
    coloured = scales(maps, kinds)
    if family is grayordinates:
        return None, f'The maps are CIFTI files of {n:,} grayordinates, which this page cannot draw; look at them in ' \
                     'Connectome Workbench.'
    if family is volumes and not volumes.on_surface(shape):
        viewer = volume_viewer(maps, header, coloured)
        return viewer, f'Click or drag in a slice to move, or use the arrow keys, Page Up and Page Down. Background: ' \
                       f'{viewer["background"]}.'
    parts = {title: sides_of(values, header, source) for title, values in maps.items()}
    if any(part is None for part in parts.values()):
        return None, f'The maps have {n:,} vertices. The page can draw fsaverage5 only ({N_VERTEX:,} vertices in a ' \
                     'hemisphere), whose meshes come with nilearn; look at them in Freeview or Connectome Workbench.'
    viewer = surface_viewer(parts, coloured)
    told = '' if len(viewer['meshes']) == 2 or said_side(header, source) else \
        ' No file says which hemisphere it is; the left one is drawn.'
    return viewer, f'Drag, or use the arrow keys, to turn; click for the value of a vertex. Drawn on the inflated ' \
                   f'fsaverage5 surface.{told}'


def _table(maps: dict, header, name: str) -> dict | None:
    """Maps as CSV, a row per voxel or vertex with a number: its index from 1, in volumes with its coordinates."""
    shape = next(iter(maps.values())).shape
    known = np.any([np.isfinite(values) for values in maps.values()], axis=0)
    where = np.argwhere(known)
    if family_of_header(header) is volumes and not volumes.on_surface(shape):
        affine = header.get_best_affine()
        place = where @ affine[:3, :3].T + affine[:3, 3]
        columns = dict(zip(('i', 'j', 'k'), where.T + 1, strict=True)) | dict(zip(('x_mm', 'y_mm', 'z_mm'),
                                                                                  place.T.round(3), strict=True))
    else:
        columns = {'index': where[:, 0] + 1}
    return table_link(pd.DataFrame(columns | {title: values[known] for title, values in maps.items()}), f'{name}_maps')
