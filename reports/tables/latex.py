r"""The leaderboard as LaTeX for papers: one table a task, set with booktabs. No torch."""

from collections.abc import Callable, Sequence

from ...escaping import escape_latex
from ..analysis.across_tasks import TasksComparison, compare_over_tasks
from ..analysis.leaderboard import LeaderboardRow, TaskLeaderboard
from ..formatting import format_hypervolume, format_percent, format_ratio
from . import notes, wording
from .over_tasks import over_tasks

SHOWN = (4, 16, 64, 256)  # compressions in the table of a paper; the CSV has all


def to_latex(found: Sequence[TaskLeaderboard]) -> str:
    r"""Returns the leaderboards as LaTeX, to be \input after \usepackage{booktabs,graphicx}.

    Args:
        found: The leaderboards of the tasks.

    Returns:
        One `table` environment a task, and one of the comparison over tasks where there is one.

    Example:
        >>> print("\n".join(to_latex([board]).splitlines()[11:13]))
        1 & \textbf{dwf-3} & \textbf{0.581 $\pm$ 0.003} & ...
        2 & magnitude & 0.397 $\pm$ 0.004 & ...
    """
    parts = [r"% Written by sparsebench. Needs \usepackage{booktabs,graphicx}."]
    parts += [_board(board, number) for number, board in enumerate(found, 1)]
    result = compare_over_tasks(found)
    if result is not None:
        parts.append(_overall(result))
    return "\n\n".join(parts) + "\n"


def _board(board: TaskLeaderboard, number: int) -> str:
    best = _best(board)
    lines = [[cell(row) for _, cell in _columns(board)] for row in board.rows]
    for row, line in zip(board.rows, lines, strict=True):
        if row.entry in best:
            line[1], line[2] = rf"\textbf{{{line[1]}}}", rf"\textbf{{{line[2]}}}"
    titles = [title for title, _ in _columns(board)]
    lead = escape_latex(f"{board.task}: {notes.basis(board)}; {notes.references(board)}.")
    caption = f"{lead} {_legend(board)}"
    return _table(caption, f"tab:sparsebench-{number}", "rl" + "r" * (len(titles) - 2), titles, lines)


def _legend(board: TaskLeaderboard) -> str:
    """What the columns and marks mean."""
    marked = any(not row.learned or any(row.unlearned_at.values()) for row in board.rows)
    dead = r" $\dagger$: learned nothing." if marked else ""
    if board.compressions:
        return (
            "Accuracies in \\%; acc@$c$ measured at compression $c$; score: mean over them of (accuracy $-$ "
            "chance)/(dense $-$ chance), 0 where nothing was learned; ``own zeros'': largest "
            "compression that a method reached by itself with at most 5 points below dense. Bold: not "
            "distinguishable from the best. $\\ddagger$: cut to that compression by magnitude, without "
            f"retraining.{dead}" + "".join(f" {escape_latex(text)}" for text in notes.marks(board)[1:])
        )
    return (
        "Accuracies in \\%; acc@$c$ at compression $c$; ``within $n$'': largest compression with at "
        f"most $n$ points below dense. Bold: not distinguishable from the best.{dead}"
    )


def _best(board: TaskLeaderboard) -> set[str]:
    """The first entry and those than which it is not significantly better."""
    first = next((row.entry for row in board.rows if row.rank == 1), None)
    if first is None or board.source != "test":
        return set()
    return {first} | {p.second for p in board.pairs if p.first == first and not p.ahead}


def _columns(board: TaskLeaderboard) -> list[tuple[str, Callable[[LeaderboardRow], str]]]:
    dense = board.scale is not None
    found: list[tuple[str, Callable[[LeaderboardRow], str]]] = [
        ("rank", lambda row: escape_latex(notes.rank(row)) if not row.baseline else ""),
        ("entry", lambda row: escape_latex(row.entry)),
    ]
    if board.compressions:
        found.append(("score", _score))
        found += [(f"acc@{c:g}", _measured(c)) for c in board.compressions]
        found.append(("hypervolume", lambda row: _volume(row, normalised=dense)))
        found.append(("own zeros", lambda row: "" if row.baseline else _own_zeros(row)))
        return [*found, ("training", lambda row: _cell(row.training_flops_ratio, format_ratio))]
    found += [
        ("hypervolume", lambda row: _volume(row, normalised=dense)),
        *((f"acc@{c}", _accuracy(c)) for c in SHOWN),
    ]
    if dense:
        found += [(f"within {round(100 * tol)}", _within(tol)) for tol in (0.01, 0.05, 0.10)]
        found.append(
            ("speed-up", lambda row: "" if row.baseline else escape_latex(format_ratio(row.speedup)))
        )
    found.append(("training", lambda row: _cell(row.training_flops_ratio, format_ratio)))
    found.append(("best acc", _best_accuracy))
    return found


def _score(row: LeaderboardRow) -> str:
    return "" if row.baseline else _plus_minus(row.score, row.score_sd, format_hypervolume)


def _measured(compression: float) -> Callable[[LeaderboardRow], str]:
    """Mean and sd at a common compression: bold where none is significantly better, marked where cut."""

    def cell(row: LeaderboardRow) -> str:
        value, sd = row.accuracy_at.get(compression), row.accuracy_at_sd.get(compression)
        text = _plus_minus(value, sd, format_percent)
        if row.best_at.get(compression):
            text = rf"\textbf{{{text}}}"
        text += r"$^\ddagger$" if row.cut_at.get(compression) else ""
        return text + (r"$^\dagger$" if row.unlearned_at.get(compression) else "")

    return cell


def _own_zeros(row: LeaderboardRow) -> str:
    return _cell(row.within.get(0.05) if row.within else row.largest_compression, format_ratio)


def _best_accuracy(row: LeaderboardRow) -> str:
    text = _plus_minus(row.best_accuracy, row.best_accuracy_sd, format_percent)
    return text if row.learned else text + escape_latex(wording.NOTHING_LEARNED)


def _accuracy(compression: int) -> Callable[[LeaderboardRow], str]:
    return lambda row: "" if row.baseline else _cell(row.accuracy_at.get(compression), format_percent)


def _within(tolerance: float) -> Callable[[LeaderboardRow], str]:
    return lambda row: "" if row.baseline else _cell(row.within.get(tolerance), format_ratio)


def _volume(row: LeaderboardRow, *, normalised: bool) -> str:
    if row.baseline:
        return ""
    if normalised:
        return _plus_minus(row.hypervolume, row.hypervolume_sd, format_hypervolume)
    return _plus_minus(row.hypervolume_raw, row.hypervolume_raw_sd, format_hypervolume)


def _cell(value: float | None, form: Callable[[float | None], str]) -> str:
    return escape_latex(form(value))


def _plus_minus(value: float | None, sd: float | None, form: Callable[[float | None], str]) -> str:
    return _cell(value, form) if sd is None or value is None else rf"{form(value)} $\pm$ {form(sd)}"


def _overall(result: TasksComparison) -> str:
    lines = [
        [escape_latex(s.entry), f"{s.mean_rank:.2f}", _cell(s.mean_merit, format_hypervolume)]
        for s in result.standings
    ]
    caption = " ".join(escape_latex(line) for line in over_tasks(result))
    return _table(
        caption, "tab:sparsebench-tasks", "lrr", ["entry", "mean rank", f"mean {result.merit}"], lines
    )


def _table(caption: str, label: str, spec: str, titles: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    body = [" & ".join(line) + r" \\" for line in lines]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{caption}}}",
            rf"\label{{{label}}}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{{spec}}}",
            r"\toprule",
            " & ".join(titles) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table}",
        ]
    )
