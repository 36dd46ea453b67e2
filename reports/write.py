"""Every file of a report: tables, figures and the site, written into one folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..files import write_atomic
from .analysis.leaderboard import TaskLeaderboard
from .tables.csv_json import json_parts, pairs_csv_parts, to_csv
from .tables.latex import to_latex
from .tables.markdown import to_markdown

if TYPE_CHECKING:
    from .figures.knob_importance import Importance


def write_report(
    folder: Path,
    found: Sequence[TaskLeaderboard],
    importance: Mapping[str, "Importance"] | None = None,
    processes: int = 1,
) -> list[Path]:
    """Writes tables, figures and the site into a folder, each file atomically.

    Args:
        folder: Where to write; created where it is missing. Files of the same names are replaced.
        found: The leaderboards of all tasks, at least one.
        importance: The importance of the knobs by task; it is drawn where it is given, not computed here.
        processes: The largest number of processes that draw figures.

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
    # Tables for programs and papers
    folder = Path(folder)
    tables = [
        write_atomic(folder / "leaderboard.csv", to_csv(found)),
        write_atomic(folder / "pairs.csv", pairs_csv_parts(found)),
        write_atomic(folder / "leaderboard.json", json_parts(found)),
        write_atomic(folder / "leaderboard.tex", to_latex(found)),
    ]
    # Figures; matplotlib loads in seconds, and a terminal table does not wait for it
    from .figures.draw import draw_report

    pictures = draw_report(folder, found, importance or {}, processes)
    shown = {task: [p.name for p in paths if p.suffix == ".png"] for task, paths in pictures.items()}
    # The Markdown page, which shows the figures, and the site
    page = write_atomic(folder / "leaderboard.md", to_markdown(found, shown))
    return [page, *tables, *(path for paths in pictures.values() for path in paths), *_site(folder, found)]


def _site(folder: Path, found: Sequence[TaskLeaderboard]) -> list[Path]:
    from .site import write_site  # as with the figures

    return write_site(folder, found)
