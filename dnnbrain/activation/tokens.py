"""Tokens of transformers as the patches of a picture that they are."""

from __future__ import annotations

import math

MOST_BEFORE = 8         # class token and registers


def patch_grid(n_token: int) -> tuple[int, int] | None:
    """(tokens before the patches, side) of the square that tokens are; None if they are none.

    The class token and registers come first, fewer than a row of patches.
    """
    side = math.isqrt(n_token)
    before = n_token - side ** 2
    return (before, side) if before <= MOST_BEFORE and before < side > 1 else None
