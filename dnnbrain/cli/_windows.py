"""Figures in windows, or in files: what -show means."""

from __future__ import annotations

import click

from dnnbrain.cli._common import option

show_option = option('-show', is_flag=True, help='Open windows, where there is a display.')


def can_show(show: bool, out: str | None) -> bool:
    """Whether to open windows: asked for, and there is a display.

    Raises
    ------
    BadValue
        Nothing would be seen: neither files nor windows.
    """
    from dnnbrain._checks import BadValue
    if not show:
        if out is None:
            raise BadValue('give a folder for the figures (-out FOLDER), or -show to look at them')
        return False
    from dnnbrain.viz.pictures import has_display
    if has_display():
        return True
    if out is None:
        raise BadValue('-show needs a display, and there is none here; give a folder for the figures (-out FOLDER)')
    click.echo('-show: there is no display to open a window on; look at the files', err=True)
    return False
