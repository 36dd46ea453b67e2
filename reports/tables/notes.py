"""The printed notes of a leaderboard: what was measured, by which rule, at which cost. No torch."""

from collections.abc import Callable

from ..analysis.leaderboard import LeaderboardRow, TaskLeaderboard
from ..analysis.points import most_accurate
from ..formatting import NOTHING, format_percent, one_line, span
from ..statistics.intervals import Interval
from .latency import time_notes
from .wording import (
    CHANCE,
    CHANNELS,
    INTERVALS,
    LEAST_PRUNABLE,
    MARKS,
    MEASURED,
    NOTHING_LEARNED,
    PARTLY,
    REPEATED,
    RETRAINING,
    SEARCHING,
    TIES,
    TOLERANCE,
    UNTRAINED,
    WHAT,
    WITHIN,
)


def basis(board: TaskLeaderboard) -> str:
    """Returns the line that says which accuracies a table has, and how many seeds.

    Args:
        board: The leaderboard of a task.

    Returns:
        The line, without a full stop.

    Example:
        >>> basis(board)
        'test accuracy, mean ± sample sd over 3 seeds; points chosen on validation accuracy'
    """
    balanced = "balanced " if board.metric == "balanced_accuracy" else ""
    if board.source == "validation":
        return f"{balanced.upper()}VALIDATION accuracy, not confirmed: nothing was retrained with fresh seeds"
    rows = [row for row in board.rows if row.points and row.source == "test"]
    over = f"{span(row.seeds for row in rows)} seeds"
    if units(board) == "searches":
        over = f"{span(row.searches for row in rows)} searches, {over} in all"
    return (
        f"{balanced}test accuracy, mean ± sample sd over {over}; "
        f"{'trainings' if board.compressions else 'points'} chosen on {balanced}validation accuracy"
    )


def references(board: TaskLeaderboard) -> str:
    """Returns the line with the dense accuracy, chance and the share of prunable parameters, in percent.

    Args:
        board: The leaderboard of a task.

    Returns:
        The line, without a full stop.

    Example:
        >>> references(board)
        'dense 98.2 ± 0.6 %, chance 10.0 %'
    """
    rest = f"chance {format_percent(board.chance)} %"
    share = board.prunable_share
    if share is not None:
        rest += f", {format_percent(share)} % of the parameters prunable"
    if board.dense is None:
        return f"no dense baseline, {rest}"
    sd = "" if board.dense_sd is None else f" ± {format_percent(board.dense_sd)}"
    return f"dense {format_percent(board.dense)}{sd} %, {rest}"


def budget(board: TaskLeaderboard) -> str:
    """Returns the note on the entries' budget: search trials, optimizer steps and training FLOPs.

    Args:
        board: The leaderboard of a task.

    Returns:
        The sentences, with a warning where trials or steps differ between entries.

    Example:
        >>> print(budget(board))
        Budget of each entry: 4 search trials, 100 optimizer steps a run. Training FLOPs relative to dense:
        1.00 to 1.00.
    """
    done = [row for row in board.rows if row.points]
    trials, several = span(row.search_trials for row in board.rows), units(board) == "searches"
    within = f" in {span(row.searches for row in done)} searches" if several else ""
    lasted = [row for row in done if row.diverged + row.failed < row.runs]  # the others stopped early
    steps = {row.steps for row in lasted or done}
    text = f"Budget of each entry: {trials} search trials{within}, {span(steps)} optimizer steps a run."
    ratios = sorted(r.training_flops_ratio for r in done if r.training_flops_ratio is not None)
    if ratios:
        text += f" Training FLOPs relative to dense: {ratios[0]:.2f} to {ratios[-1]:.2f}."
    text += _cells(board)
    if len({row.search_trials for row in board.rows}) > 1 or len(steps) > 1:
        text += " The budgets differ between entries: compare with care."
    return text


def _cells(board: TaskLeaderboard) -> str:
    """The sentence on how many trainings each cell was chosen from."""
    done = [row for row in board.rows if row.points]
    if not board.compressions or not done:
        return ""
    aimed, all_ = (
        [row.chosen_from[c] for row in done if row.targeted == kind for c in board.compressions]
        for kind in (True, False)
    )
    each = " of each search" if units(board) == "searches" else ""
    if not aimed:
        return f" Each cell was chosen from {span(all_)} trainings{each}."
    rest = f", one of a method without from all {span(all_)}" if all_ else ""
    return (
        f" A cell of a method with a target was chosen from the {span(aimed)} trainings{each} that aimed "
        f"at it and from what the others show there{rest}."
    )


def remarks(board: TaskLeaderboard) -> list[str]:
    """Returns the notes that hold for this task alone, such as a missing baseline or failed entries.

    Args:
        board: The leaderboard of a task.

    Returns:
        The sentences; empty where there is nothing unusual.

    Example:
        >>> from dataclasses import replace
        >>> remarks(board), remarks(replace(board, chance=0.0))
        ([], ['No record says how many classes this task has: chance is taken as 0.'])
    """
    found = []
    if board.scale is None:
        found.append(TOLERANCE if board.dense is None else UNTRAINED)
    if board.chance == 0:
        found.append(CHANCE)
    found += _balanced(board)
    dead = [one_line(row.entry) for row in board.rows if row.points and not row.learned]
    if dead:
        found.append(f"Learned nothing ({NOTHING_LEARNED.strip()}): {', '.join(dead)}.")
    if board.prunable_share is not None and board.prunable_share < LEAST_PRUNABLE:
        found.append(PARTLY.format(share=format_percent(board.prunable_share)))
    rest = [row for row in board.rows if board.source == "test" and row.source == "validation" and row.points]
    if rest:
        names = ", ".join(one_line(row.entry) for row in rest)
        found.append(f"Not ranked, validation accuracy, not confirmed: {names}.")
    empty = {row.entry: row.search_trials > row.search_failed for row in board.rows if not row.points}
    for what, searched in (("No run with a result", False), ("Every confirming run failed", True)):
        named = [one_line(entry) for entry, found_some in empty.items() if found_some == searched]
        if named:
            found.append(f"{what}: {', '.join(named)}.")
    return found


def explanations(board: TaskLeaderboard) -> list[str]:
    """Returns the general notes on how the columns are defined.

    Args:
        board: The leaderboard of a task; the notes name its `x_max`.

    Returns:
        The sentences; those on intervals and ties for test accuracy only.

    Example:
        >>> explanations(board)[-1][:60]
        '≈ before a rank: not distinguishable from the entry above (t'
    """
    texts = (*_of_channels(board), *MEASURED) if board.compressions else WHAT
    unit = {"seeds": "seed", "searches": "search"}[units(board)]
    general: list[str] = [
        text.format(limit=10**board.x_max, unit=unit) if "{limit" in text else text for text in texts
    ]
    general += time_notes(board)
    if board.source != "test":
        return general
    intervals = INTERVALS.format(units=units(board)) + ("" if board.compressions else WITHIN)
    return [*general, intervals, ties(board)]


def marks(board: TaskLeaderboard) -> list[str]:
    """Returns what the marks of a table mean, and what its compressions count where that is not weights.

    Args:
        board: The leaderboard of a task.

    Returns:
        Sentences; none for records of versions without common compressions.

    Example:
        >>> marks(board)
        []
    """
    return [MARKS, *_of_channels(board)] if board.compressions else []


def _of_channels(board: TaskLeaderboard) -> list[str]:
    return [CHANNELS] if board.granularity == "channels" else []


def units(board: TaskLeaderboard) -> str:
    """Returns what the intervals of a task are over: "seeds", or "searches" where there are several.

    Args:
        board: The leaderboard of a task.

    Returns:
        The word.

    Example:
        >>> units(board)
        'seeds'
    """
    shown = [row for row in board.rows if row.source == board.source and row.points]
    return "searches" if any(row.searches > 1 for row in shown) else "seeds"


def ties(board: TaskLeaderboard) -> str:
    """Returns the note on ranks that cannot be told apart.

    Args:
        board: The leaderboard of a task.

    Returns:
        The sentences.

    Example:
        >>> ties(board)[:60]
        '≈ before a rank: not distinguishable from the entry above (t'
    """
    merits = f"scores of {units(board)}" if board.compressions else "hypervolumes of the seeds' own fronts"
    covers = SEARCHING if units(board) == "searches" else RETRAINING
    if board.spreads:
        covers = REPEATED.format(searches=span(spread.searches for spread in board.spreads.values()))
    return TIES.format(merits=merits, units=units(board), covers=covers)


def _balanced(board: TaskLeaderboard) -> list[str]:
    """Returns the note on classes of unequal size, with the balanced accuracy of each entry's best point."""
    if not board.imbalanced or board.metric == "balanced_accuracy":
        return []
    names = [row.entry for row in board.rows if row.points]
    whole = {name: [p for p in board.points[name] if p.at in (None, 1.0)] for name in names}
    values = {name: most_accurate(own).balanced_accuracy for name, own in whole.items() if own}
    found = [f"{one_line(e)} {format_percent(v)} %" for e, v in values.items() if v is not None]
    return [
        f"The classes are of unequal size: one answer for all reaches {format_percent(board.chance)} %. "
        f"Balanced accuracy of the most accurate points: {', '.join(found) or 'not recorded'}. With metric = "
        '"balanced_accuracy" in its recipe a task is searched and ranked by it.'
    ]


def rank(row: LeaderboardRow) -> str:
    """Returns the text of a row's rank.

    Args:
        row: A row of a leaderboard.

    Returns:
        `1` or `2`; `≈2` where the entry above is not significantly better; `?2` where seeds are too few to
        judge; `dense` for the baseline and a dash for an unconfirmed entry.

    Example:
        >>> [rank(row) for row in board.rows]
        ['1', '2', 'dense']
    """
    if row.baseline:
        return "dense"
    if row.rank is None:
        return "–"
    sign = {True: "≈", False: "", None: "" if row.rank == 1 or row.source == "validation" else "?"}[row.tied]
    return f"{sign}{row.rank}"


def between(interval: Interval | None, form: Callable[[float], str]) -> str:
    """Returns the ends of an interval as text.

    Args:
        interval: The interval; None is shown as an en dash.
        form: Formats a number of the interval's unit.

    Returns:
        `low, high`.

    Example:
        >>> between(Interval(0.964, 0.986), format_percent)
        '96.4, 98.6'
    """
    return NOTHING if interval is None else f"{form(interval.low)}, {form(interval.high)}"
