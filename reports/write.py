"""Every file of a report: tables, figures and the site, written into one folder."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..files import write_atomic
from ..records.pareto import X_MAX
from ..records.record import Record
from .analysis.boards import TaskLeaderboard, boards
from .tables.csv_json import pairs_csv, to_csv, to_json
from .tables.latex import to_latex
from .tables.markdown import to_markdown
from .tables.terminal import XMax

if TYPE_CHECKING:
    from .figures.knob_importance import Importance


def write_report(
    folder: Path,
    records: Iterable[Record],
    x_max: XMax = X_MAX,
    importance: Mapping[str, "Importance"] | None = None,
    processes: int = 1,
) -> list[Path]:
    """Write tables, figures and the site into `folder`; each file appears whole or not at all.

    `importance`: of the knobs, by task, where somebody has computed it; it is drawn, not computed here.
    `processes`: so many, at most, draw the figures.
    Returns the paths, the leaderboard first. Errors: no records; a folder that cannot be written.
    """
    folder = Path(folder)
    found = boards(records, x_max)
    tables = [
        write_atomic(folder / "leaderboard.csv", to_csv(found)),
        write_atomic(folder / "pairs.csv", pairs_csv(found)),
        write_atomic(folder / "leaderboard.json", to_json(found)),
        write_atomic(folder / "leaderboard.tex", to_latex(found)),
    ]
    from .figures.draw import (
        draw_report,  # matplotlib loads in seconds: a terminal table does not wait for it
    )

    pictures = draw_report(folder, found, importance or {}, processes)
    shown = {task: [p.name for p in paths if p.suffix == ".png"] for task, paths in pictures.items()}
    page = write_atomic(folder / "leaderboard.md", to_markdown(found, shown))
    return [page, *tables, *(path for paths in pictures.values() for path in paths), *_site(folder, found)]


def _site(folder: Path, found: Sequence[TaskLeaderboard]) -> list[Path]:
    from .site import write_site  # as with the figures

    return write_site(folder, found)
