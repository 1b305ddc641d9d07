"""A table of stimuli: which pictures, frames, clips or sounds, with what is known of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from dnnbrain._checks import BadType, BadValue, choice, rows
from dnnbrain.io.stim_csv import TYPES, read_stim_csv, typed_column, write_stim_csv
from dnnbrain.stimuli.folders import folder_table, inside, relative, same
from dnnbrain.stimuli.sheet import show
from dnnbrain.stimuli.splitting import sample_rows, split_rows


class Stimulus:
    """Stimuli, one per row, over a pandas DataFrame.

    Parameters
    ----------
    header : dict, optional
        `type` (image, video, video_clip, audio), `path` (the folder of the files; for video the
        film itself) and anything else, as text. An empty header is an image table.
    data : dict of 1-D sequences or DataFrame, optional
        With 'stimID': file names relative to `path`, or frame numbers (from 1) for video.

    Attributes
    ----------
    header : dict
    data : DataFrame
        Columns in order. label is int (float for regression), condition text, onset and duration
        seconds; other columns are float if they are all numbers, else text.
    allow_outside : bool
        Whether IDs may leave `path` ('../x.jpg', '/x.jpg'). False unless you set it.

    Notes
    -----
    A relative `path` is looked up beside the ``.stim.csv`` first, then in the working directory.
    """

    def __init__(self, header: dict | None = None, data=None):
        self.header = dict(header) if header is not None else {}
        self.data = pd.DataFrame()
        self.allow_outside = False
        self._beside: Path | None = None
        if data is not None:
            columns = {name: data[name] for name in data}
            _same_lengths(columns)
            for item, values in columns.items():
                self.set(item, values)

    @classmethod
    def from_dataframe(cls, table: pd.DataFrame, type: str = 'image', path='', **header) -> Stimulus:
        """A table from a DataFrame with a column 'stimID'."""
        if 'stimID' not in table:
            raise BadValue(f"the DataFrame needs a column 'stimID'; it has {', '.join(map(str, table.columns))}")
        return cls({'type': choice('stimulus type', type, TYPES), 'path': str(path), **header}, table)

    @classmethod
    def from_folder(cls, folder, type: str = 'image') -> Stimulus:
        """A table of the files in a folder: one subfolder per category, or all in one.

        Subfolders, sorted by name, become condition (their name) and label (0, 1, ...); files
        below them are found at any depth. Hidden files and files of other kinds are ignored.
        """
        return cls({'type': type, 'path': str(folder)}, folder_table(folder, type))

    @classmethod
    def from_dataset(cls, dataset, folder) -> Stimulus:
        """Write the pictures of a torch Dataset as PNG files with a table, one at a time.

        Parameters
        ----------
        dataset : Dataset of (picture, label)
            Pictures from PIL, or tensors (3 or 1, height, width), float from 0 to 1 or uint8.
        folder : str or Path
            Made if missing. Gets ``pictures/`` and ``stimuli.stim.csv``.

        Returns
        -------
        stim : Stimulus
            Columns stimID ('dog/0042.png', numbered from 0 as in the Dataset), label, and condition if
            the Dataset has a list `classes`. Without one, subfolders are named by label; labels
            that are no whole numbers (regression) have none.
        """
        from dnnbrain.stimuli.picture_files import write_dataset
        stim = cls()
        stim.load(write_dataset(dataset, folder))
        return stim

    show = show

    def load(self, fname) -> None:
        """Replace what is here by a ``.stim.csv``."""
        self.header, self.data = read_stim_csv(fname)
        self._beside = Path(fname).absolute().parent

    def save(self, fname) -> None:
        """Write a ``.stim.csv``. A relative `path` is rewritten if it means the files from elsewhere."""
        header = {'type': self.type, 'path': ''} | self.header
        path = Path(header['path'])
        target = Path(fname).absolute().parent
        if not path.is_absolute() and self.path.exists() and not same(self.path, target / path):
            header['path'] = str(relative(self.path, target))
        write_stim_csv(fname, header, self.data)

    @property
    def type(self) -> str:
        """image, video, video_clip or audio."""
        return choice('stimulus type', self.header.get('type', 'image'), TYPES)

    @property
    def path(self) -> Path:
        """Absolute folder of the files (video: the film)."""
        path = Path(self.header.get('path', ''))
        if self._beside is not None and (self._beside / path).exists():
            return self._beside / path
        return path.absolute()

    def files(self) -> list[Path]:
        """The file of each row; for video the film, once."""
        if self.type == 'video':
            return [self.path]
        place = Path.joinpath if self.allow_outside else inside
        folder = self.path
        return [place(folder, str(name)) for name in self.get('stimID')]

    def check_files(self, decode: bool = True) -> pd.DataFrame:
        """All stimuli whose file is missing or unreadable, at once.

        Parameters
        ----------
        decode : bool
            Whether to read files to the end (finds truncated pictures) or only their beginning.

        Returns
        -------
        problems : DataFrame
            Columns stimID, file, problem; no rows if all is well.
        """
        from dnnbrain.stimuli.checking import file_problems
        return file_problems(self, decode)

    @property
    def items(self) -> list[str]:
        """Names of the columns, in order."""
        return list(self.data.columns)

    def get(self, item: str) -> np.ndarray:
        """A copy of one column: stimID text (video: int), label int, condition text, others float or text."""
        values = self.data[self._known(item)].to_numpy(copy=True)
        return values if values.dtype.kind in 'iufb' else np.array(values, dtype=str)

    def set(self, item: str, value) -> None:
        """Set or replace a column."""
        if not isinstance(item, str):
            raise BadType(f'item must be the name of a column, not {item!r}')
        values = np.asarray(value)
        if values.ndim != 1:
            raise BadValue(f'column {item!r} must be 1-dimensional, not of shape {values.shape}')
        if len(self.items) and len(values) != len(self):
            raise BadValue(f'column {item!r} has {len(values)} values for {len(self)} stimuli')
        self.data[item] = typed_column(item, values, self.type)

    def delete(self, item: str) -> None:
        """Remove a column."""
        self.data = self.data.drop(columns=self._known(item))

    def permutate(self, item: str, rng=None) -> Stimulus:
        """A copy with one column shuffled.

        Parameters
        ----------
        rng : int or Generator, optional
        """
        new = self[()]
        new.set(item, np.random.default_rng(rng).permutation(self.get(item)))
        return new

    def split(self, fractions: float | Sequence[float], by: str | None = 'label', rng=None) -> tuple[Stimulus, ...]:
        """Random parts with the same mixture of `by`; rows with the same stimID stay together.

        Parameters
        ----------
        fractions : float or sequence of float
            Shares of the stimuli; 0.8 means (0.8, 0.2). What is left of 1 is left out.
        by : str or None
            Column to stratify by.
        rng : int or Generator, optional

        Returns
        -------
        parts : tuple of Stimulus
            In the order of `fractions`, rows in their original order.
        """
        if np.isscalar(fractions):
            fractions = (float(fractions), 1 - float(fractions))
        strata = None if by is None else self.get(by)
        return tuple(self[part] for part in split_rows(self.get('stimID'), strata, fractions, rng))

    def sample(self, n: int, by: str | None = 'label', rng=None) -> Stimulus:
        """A random part of `n` rows with every value of `by` equally often, rows in their original order.

        Parameters
        ----------
        n : int
            Where it is no multiple of the number of values, `rng` draws which have one row more.
        by : str or None
            Column to balance; None draws from all rows alike.
        rng : int or Generator, optional
        """
        values = np.zeros(len(self)) if by is None else self.get(by)
        return self[sample_rows(values, n, rng)]

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, key) -> Stimulus:
        """``stim[rows]`` or ``stim[rows, columns]``, always a Stimulus.

        Rows: int, slice, list, boolean mask, stimID(s). Columns: number, name, list of either, slice.
        """
        key = key if isinstance(key, tuple) else (key,)
        if len(key) > 2:
            raise BadType(f'a stimulus table has rows and columns, not {len(key)} dimensions')
        ids = self.get('stimID') if 'stimID' in self.data else None
        index = rows(key[0], len(self), ids, 'stimulus') if key else np.arange(len(self))
        columns = self._columns(key[1]) if len(key) == 2 else self.items
        new = Stimulus(self.header)
        new.data = self.data.iloc[index][columns].reset_index(drop=True)
        new.allow_outside, new._beside = self.allow_outside, self._beside
        return new

    def _columns(self, key) -> list[str]:
        if isinstance(key, slice):
            return self.items[key]
        keys = [key] if isinstance(key, str) or np.isscalar(key) else list(key)
        if keys and all(isinstance(k, bool | np.bool_) for k in keys):
            return [self.items[i] for i in rows(keys, len(self.items), argument='column')]
        return [self._known(k) if isinstance(k, str) else
                self.items[rows(k, len(self.items), argument='column')[0]] for k in keys]

    def _known(self, item: str) -> str:
        return choice('column', item, self.items, owner='the stimulus table')

    def __repr__(self) -> str:
        return f'<Stimulus: {len(self)} x {self.type} in {str(self.path)!r}>\n{self.data}'


def _same_lengths(columns: dict) -> None:
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise BadValue(f'columns must have the same length, not {lengths}')
