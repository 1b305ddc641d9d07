"""Maps of the vertices of fsaverage5 to turn around: its meshes come with nilearn, and the page draws them itself."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from functools import cache

import numpy as np

from dnnbrain.viz.report.map_scale import Scale

N_VERTEX = 10242                        # of a hemisphere of fsaverage5
SIDES = ('left', 'right')
HEMISPHERE = 'AnatomicalStructurePrimary'


def surface_viewer(maps: Mapping[str, dict[str, np.ndarray]], scales: Mapping[str, Scale]) -> dict:
    """Meshes and maps as the page wants them: base64 of little-endian numbers.

    Parameters
    ----------
    maps : dict
        Name -> {'left' and / or 'right': (10242,)}, NaN where there is nothing.
    scales : dict
        Name -> how it is coloured.

    Returns
    -------
    viewer : dict
        kind 'surface'; meshes, side -> places (int16, tenths of mm), faces (uint16), depth (uint8, of
        sulci); maps, a list of name, sides (float32), low, high, colors.
    """
    sides = [side for side in SIDES if any(side in values for values in maps.values())]
    return {'kind': 'surface', 'meshes': {side: _mesh(side) for side in sides},
            'maps': [{'name': name, 'sides': {side: _text(part, '<f4') for side, part in values.items()},
                      'low': scales[name].low, 'high': scales[name].high, 'colors': scales[name].table()}
                     for name, values in maps.items()],
            'background': 'the inflated fsaverage5 surface'}


def sides_of(values: np.ndarray, header, name: str) -> dict[str, np.ndarray] | None:
    """Values by hemisphere: of a file of both, or of the one that its header or name says; None if neither fits."""
    if values.size == 2 * N_VERTEX:
        return {'left': values.ravel()[:N_VERTEX], 'right': values.ravel()[N_VERTEX:]}
    if values.size != N_VERTEX:
        return None
    return {side_of(header, name): values.ravel()}


def side_of(header, name: str) -> str:
    """The hemisphere of a file, left where nothing is said."""
    return said_side(header, name) or 'left'


def said_side(header, name: str) -> str | None:
    """The hemisphere that the header of a file says, or else a part of its name, such as 'rh' in rh.bold.func.gii."""
    metas = [getattr(header, 'meta', {}), *(meta for _, meta in getattr(header, 'maps', ()))]
    said = next((meta[HEMISPHERE] for meta in metas if meta.get(HEMISPHERE)), None)
    words = [said.lower()[6:]] if said else re.split('[^a-z]+', name.lower())
    return next((side for side in SIDES if {side, f'{side[0]}h', side[0]} & set(words)), None)


@cache
def _mesh(side: str) -> dict:
    from nilearn.datasets import fetch_surf_fsaverage
    from nilearn.surface import load_surf_data, load_surf_mesh
    files = fetch_surf_fsaverage('fsaverage5')
    mesh = load_surf_mesh(files[f'infl_{side}'])
    depth = load_surf_data(files[f'sulc_{side}'])
    low, high = np.percentile(depth, [2, 98])
    places = mesh.coordinates - (mesh.coordinates.max(axis=0) + mesh.coordinates.min(axis=0)) / 2
    return {'places': _text(np.round(10 * places), '<i2'), 'faces': _text(mesh.faces, '<u2'),
            'depth': _text(np.clip(255 * (depth - low) / (high - low), 0, 255), 'u1')}


def _text(values: np.ndarray, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode()
