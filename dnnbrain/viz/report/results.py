"""What the commands leave on disk, as one kind of object: settings, tables, and where the rest lies."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from dnnbrain._checks import BadPath, BadValue, listing
from dnnbrain.brain.formats import SUFFIXES

KINDS = {'db_encode': 'encoding', 'db_corr': 'correlation', 'db_decode': 'decoding', 'dnn_probe': 'probe',
         'db_topo': 'topography', 'db_rsa': 'rsa'}
TABLES = ('scores', 'layers', 'rsa', 'subjects', 'history')
TRAINED = ('.pth', '.safetensors')
HISTORY = '.history.csv'
FOLDERS = 'db_encode, db_corr, db_decode, dnn_probe, db_topo, db_rsa, dnn_finetune'


@dataclass(frozen=True)
class Result:
    """One result.

    Attributes
    ----------
    kind : {'encoding', 'correlation', 'decoding', 'probe', 'topography', 'rsa', 'training', 'finetuning'}
    name : str
        Of its folder or file.
    folder : Path
    record : dict
        What ``result.json`` holds, or of a training ``X.pth.json``.
    tables : dict
        scores, layers, rsa, subjects, history: DataFrames, those that are there.
    """

    kind: str
    name: str
    folder: Path
    record: dict
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def settings(self) -> dict:
        """Every option of the command, with its value."""
        return self.record.get('training' if self.kind in ('training', 'finetuning') else 'settings') or {}

    @property
    def activations(self) -> dict:
        """How the activations came about, as far as is known."""
        return self.record.get('activations') or {}

    @property
    def layers(self) -> list[str]:
        """Names of the layers, in the order of the result."""
        return [str(layer) for layer in self.record.get('layers') or []]

    @property
    def model(self) -> str | None:
        """Name of the estimator."""
        return 'corr' if self.kind == 'correlation' else self.settings.get('model')

    @property
    def scoring(self) -> str:
        """What a score is."""
        if self.model == 'corr':
            return 'correlation'
        known = self.settings.get('scoring')
        return known or ('accuracy' if self.model in ('lrc', 'svc') else 'explained_variance')

    def place(self, layer: str) -> Path:
        """Folder of a layer."""
        axis = self.settings.get('iteraxis')
        return self.folder / layer / axis if axis else self.folder / layer

    def source(self, option: str) -> Path | None:
        """A file that the command read, where it still is."""
        named = self.settings.get(option)
        return self.find(named) if isinstance(named, str) and named else None

    def find(self, named: str) -> Path | None:
        """A file as it was named, or from a folder above the result; None where it is in neither."""
        above = [parent / named for parent in self.folder.absolute().parents]
        return next((path for path in (Path(named), *above) if path.is_file()), None)


def read_results(paths: Sequence) -> list[Result]:
    """Read results of commands.

    Parameters
    ----------
    paths : sequence of str or Path
        Folders that a command wrote (or the ``result.json`` in them), trained networks (``X.pth``,
        ``X.pth.json`` or ``X.history.csv``), or folders with several of these.

    Raises
    ------
    BadPath
        Nothing is there.
    BadValue
        A folder holds no result, or a file of it cannot be read.
    """
    if not paths:
        raise BadValue('no result is named; give a folder that a command wrote, or a trained network')
    found = [result for path in paths for result in _read(Path(path))]
    if len({result.folder.absolute() / result.name for result in found}) < len(found):
        raise BadValue('a result is named twice; name each once')
    return found


def _read(path: Path) -> list[Result]:
    if not path.exists():
        raise BadPath(f'result {str(path)!r} does not exist')
    if path.is_dir():
        return _read_folder(path)
    if path.name == 'result.json':
        return [_mapped(path.parent)]
    stem = next((path.name.removesuffix(suffix) for suffix in (HISTORY, '.history.png', *(f'{s}.json' for s in TRAINED),
                                                               *TRAINED) if path.name.endswith(suffix)), None)
    if stem is None:
        raise BadValue(f'result {str(path)!r} is no result; give the folder that a command wrote, or a trained network '
                       '(.pth)')
    return [_trained(path.parent, stem)]


def _read_folder(folder: Path) -> list[Result]:
    """The result in a folder; else those of trainings in it, or of its subfolders."""
    if (folder / 'result.json').exists():
        return [_mapped(folder)]
    if (folder / 'history.csv').exists():
        return [_finetuned(folder)]
    trained = sorted(file.name.removesuffix(HISTORY) for file in folder.glob(f'*{HISTORY}'))
    if trained:
        return [_trained(folder, stem) for stem in trained]
    inside = sorted(file.parent.name for file in folder.glob('*/result.json'))
    hint = f'; name the folders in it that do: {listing(inside)}' if inside else \
        f'; give one that {FOLDERS} wrote, or a network of dnn_train (.pth)'
    raise BadValue(f'folder {str(folder)!r} holds no result{hint}')


def _mapped(folder: Path) -> Result:
    record = _json(folder / 'result.json')
    if not isinstance(record.get('settings'), dict):
        raise BadValue(f"{str(folder / 'result.json')!r} is no result: it has no 'settings'; run the command again")
    tables = {name: _table(folder / f'{name}.csv') for name in TABLES if (folder / f'{name}.csv').exists()}
    return Result(_kind(folder, record, tables), folder.absolute().name, folder, record, tables)


def _kind(folder: Path, record: dict, tables: dict) -> str:
    """By the command, and by the files where Python code wrote them."""
    if 'rsa' in tables:
        return 'rsa'
    command = record['settings'].get('command')
    kind = KINDS.get(command)
    if 'scores' not in tables:
        raise BadValue(f"folder {str(folder)!r} has no {'rsa' if kind == 'rsa' else 'scores'}.csv; it is not whole: "
                       f"run {command or 'the analysis'} again")
    columns = tables['scores'].columns
    return kind or ('topography' if 'n_best' in columns else 'encoding' if 'layers' in tables or 'roi' in columns
                    or any(brain_file(folder / str(layer), 'score') for layer in record.get('layers') or [])
                    else 'probe' if 'measure' in columns else 'decoding')


def brain_file(folder: Path, name: str) -> Path | None:
    """The brain image of that name in a folder, in whatever format."""
    return next((folder / f'{name}{suffix}' for suffix in SUFFIXES if (folder / f'{name}{suffix}').exists()), None)


def _trained(folder: Path, stem: str) -> Result:
    """A network of `DNN.save`, with what stands beside it."""
    beside = next((file for file in (folder / f'{stem}{suffix}.json' for suffix in TRAINED) if file.exists()), None)
    record = _json(beside) if beside else {}
    if (folder / f'{stem}{HISTORY}').exists():
        history = _table(folder / f'{stem}{HISTORY}')
    else:
        history = _history(record.get('history'))
    if history is None or 'epoch_loss' not in history:
        raise BadValue(f'network {str(folder / stem)!r} has no history: neither {stem}{HISTORY} nor one in '
                       f'{stem}.pth.json says how it was trained')
    return Result('training', stem, folder, record, {'history': history})


def _finetuned(folder: Path) -> Result:
    """A folder of dnn_finetune."""
    beside = folder / 'network.pth.json'
    tables = {file.stem: _table(file) for file in (folder / 'scores.csv', folder / 'history.csv') if file.exists()}
    if 'epoch_loss' not in tables['history'] or 'training' not in tables['history']:
        raise BadValue(f"{str(folder / 'history.csv')!r} is no history of dnn_finetune: columns training and "
                       'epoch_loss are missing')
    return Result('finetuning', folder.absolute().name, folder, _json(beside) if beside.exists() else {}, tables)


def _history(held: dict | None) -> pd.DataFrame | None:
    """A row per epoch from the lists of a history."""
    if not isinstance(held, dict) or not held.get('epoch_loss'):
        return None
    n = len(held['epoch_loss'])
    columns = {key: values for key, values in held.items()
               if key not in ('step_loss', 'lr') and isinstance(values, list) and len(values) == n}
    return pd.DataFrame({'epoch': range(1, n + 1)} | columns)


def _json(path: Path) -> dict:
    try:
        record = json.loads(path.read_text(encoding='utf-8'))
    except (ValueError, OSError) as error:
        raise BadValue(f'{str(path)!r} cannot be read ({error}); run the command again') from None
    if not isinstance(record, dict):
        raise BadValue(f'{str(path)!r} is no record of a result, but a {type(record).__name__}; run the command again')
    return record


def _table(path: Path) -> pd.DataFrame:
    named = {'layer': str, 'roi': str, 'measure': str, 'network': str, 'subject': str, 'training': str}
    try:
        table = pd.read_csv(path, dtype=named, keep_default_na=False, na_values=[''])
    except (ValueError, OSError) as error:
        raise BadValue(f'{str(path)!r} cannot be read ({str(error).strip()}); run the command again') from None
    if table.empty:
        raise BadValue(f'{str(path)!r} has no rows; run the command again')
    return table
