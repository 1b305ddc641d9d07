"""Folders of stimuli: what they hold, and the way from one to another."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from dnnbrain._checks import BadPath, BadValue, choice

SUFFIXES = {
    'image': ('.bmp', '.gif', '.jpeg', '.jpg', '.pgm', '.png', '.ppm', '.tif', '.tiff', '.webp'),
    'video_clip': ('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm'),
    'audio': ('.aif', '.aiff', '.flac', '.mp3', '.ogg', '.wav'),
}


def folder_table(folder, type: str) -> dict:
    """Columns stimID and, of a folder with one subfolder per category, label and condition.

    Raises
    ------
    BadPath, BadValue
        The folder is missing, files lie beside subfolders, or there are none of the type.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BadPath(f'folder {str(folder)!r} does not exist')
    suffixes = SUFFIXES[choice('stimulus type', type, tuple(SUFFIXES))]
    categories = sorted(d for d in folder.iterdir() if d.is_dir() and not d.name.startswith('.'))
    files = {c.name: _files_below(c, suffixes) for c in categories}
    loose = [f for f in sorted(folder.iterdir()) if f.is_file() and _is_stimulus(f, folder, suffixes)]
    if loose and categories:
        raise BadValue(f'folder {str(folder)!r} holds files ({loose[0].name}) beside category folders; '
                       'move them into one')
    empty = [name for name, found in files.items() if not found]
    if empty or not (files or loose):
        raise BadValue(f'no {type} files in {str(folder)!r}: {", ".join(empty) or "it is empty"}; '
                       f'looked for {", ".join(suffixes)}')
    table = {'stimID': [f.relative_to(folder).as_posix() for f in sum(files.values(), loose)]}
    if files:
        table['label'] = np.repeat(np.arange(len(files)), [len(found) for found in files.values()])
        table['condition'] = [name for name, found in files.items() for _ in found]
    return table


def inside(folder: Path, name: str) -> Path:
    """The file of a stimID, refused if it leaves the folder."""
    if Path(name).is_absolute() or '..' in Path(name).parts:
        raise BadValue(f'stimID {name!r} leaves the folder of the stimuli; put the file inside, '
                       'or set stim.allow_outside = True if you trust this table')
    return folder / name


def relative(path: Path, start: Path) -> Path:
    """`path` as seen from `start`, or absolute where there is no way (another drive).

    Links are followed in both: '..' leads out of the folder that a link means, not of the link.
    """
    try:
        return Path(os.path.relpath(os.path.realpath(path), os.path.realpath(start)))
    except ValueError:
        return path


def same(path: Path, other: Path) -> bool:
    """Whether two paths lead to the same place."""
    return os.path.realpath(path) == os.path.realpath(other)


def _is_stimulus(file: Path, root: Path, suffixes: tuple[str, ...]) -> bool:
    hidden = any(part.startswith('.') for part in file.relative_to(root).parts)
    return file.is_file() and file.suffix.lower() in suffixes and not hidden


def _files_below(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    return sorted(f for f in folder.rglob('*') if _is_stimulus(f, folder, suffixes))
