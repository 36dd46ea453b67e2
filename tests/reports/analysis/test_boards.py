"""Ranking, references and ties, on records whose numbers can be worked out by hand."""

import math

import pytest
from sparsebench.errors import SparsebenchError
from sparsebench.records.record import Record
from sparsebench.reports.analysis.boards import boards, rows
from sparsebench.reports.analysis.leaderboard import LeaderboardRow
from sparsebench.reports.analysis.pairwise import compare_pairs
from sparsebench.reports.tables import notes
from synthetic_records import confirm, record


def dense(seeds: int = 2, accuracy: float = 0.9) -> list[Record]:
    return [confirm("dense", "d", 10 + seed, accuracy, 1.0) for seed in range(seeds)]


def point(entry: str, name: str, accuracy: float, ratio: float, shake: float = 0.0) -> list[Record]:
    """Two seeds around a mean."""
    return [confirm(entry, name, 20 + i, accuracy + s * shake, ratio) for i, s in enumerate((-1, 1))]


def row_of(found: list[LeaderboardRow], entry: str) -> LeaderboardRow:
    return next(row for row in found if row.entry == entry)


def test_a_row_by_hand() -> None:
    records = [*dense(), *point("l1", "a", 0.9, 10.0), *point("l1", "b", 0.5, 100.0)]
    row = row_of(rows(records), "l1")
    assert row.rank == 1 and row.source == "test"
    assert row.hypervolume_raw == pytest.approx(0.8 + 0.4)
    assert row.hypervolume == pytest.approx(1.2 / (3 * 0.8))
    assert row.hypervolume_sd == pytest.approx(0)
    assert row.accuracy_at[8] == pytest.approx(0.9)
    assert row.accuracy_at[32] == pytest.approx(0.9 - 0.4 * (math.log10(32) - 1))
    assert row.accuracy_at[128] is None
    assert row.within == pytest.approx({0.01: 10, 0.05: 10, 0.1: 10})
    assert row.best_accuracy == pytest.approx(0.9) and row.best_compression == pytest.approx(10)
    assert row.largest_compression == pytest.approx(100)
    assert (row.points, row.seeds, row.runs, row.failed, row.diverged, row.collapsed) == (2, 2, 4, 0, 0, 0)


def test_x_is_clipped_to_the_tasks_own_limit() -> None:
    records = [*dense(), *point("l1", "a", 0.9, 100.0)]
    assert row_of(rows(records, x_max=1.0), "l1").hypervolume == pytest.approx(1.0)
    assert row_of(rows(records, x_max={"made_up-net": 4.0}), "l1").hypervolume == pytest.approx(0.5)
    assert row_of(rows(records, x_max={"another": 1.0}), "l1").hypervolume == pytest.approx(2 / 3)


def test_ranks_fall_with_hypervolume_and_dense_stands_apart() -> None:
    records = [*dense(), *point("weak", "a", 0.9, 5.0), *point("strong", "a", 0.9, 50.0)]
    assert [(r.entry, r.rank, r.baseline) for r in rows(records)] == [
        ("strong", 1, False), ("weak", 2, False), ("dense", None, True),
    ]  # fmt: skip


def test_largest_compression_leaves_collapsed_points_out() -> None:
    records = [*dense(), *point("l1", "a", 0.8, 10.0), *point("l1", "b", 0.12, 500.0)]
    row = row_of(rows(records), "l1")
    assert row.largest_compression == pytest.approx(10)
    assert row.collapsed == 2


def test_validated_and_exact_zeros_are_both_shown() -> None:
    given = {"threshold": 1e-3, "compression_exact": 3.0, "test_accuracy_exact": 0.9}
    records = [*dense(), *(confirm("dwf", "a", seed, 0.89, 60.0, **given) for seed in (1, 2))]
    row = row_of(rows(records), "dwf")
    assert row.largest_compression == pytest.approx(60)
    assert row.largest_compression_exact == pytest.approx(3)
    assert row.within[0.01] == pytest.approx(60) and row.within_exact[0.01] == pytest.approx(3)
    assert row.hypervolume_exact == pytest.approx(math.log10(3) / 3)


def test_speedup_is_that_of_the_point_within_five_points() -> None:
    records = [
        *dense(),
        *(confirm("l1", "a", s, 0.88, 10.0, speedup=6.0) for s in (1, 2)),
        *(confirm("l1", "b", s, 0.40, 90.0, speedup=40.0) for s in (1, 2)),
    ]
    assert row_of(rows(records), "l1").speedup == pytest.approx(6)


def test_the_dense_reference_is_chosen_on_validation() -> None:
    records = [
        confirm("dense", "good", 1, 0.90, 1.0, val_accuracy=0.95),
        confirm("dense", "lucky", 1, 0.99, 1.0, val_accuracy=0.90),
    ]
    assert boards(records)[0].dense == pytest.approx(0.90)


def test_without_a_dense_entry_ranks_remain_and_tolerances_do_not() -> None:
    board = boards([*point("weak", "a", 0.9, 5.0), *point("strong", "a", 0.9, 50.0)])[0]
    assert board.dense is None and board.scale is None
    assert [row.entry for row in board.rows] == ["strong", "weak"]
    assert board.rows[0].hypervolume is None and board.rows[0].hypervolume_raw > 0
    assert set(board.rows[0].within.values()) == {None}


def test_a_diverged_seed_pulls_its_entry_down() -> None:
    whole = point("l1", "a", 0.9, 50.0)
    half = [whole[0], confirm("l1", "a", 21, 0.9, 50.0, status="diverged")]
    before, after = (row_of(rows([*dense(), *r]), "l1") for r in (whole, half))
    assert after.hypervolume is not None and before.hypervolume is not None
    assert after.hypervolume < before.hypervolume / 2
    assert after.diverged == 1


def test_close_entries_are_not_told_apart_and_distant_ones_are() -> None:
    records = [
        *dense(),
        *point("first", "a", 0.88, 50.0, shake=0.02),
        *point("second", "a", 0.87, 50.0, shake=-0.02),
        *point("third", "a", 0.30, 50.0, shake=0.001),
    ]
    found = rows(records)
    assert [(r.entry, r.tied) for r in found[:3]] == [("first", None), ("second", True), ("third", False)]


def test_one_seed_cannot_be_judged() -> None:
    records = [*dense(1), confirm("a", "p", 1, 0.9, 10.0), confirm("b", "p", 1, 0.9, 20.0)]
    found = rows(records)
    assert found[1].tied is None and found[1].hypervolume_sd is None and found[1].rank == 2


def test_a_search_without_a_confirm_phase_is_ranked_on_validation() -> None:
    def searched(entry: str, ratio: float) -> Record:
        return confirm(entry, "s", 0, 0.0, ratio, phase="search", test_accuracy=None, val_accuracy=0.9)

    board = boards([searched("dense", 1.0), searched("weak", 4.0), searched("strong", 40.0)])[0]
    assert board.source == "validation" and board.dense == pytest.approx(0.9)
    assert [(r.entry, r.rank, r.tied) for r in board.rows] == [
        ("strong", 1, None), ("weak", 2, None), ("dense", None, None),
    ]  # fmt: skip
    assert all(r.source == "validation" and r.hypervolume_sd is None for r in board.rows)


def test_an_entry_not_yet_confirmed_is_not_ranked_beside_confirmed_ones() -> None:
    waiting = confirm("waiting", "s", 0, 0.0, 900.0, phase="search", test_accuracy=None, val_accuracy=0.9)
    board = boards([*dense(), *point("done", "a", 0.9, 5.0), waiting])[0]
    assert [(r.entry, r.rank, r.source) for r in board.rows[:2]] == [
        ("done", 1, "test"), ("waiting", None, "validation"),
    ]  # fmt: skip


def test_an_entry_that_only_failed_is_listed_with_its_failures() -> None:
    failed = [
        record(entry="broken", method="l1", seed=s, status="failed", reason="out of memory") for s in (1, 2)
    ]
    row = row_of(rows([*dense(), *point("done", "a", 0.9, 5.0), *failed]), "broken")
    assert (row.rank, row.failed, row.runs, row.points) == (None, 2, 2, 0)


def test_an_entry_whose_confirming_runs_all_failed_is_not_shown_by_its_search() -> None:
    search = confirm("l1", "s", 0, 0.0, 9.0, phase="search", test_accuracy=None, val_accuracy=0.9)
    failed = record(entry="l1", method="l1", config="s", seed=7, status="failed")
    row = row_of(rows([*dense(), search, failed]), "l1")
    assert row.points == 0 and row.hypervolume is None and row.rank is None
    assert row.failed == row.runs == 1 and row.search_trials == 1
    assert "Every confirming run failed: l1." in notes.remarks(boards([*dense(), search, failed])[0])


def test_a_dense_baseline_at_chance_normalises_nothing() -> None:
    for accuracy in (0.1, 0.145, 0.1 + 1e-17):
        board = boards([*dense(3, accuracy), *point("l1", "a", 0.9, 10.0)])[0]
        assert board.scale is None and board.row("l1").hypervolume is None
        assert board.row("l1").within[0.05] is None
        assert any("baseline has learned nothing" in remark for remark in notes.remarks(board))


def test_no_entry_is_above_one_that_the_seeds_put_before_it() -> None:
    """The front of means says first, each seed's own front says second."""
    made = [*dense()]
    for seed, jump in enumerate((0.0, 2.0, 0.0, 2.0)):  # compressions that cross: the means' front is lower
        made.append(confirm("crossed", "a", seed, 0.80, 10.0**jump))
        made.append(confirm("crossed", "b", seed, 0.80, 10.0 ** (2 - jump)))
        made.append(confirm("plain", "a", seed, 0.80 + seed / 1e4, 10.0**1.1))
    board = boards(made)[0]
    assert [row.rank for row in board.rows if row.rank] == [1, 2]
    assert board.row("crossed").rank == 2
    gap = compare_pairs(board)[0]
    assert gap.first == "plain" and gap.difference < 0
    assert board.row("crossed").tied is True


def test_every_task_has_its_own_board() -> None:
    other = [confirm("l1", "a", 1, 0.5, 10.0, dataset="other", classes=100)]
    found = boards([*dense(), *other])
    assert [(b.task, b.chance) for b in found] == [("made_up-net", 0.1), ("other-net", 0.01)]


def test_no_records_is_one_clear_sentence() -> None:
    with pytest.raises(SparsebenchError, match="no records to report"):
        boards([])
