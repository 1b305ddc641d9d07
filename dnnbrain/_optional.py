"""Optional packages, imported late; a missing one is named together with the extra that brings it."""

from __future__ import annotations

import importlib
from types import ModuleType

EXTRAS = {'av': 'video', 'soundfile': 'audio', 'kaldi_native_fbank': 'audio', 'timm': 'zoo', 'rsatoolbox': 'rsa'}


class MissingExtra(ImportError):
    """An optional package is needed and not installed."""


def optional(module: str, purpose: str) -> ModuleType:
    """The module, or an error that says what to install.

    Parameters
    ----------
    module : str
        Name as imported, one of `EXTRAS`.
    purpose : str
        What it is needed for, as the subject of the sentence ('reading video').
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtra(f'{purpose} needs the package {module!r}; '
                           f"install it with: pip install 'dnnbrain[{EXTRAS[module]}]'") from error
