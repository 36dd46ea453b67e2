"""Snapshots: fronts and progress from records alone, and durations in words."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sparsebench.bench.progress.recorded import entries_progress
from sparsebench.bench.progress.snapshot import FrontSummary, duration, front_summary
from sparsebench.records.record import Record


def test_the_front_is_of_finished_searches_alone(make_record: Callable[..., Record]) -> None:
    found = front_summary(
        make_record(n, val_accuracy=accuracy, compression=compression, status=status)
        for n, (accuracy, compression, status) in enumerate(
            [(0.9, 2.0, "ok"), (0.8, 10.0, "ok"), (0.7, 5.0, "ok"), (0.99, 500.0, "diverged")]
        )
    )
    assert found == FrontSummary(points=2, best=0.9, at_10=0.8, at_100=None)
    assert front_summary([make_record(status="failed", val_accuracy=None, compression=None)]) is None


def test_parts_are_told_from_records(make_record: Callable[..., Record]) -> None:
    suite = {
        "tasks": [{"dataset": "digits", "model": "lenet_300_100"}],
        "entries": [{"label": "dense"}, {"label": "other"}],
        "budget": {"trials": 2, "seeds": 2},
    }
    search = [make_record(0), make_record(1, status="failed", val_accuracy=None, reason="x")]
    confirm = [
        make_record(n, phase="confirm", confirms="0000000000000000", seed=n - 1, trial=None) for n in (2, 3)
    ]

    def dense(records: Sequence[Record], **options: Any) -> tuple[str, int, int, int]:
        found = entries_progress(suite, records, **options)
        assert [one.entry for one in found] == ["dense", "other"]
        return found[0].phase, found[0].finished, found[0].planned, found[0].failed

    assert dense([]) == ("search", 0, 2, 0)
    assert dense(search[:1]) == ("search", 1, 2, 0)
    assert dense(search) == ("confirm", 2, 4, 1)
    assert dense(search, count_failed=False) == ("search", 1, 2, 0)
    assert dense([*search, confirm[0]]) == ("confirm", 3, 4, 1)
    assert dense([*search, *confirm]) == ("done", 4, 4, 1)
    assert [one.finished for one in entries_progress({}, [*search, *confirm])] == [4]


@pytest.mark.parametrize(
    ("seconds", "words"), [(-1, "0 s"), (45, "45 s"), (720, "12 min"), (12240, "3.4 h"), (181440, "2.1 days")]
)
def test_durations_are_said_as_a_person_says_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_an_entry_is_done_when_every_seed_of_every_point_is_there(make_record: Callable[..., Record]) -> None:
    suite = {
        "tasks": [{"dataset": "digits", "model": "lenet_300_100"}], "entries": [{"label": "dense"}],
        "budget": {"trials": 3, "seeds": 2, "points": 2}, "seed": 5,
    }  # fmt: skip
    scores = [(0.9, 2.0), (0.8, 8.0), (0.7, 4.0)]  # the third is on no front
    search = [
        make_record(n, seed=5, val_accuracy=val, compression=ratio) for n, (val, ratio) in enumerate(scores)
    ]
    confirm = [
        make_record(10 * n + seed, seed=seed, phase="confirm", trial=None, confirms=search[n].id)
        for n in (0, 1) for seed in (6, 7)
    ]  # fmt: skip
    assert entries_progress(suite, [*search, *confirm])[0].phase == "done"
    for lost in confirm:  # also a whole point: its seeds are expected before one of them is there
        left = [record for record in confirm if record is not lost]
        (found,) = entries_progress(suite, [*search, *left])
        assert (found.phase, found.finished, found.planned) == ("confirm", 6, 7)
    (found,) = entries_progress(suite, [*search, *confirm[:2]])
    assert (found.phase, found.finished, found.planned) == ("confirm", 5, 7)
    assert entries_progress(suite, [*search[1:], *confirm])[0].phase == "search"
    wider = {**suite, "budget": {"trials": 3, "seeds": 3, "points": 2}}
    assert entries_progress(wider, [*search, *confirm])[0].planned == 9
