"""Sentences for the person who typed it: what came, what is allowed, what to do.

Every error a user can mend is a ``BadInput`` and, at the same time, the built-in kind that
scripts expect (ValueError, TypeError, FileNotFoundError, IndexError). Commands answer a
``BadInput`` with its sentence and exit code 2; anything else is a bug and keeps its traceback.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np


class BadInput(Exception):
    """Something the user gave cannot be used; the message says what to do."""


class BadValue(BadInput, ValueError):
    """The right kind of thing with a value that is not allowed."""


class BadType(BadInput, TypeError):
    """The wrong kind of thing."""


class BadPath(BadInput, FileNotFoundError):
    """A file or folder that is not there."""


class BadIndex(BadInput, IndexError):
    """A position beyond the end."""


def listing(names: Iterable, most: int = 12) -> str:
    """Names joined by commas, cut after `most`."""
    names = [str(n) for n in names]
    more = f', ... ({len(names)} in all)' if len(names) > most else ''
    return ', '.join(names[:most]) + more


def choice(argument: str, value, allowed: Sequence, owner: str = ''):
    """`value` if it is one of `allowed`, else a sentence with the nearest name."""
    if value in allowed:
        return value
    near = difflib.get_close_matches(str(value), [str(a) for a in allowed], n=1)
    hint = f"did you mean '{near[0]}'? " if near else ''
    place = f'is not in {owner}' if owner else 'is not known'
    raise BadValue(f'{argument} {value!r} {place}; {hint}choose from {listing(allowed, 20)}')


def has_suffix(path, allowed: Sequence[str], argument: str = 'file') -> Path:
    """`path` as a Path if its name ends in one of `allowed`."""
    path = Path(path)
    if not path.name.lower().endswith(tuple(allowed)):
        raise BadValue(f'{argument} {str(path)!r} must end in {" or ".join(allowed)}')
    return path


def existing_file(path, argument: str = 'file') -> Path:
    """`path` as a Path if it is a file with something in it."""
    path = Path(path)
    if path.is_dir():
        raise BadPath(f'{argument} {str(path)!r} is a folder; give a file')
    if not path.exists():
        raise BadPath(f'{argument} {str(path)!r} does not exist')
    if path.stat().st_size == 0:
        raise BadValue(f'{argument} {str(path)!r} is empty')
    return path


def writable_file(path, argument: str = 'file') -> Path:
    """`path` as a Path if a file of that name can be made, found out before the work starts."""
    path = Path(path)
    folder = path.parent
    if path.is_dir():
        raise BadValue(f'{argument} {str(path)!r} is a folder; give a file name')
    if not folder.is_dir():
        raise BadPath(f'{argument} {str(path)!r}: the folder {str(folder)!r} does not exist; make it first')
    if not os.access(folder, os.W_OK):
        raise BadValue(f'{argument} {str(path)!r}: the folder {str(folder)!r} cannot be written to')
    return path


def creatable_folder(path, argument: str = 'folder') -> Path:
    """`path` as a Path if it is, or can become, a folder to write in; nothing is made yet."""
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise BadValue(f'{argument} {str(path)!r} is a file; give a folder')
    nearest = next(p for p in (path, *path.absolute().parents) if p.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise BadValue(f'{argument} {str(path)!r} cannot be made: {str(nearest)!r} cannot be written to')
    return path


def output_folder(path, argument: str = 'folder') -> Path:
    """`path` as a Path, made if missing."""
    path = creatable_folder(path, argument)
    path.mkdir(parents=True, exist_ok=True)
    return path


def integers(values, argument: str) -> np.ndarray:
    """One integer or any sequence of integers (list, tuple, range, array) as a 1-D array."""
    array = np.atleast_1d(np.asarray(list(values) if isinstance(values, range | set) else values))
    if array.size == 0:
        raise BadValue(f"{argument} is empty; leave it out or give 'all' for all of them")
    if array.dtype.kind not in 'iu' or array.ndim != 1:
        raise BadType(f"{argument} must be 'all' or whole numbers, not {values!r}")
    return array.astype(np.intp)


def positive_number(value, argument: str, zero: bool = False) -> float | None:
    """A number above 0 (or 0, if that is allowed); None stays None."""
    if value is None:
        return None
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool | complex | np.complexfloating)
    if not number or not np.isfinite(value) or value < 0 or (value == 0 and not zero):
        raise BadValue(f'{argument} must be a {"number from 0" if zero else "positive number"}, not {value!r}')
    return float(value)


def whole_number(value, argument: str) -> int | None:
    """A whole number of Python's own, from numpy's too; None stays None."""
    if value is None:
        return None
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise BadType(f'{argument} must be a whole number, not {value!r}')
    return int(value)


def n_missing(values: np.ndarray) -> int:
    """How many entries are NaN, None or empty text."""
    import pandas as pd
    return int((pd.isna(values) | (values == '' if values.dtype.kind in 'UO' else False)).sum())


def positions(numbers, n: int, argument: str) -> np.ndarray | None:
    """Numbers that count from 1 as indices that count from 0; None for 'all'.

    Raises
    ------
    BadValue
        A number is 0, negative, or beyond `n`.
    """
    if numbers is None or (isinstance(numbers, str) and numbers == 'all'):
        return None
    array = integers(numbers, argument)
    wrong = array[(array < 1) | (array > n)]
    if wrong.size:
        raise BadValue(f'{argument} {wrong[0]} is out of range; they count from 1 to {n}')
    return array - 1


def same_ids(first, second, names: tuple[str, str]) -> None:
    """Refuse two tables whose stimulus IDs differ, naming the first that do."""
    first, second = [str(i) for i in first], [str(i) for i in second]
    if first == second:
        return
    if len(first) != len(second):
        raise BadValue(f'{names[0]} has {len(first)} stimuli and {names[1]} has {len(second)}')
    row = next(i for i, (a, b) in enumerate(zip(first, second, strict=True)) if a != b)
    raise BadValue(f'{names[0]} and {names[1]} hold different stimuli: '
                   f'row {row + 1} is {first[row]!r} in one and {second[row]!r} in the other')


def rows(key, n: int, ids=None, argument: str = 'row') -> np.ndarray:
    """Row numbers (from 0) that an index means; always 1-D, so one row stays a table.

    Parameters
    ----------
    key : int, slice, sequence of int, boolean mask, stimulus ID or sequence of IDs
        Negative numbers count from the end. An ID that occurs several times means all its rows.
    n : int
        Number of rows.
    ids : sequence of str, optional
        IDs of the rows, where text is allowed.
    """
    if isinstance(key, slice):
        return np.arange(n)[key]
    array = np.atleast_1d(np.asarray(key))
    if array.ndim != 1:
        raise BadType(f'{argument} must be 1-dimensional, not of shape {array.shape}')
    if array.dtype.kind == 'b':
        if len(array) != n:
            raise BadIndex(f'a boolean mask of {len(array)} cannot pick from {n} rows')
        return np.flatnonzero(array)
    if array.dtype.kind in 'UOT' and array.size and ids is not None:
        ids = np.asarray(ids, dtype=str)
        return np.concatenate([_rows_of(str(name), ids, argument) for name in array])
    if array.size == 0:
        return np.empty(0, dtype=np.intp)
    if array.dtype.kind not in 'iu':
        raise BadType(f'{argument} must be whole numbers, a slice or a boolean mask, not {key!r}')
    if array.max() >= n or array.min() < -n:
        raise BadIndex(f'{argument} {array[(array >= n) | (array < -n)][0]} is out of range for {n} rows')
    return array % n


def _rows_of(name: str, ids: np.ndarray, argument: str) -> np.ndarray:
    found = np.flatnonzero(ids == name)
    if found.size == 0:
        choice(f'{argument} ID', name, list(ids))
    return found
