"""Every file of a report: tables, figures and the site, written into one folder."""

from collections.abc import Sequence
from pathlib import Path

from ..files import write_atomic
from .analysis.leaderboard import TaskLeaderboard
from .drawing import drawing
from .figures.share import Deferred
from .tables.csv_json import json_parts, pairs_csv_parts, to_csv
from .tables.latex import to_latex
from .tables.markdown import to_markdown


def write_report(
    folder: Path,
    found: Sequence[TaskLeaderboard],
    importance: Deferred | None = None,
    processes: int = 1,
) -> list[Path]:
    """Writes tables, figures and the site into a folder, each file atomically.

    Args:
        folder: Where to write; created where it is missing. Files of the same names are replaced.
        found: The leaderboards of all tasks, at least one.
        importance: What computes the importance of the knobs, by task; it is drawn where it is given.
        processes: The largest number of other processes that draw figures.

    Returns:
        The paths of all files, `leaderboard.md` first.

    Raises:
        SparsebenchError: The folder cannot be written.

    Example:
        >>> from pathlib import Path
        >>> paths = write_report(Path("report"), [board])
        >>> [path.name for path in paths[:5]]
        ['leaderboard.md', 'leaderboard.csv', 'pairs.csv', 'leaderboard.json', 'leaderboard.tex']
    """
    folder = Path(folder)
    with drawing(folder, found, importance or {}, processes) as pictures:
        # Tables for programs and papers, and the site, while other processes draw
        tables = [
            write_atomic(folder / "leaderboard.csv", to_csv(found)),
            write_atomic(folder / "pairs.csv", pairs_csv_parts(found)),
            write_atomic(folder / "leaderboard.json", json_parts(found)),
            write_atomic(folder / "leaderboard.tex", to_latex(found)),
        ]
        site = _site(folder, found)
        drawn = pictures()
    # The Markdown page, which shows the figures
    shown = {task: [p.name for p in paths if p.suffix == ".png"] for task, paths in drawn.items()}
    page = write_atomic(folder / "leaderboard.md", to_markdown(found, shown))
    return [page, *tables, *(path for paths in drawn.values() for path in paths), *site]


def _site(folder: Path, found: Sequence[TaskLeaderboard]) -> list[Path]:
    from .site import write_site  # a terminal table does not wait for its templates

    return write_site(folder, found)
