"""Completion in the shell: which values an option may have, and the script that tells the shell to ask."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable

import click
from click.shell_completion import CompletionItem, get_completion_class

SHELLS = ('bash', 'zsh', 'fish')


def values_of(name: str, metavar: str | None) -> Callable | None:
    """What click asks for values of an option: names of networks, or the shell's own way with files and folders."""
    if name == '-net':
        return _networks
    kind = {'FILE': 'file', 'FOLDER': 'dir'}.get((metavar or '').partition(' ')[0])
    return None if kind is None else lambda ctx, param, incomplete: [CompletionItem(incomplete, type=kind)]


def script(shell: str) -> str:
    """What a shell evaluates to complete all our commands."""
    make = get_completion_class(shell)
    parts = [make(click.Command(name), {}, name, f'_{name.upper()}_COMPLETE').source() for name in command_names()]
    return '\n'.join(parts)


def command_names() -> list[str]:
    """Names of the installed commands."""
    import dnnbrain.cli
    return [module.name for module in pkgutil.iter_modules(dnnbrain.cli.__path__) if not module.name.startswith('_')]


def _networks(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from dnnbrain.networks.registry import NETWORKS
    return [name for name in NETWORKS if name.lower().startswith(incomplete.lower())]
