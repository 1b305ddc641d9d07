"""Numbers and lists in words."""

from __future__ import annotations

PLURALS = {'stimulus': 'stimuli', 'class': 'classes', 'contiguous stretch': 'contiguous stretches'}
SEVERAL = 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven', 'twelve'


def number(n: int, noun: str) -> str:
    """'three layers', '358 volumes', 'one class'."""
    word = SEVERAL[n - 1] if 1 <= n <= len(SEVERAL) else f'{n:,}'
    return f'{word} {noun if n == 1 else PLURALS.get(noun, noun + "s")}'


def listed(names) -> str:
    """'a, b and c'."""
    names = [str(name) for name in names]
    return ' and '.join([', '.join(names[:-1]), names[-1]] if len(names) > 1 else names)
