"""All the figures of a report, by as many processes as pay. No torch."""

import pickle
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from . import figures
from .fronts import Styles
from .overall import overall
from .rows import Board
from .settled import settled, sweep

if TYPE_CHECKING:
    from .shares import Importance

Pictures = dict[str, list[Path]]

LEAST = 3  # a process more pays from so many tasks on: it imports as long as two of them take


def drawn(
    folder: Path, found: Sequence[Board], importance: Mapping[str, "Importance"], processes: int = 1
) -> Pictures:
    """The files of all figures by task; those of all tasks together under the empty name.

    Drawing is most of a large report, and one process draws on one core: `processes` is how many may.
    """
    style = figures.style_for(found)
    count = max(1, min(processes, len(found) // LEAST))
    own, *others = ([*found[i::count]] for i in range(count))
    with ThreadPoolExecutor(count) as threads:
        waiting = [threads.submit(_elsewhere, folder, part, importance, style) for part in others]
        made = _here(folder, own, importance, style)
        together = figures.draw_together(found, folder, style, overall(found))
        for other, part in zip(waiting, others, strict=True):
            made |= other.result() or _here(folder, part, importance, style)
    return {board.task: made[board.task] for board in found} | {"": together}


def _here(
    folder: Path, found: Sequence[Board], importance: Mapping[str, "Importance"], style: Styles
) -> Pictures:
    made = {}
    for board in found:
        made[board.task] = figures.draw_all(board, folder, style, importance.get(board.task))
        sweep()
    return made


def _elsewhere(
    folder: Path, found: Sequence[Board], importance: Mapping[str, "Importance"], style: Styles
) -> Pictures | None:
    """In a process of its own, started by command as the workers are, so that no script needs a guard.

    None where that process fails, for want of memory perhaps: the figures are then drawn here after all.
    """
    command = [sys.executable, "-P", "-c", f"from {__name__} import _answer; _answer()"]
    asked = pickle.dumps((folder, found, importance, style))
    done = subprocess.run(command, input=asked, capture_output=True, check=False)
    made: Pictures | None = None if done.returncode else pickle.loads(done.stdout)
    return made


def _answer() -> None:
    """The other process: what to draw comes in, the files' names go out."""
    asked = pickle.load(sys.stdin.buffer)
    with settled():
        made = _here(*asked)
    sys.stdout.buffer.write(pickle.dumps(made))
