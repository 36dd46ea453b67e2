"""How far a leaderboard depends on where its searches happened to look.

    sparsebench run quickstart --searches 4 --out runs/stability
    python benchmarks/stability.py runs/stability

A campaign with several searches holds as many campaigns with one: every search has seeds of its own, and its
own confirmations. Each is made a board of its own here, and the boards are compared. Without a folder of
that name the campaign is run first: `python benchmarks/stability.py runs/stability quickstart 4`.
"""

import argparse
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from statistics import fmean, median, stdev, variance
from typing import Any

from sparsebench.bench.campaign.driver import run
from sparsebench.records.record import Record
from sparsebench.records.stored import StoredRecords
from sparsebench.reports.analysis.boards import boards
from sparsebench.reports.analysis.leaderboard import TaskLeaderboard
from sparsebench.reports.statistics.search_spread import MEASURED, budget_of
from timing import write

APART = 0.02  # of accuracy: two points
PRIOR = 2  # degrees of freedom of what entries have in common


def board_of(records: Sequence[Record], task: str, search: int) -> TaskLeaderboard:
    """The leaderboard of a task that a campaign with this search alone would print."""
    return boards([r for r in records if r.task == task and r.replicate == search])[0]


def cells(found: Sequence[TaskLeaderboard]) -> dict[tuple[str, float], list[float | None]]:
    """The accuracies of each entry at each common compression, one a board; the baseline is none of them."""
    entries = [row.entry for row in found[0].rows if not row.baseline]
    return {
        (entry, c): [board.row(entry).accuracy_at.get(c) for board in found]
        for entry in entries
        for c in found[0].compressions
    }


def apart(values: Sequence[float | None]) -> Iterator[bool]:
    """Whether each two boards are more than two points apart in a cell."""
    for a, b in combinations(values, 2):
        if a is not None and b is not None:
            yield abs(a - b) > APART


def turned(found: Sequence[TaskLeaderboard]) -> tuple[int, int]:
    """Pairs that a board calls different, each with each other board: how many, and how many are reversed."""
    count = reversed_ = 0
    for board in found:
        for other in (one for one in found if one is not board):
            for pair in board.pairs:
                if pair.distinct:
                    count += 1
                    sign = other.row(pair.first).merit - other.row(pair.second).merit
                    reversed_ += sign * pair.difference < 0
    return count, reversed_


def kendall(found: Sequence[TaskLeaderboard]) -> float:
    """Mean Kendall's τ between the rankings of each two boards."""
    from scipy.stats import kendalltau

    ranks = [{row.entry: row.rank for row in board.rows if row.rank is not None} for board in found]
    entries = sorted(set.intersection(*map(set, ranks)))
    return fmean(
        kendalltau([a[e] for e in entries], [b[e] for e in entries]).statistic
        for a, b in combinations(ranks, 2)
    )


def measures(records: Sequence[Record], task: str) -> dict[str, Any]:
    """The numbers of one task."""
    searches = sorted({r.replicate for r in records if r.task == task})
    found = [board_of(records, task, search) for search in searches]
    largest = max(found[0].compressions)
    table = cells(found)
    below = [flag for (_, c), values in table.items() if c < largest for flag in apart(values)]
    at_largest = [flag for (_, c), values in table.items() if c == largest for flag in apart(values)]
    best = {key: max((v for v in values if v is not None), default=0.0) for key, values in table.items()}
    short = [v is None or v < best[key] - APART for key, values in table.items() for v in values]
    scores = {entry: [board.row(entry).score or 0.0 for board in found] for entry, _ in table}
    different, reversed_ = turned(found)
    trainings = [
        sum(r.entry == entry and r.task == task for r in records) / len(searches) for entry in scores
    ]
    return {
        "searches": len(searches),
        "entries": len(scores),
        "cells": len(short),
        "missing": sum(v is None for values in table.values() for v in values),
        "short_of_the_best_search": fmean(short),
        "apart_below_the_largest": fmean(below),
        "apart_at_the_largest": fmean(at_largest),
        "sd_of_scores": fmean(stdev(values) for values in scores.values()),
        "pairs_called_different": different,
        "reversed": reversed_ / different if different else 0.0,
        "kendall_tau": kendall(found),
        "trainings_of_an_entry": fmean(trainings),
    }


def keep_spreads(records: Sequence[Record], tasks: Sequence[str]) -> None:
    """Writes what boards of one search read: how far the score of each entry scatters over searches.

    A few searches tell little of one entry, whose variance may come out near 0 by luck. Each variance is
    drawn towards the median of all, which counts as two degrees of freedom (after Smyth 2004).
    """
    known = json.loads(MEASURED.read_text()) if MEASURED.exists() else []
    for task in tasks:
        own = [r for r in records if r.task == task]
        searches = sorted({r.replicate for r in own})
        found = [board_of(records, task, search) for search in searches]
        rows = [row.entry for row in found[0].rows if not row.baseline]
        scores = {entry: [board.row(entry).score or 0.0 for board in found] for entry in rows}
        budget = budget_of([r for r in own if r.replicate == searches[0]], found[0].compressions)
        known = [one for one in known if any(one[name] != value for name, value in budget.items())]
        own_weight, variances = len(searches) - 1, {e: variance(values) for e, values in scores.items()}
        usual = median(variances.values())
        sds = {
            entry: float(f"{math.sqrt((own_weight * v + PRIOR * usual) / (own_weight + PRIOR)):.2g}")
            for entry, v in sorted(variances.items())
        }
        known.append({**budget, "searches": len(searches), "score_sd": sds})
    MEASURED.write_text(json.dumps(known, indent=1) + "\n")


def table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The numbers as Markdown, a column a task."""
    rows = list(found.values())

    def line(title: str, cell: Any) -> str:
        return f"| {title} | " + " | ".join(cell(row) for row in rows) + " |"

    def percent(name: str) -> Any:
        return lambda row: f"{100 * row[name]:.1f} %"

    return "\n".join(
        [
            f"| | {' | '.join(found)} |",
            "|---|" + "---:|" * len(rows),
            line("independent searches", lambda row: str(row["searches"])),
            line("entries, cells", lambda row: f"{row['entries']}, {row['cells'] // row['searches']}"),
            line("trainings of an entry in a search, confirmations included",
                 lambda row: f"{row['trainings_of_an_entry']:.1f}"),
            line("cells that are missing", lambda row: str(row["missing"])),
            line("cells more than 2 points below the best search", percent("short_of_the_best_search")),
            line("two searches more than 2 points apart, below the largest compression",
                 percent("apart_below_the_largest")),
            line("… at the largest", percent("apart_at_the_largest")),
            line("sd of an entry's score over searches", lambda row: f"{row['sd_of_scores']:.3f}"),
            line("pairs called different, and reversed in another search",
                 lambda row: f"{row['pairs_called_different']}, {100 * row['reversed']:.1f} %"),
            line("Kendall's τ of two rankings", lambda row: f"{row['kendall_tau']:.2f}"),
        ]
    )  # fmt: skip


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("suite", nargs="?", help="the suite to run first")
    parser.add_argument("searches", nargs="?", type=int, default=4)
    parser.add_argument("--name", default="stability", help="of the file in benchmarks/results")
    parser.add_argument(
        "--keep", action="store_true", help="write the spreads that boards of one search read"
    )
    args = parser.parse_args()
    if args.suite is not None:
        run(args.suite, out=args.folder, searches=args.searches)
    records = StoredRecords(args.folder).light
    rows = {task: measures(records, task) for task in dict.fromkeys(r.task for r in records)}
    write(args.name, "How far a board depends on where its search happened to look.", rows)
    print(table(rows))
    if args.keep:
        keep_spreads(records, list(rows))


if __name__ == "__main__":
    main()
