"""The three families of brain images, each a file: volumes, surfaces, grayordinates."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from dnnbrain._checks import BadType, BadValue
from dnnbrain.brain import grayordinates, surfaces, volumes

FAMILIES = (grayordinates, surfaces, volumes)       # '.dscalar.nii' is looked for before '.nii'
SUFFIXES = tuple(suffix for family in reversed(FAMILIES) for suffix in family.SUFFIXES)


def family_of_path(path) -> ModuleType:
    """The family of a file, by its name.

    Raises
    ------
    BadValue
        The name ends in no suffix of a brain image.
    """
    name = Path(path).name.lower()
    for family in FAMILIES:
        if name.endswith(family.SUFFIXES):
            return family
    raise BadValue(f'brain image {str(path)!r} must end in {", ".join(SUFFIXES[:-1])} or {SUFFIXES[-1]}')


def family_of_header(header) -> ModuleType:
    """The family of a header that `load_brainimg` gave."""
    for family in FAMILIES:
        if isinstance(header, family.HEADERS):
            return family
    raise BadType(f'header must come from load_brainimg, but is {type(header).__name__}')


def map_suffix(path, header) -> str:
    """Suffix of the files that hold scores of responses read from `path`: its own where that can hold them."""
    family, name = family_of_header(header), Path(path).name.lower()
    suffix = next((s for s in sorted(family.SUFFIXES, key=len, reverse=True) if name.endswith(s)), family.SUFFIXES[0])
    return family.MAPS.get(suffix, suffix)
