"""Tokens of transformers as the patches of a picture that they are."""

from __future__ import annotations

MOST_BEFORE = 8         # class token and registers


def patch_grid(n_token: int, picture: tuple[int, int] = (1, 1)) -> tuple[int, int, int] | None:
    """(tokens before the patches, rows, columns) of the grid that tokens are; None if they are none.

    The class token and registers come first, fewer than a row of patches.

    Parameters
    ----------
    picture : tuple of int
        (height, width), whose shape the grid has; a square by default.
    """
    for before in range(min(MOST_BEFORE + 1, n_token)):
        n_row = round(((n_token - before) * picture[0] / picture[1]) ** 0.5)
        n_col, rest = divmod(n_token - before, max(n_row, 1))
        if not rest and abs(n_row - n_col * picture[0] / picture[1]) < 1 and before < n_col and min(n_row, n_col) > 1:
            return before, n_row, n_col
    return None
