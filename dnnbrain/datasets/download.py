"""Files of data sets, fetched once: resumed, verified, in place only when whole."""

from __future__ import annotations

import hashlib
import os
import shutil
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from dnnbrain._checks import BadPath, BadValue, output_folder

NOT_SATISFIABLE = 416       # the server has nothing from there on


def datasets_folder() -> Path:
    """``$DNNBRAIN_DATA/datasets``, else ``dnnbrain/datasets`` in the user's cache folder; read when used."""
    root = os.environ.get('DNNBRAIN_DATA')
    if root:
        return Path(root) / 'datasets'
    cache = os.environ.get('XDG_CACHE_HOME')
    return (Path(cache) if cache else Path.home() / '.cache') / 'dnnbrain' / 'datasets'


def download(url: str, path, sha256: str, timeout: float = 30) -> Path:
    """The file of a URL at `path`; a file that is there already is taken as it is.

    What came before an interruption stays beside it as ``.part-NAME``, and the next call goes on from there.

    Parameters
    ----------
    url : str
    path : str or Path
        Its folder is made if missing.
    sha256 : str
        Checksum (hexadecimal) without which nothing gets the final name.
    timeout : float, seconds
        How long the server may be silent.

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
    part = output_folder(path.parent, 'cache folder') / f'.part-{path.name}'
    by_hand = f'get {url} on another machine and put it at {path}'
    try:
        resumed = _fetch(url, part, timeout)
        if resumed and _digest(part) != sha256:         # the beginning belonged to something else
            part.unlink()
            _fetch(url, part, timeout)
    except (OSError, HTTPException) as error:
        raise BadPath(f'{path.name} could not be downloaded ({getattr(error, "reason", None) or error}); call again '
                      f'to go on with what has come, or {by_hand}') from None
    if (came := _digest(part)) != sha256:
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
    with answer, open(part, 'ab' if answer.status == 206 else 'wb') as file:
        shutil.copyfileobj(answer, file)
        resumed, length = answer.status == 206, answer.headers.get('Content-Length')
    whole = int(length) + have * resumed if length else 0
    if part.stat().st_size < whole:
        raise OSError(f'the connection ended after {part.stat().st_size:,} of {whole:,} bytes')
    return resumed


def _digest(path: Path) -> str:
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()
