"""The board at common compressions: which trainings it shows, the score, its intervals, by hand."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean

import pytest
from curve_records import C, confirmed, dense, trained
from scipy.stats import t as student
from scipy.stats import ttest_rel
from sparsebench.records.record import Record
from sparsebench.reports.analysis.boards import boards, dense_point
from sparsebench.reports.analysis.common_points import compressions_of
from sparsebench.reports.analysis.leaderboard import TaskLeaderboard
from sparsebench.reports.tables import notes
from synthetic_records import record


def board_of(*records: Record) -> TaskLeaderboard:
    return boards(records)[0]


def test_a_score_by_hand() -> None:
    """(accuracy − 0.1)/(0.9 − 0.1) at 4 and at 16; trial 1 is best at 4, trial 0 at 16."""
    board = board_of(
        *dense(), trained("l1", 0, (0.8, 0.7, 0.6)), trained("l1", 1, (0.9, 0.8, 0.2)),
        confirmed("l1", 0, 900, (0.7, 0.7, 0.5)), confirmed("l1", 0, 901, (0.7, 0.7, 0.7)),
        *(confirmed("l1", 1, 900 + n, test, validation=(0.9, 0.8, 0.2))
          for n, test in enumerate([(0.8, 0.6, 0.9), (0.8, 0.8, 0.9)])),
    )  # fmt: skip
    row = board.row("l1")
    assert board.compressions == C and board.dense == pytest.approx(0.9) and board.x_max == math.log10(16)
    assert row.accuracy_at == pytest.approx({4: 0.7, 16: 0.6})  # not the 0.9 that trial 1 has at 16
    assert row.score == pytest.approx((0.6 / 0.8 + 0.5 / 0.8) / 2)
    assert row.score_inner == pytest.approx(0.6 / 0.8)
    first, second = fmean((0.5 / 0.8, 0.4 / 0.8)), fmean((0.7 / 0.8, 0.6 / 0.8))  # of each seed
    assert row.score_sd == pytest.approx(abs(second - first) / math.sqrt(2))
    half = student.ppf(0.975, 1) * row.score_sd / math.sqrt(2)
    assert row.score_interval is not None
    assert row.score_interval.high == pytest.approx(row.score + half)
    assert row.score_interval.low == pytest.approx(max(0.0, row.score - half))
    assert row.accuracy_at_sd == pytest.approx({4: 0.1 * math.sqrt(2), 16: 0.1 * math.sqrt(2)})
    assert row.cut_at == {4: True, 16: True} and row.chosen_from == {1: 2, 4: 2, 16: 2}
    assert (row.free_knobs, row.searches, row.search_trials) == (1, 1, 2)


def test_no_maximum_is_taken_over_test_values() -> None:
    """Permuted test accuracies are other numbers of the same trainings."""
    search = [trained("l1", n, (0.9 - n / 50, 0.8 - n / 50, 0.5 + n / 50)) for n in range(5)]
    runs = [
        confirmed(
            "l1", n, seed, (0.9, 0.5 + n / 20 + seed / 1e4, 0.4 + n / 30),
            validation=(0.9 - n / 50, 0.8 - n / 50, 0.5 + n / 50),
        )
        for n in range(5)
        for seed in (1, 2)
    ]  # fmt: skip

    def shown(runs: Sequence[Record]) -> list[tuple[float | None, str, list[str]]]:
        board = board_of(*dense(), *search, *runs)
        return [(p.at, p.key, [o.record.id for o in p.outcomes]) for p in board.points["l1"]]

    expected = shown(runs)
    assert [(at, key) for at, key, _ in expected] == [
        (1, search[0].id), (4, search[0].id), (16, search[4].id),
    ]  # fmt: skip
    for seed in range(5):
        values = [(one.test_accuracy, [p.test_accuracy for p in one.at_compressions]) for one in runs]
        random.Random(seed).shuffle(values)
        shuffled = [
            one.model_copy(update={"test_accuracy": test, "at_compressions": [
                replace(p, test_accuracy=a) for p, a in zip(one.at_compressions, curve, strict=True)
            ]})
            for one, (test, curve) in zip(runs, values, strict=True)
        ]  # fmt: skip
        assert shown(shuffled) == expected


def test_a_missing_cell_and_one_that_learned_nothing_add_0_and_are_told_apart() -> None:
    """Up to 0.1 + 0.05·0.9 = 0.145 a network has learned nothing."""
    lost = trained("lost", 0, (0.9, 0.8, 0.14))
    part = confirmed("part", 0, 900, (0.9, 0.5, 0.9))
    board = board_of(
        *dense(), lost, *(confirmed("lost", 0, s, (0.9, 0.5, 0.145)) for s in (900, 901)),
        trained("part", 0, (0.9, 0.5, 0.5)),
        part.model_copy(update={"at_compressions": part.at_compressions[:2]}),
    )  # fmt: skip
    row = board.row("lost")
    assert row.accuracy_at == pytest.approx({4: 0.5, 16: 0.145})
    assert row.unlearned_at == {4: False, 16: True}
    assert row.score == pytest.approx((0.4 / 0.8 + 0) / 2)
    assert row.learned
    part_row = board.row("part")
    assert part_row.accuracy_at == {4: pytest.approx(0.5), 16: None}
    assert part_row.score == pytest.approx((0.4 / 0.8 + 0) / 2)
    assert part_row.unlearned_at == {4: False, 16: False}
    assert not any(own[16] for own in (row.best_at, part_row.best_at))


def test_a_run_that_diverged_counts_as_chance_at_every_compression_and_a_failed_one_in_no_mean() -> None:
    gone = {"status": "diverged", "at_compressions": [], "test_accuracy": 0.1, "val_accuracy": 0.1}
    failed = {"status": "failed", "at_compressions": [], "test_accuracy": None, "val_accuracy": None}
    board = board_of(
        *dense(), trained("l1", 0, (0.9, 0.8, 0.7)), confirmed("l1", 0, 900, (0.9, 0.8, 0.7)),
        confirmed("l1", 0, 901, (0.9, 0.8, 0.7), **gone), confirmed("l1", 0, 902, (0.9, 0.8, 0.7), **failed),
    )  # fmt: skip
    row = board.row("l1")
    assert row.accuracy_at == pytest.approx({4: (0.8 + 0.1) / 2, 16: (0.7 + 0.1) / 2})
    assert (row.diverged, row.failed) == (1, 1)


def test_with_several_searches_the_replicate_is_the_search() -> None:
    """Two seeds a search, three searches: t with 2 degrees of freedom over three means, paired by search."""
    shifts = {"weak": (0.0, 0.02, 0.01), "strong": (0.1, 0.13, 0.14)}
    records = dense(searches=3)
    for entry, own in shifts.items():
        for k, shift in enumerate(own):
            records.append(trained(entry, 0, (0.9, 0.6, 0.5), k))
            for seed, noise in ((900, -0.05), (901, 0.05)):  # the spread of retraining is another one
                test = (0.9, 0.6 + shift + noise, 0.5 + shift + noise)
                records.append(confirmed(entry, 0, 10 * k + seed, test, k))
    board = board_of(*records)
    for entry, own in shifts.items():
        row = board.row(entry)
        means = [0.6 + shift for shift in own]
        centre, sd = fmean(means), math.sqrt(sum((m - fmean(means)) ** 2 for m in means) / 2)
        half = student.ppf(0.975, 2) * sd / math.sqrt(3)
        assert row.accuracy_at[4] == pytest.approx(centre)
        assert row.accuracy_at_sd[4] == pytest.approx(sd)
        interval = row.accuracy_at_interval[4]
        assert interval is not None
        assert tuple(interval) == pytest.approx((centre - half, centre + half))
        scores = [((0.5 + s) / 0.8 + (0.4 + s) / 0.8) / 2 for s in own]
        assert board.replicates[entry] == pytest.approx(dict(enumerate(scores)))
        assert (row.searches, row.search_trials) == (3, 3)
    assert notes.units(board) == "searches"
    [pair] = board.pairs
    assert (pair.first, pair.second, pair.kind, pair.seeds) == ("strong", "weak", "paired", 3)
    gaps = ttest_rel(
        list(board.replicates[pair.first].values()), list(board.replicates[pair.second].values())
    )
    assert pair.p == pytest.approx(gaps.pvalue)
    assert board.ranked == ["strong", "weak"] and board.row("weak").tied is False


def test_a_search_without_confirmation_is_not_shown_beside_a_confirmed_one() -> None:
    """As of a campaign that was interrupted in its second search: intervals stay over seeds."""
    records = dense()
    for entry in ("one", "two"):
        records += [
            trained(entry, 0, (0.9, 0.8, 0.5)),
            *(confirmed(entry, 0, s, (0.9, 0.8, 0.5)) for s in (8, 9)),
        ]
    begun = trained("two", 0, (0.95, 0.9, 0.9), replicate=1)
    board = board_of(*records, begun)
    for entry in ("one", "two"):
        assert board.row(entry).searches == 1 and board.row(entry).confirmations == 2
        assert [[*point.units] for point in board.points[entry]] == [[8, 9]] * 3
    assert notes.units(board) == "seeds" and board.row("two").search_trials == 2
    both = board_of(*records, begun, confirmed("two", 0, 10, (0.95, 0.9, 0.9), replicate=1))
    assert [*both.points["two"][1].units] == [0, 1] and [*both.points["one"][1].units] == [0]
    assert notes.units(both) == "searches" and both.row("one").score_interval is None


def test_each_search_chooses_for_itself() -> None:
    records = [
        *dense(searches=2), trained("l1", 0, (0.9, 0.8, 0.1), 0), trained("l1", 1, (0.9, 0.1, 0.8), 0),
        trained("l1", 0, (0.9, 0.1, 0.8), 1), trained("l1", 1, (0.9, 0.8, 0.1), 1),
        *(
            confirmed("l1", n, 7 + 2 * k + n, (0.9, 0.2 + n / 10, 0.4 + n / 10), k, validation=(
                (0.9, 0.8, 0.1) if n == k else (0.9, 0.1, 0.8)
            ))
            for n in (0, 1) for k in (0, 1)
        ),
    ]  # fmt: skip
    points = {point.at: point for point in board_of(*records).points["l1"]}
    assert points[4].units == pytest.approx({0: 0.2, 1: 0.3})  # trial 0 of the first, 1 of the second
    assert points[16].units == pytest.approx({0: 0.5, 1: 0.4})


def test_the_best_of_a_column_is_marked_with_what_is_not_significantly_different() -> None:
    """Paired by seed: near differs from top by 0.01 ± 0.02, far by 0.2 ± 0.001."""
    records, seeds = dense(), (900, 901, 902)
    for entry, gaps in {"top": (0, 0, 0), "near": (-0.01, 0.01, 0.03), "far": (0.2, 0.201, 0.199)}.items():
        records.append(trained(entry, 0, (0.9, 0.8, 0.5)))
        for seed, gap in zip(seeds, gaps, strict=True):
            noise = (seed - 901) / 50
            records.append(confirmed(entry, 0, seed, (0.9, 0.8 + noise - gap, 0.5 + noise - gap)))
    board = board_of(*records)
    assert {entry: board.row(entry).best_at for entry in ("top", "near", "far")} == {
        "top": {4: True, 16: True}, "near": {4: True, 16: True}, "far": {4: False, 16: False},
    }  # fmt: skip
    assert board.row("dense").rank is None


def test_a_cell_of_a_method_with_a_target_says_how_many_aimed_at_it() -> None:
    aimed = [trained("gmp", n, (0.9, 0.8, 0.7), target=C[n % 2]) for n in range(5)]
    row = board_of(*dense(), *aimed, confirmed("gmp", 0, 900, (0.9, 0.8, 0.7))).row("gmp")
    assert row.chosen_from == {1: 5, 4: 3, 16: 2} and row.targeted
    fixed = [
        trained("fixed", n, (0.9, 0.8, 0.7), target=4.0) for n in range(5)
    ]  # whatever they were assigned
    row = board_of(*dense(), *fixed).row("fixed")
    assert row.chosen_from == {1: 5, 4: 5, 16: 5} and not row.targeted


def test_the_dense_baseline_is_whole_even_where_a_cut_is_better() -> None:
    better = trained("dense", 0, (0.90, 0.95, 0.1), classes=2)
    runs = [
        confirmed("dense", 0, s, (0.85, 0.9, 0.1), test_chance=0.76, test_balanced_accuracy=0.7)
        for s in (1, 2)
    ]
    board = board_of(better, *runs)
    point = dense_point(board.points)
    assert board.dense == pytest.approx(0.85) and point is not None and point.at == 1
    assert [p.balanced_accuracy for p in board.points["dense"]] == [pytest.approx(0.7), None, None]
    assert board.imbalanced and "dense 70.0 %" in " ".join(notes.remarks(board))


def test_compressions_are_those_that_all_records_of_a_task_have() -> None:
    new = dense()
    assert compressions_of(new) == C
    fewer = new[0].model_copy(update={"compressions": (4.0,)})
    assert compressions_of([*new, fewer]) == (4.0,)
    old: Callable[..., Record] = lambda **more: record(entry="old", **more)  # noqa: E731
    assert compressions_of([*new, old(id="old")]) == ()  # reported as before there were any
    assert compressions_of([*new, old(id="one", phase="single")]) == C


def test_single_trainings_with_points_are_compared_by_them() -> None:
    one = trained("l1", 0, (0.9, 0.8, 0.7), phase="single", trial=None)
    row = board_of(one).row("l1")
    assert row.accuracy_at == pytest.approx({4: 0.8, 16: 0.7}) and row.source == "validation"
