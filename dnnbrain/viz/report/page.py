"""From results to one file of HTML."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

from dnnbrain import __version__
from dnnbrain._checks import BadValue, has_suffix, writable_file
from dnnbrain._progress import progress
from dnnbrain.io.atomic import atomic
from dnnbrain.viz.report.references import REFERENCES
from dnnbrain.viz.report.results import Result, read_results
from dnnbrain.viz.report.sections import section


def write_report(results: Sequence, out, title: str | None = None) -> Path:
    """Write a page about results, which needs no other file and no network to be read.

    Per result: warnings, a methods paragraph with its references, the profile of layers (with ceiling and
    confidence) or training curves or RDMs, maps of the brain to look through, and the numbers behind each
    picture as CSV. Files are read; no model is fitted anew.

    Parameters
    ----------
    results : sequence of str or Path
        Folders that commands wrote, or trained networks; as in `read_results`.
    out : str or Path
        An .html file.
    title : str, optional
        Heading of the page.

    Returns
    -------
    out : Path

    Raises
    ------
    BadValue, BadPath
        There is no result in a folder, a file cannot be read, or `out` cannot be written.
    """
    out = writable_file(has_suffix(out, ['.html', '.htm'], 'out'), 'out')
    if isinstance(results, str | Path):
        raise BadValue('results must be a list of folders or files, not one of them; put it in brackets')
    found = read_results(results)
    page = render([section(result, number) for number, result in
                   enumerate(progress(found, 'report'), 1)], title or _title(found))
    with atomic(out) as part:
        part.write_text(page, encoding='utf-8')
    return out


def render(sections: list[dict], title: str) -> str:
    """HTML of sections."""
    from jinja2 import Environment, PackageLoader
    environment = Environment(loader=PackageLoader('dnnbrain.viz.report', '.'), autoescape=True, trim_blocks=True,
                              lstrip_blocks=True)
    text, doi = REFERENCES['dnnbrain'][1:]
    return environment.get_template('report.html.j2').render(
        title=title, sections=sections, version=__version__, date=datetime.date.today().isoformat(),
        citation={'text': text, 'doi': doi})


def _title(results: list[Result]) -> str:
    return results[0].name if len(results) == 1 else f'{len(results)} results'
