"""The studies that are published in reports/results, and the picture of a method's front on one of them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

from matplotlib.backends.backend_svg import FigureCanvasSVG
from sparsebench.bench.exchange.reader import read_source
from sparsebench.errors import SparsebenchError
from sparsebench.files import write_atomic
from sparsebench.reports.analysis.boards import boards, on_front
from sparsebench.reports.analysis.leaderboard import TaskLeaderboard
from sparsebench.reports.analysis.scores import cells
from sparsebench.reports.figures.canvas import paper_style
from sparsebench.reports.figures.front import draw_fronts
from sparsebench.reports.figures.front_lines import draw_line, draw_measured
from sparsebench.reports.style import SOLID, style_for

OTHERS = "#d0d0d0"


@dataclass(frozen=True)
class Study:
    """One task of a published run: the archive of its records, and its leaderboard."""

    archive: Path
    board: TaskLeaderboard

    def entries_of(self, method: str) -> list[str]:
        """The entries of a method that a figure can show."""
        return [row.entry for row in self.board.rows if row.method == method and self.board.points[row.entry]]


def studies(results: Path) -> Iterator[Study]:
    """The studies in a folder of results, from the records of its archives. Errors: an archive is damaged."""
    for archive in sorted(results.rglob("*.sparsebench.zip")):
        source, problems = read_source(archive)
        if problems:
            raise SparsebenchError("\n".join(problems))
        tasks = source.suite.tasks if source.suite else ()
        yield from (
            Study(archive, board) for board in boards(source.records, {t.name: t.x_max for t in tasks})
        )


def draw_front(study: Study, method: str, path: Path) -> Path:
    """The fronts of a method's entries on a study, before those of all others, as an SVG file."""
    board, own = study.board, study.entries_of(method)
    shown = replace(board, rows=[row for row in board.rows if row.entry in own or row.baseline])
    with paper_style():
        figure = draw_fronts(shown, style_for([board]))
        assert figure is not None, "an entry has points"
        axes, behind = figure.axes[0], (OTHERS, "", SOLID)
        for row in board.rows:
            points = board.points[row.entry]
            if row not in shown.rows and board.compressions:
                draw_measured(axes, cells(points), behind, 1.2)
            elif row not in shown.rows:
                draw_line(axes, on_front(points), behind, 1.2)
        figure.set_layout_engine("constrained")
        content = BytesIO()
        FigureCanvasSVG(figure).print_svg(content, metadata={"Date": None})
    return write_atomic(path, content.getvalue())
