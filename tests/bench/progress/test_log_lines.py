"""The lines of a log."""

import pytest
from rich.console import Console
from snapshots import now, part, snapshot
from sparsebench.bench.progress.log_lines import LogLines


def test_a_log_has_lines_for_what_ends_and_a_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("sparsebench.bench.progress.log_lines.time.monotonic", lambda: clock[0])
    console = Console(width=40, record=True)
    log = LogLines(console, heartbeat=5.0)
    log.show(snapshot([part(), part("dense")]))
    log.show(snapshot([part(), part("dense", finished=3)]))
    log.say("[red]as it is[/]")
    log.show(snapshot([part(), part("dense", phase="done", finished=20, planned=20, failed=1)]))
    clock[0] += 5.0
    log.show(snapshot([part(), part("dense", phase="done", finished=20)], [now()], seconds_left=600.0))
    log.show(snapshot([part(), part("dense", phase="done", finished=20)], [now()], seconds_left=600.0))
    assert console.export_text().splitlines() == [
        "entries: 2, tasks: 1, trials at a time: 2",
        "[red]as it is[/]",
        "2 min  dense on t: confirmed (20 trials, 1 failed)",
        "2 min  20 of about 99 trials, 1 running, about 10 min left",
    ]


def test_a_log_folds_what_is_there_from_an_earlier_run() -> None:
    console = Console(record=True)
    LogLines(console).show(snapshot([part(str(n), phase="done" if n else "confirm") for n in range(9)]))
    assert console.export_text().splitlines()[1] == "2 min  8 entries confirmed and 1 searched already"
