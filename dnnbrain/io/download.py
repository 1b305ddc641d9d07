"""Files that are fetched once: where they are kept, resumed, verified, in place only when whole."""

from __future__ import annotations

import hashlib
import os
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from dnnbrain._checks import BadPath, BadValue, creatable_folder
from dnnbrain._progress import progress

NOT_SATISFIABLE = 416       # the server has nothing from there on
_CHUNK = 2 ** 18            # bytes


def data_home() -> Path:
    """The folder of all files that are fetched once: ``$DNNBRAIN_DATA``, else ``dnnbrain`` in the cache folder.

    The cache folder is ``$XDG_CACHE_HOME``, else ``~/.cache``. Weights lie in its folder ``models``, data sets in
    ``datasets``. The variables are read when this is called, and nothing is made.

    Raises
    ------
    BadPath
        No variable is set, and there is no home folder.
    """
    root = os.environ.get('DNNBRAIN_DATA')
    if root:
        return Path(root)
    cache = os.environ.get('XDG_CACHE_HOME')
    try:
        return (Path(cache) if cache else Path.home() / '.cache') / 'dnnbrain'
    except RuntimeError:                             # a user whom the system does not know, as in containers
        raise BadPath('there is no home folder to keep files in that are fetched once; name a folder for them: export '
                      'DNNBRAIN_DATA=FOLDER') from None


def download(url: str, path, sha256: str, timeout: float = 30, *, name: str | None = None, place: str | None = None,
             instead: str = '') -> Path:
    """The file of a URL at `path`; a file that is there already is taken as it is.

    What came before an interruption stays beside it as ``.part-NAME``, and the next call goes on from there.

    Parameters
    ----------
    url : str
    path : str or Path
        Its folder is made if missing.
    sha256 : str
        Checksum (hexadecimal), or how it begins, without which nothing gets the final name.
    timeout : float, seconds
        How long the server may be silent.
    name, place : str, optional
        What the file is called and where to put it by hand, for the message; those of `path` by default.
    instead : str, optional
        What else can be done, for the message.

    Raises
    ------
    BadPath
        There is no network or no such file; the message says where to put the file by hand.
    BadValue
        Another file came than the one that is expected.
    """
    path = Path(path)
    if path.exists():
        return path
    part = creatable_folder(path.parent, 'cache folder') / f'.part-{path.name}'      # made when something comes
    by_hand = f'get {url} on another machine and put it at {place or path}{instead and f", or {instead}"}'
    try:
        resumed = _fetch(url, part, timeout)
        if resumed and not _digest(part).startswith(sha256):         # the beginning belonged to something else
            part.unlink()
            _fetch(url, part, timeout)
    except (OSError, HTTPException) as error:
        again = 'call again to go on with what has come, or ' if part.exists() and part.stat().st_size else ''
        raise BadPath(f'{name or path.name} could not be downloaded ({getattr(error, "reason", None) or error}); '
                      f'{again}{by_hand}') from None
    if not (came := _digest(part)).startswith(sha256):
        part.unlink()
        raise BadValue(f'{url} is not the file that is expected: its SHA-256 is {came}, not {sha256}; look at what '
                       f'stands between you and the server, or {by_hand}')
    os.replace(part, path)
    return path


def _fetch(url: str, part: Path, timeout: float) -> bool:
    """Bring `part` to its full length; True if it went on from a beginning that was there."""
    have = part.stat().st_size if part.exists() else 0
    try:
        answer = urlopen(Request(url, headers={'Range': f'bytes={have}-'} if have else {}), timeout=timeout)
    except HTTPError as error:
        error.close()
        if error.code != NOT_SATISFIABLE or not have:
            raise
        part.unlink()
        return _fetch(url, part, timeout)
    with answer:
        part.parent.mkdir(parents=True, exist_ok=True)
        resumed, length = answer.status == 206, answer.headers.get('Content-Length')
        whole = int(length) + have * resumed if length else 0
        with open(part, 'ab' if resumed else 'wb') as file, \
                progress(desc=part.name.removeprefix('.part-'), total=round(whole / 1e6, 1) or None, unit='MB',
                         initial=round(have * resumed / 1e6, 1)) as shown:
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                shown.update(round(len(chunk) / 1e6, 2))
    if part.stat().st_size < whole:
        raise OSError(f'the connection ended after {part.stat().st_size:,} of {whole:,} bytes')
    return resumed


def _digest(path: Path) -> str:
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()
