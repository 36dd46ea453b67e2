"""The change of a leaderboard, as a comment on a pull request shows it."""

from collections.abc import Iterator, Sequence

from ...reports.analysis.leaderboard import LeaderboardRow, TaskLeaderboard
from ...reports.formatting import NOTHING, escape_markdown, format_hypervolume, format_percent
from ...reports.tables import notes


def described_changes(before: Sequence[TaskLeaderboard], after: Sequence[TaskLeaderboard]) -> str:
    r"""Returns the rows of leaderboards that are new or changed, as Markdown.

    Args:
        before: The leaderboards without the new submissions; empty for a task that is new on the board.
        after: The leaderboards with them.

    Returns:
        A table for each leaderboard, and a sentence where no row changes.

    Example:
        >>> print(described_changes([], [board]))
        ## made\_up-net
        <BLANKLINE>
        |  | rank | entry | hypervolume | evidence |
        | --- | ---: | --- | ---: | --- |
        | new | 1 | dwf-3 | 0.581 | – |
        ...
    """
    known = {board.task: board for board in before}
    return "\n".join(line for board in after for line in _table(known.get(board.task), board)) + "\n"


def _table(before: TaskLeaderboard | None, after: TaskLeaderboard) -> Iterator[str]:
    old = {row.entry: row for row in before.rows} if before else {}
    rows = [(what, row) for row in after.rows if (what := _change(old.get(row.entry), row, before, after))]
    yield f"## {escape_markdown(after.task)}"
    yield ""
    if not rows:
        yield "No row changes: the board has these searches already, and agrees or not as its column says."
        return
    shown = [c for c in after.compressions if c > 1][-4:]
    yield _line(["", "rank", "entry", after.merit_name, *(f"acc@{c:g}" for c in shown), "evidence"])
    yield _line(["---", "---:", "---", *["---:"] * (1 + len(shown)), "---"])
    for what, row in rows:
        cells = [
            what,
            notes.rank(row),
            escape_markdown(row.entry),
            format_hypervolume(after.shown(row.entry)),
        ]
        cells += [format_percent(row.accuracy_at.get(c)) for c in shown]
        yield _line([*cells, row.verified or NOTHING])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _change(
    old: LeaderboardRow | None,
    new: LeaderboardRow,
    before: TaskLeaderboard | None,
    after: TaskLeaderboard,
) -> str:
    """Returns what happened to a row in a word; empty where nothing did."""
    if old is None or before is None:
        return "new"
    if old.rank != new.rank:
        return f"was {notes.rank(old)}"
    same = before.shown(old.entry) == after.shown(new.entry) and old.accuracy_at == new.accuracy_at
    return "" if same and old.verified == new.verified else "changed"
