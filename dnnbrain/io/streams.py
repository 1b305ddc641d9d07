"""Arrays told block by block, and the names under which they are stored."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ArrayStream:
    """An array that need not fit in memory.

    Attributes
    ----------
    shape : tuple of int
    dtype : dtype
    blocks : callable
        Starts anew at each call: the rows from the first to the last, in blocks whose other axes may be
        shaped otherwise, with the same values in C order.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    blocks: Callable[[], Iterable[np.ndarray]]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def distinct_names(names: Iterable[str], clean: Callable[[str], str], taken: Collection[str] = (),
                   longest: int = 200) -> list[str]:
    """A name for each, cleaned, cut to `longest`, and unlike the others and those `taken` (capitals apart)."""
    used, out = {name.lower() for name in taken}, []
    for name in names:
        base = new = clean(name)[:longest]
        number = 1
        while new.lower() in used:
            number += 1
            new = f'{base[:longest - len(str(number)) - 1]}_{number}'
        used.add(new.lower())
        out.append(new)
    return out
