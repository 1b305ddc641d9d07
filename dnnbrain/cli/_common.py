"""What the commands share: 1.0's option style, error sentences, verbosity, options used by several."""

from __future__ import annotations

import logging
import math
import warnings

import click

from dnnbrain import __version__, _progress
from dnnbrain._checks import BadInput
from dnnbrain._optional import MissingExtra
from dnnbrain.cli._completion import values_of


class BadInputError(click.ClickException):
    """One sentence, exit code 2."""

    exit_code = 2

    def show(self, file=None) -> None:
        click.echo(self.message, err=True)


class Command(click.Command):
    """A command in 1.0's style: ``-layer conv5 fc3`` gives two values, ``--layer`` is the same option.

    What the user can mend ends in one sentence and exit code 2; `-v` adds the traceback.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.params += _everywhere(self.name)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        options = {name: p for p in self.get_params(ctx) for name in (*p.opts, *p.secondary_opts)
                   if isinstance(p, click.Option)}
        out, current, fresh = [], None, False
        for arg in args:
            name, has_value, _ = arg.partition('=')
            if name in options:
                current = name if options[name].multiple and not has_value else None
                fresh = current is not None
                out.append(arg)
            elif _looks_like_option(arg) and not all('-' + letter in options for letter in arg[1:]):
                raise click.NoSuchOption(name, possibilities=_near(name, options), ctx=ctx)
            elif current and not fresh:
                out += [current, arg]
            else:
                out.append(arg)
                fresh = False
        return super().parse_args(ctx, out)

    def make_context(self, *args, **kwargs) -> click.Context:
        try:
            return super().make_context(*args, **kwargs)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            told = ' '.join(error.format_message().split())
            raise BadInputError(f'{self.name}: {told} (see {self.name} --help)') from error

    def invoke(self, ctx: click.Context):
        _set_up_logging(ctx.params.pop('verbose', 0), ctx.params.pop('quiet', False))
        try:
            return super().invoke(ctx)
        except (BadInput, MissingExtra) as error:
            logging.getLogger(__name__).debug('%s', error, exc_info=True)
            raise BadInputError(f'{self.name}: {error}') from error
        except (OSError, MemoryError) as error:  # a full disk, a folder that vanished, a number that is far too large
            logging.getLogger(__name__).debug('%s', error, exc_info=True)
            raise click.ClickException(f'{self.name}: {error}') from error


class Positive(click.FloatRange):
    """A finite number above 0."""

    def __init__(self):
        super().__init__(min=0, min_open=True)

    def convert(self, value, param, ctx):
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f'{number} is not a finite number.', param, ctx)
        return number


_WORDS = {click.IntRange: 'N', click.FloatRange: 'X'}     # what stands for a number in the help

SEED = click.IntRange(0, 2 ** 32 - 1)       # what numpy and torch both take


def command(name: str, example: str, needs_arguments: bool = True):
    """Decorator: a `Command` with an example at the end of its help, which it shows where arguments are missing."""
    return click.command(name, cls=Command, no_args_is_help=needs_arguments, epilog=f'\b\nExample:\n  {example}',
                         context_settings={'help_option_names': ['-h', '-help', '--help'], 'max_content_width': 100})


def _everywhere(name: str) -> list[click.Parameter]:
    """The options of every command, shown last."""
    @click.version_option(__version__, '-version', '--version', prog_name=name)
    @click.option('-v', '--verbose', count=True, help='Say what happens; twice for tracebacks.')
    @click.option('-q', '--quiet', is_flag=True, help='No warnings and no progress, only results and errors.')
    def holder():
        """Carry the options."""
    return holder.__click_params__[::-1]


def option(name: str, **kwargs):
    """``option('-layer')`` is ``-layer`` and ``--layer``; values of -net, files and folders can be completed."""
    word = next((word for kind, word in _WORDS.items() if isinstance(kwargs.get('type'), kind)), None)
    kwargs = {'metavar': word} | kwargs
    return click.option(name, '-' + name, shell_complete=values_of(name, kwargs['metavar']), **kwargs)


def together(*decorators):
    """Several options as one decorator, in the order they are to be shown."""
    def decorate(function):
        for decorator in reversed(decorators):
            function = decorator(function)
        return function
    return decorate


def _set_up_logging(verbose: int, quiet: bool) -> None:
    level = logging.ERROR if quiet else (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.basicConfig(format='%(message)s', level=level)
    logging.getLogger('dnnbrain').setLevel(level)
    _progress.hidden = quiet
    warnings.showwarning = _said_once(quiet)


def _said_once(quiet: bool):
    """What shows warnings: each sentence once, though layers may give it one after the other."""
    said = set()

    def show(message, *_, **__):
        if not quiet and str(message) not in said:
            said.add(str(message))
            click.echo(f'Warning: {message}', err=True)
    return show


def _looks_like_option(arg: str) -> bool:
    if not arg.startswith('-') or arg in ('-', '--'):
        return False
    try:
        float(arg)
    except ValueError:
        return True
    return False


def _near(name: str, options) -> list[str]:
    import difflib
    single = '-' + name.lstrip('-')
    return difflib.get_close_matches(single, [o for o in options if not o.startswith('--')], n=1)
