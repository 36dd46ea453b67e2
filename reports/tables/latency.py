"""The measured times of a task's models: one table for each machine and batch size. No torch."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from ...records.measured.latency import TWO_OF_FOUR, Latency, Machine
from ..analysis.leaderboard import LeaderboardRow, TaskLeaderboard
from ..formatting import NOTHING, format_ratio, one_line
from .wording import NO_PATTERN_KERNEL, SPEEDS

WIDE = 0.2  # spread of the quartiles above which a time is marked
MARK = "~"


@dataclass(frozen=True)
class LatencyTable:
    """Times of the entries of a task on one machine at one batch size.

    Attributes:
        machine: The machine.
        batch: Images in a pass.
        titles: The headings: the entry, then a column a compression.
        rows: The cells, row by row in the order of the leaderboard.
        said: What the table shows.

    Example:
        >>> from dataclasses import replace
        >>> [table] = latency_tables(replace(board, latencies=(made_up_latency("dwf-3", at=64, batch=64),)))
        >>> table.titles, table.rows
        (['entry', 'ms@64'], [['dwf-3', '0.04 (2.50×)']])
    """

    machine: Machine
    batch: int
    titles: list[str]
    rows: list[list[str]]
    said: str


def latency_tables(board: TaskLeaderboard) -> list[LatencyTable]:
    """Returns the tables of a task's measured times; those of different machines are never mixed.

    Args:
        board: The task's leaderboard.

    Returns:
        A table for each machine and batch size, in the order measured; none where nobody has measured.

    Example:
        >>> latency_tables(board)
        []
    """
    groups: dict[tuple[str, ...], list[Latency]] = {}
    for one in board.latencies:
        groups.setdefault((*one.machine.key, str(one.batch)), []).append(one)
    return [_table(board, found) for found in groups.values()]


def _table(board: TaskLeaderboard, found: Sequence[Latency]) -> LatencyTable:
    titles, rows = _grid(board, found, {(one.entry, one.at): _cell(one) for one in found}, "ms")
    return LatencyTable(found[0].machine, found[0].batch, titles, rows, _said(found))


def size_table(board: TaskLeaderboard) -> LatencyTable | None:
    """Returns the table of the sizes of a task's compacted networks, which are those of any machine.

    Args:
        board: The task's leaderboard.

    Returns:
        The table, at the largest batch that was measured; None where nobody has measured.

    Example:
        >>> from dataclasses import replace
        >>> measured = replace(board, latencies=(made_up_latency("dwf-3", at=64, batch=64),))
        >>> size_table(measured).rows
        [['dwf-3', '4.1, 5']]
    """
    largest = max((one.batch for one in board.latencies), default=0)
    found = [one for one in board.latencies if one.batch == largest]
    if not found:
        return None
    by_cell = {(one.entry, one.at): one.compacted for one in found}
    cells = {key: f"{_kilobytes(s.file_bytes)}, {_kilobytes(s.memory_bytes)}" for key, s in by_cell.items()}
    dense = found[0].size
    said = (
        "Sizes of the compacted networks in kB: the tensors as a file, and the most bytes of tensors alive "
        f"at once in a pass over {largest} images. Dense: {_kilobytes(dense.file_bytes)} and "
        f"{_kilobytes(dense.memory_bytes)}."
    )
    titles, rows = _grid(board, found, cells, "kB")
    return LatencyTable(found[0].machine, largest, titles, rows, said)


def _kilobytes(count: int) -> str:
    return f"{count / 1e3:,.4g}" if count < 1e7 else f"{count / 1e3:,.0f}"


def _grid(
    board: TaskLeaderboard, found: Sequence[Latency], cells: Mapping[tuple[str, float | None], str], unit: str
) -> tuple[list[str], list[list[str]]]:
    """Returns headings, a column a compression, and rows in the order of the leaderboard."""
    columns = sorted({one.at for one in found}, key=lambda at: at or 0.0)
    entries = [row.entry for row in board.rows if any(one.entry == row.entry for one in found)]
    titles = ["entry", *(unit if at is None else f"{unit}@{at:g}" for at in columns)]
    return titles, [[one_line(name), *(cells.get((name, at), NOTHING) for at in columns)] for name in entries]


def _cell(found: Latency) -> str:
    mark = MARK if found.sparse[found.fastest_sparse].spread > WIDE else ""
    return f"{milliseconds(found.seconds)} ({format_speed(found.speedup)}){mark}"


def milliseconds(seconds: float) -> str:
    """Returns a time in milliseconds with three digits.

    Args:
        seconds: The time.

    Returns:
        The number.

    Example:
        >>> milliseconds(0.00032681)
        '0.327'
    """
    return f"{1e3 * seconds:.3g}"


def format_speed(ratio: float) -> str:
    """Returns a measured speed-up, which may be below 1.

    Args:
        ratio: The ratio.

    Returns:
        The text.

    Example:
        >>> format_speed(2.5), format_speed(0.8)
        ('2.50×', '0.80×')
    """
    return f"{format_ratio(ratio) if ratio >= 1 else f'{ratio:.2f}'}×"


def _said(found: Sequence[Latency]) -> str:
    """Returns the sentences below a table: machine, what a number is, and what makes it uncertain."""
    machine, batch = found[0].machine, found[0].batch
    versions = ", ".join(f"{one_line(name)} {one_line(v)}" for name, v in machine.versions.items())
    dense = milliseconds(median(one.dense_seconds for one in found))
    runtimes = " or ".join(dict.fromkeys(one.fastest_dense for one in found))
    images = "one image" if batch == 1 else f"{batch} images"
    text = (
        f"Measured on {one_line(machine.title)} ({versions}): median milliseconds of a pass over {images} in "
        "the fastest of the ways that give the same logits, and in brackets the speed-up over the dense "
        f"network in its fastest runtime ({one_line(runtimes)}, {dense} ms)."
    )
    if any(one.short for one in found):
        text += " The short form: eager torch and compaction alone."
    if any(one.busy for one in found):
        most = max(one.others for one in found)
        text += f" Other programs used up to {most:g} cores: ratios are uncertain."
    if any(one.sparse[one.fastest_sparse].spread > WIDE for one in found):
        text += f" {MARK}: half of the passes are spread over more than {WIDE:.0%} of the median."
    return text


def time_notes(board: TaskLeaderboard) -> list[str]:
    """Returns what a leaderboard says of measured times: what the column is, and which kernels were not used.

    Args:
        board: The task's leaderboard.

    Returns:
        Sentences; none where nobody has measured and no entry keeps N of every M weights.

    Example:
        >>> from dataclasses import replace
        >>> time_notes(board), len(time_notes(replace(board, latencies=(made_up_latency("a", 64, 64),))))
        ([], 1)
    """
    notes = [SPEEDS] if board.latencies else []
    if board.has_patterns and not any(TWO_OF_FOUR in one.sparse for one in board.latencies):
        notes.append(NO_PATTERN_KERNEL)
    return notes


def measured_speed(row: LeaderboardRow, board: TaskLeaderboard, found: Iterable[Latency]) -> str:
    """Returns the cell of a row's measured speed-up: the largest at a compression that costs little.

    Args:
        row: The row.
        board: Its leaderboard.
        found: Times of one machine and batch size.

    Returns:
        The largest speed-up among the compressions at which accuracy is at most 5 points below dense, with
        the compression; of models without one, among all.

    Example:
        >>> measured_speed(board.row("dwf-3"), board, [made_up_latency("dwf-3", at=64, batch=64)])
        '–'
    """
    least = None if board.dense is None else board.dense - 0.05
    fit = [one for one in found if one.entry == row.entry and _is_accurate(row, one.at, least)]
    best = max(fit, key=lambda one: one.speedup, default=None)
    if best is None:
        return NOTHING
    return format_speed(best.speedup) + ("" if best.at is None else f" @{best.at:g}")


def _is_accurate(row: LeaderboardRow, at: float | None, least: float | None) -> bool:
    accuracy = None if at is None else row.accuracy_at.get(at)
    return at is None or least is None or (accuracy is not None and accuracy >= least)
