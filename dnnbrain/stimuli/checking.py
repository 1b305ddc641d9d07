"""Which files of a stimulus table are missing or unreadable, all at once."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
from PIL import Image

from dnnbrain._checks import BadInput, BadPath, BadValue, listing
from dnnbrain._optional import optional
from dnnbrain._progress import progress
from dnnbrain.stimuli.images import read_rgb
from dnnbrain.stimuli.stimulus import Stimulus
from dnnbrain.stimuli.video import Film, VideoSet

ENDS = {'JPEG': b'\xff\xd9', 'PNG': b'IEND'}    # pictures without are read: downloads that broke off are cut
TAIL = 64                                       # bytes; some writers add a few behind the end


def file_problems(stim: Stimulus, decode: bool = True) -> pd.DataFrame:
    """Columns stimID, file, problem: one row per stimulus that cannot be shown."""
    if stim.type == 'video':
        problem = _problem(_check_frames, stim, decode)
        found = [] if problem is None else [(None, stim.path, problem)]
    else:
        check = {'image': _check_picture, 'video_clip': _check_film, 'audio': _check_sound}[stim.type]
        files = stim.files()
        with ThreadPoolExecutor() as pool:
            problems = list(progress(pool.map(lambda f: _problem(check, f, decode), files),
                                     'checking files', total=len(files), leave=False))
        found = [(name, file, problem) for name, file, problem
                 in zip(stim.get('stimID'), files, problems, strict=True) if problem is not None]
    return pd.DataFrame(found, columns=['stimID', 'file', 'problem'])


def refuse_bad_files(stim: Stimulus) -> None:
    """One sentence that names what cannot be shown, before any work starts."""
    refuse_problems(stim, file_problems(stim, decode=False))


def refuse_problems(stim: Stimulus, problems: pd.DataFrame) -> None:
    """One sentence about what `file_problems` has found, if anything."""
    if len(problems):
        names = listing([f'{p.stimID or Path(p.file).name} ({p.problem})' for p in problems.itertuples()], most=5)
        folder = '' if all(Path(name).is_absolute() for name in problems['stimID']) else f' in {str(stim.path)!r}'
        raise BadValue(f'{len(problems)} of {len(stim)} stimuli{folder} cannot be shown: {names}')


def without_bad_files(stimuli, transform=None):
    """The stimuli whose files are there and readable, and [ID, problem] of the others.

    What is no table of files is given back as it is. A transform may know of more problems than files have of
    their own (`file_problems` of it).
    """
    if not isinstance(stimuli, Stimulus) or stimuli.type == 'video':
        return stimuli, []
    problems = getattr(transform, 'file_problems', file_problems)(stimuli, decode=False)
    bad = set(problems['stimID'])
    good = [row for row, name in enumerate(stimuli.get('stimID')) if name not in bad]
    if not good:
        refuse_problems(stimuli, problems)
    return (stimuli[good] if bad else stimuli), problems[['stimID', 'problem']].values.tolist()


def _problem(check, what, decode: bool) -> str | None:
    try:
        check(what, decode)
    except BadPath:
        return 'missing'
    except BadInput as error:
        return str(error)
    return None


def _check_picture(path: Path, decode: bool) -> None:
    if not path.is_file():
        raise BadPath(path)
    if decode:
        read_rgb(path)
        return
    try:
        with Image.open(path) as image:
            end = ENDS.get(image.format)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise BadValue('not a readable picture') from None
    if end is not None and end not in _tail(path):
        try:
            read_rgb(path)
        except BadValue:
            raise BadValue('a picture that is cut off') from None


def _tail(path: Path) -> bytes:
    with path.open('rb') as file:
        file.seek(-min(TAIL, path.stat().st_size), os.SEEK_END)
        return file.read()


def _check_film(path: Path, decode: bool) -> None:
    if not path.is_file():
        raise BadPath(path)
    film = Film(path)
    if decode:
        film.frame(len(film))


def _check_frames(stim: Stimulus, decode: bool) -> None:
    if not stim.path.is_file():
        raise BadPath(stim.path)
    frames = VideoSet(stim.path, stim.get('stimID'))
    if decode and len(frames):
        frames.film.frame(int(frames.frame_nums.max()))


def _check_sound(path: Path, decode: bool) -> None:
    if not path.is_file():
        raise BadPath(path)
    soundfile = optional('soundfile', 'reading sound')
    try:
        soundfile.read(path) if decode else soundfile.info(path)
    except soundfile.LibsndfileError as error:
        raise BadValue(f'not a readable sound: {error}') from None
