"""What the leaderboard prints, computed once more from the records' JSON: by numpy, scipy, Optuna alone."""

import csv
import io
import json
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from optuna._hypervolume import compute_hypervolume
from scipy import stats
from sparsebench.records.record import Record
from sparsebench.reports.analysis.boards import boards
from sparsebench.reports.tables.csv_json import pairs_csv, to_csv, to_json
from sparsebench.reports.tables.markdown import to_markdown
from synthetic_records import campaign

NAMES = {"dense": 9.0, "random": 0.9, "magnitude": 1.7, "l1": 1.65, "dwf-2": 1.9, "dwf-3": 2.2}
TASKS = {f"set{i}": (0.1 if i % 2 else 0.02, 0.98 - 0.05 * i) for i in range(6)}
X_MAX = 3.0
Line = dict[str, Any]


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return campaign(NAMES, TASKS, trials=20, seeds=4)


@pytest.fixture(scope="module")
def raw(records: list[Record]) -> list[Line]:
    return [json.loads(record.to_json()) for record in records]


def groups(raw: list[Line], task: str, entry: str) -> list[list[Line]]:
    """The seeds of each confirmed point."""
    own = [r for r in raw if (r["dataset"], r["entry"], r["phase"]) == (task, entry, "confirm")]
    found: dict[str, list[Line]] = {}
    for line in own:
        found.setdefault(line["confirms"], []).append(line)
    return list(found.values())


def at(line: Line) -> tuple[float, float]:
    return float(np.log10(line["compression"])), line["test_accuracy"]


def means(found: list[list[Line]]) -> np.ndarray:
    return np.array([np.mean([at(line) for line in group], axis=0) for group in found])


def learned(accuracy: Any, chance: float) -> Any:
    return (accuracy - chance) / (1 - chance) > 0.05


def volume(points: np.ndarray, chance: float) -> float:
    """Optuna's, which minimises; what has learned nothing covers nothing."""
    cut = np.minimum(points, [X_MAX, np.inf])
    cut = cut[(cut[:, 0] > 0) & learned(cut[:, 1], chance)]
    return float(compute_hypervolume(-cut, np.array([0.0, -chance]))) if len(cut) else 0.0


def by_seed(found: list[list[Line]], chance: float) -> np.ndarray:
    found = [group for group in found if learned(np.mean([at(line)[1] for line in group]), chance)]
    seeds = sorted({line["seed"] for group in found for line in group})
    fronts = [[at(line) for group in found for line in group if line["seed"] == seed] for seed in seeds]
    return np.array([volume(np.array(front), chance) for front in fronts])


def best_dense(raw: list[Line], task: str) -> float:
    chosen = max(groups(raw, task, "dense"), key=lambda g: np.mean([line["val_accuracy"] for line in g]))
    return float(np.mean([line["test_accuracy"] for line in chosen]))


def interval(values: np.ndarray, centre: float) -> tuple[float, float]:
    low, high = stats.t.interval(0.95, len(values) - 1, centre, stats.sem(values))
    return float(low), float(high)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_hypervolumes_their_spread_and_their_intervals(records: list[Record], raw: list[Line]) -> None:
    found = boards(records)
    page = to_markdown(found)
    for row in rows(to_csv(found)):
        if row["entry"] == "dense":  # at compression 1 it covers nothing, for every seed
            assert float(row["hypervolume"]) == 0
            continue
        task = row["task"].removesuffix("-net")
        chance, own = TASKS[task][0], groups(raw, task, row["entry"])
        scale = X_MAX * (best_dense(raw, task) - chance)
        centre, each = volume(means(own), chance) / scale, by_seed(own, chance) / scale
        assert float(row["hypervolume"]) == pytest.approx(centre, abs=1e-12)
        assert float(row["hypervolume_sd"]) == pytest.approx(each.std(ddof=1), abs=1e-12)
        low, high = interval(each, centre)
        assert float(row["hypervolume_low"]) == pytest.approx(max(low, 0.0), abs=1e-12)
        assert float(row["hypervolume_high"]) == pytest.approx(high, abs=1e-12)
        assert f"| {row['entry']} | {centre:.3f} ± {each.std(ddof=1):.3f} |" in page


def test_accuracies_at_compressions_and_compressions_within_tolerances(
    records: list[Record], raw: list[Line]
) -> None:
    for row in rows(to_csv(boards(records))):
        task = row["task"].removesuffix("-net")
        own = groups(raw, task, row["entry"])
        points, dense = means(own), best_dense(raw, task)
        best = own[int(np.argmax(points[:, 1]))]
        accuracies = np.array([line["test_accuracy"] for line in best])
        assert float(row["best_accuracy"]) == pytest.approx(accuracies.mean())
        low, high = interval(accuracies, accuracies.mean())
        assert [float(row["best_accuracy_low"]), float(row["best_accuracy_high"])] == pytest.approx(
            [max(low, 0.0), min(high, 1.0)]
        )
        points = points[learned(points[:, 1], TASKS[task][0])]
        dominated = [((points >= p).all(axis=1) & (points > p).any(axis=1)).any() for p in points]
        line = points[~np.array(dominated)]
        line = line[line[:, 0].argsort()]
        for power in range(1, 10):
            x, text = np.log10(2**power), row[f"accuracy_at_{2**power}"]
            assert (text == "") == bool(x > line[-1, 0])
            if text:
                assert float(text) == pytest.approx(np.interp(x, line[:, 0], line[:, 1]))
        for tol in (1, 5, 10):
            kept = points[points[:, 1] >= dense - tol / 100 - 1e-12, 0]
            text = row[f"within_{tol}_points"]
            assert (text == "") == (not len(kept))
            assert not text or float(text) == pytest.approx(10 ** kept.max())


def holm(ps: list[float]) -> np.ndarray:
    order, corrected, worst = np.argsort(ps), np.empty(len(ps)), 0.0
    for place, index in enumerate(order):
        worst = max(worst, min(1.0, (len(ps) - place) * ps[index]))
        corrected[index] = worst
    return corrected


def test_pairs_of_entries_by_scipys_paired_test(records: list[Record], raw: list[Line]) -> None:
    told = rows(pairs_csv(boards(records)))
    assert len(told) == len(TASKS) * len(list(combinations(range(len(NAMES) - 1), 2)))
    for task, (chance, _) in TASKS.items():
        own = [row for row in told if row["task"] == f"{task}-net"]
        scale = X_MAX * (best_dense(raw, task) - chance)
        ps = []
        for row in own:
            first, second = (
                by_seed(groups(raw, task, row[side]), chance) / scale for side in ("first", "second")
            )
            tested = stats.ttest_rel(first, second)
            ends = tested.confidence_interval(0.95)
            assert float(row["p"]) == pytest.approx(tested.pvalue, rel=1e-6)
            assert [float(row["difference_low"]), float(row["difference_high"])] == pytest.approx(
                [ends.low, ends.high], abs=1e-9
            )
            assert row["distinct"] == str(bool(tested.pvalue < 0.05))
            ps.append(float(tested.pvalue))
        corrected = holm(ps)
        assert [float(row["p_holm"]) for row in own] == pytest.approx(corrected, rel=1e-6)
        assert [row["distinct_holm"] for row in own] == [str(bool(p < 0.05)) for p in corrected]


def test_ranks_over_tasks_by_scipy(records: list[Record], raw: list[Line]) -> None:
    told = json.loads(to_json(boards(records)))["overall"]
    names = [name for name in NAMES if name != "dense"]
    table = np.array(
        [
            [volume(means(groups(raw, task, name)), chance) for name in names]
            for task, (chance, _) in TASKS.items()
        ]
    )
    ranks = stats.rankdata(-table, axis=1).mean(axis=0)
    assert {s["entry"]: s["mean_rank"] for s in told["standings"]} == pytest.approx(
        dict(zip(names, ranks, strict=True))
    )
    assert told["friedman"] == pytest.approx(stats.friedmanchisquare(*table.T).pvalue)
    q = stats.studentized_range.ppf(0.95, len(names), np.inf) / np.sqrt(2)
    reach = q * np.sqrt(len(names) * (len(names) + 1) / (6 * len(TASKS)))
    assert told["critical_difference"] == pytest.approx(reach)
    ps = [
        float(stats.wilcoxon(table[:, names.index(p["first"])], table[:, names.index(p["second"])]).pvalue)
        for p in told["pairs"]
    ]
    assert [p["p"] for p in told["pairs"]] == pytest.approx(ps)
    assert [p["p_holm"] for p in told["pairs"]] == pytest.approx(holm(ps))
