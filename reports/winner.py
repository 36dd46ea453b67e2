"""Whether a table may colour its first rank as a winner. No torch."""

from .rows import Board


def winner(board: Board) -> str | None:
    """The entry of rank 1; None where the next one is missing or not distinguishable from it."""
    ranked = {row.rank: row for row in board.rows if row.rank is not None}
    return ranked[1].entry if 1 in ranked and 2 in ranked and ranked[2].tied is False else None
