"""Which voxels or vertices lie within a radius of each other, in millimetres."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from dnnbrain._checks import BadType, BadValue, existing_file
from dnnbrain.brain import grayordinates, volumes
from dnnbrain.brain.formats import family_of_header

Finder = Callable[[np.ndarray], list[np.ndarray]]
_ROUNDING = 1 + 1e-6          # a voxel at the radius itself is inside


def neighbours(header, kept: np.ndarray, radius: float, mesh=None) -> Finder:
    """A function from centres to what lies around them.

    Parameters
    ----------
    header
        Of `load_brainimg`.
    kept : ndarray of bool of shape (x, y, z)
        What can be a centre or a neighbour; numbered from 0 in C order.
    radius : float, mm
        In a volume the straight distance between centres of voxels. On a surface the shortest way along
        the edges of the mesh, which may lead over vertices that are not kept, and is a little longer than
        the shortest way on the surface.
    mesh : str, tuple of arrays, or dict
        For surfaces: a mesh file (.surf.gii or of FreeSurfer), or coordinates (n_vertex, 3) and triangles
        (n_face, 3). For CIFTI a dict of them, with a mesh for each structure that is a surface, such as
        'CortexLeft'.

    Returns
    -------
    find : callable
        Numbers of centres (n_centre,) -> a list with the sorted numbers of all within the radius of each.

    Raises
    ------
    BadValue
        The mesh is missing or has another number of vertices, or the radius is not above 0.
    """
    if isinstance(radius, bool) or not isinstance(radius, int | float | np.integer | np.floating):
        raise BadType(f'radius must be millimetres above 0, not {radius!r}')
    if not 0 < radius < np.inf:
        raise BadValue(f'radius must be millimetres above 0, not {radius!r}')
    radius = radius * _ROUNDING
    family = family_of_header(header)
    if family is volumes and not volumes.on_surface(kept.shape):
        if mesh is not None:
            raise BadValue('mesh goes with surfaces and CIFTI; a volume needs none')
        return _around_points(nib.affines.apply_affine(header.get_best_affine(), np.argwhere(kept)), radius)
    if family is grayordinates:
        return _around_grayordinates(header.get_axis(1), np.flatnonzero(kept), radius, mesh)
    return _around_vertices(_mesh(mesh, kept.shape[0], 'the surface'), np.flatnonzero(kept), radius)


def _around_points(points: np.ndarray, radius: float) -> Finder:
    tree = cKDTree(points)
    return lambda centres: [np.array(found) for found in tree.query_ball_point(points[centres], radius,
                                                                               return_sorted=True)]


def _around_vertices(mesh: tuple[np.ndarray, np.ndarray], vertices: np.ndarray, radius: float) -> Finder:
    points, faces = mesh
    edges = np.unique(np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1), axis=0)
    length = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)
    graph = coo_array((length, edges.T), shape=(len(points), len(points))).tocsr()

    def find(centres: np.ndarray) -> list[np.ndarray]:
        step, found = max(1, 2 ** 26 // (8 * len(points))), []
        for start in range(0, len(centres), step):
            way = dijkstra(graph, directed=False, indices=vertices[centres[start:start + step]], limit=radius)
            found += [np.flatnonzero(near) for near in np.isfinite(way[:, vertices])]
        return found
    return find


def _around_grayordinates(brain, kept: np.ndarray, radius: float, meshes) -> Finder:
    """Each surface by its mesh, all voxels by their place; nothing reaches from one to another."""
    if not isinstance(meshes or {}, dict):
        raise BadType("mesh of CIFTI must be a dict, such as {'CortexLeft': 'left.surf.gii'}")
    meshes = {_structure(brain, name): mesh for name, mesh in (meshes or {}).items()}
    parts, on_surface = [], brain.vertex[kept] >= 0
    for name in dict.fromkeys(brain.name[kept][on_surface]):
        members = np.flatnonzero(on_surface & (brain.name[kept] == name))
        mesh = _mesh(meshes.get(name), brain.nvertices[name], name.removeprefix('CIFTI_STRUCTURE_'))
        parts.append((members, _around_vertices(mesh, brain.vertex[kept][members], radius)))
    if not on_surface.all():
        members = np.flatnonzero(~on_surface)
        points = nib.affines.apply_affine(brain.affine, brain.voxel[kept][members])
        parts.append((members, _around_points(points, radius)))
    part, place = np.empty(len(kept), dtype=int), np.empty(len(kept), dtype=int)
    for number, (members, _) in enumerate(parts):
        part[members], place[members] = number, np.arange(len(members))

    def find(centres: np.ndarray) -> list[np.ndarray]:
        found = [None] * len(centres)
        for number in np.unique(part[centres]):
            members, around = parts[number]
            here = np.flatnonzero(part[centres] == number)
            for position, near in zip(here, around(place[centres[here]]), strict=True):
                found[position] = members[near]
        return found
    return find


def _structure(brain, name: str) -> str:
    try:
        return brain.to_cifti_brain_structure_name(name)
    except ValueError:
        raise BadValue(f"mesh names {name!r}, which is no structure of CIFTI; give 'CortexLeft' or "
                       "'CortexRight'") from None


def _mesh(mesh, n_vertex: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates and triangles of a mesh of as many vertices."""
    if mesh is None:
        raise BadValue(f'{name} needs its mesh (mesh=), a .surf.gii or FreeSurfer file, to measure distances on it')
    points, faces = _read_mesh(mesh) if isinstance(mesh, str | Path) else mesh
    points, faces = np.asarray(points, dtype=np.float64), np.asarray(faces)
    if points.shape != (n_vertex, 3):
        raise BadValue(f'the mesh of {name} has coordinates {points.shape}, but {n_vertex} vertices are needed')
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype.kind not in 'iu' or faces.max(initial=0) >= n_vertex:
        raise BadValue(f'triangles of the mesh of {name} must be numbers of vertices of shape (n_face, 3)')
    return points, faces


def _read_mesh(path) -> tuple[np.ndarray, np.ndarray]:
    path = existing_file(path, 'mesh')
    try:
        if path.name.lower().endswith('.gii'):
            return nib.load(path).agg_data(('pointset', 'triangle'))
        return nib.freesurfer.read_geometry(path)
    except Exception as error:      # damaged bytes fail in nibabel, expat, numpy in many ways
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadValue(f'mesh {str(path)!r} cannot be read as .surf.gii or FreeSurfer surface ({why})') from None
