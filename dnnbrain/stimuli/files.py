"""What networks of clips and sounds take: tables of their type, and, as in 1.0, file names in place of a table."""

from __future__ import annotations

from pathlib import Path

from dnnbrain._checks import BadType, BadValue
from dnnbrain.stimuli.checking import refuse_bad_files
from dnnbrain.stimuli.stimulus import Stimulus


def checked_table(stimuli, kind: str, does: str, else_takes: str) -> Stimulus:
    """`stimuli` if it is a table of a type whose files are there and readable.

    Parameters
    ----------
    kind : {'video_clip', 'audio'}
    does : str
        What the network does, for messages ('looks at clips').
    else_takes : str
        What it takes but for tables, for messages.
    """
    if not isinstance(stimuli, Stimulus):
        raise BadType(f'stimuli must be a Stimulus, {else_takes} or a torch Dataset, not {type(stimuli).__name__}')
    if stimuli.type != kind:
        raise BadValue(f'this network {does} (type {kind!r}), and the stimuli are of type {stimuli.type!r}')
    if len(stimuli) == 0:
        raise BadValue('the stimulus table has no rows')
    refuse_bad_files(stimuli)
    return stimuli


def is_files(stimuli) -> bool:
    """Whether these are file names: one, or a list of them."""
    return isinstance(stimuli, str | Path) or (
        isinstance(stimuli, list | tuple) and len(stimuli) > 0 and all(isinstance(f, str | Path) for f in stimuli))


def file_table(kind: str, files) -> Stimulus:
    """A table of files, wherever they are; their names as they came are the stimIDs.

    Parameters
    ----------
    kind : {'image', 'video_clip', 'audio'}
    files : str, Path or sequence of them
    """
    files = [files] if isinstance(files, str | Path) else files
    table = Stimulus({'type': kind, 'path': ''}, {'stimID': [str(file) for file in files]})
    table.allow_outside = True          # the caller named each file
    return table
