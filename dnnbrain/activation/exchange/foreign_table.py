"""Features in text files."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd

from dnnbrain._checks import BadValue
from dnnbrain.activation.exchange.unit_names import parse_unit_names


def read_csv(path: Path):
    """Layers (as functions), IDs or None, and no meta, of a table with a row per stimulus.

    Columns named as by `export` become layers with channels, rows and columns; others are units of one layer,
    called as the file is. IDs are in the column stimID, else in the first column if it is not all numbers.
    """
    separator = '\t' if path.suffix.lower() == '.tsv' else ','
    try:
        names, column, ids = _ids(path, separator)
        others = [index for index in range(len(names)) if index != column]
        table = pd.read_csv(path, sep=separator, encoding='utf-8-sig', low_memory=False, usecols=others)
    except (UnicodeDecodeError, csv.Error, pd.errors.ParserError) as error:
        raise BadValue(f'file {str(path)!r} cannot be read as a table: {error}') from None
    if names[column] != 'stimID' and all(_is_number(name) for name in ids):
        if names[column] not in ('', 'row'):             # else numbers of rows
            table.insert(0, names[column], ids.astype(float))
        ids = None
    text = next((name for name in table if table[name].dtype.kind not in 'biuf'), None)
    if text is not None:
        raise BadValue(f'column {text!r} of {str(path)!r} must hold numbers; only stimID, or the first column, may be '
                       'text')
    values = table.to_numpy()
    layers = parse_unit_names(list(table)) or {path.stem: (slice(None), (values.shape[1], 1, 1))}
    return {name: lambda index=index, shape=shape: np.ascontiguousarray(values[:, index]).reshape(len(values), *shape)
            for name, (index, shape) in layers.items()}, ids, {}


def _ids(path: Path, separator: str) -> tuple[list[str], int, np.ndarray]:
    """Names of the columns, which of them may be IDs, and these. The csv module, since pandas fills up short rows."""
    with path.open(encoding='utf-8-sig', newline='') as file:
        lines = csv.reader(file, delimiter=separator)
        names, ids = next(lines, []), []
        column = names.index('stimID') if 'stimID' in names else 0
        for number, row in enumerate(lines, 1):
            if len(row) != len(names):
                raise BadValue(f'row {number} of {str(path)!r} has {len(row)} fields, not {len(names)} as the head '
                               'line; the file is cut, or fields that hold separators lack quotes')
            ids.append(row[column])
    if not ids:
        raise BadValue(f'file {str(path)!r} holds no table with a head line and rows')
    return names, column, np.array(ids, dtype=str)


def read_txt(path: Path):
    """One layer, a line per stimulus with numbers between spaces or commas, as numpy.savetxt writes them."""
    try:
        with path.open(encoding='utf-8') as file:
            first = next((line for line in file if line.strip()), '')
        values = np.loadtxt(path, ndmin=2, delimiter=',' if ',' in first else None) if first else np.empty((0, 0))
    except (ValueError, UnicodeDecodeError) as error:
        raise BadValue(f'file {str(path)!r} must hold a line of numbers per stimulus: {error}') from None
    if not values.size:
        raise BadValue(f'file {str(path)!r} holds no numbers')
    return {path.stem: lambda: values}, None, {}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
