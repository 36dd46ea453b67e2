"""The figures of a report, drawn by other processes while this one writes its tables and pages.

Drawing takes most of the time of a report, and its libraries take more memory than thousands of records.
Nothing is imported here that draws.
"""

import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from ..records.record import Record
from ..records.stored import unchanged
from .analysis.leaderboard import TaskLeaderboard
from .figures.share import Deferred, Pictures, Share
from .style import style_for

LEAST = 3  # tasks a process: its imports take as long as the figures of two tasks
ANSWER = f"import sys; from {__name__} import answer; answer(sys.stdin.buffer, sys.stdout.buffer)"
MANY = 10_000  # records from which on one other process is worth its start for the memory alone


@contextmanager
def drawing(
    folder: Path, found: Sequence[TaskLeaderboard], importance: Deferred, processes: int = 1
) -> Iterator[Callable[[], Pictures]]:
    """Context manager in which the figures of a report are drawn.

    Args:
        folder: The folder of the files, made where it is missing.
        found: The leaderboards of all tasks.
        importance: What computes the importance of the knobs of a task, by task. Another process calls it.
        processes: Upper bound on the other processes; each of several draws at least `LEAST` tasks. A report
            of few tasks and records is drawn by this process.

    Yields:
        A function that waits until all figures are written. It returns their paths by task, in the order of
        `found`, those of all tasks together under the empty name, and raises `SparsebenchError` where the
        folder cannot be written.

    Example:
        >>> with drawing(Path("."), [board], importance={}) as pictures:
        ...     {task: len(paths) for task, paths in pictures().items()}
        {'made_up-net': 6, '': 0}
    """
    shares = _shares(folder, found, importance, max(1, min(processes, len(found) // LEAST)))
    many = sum(len(board.records) for board in found) > MANY
    if len(shares) == 1 and not (many and processes > 1):
        yield lambda: _in_order(found, map(_here, shares))
        return
    command = [sys.executable, "-P", "-c", ANSWER]
    others = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for _ in shares
    ]
    with ThreadPoolExecutor(len(shares)) as threads:
        try:
            # Pickled before the caller goes on: its tables and pages fill in cached properties of the boards.
            asked = [_pickled(share) for share in shares]
            waiting = [threads.submit(_elsewhere, *both) for both in zip(others, asked, strict=True)]
            answers = (waited.result() for waited in waiting)
            yield lambda: _in_order(
                found, (made or _here(share) for made, share in zip(answers, shares, strict=True))
            )
        finally:
            for other in others:
                other.kill()  # where this process was interrupted; else it has ended


def _shares(folder: Path, found: Sequence[TaskLeaderboard], importance: Deferred, count: int) -> list[Share]:
    slim, style = [replace(board, records=board.records[:1]) for board in found], style_for(found)
    return [
        Share(
            folder, slim[i::count], style,
            {b.task: importance[b.task] for b in slim[i::count] if b.task in importance},
            () if i else slim,
        )
        for i in range(count)
    ]  # fmt: skip


def _in_order(found: Sequence[TaskLeaderboard], parts: Iterator[Pictures]) -> Pictures:
    made: Pictures = {task: paths for part in parts for task, paths in part.items()}
    return {board.task: made[board.task] for board in found} | {"": made[""]}


def _here(share: Share) -> Pictures:
    from .figures.draw import draw_share

    return draw_share(share)


def _pickled(share: Share) -> bytes:
    in_memory = any(board.whole is unchanged for board in share.boards)
    out = BytesIO()
    (pickle.Pickler if in_memory else _Pickler)(out).dump(share)
    return out.getvalue()


def _elsewhere(other: subprocess.Popen[bytes], asked: bytes) -> Pictures | None:
    """Draws in a process of its own, started by a command, so that no script needs a `__main__` guard.

    None where that process fails, for want of memory perhaps: the caller then draws the figures itself.
    """
    assert other.stdin is not None and other.stdout is not None
    with suppress(OSError), other.stdin as stdin:  # it may have ended, as its exit status says
        stdin.write(asked)
    with other.stdout as stdout:
        out = stdout.read()
    made: Pictures | None = None if other.wait() else pickle.loads(out)
    return made


class _Pickler(pickle.Pickler):
    """Pickles the ids of records alone: by them the other process reads those that it shows from the disk."""

    def reducer_override(self, value: Any) -> Any:
        return (_reference, (value.id, value.has_collapsed)) if type(value) is Record else NotImplemented


def _reference(identity: str, collapsed: bool) -> Record:
    return Record.model_construct(id=identity, collapsed=collapsed)


def answer(asked: IO[bytes], told: IO[bytes]) -> None:
    """Runs in the other process: reads a pickled `Share`, draws it, and writes the pickled paths.

    Args:
        asked: Where the share is read from.
        told: Where the paths are written to.

    Example:
        >>> from io import BytesIO
        >>> answer(BytesIO(pickle.dumps(Share(Path("."), [], {}, {}))), told := BytesIO())
        >>> pickle.loads(told.getvalue())
        {'': []}
    """
    told.write(pickle.dumps(_here(pickle.load(asked))))
