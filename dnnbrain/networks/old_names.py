"""Arguments under the names that DNNBrain 1.0 gave them."""

from __future__ import annotations

import functools
from collections.abc import Callable

from dnnbrain._checks import BadType


def also_called(**names: str) -> Callable:
    """Let a method take arguments by 1.0's names too: ``also_called(clip_files='stimuli')``."""
    def decorated(method: Callable) -> Callable:
        @functools.wraps(method)
        def call(*args, **kwargs):
            given = {names.get(name, name): value for name, value in kwargs.items()}
            if len(given) < len(kwargs):
                twice = next(f'{old} and {new}' for old, new in names.items() if old in kwargs and new in kwargs)
                raise BadType(f'{twice} are the same argument; give one')
            return method(*args, **given)
        return call
    return decorated
