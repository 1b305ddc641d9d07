"""A few lines about a brain image, from its header."""

from __future__ import annotations

import nibabel as nib
import numpy as np

from dnnbrain._checks import BadValue, existing_file, listing
from dnnbrain.brain.formats import SUFFIXES


def is_brain_image(fname: str) -> bool:
    """Whether the name ends as that of a brain image."""
    return fname.lower().endswith(SUFFIXES)


def describe_image(fname: str) -> str:
    """Kind, shape, type, space and maps; of volumes and CIFTI the numbers are not read.

    Raises
    ------
    BadPath, BadValue
        The file is missing or damaged.
    """
    path = existing_file(fname, 'NAME')
    try:
        image = nib.load(path)
    except Exception as error:                           # nibabel has a kind of error per format
        raise BadValue(f'{fname!r} cannot be read as a brain image: {error}') from None
    known = {nib.Cifti2Image: _cifti, nib.GiftiImage: _gifti}
    return '\n'.join(next((tell for kind, tell in known.items() if isinstance(image, kind)), _volume)(image))


def _volume(image) -> list[str]:
    header, shape = image.header, image.shape
    sizes = ' x '.join(f'{size:g}' for size in header.get_zooms()[:3])
    lines = [f'{type(image).__name__}: {" x ".join(map(str, shape))} {image.get_data_dtype()}, voxels of {sizes} mm']
    if len(shape) > 3:
        time = f', {float(header.get_zooms()[3]):g} apart' if len(header.get_zooms()) > 3 else ''
        lines.append(f'volumes: {shape[3]}{time}')
    places = ', '.join(f'{value:g}' for value in image.affine[:3, 3])
    return [*lines, f'orientation: {"".join(nib.aff2axcodes(image.affine))}, voxel (0, 0, 0) at {places} mm']


def _cifti(image) -> list[str]:
    maps, model = (image.header.get_axis(axis) for axis in (0, 1))
    lines = [f'Cifti2Image: {" x ".join(map(str, image.shape))} {image.get_data_dtype()}']
    if isinstance(maps, nib.cifti2.SeriesAxis):
        lines.append(f'points in time: {maps.size}, {maps.step:g} {maps.unit.lower()}s apart')
    elif hasattr(maps, 'name'):
        lines.append(f'maps: {listing(maps.name)}')
    if isinstance(model, nib.cifti2.BrainModelAxis):
        lines += [f'  {name.removeprefix("CIFTI_STRUCTURE_").lower()}: {len(part):,} '
                  f'{"vertices" if part.surface_mask.any() else "voxels"}' for name, _, part in model.iter_structures()]
    return lines


def _gifti(image) -> list[str]:
    shapes = [np.shape(one.data) for one in image.darrays]
    kinds = dict.fromkeys(nib.nifti1.intent_codes.niistring[one.intent] for one in image.darrays)
    names = [one.meta.get('Name', '') for one in image.darrays]
    named = [f'maps: {listing(names)}'] if any(names) else []
    return [f'GiftiImage: {len(shapes)} arrays of {listing(dict.fromkeys(" x ".join(map(str, s)) for s in shapes))} '
            f'vertices ({listing(kinds)})', *named]
