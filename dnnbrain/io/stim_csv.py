"""``.stim.csv``: a table of stimuli below a header of ``key=value`` lines.

::

    type=image
    path=pictures
    title=faces = houses
    data=stimID,label,condition
    a.jpg,0,face
    "b,1.jpg",1,house

The first ``=`` of a header line splits it; ``data=`` ends the header and names the columns. IDs
stay text ('001' and 'NA.jpg' are IDs like any other); nothing is guessed to be missing.
"""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd

from dnnbrain._checks import BadValue, choice, existing_file, has_suffix
from dnnbrain.io.atomic import atomic

SUFFIX = '.stim.csv'
TYPES = ('image', 'video', 'video_clip', 'audio')
_NUMBER = re.compile(r'[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|nan)', re.IGNORECASE)


def how_to_list(folder) -> str:
    """How a table of the files in a folder is made, in words."""
    name = Path(folder).absolute().name
    return ('make a table of the files in it: python -c "from dnnbrain.dnn.core import Stimulus; '
            f"Stimulus.from_folder('{folder}').save('{name}{SUFFIX}')\"")


def read_stim_csv(fname) -> tuple[dict, pd.DataFrame]:
    """Header and table of a stimulus file.

    Returns
    -------
    header : dict
        Text by key; `type` is one of `TYPES`.
    table : DataFrame
        Columns in the order of the file, typed by `typed_column`.
    """
    if Path(fname).is_dir():
        raise BadValue(f'stimulus file {str(fname)!r} is a folder; {how_to_list(fname)}')
    path = existing_file(has_suffix(fname, [SUFFIX], 'stimulus file'), 'stimulus file')
    try:
        text = path.read_text(encoding='utf-8-sig')
    except UnicodeDecodeError:
        raise BadValue(f'stimulus file {str(path)!r} is not UTF-8 text; save it as CSV in UTF-8') from None
    head, found, body = ('\n' + text).partition('\ndata=')
    if not found:
        raise BadValue(f"stimulus file {str(path)!r} has no line that starts with 'data='; above the columns it "
                       'needs lines such as type=image and path=my_pictures, and data= before their names')
    header = _read_header(head, path)
    names, fields = _read_table(body, path)
    if 'stimID' not in names:
        raise BadValue(f"the table in {str(path)!r} has no column 'stimID'; it has {', '.join(names)}")
    columns = zip(*fields, strict=True) if fields else ((),) * len(names)
    return header, pd.DataFrame({name: typed_column(name, np.array(values, dtype=object), header['type'])
                                 for name, values in zip(names, columns, strict=True)})


def write_stim_csv(fname, header: dict, table: pd.DataFrame) -> None:
    """Write a stimulus file; `header` needs a `type`."""
    path = has_suffix(fname, [SUFFIX], 'stimulus file')
    choice('stimulus type', header.get('type'), TYPES)
    _check_table(table, path)
    lines = []
    for key, value in header.items():
        if '=' in str(key) or {'\n', '\r'} & set(f'{key}{value}') or key == 'data':
            raise BadValue(f'header entry {key!r}={value!r} cannot be written: no line breaks, '
                           "no '=' in the key, and 'data' is taken")
        lines.append(f'{key}={value}')
    with atomic(path) as part:
        body = _told_as_numbers(table).to_csv(index=False, lineterminator='\n')
        part.write_text('\n'.join(lines) + '\ndata=' + body, encoding='utf-8', newline='\n')


def _check_table(table: pd.DataFrame, path) -> None:
    """Refuse what reading would refuse or change."""
    if 'stimID' not in table:
        raise BadValue(f"{str(path)!r} cannot be written: the table needs a column 'stimID', "
                       f'but has {", ".join(map(str, table.columns)) or "no columns"}')
    if not table.columns.is_unique:
        raise BadValue(f'{str(path)!r} cannot be written: two columns have the same name')
    for name in table:
        texts = [] if table[name].dtype.kind in 'iufb' else table[name]
        odd = next((v for v in [name, *texts] if '\r' in str(v)), None)
        if odd is not None:
            raise BadValue(f'{odd!r} in column {name!r} cannot be written: it holds a carriage return; remove it')


def _told_as_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """The table with 'nan' in columns of nothing but NaN; empty fields would be read as text."""
    empty = [name for name in table if table[name].dtype.kind == 'f' and table[name].isna().all()]
    table = table.copy()
    table[empty] = 'nan'
    return table


def typed_column(name: str, values, stim_type: str = 'image') -> np.ndarray | pd.Series:
    """The values of a column in the kind its name asks for.

    stimID: text, or frame numbers (int) for video; condition: text; label: int if all are whole,
    else float (regression); onset, duration: float, seconds; others: float if every field is a
    number or empty, else text.
    """
    values = np.asarray(values)
    if name == 'condition' or (name == 'stimID' and stim_type != 'video'):
        return pd.Series([str(v) for v in values], dtype='str')
    numbers = _as_numbers(values)
    if name in ('stimID', 'label', 'onset', 'duration') and (numbers is None or (
            name in ('stimID', 'label') and not np.isfinite(numbers).all())):
        raise BadValue(f'column {name!r} must hold numbers, but has {_first_odd(values)!r}')
    if numbers is None:
        return pd.Series([str(v) for v in values], dtype='str')
    whole = np.isfinite(numbers).all() and (numbers == np.round(numbers)).all()
    if name == 'stimID' and not whole:
        raise BadValue("column 'stimID' of a video table must hold whole frame numbers")
    return numbers.astype(np.int64) if name in ('stimID', 'label') and whole else numbers


def _as_numbers(values: np.ndarray) -> np.ndarray | None:
    """float64, or None where a field is not a number; empty fields are NaN unless all are empty."""
    if values.dtype.kind in 'iufb':
        return values.astype(np.float64)
    text = ['' if v is None else str(v).strip() for v in values]
    if len(text) and not any(text):
        return None
    if all(not t or _NUMBER.fullmatch(t) for t in text):
        return np.array([float(t) if t else np.nan for t in text])
    return None


def _first_odd(values: np.ndarray):
    return next((str(v) for v in values
                 if not _NUMBER.fullmatch(str(v).strip()) or not np.isfinite(float(v))), '')


def _read_table(body: str, path) -> tuple[list[str], list[list[str]]]:
    """Names and rows of text. The csv module, because pandas fills up short rows and cuts long ones."""
    try:
        names, *fields = [row for row in csv.reader(io.StringIO(body, newline=''), strict=True) if row] or [[]]
    except csv.Error as error:
        raise BadValue(f'the table in {str(path)!r} cannot be read: {error}') from None
    names = [name.strip() for name in names]
    for number, row in enumerate(fields, 1):
        if len(row) != len(names):
            raise BadValue(f'row {number} of the table in {str(path)!r} has {len(row)} fields, not {len(names)}; '
                           'put fields that hold commas in quotes')
    if len(set(names)) < len(names):
        raise BadValue(f'the table in {str(path)!r} has two columns of the same name: {", ".join(names)}')
    return names, fields


def _read_header(head: str, path) -> dict:
    header = {}
    for line in head.split('\n'):       # not splitlines, which splits at U+2028 and others
        if not line.strip():
            continue
        key, found, value = line.partition('=')
        if not found:
            raise BadValue(f'header line {line!r} of {str(path)!r} is not key=value')
        header[key.strip(' \t')] = value.strip(' \t')
    if 'type' not in header:
        raise BadValue(f"{str(path)!r} has no header line 'type='; choose from {', '.join(TYPES)}")
    choice('stimulus type', header['type'], TYPES)
    return header
