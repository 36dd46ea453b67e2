"""What a person sees of a campaign: the picture at every size, the lines of a log, the time left."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from sparsebench.bench.config.suite import Suite
from sparsebench.bench.config.trial_spec import Trial
from sparsebench.bench.executors.base import Running
from sparsebench.bench.progress.eta import EtaEstimator, RemainingWork
from sparsebench.bench.progress.live_table import LiveTable, campaign_table
from sparsebench.bench.progress.log_lines import LogLines
from sparsebench.bench.progress.monitor import ProgressMonitor
from sparsebench.bench.progress.snapshot import (
    CampaignSnapshot,
    EntryProgress,
    FrontSummary,
    RunningTrial,
    duration,
    entries_progress,
    front_summary,
)
from sparsebench.bench.search.study import Study, studies
from sparsebench.bench.training.trial import failed, record_of
from sparsebench.records.record import Measurements, Record, TrainingResult
from sparsebench.records.store import Store

TASKS = ("cifar10-resnet18_cifar", "mnist-lenet_300_100", "kmnist-lenet5", "digits-vit", "a-b", "c-d")


def part(entry: str = "dwf-3", task: str = "t", **fields: Any) -> EntryProgress:
    return EntryProgress(
        **{"entry": entry, "task": task, "phase": "search", "planned": 16, "finished": 0, **fields}
    )


def now(entry: str = "dwf-3", task: str = "t", device: str = "cpu", ago: float = 5.0) -> RunningTrial:
    since = time.time() - ago
    return RunningTrial(
        id="i", device=device, entry=entry, task=task, phase="search", trial=3, seed=0, since=since
    )


def snapshot(
    parts: Sequence[EntryProgress], running: Sequence[RunningTrial] = (), **fields: Any
) -> CampaignSnapshot:
    base = {"suite": "mine", "began": time.time() - 100, "places": 2, "planned": 99}
    return CampaignSnapshot(**{**base, "parts": tuple(parts), "running": tuple(running), **fields})


@pytest.fixture
def large() -> CampaignSnapshot:
    """26 entries on 6 tasks, half of it done, three searches with 32 trials out."""
    front = FrontSummary(points=5, best=0.98, at_10=0.951, at_100=None)
    parts = []
    for number, (task, entry) in enumerate((t, f"entry-{e}") for t in TASKS for e in range(26)):
        if number < 75:
            parts.append(part(entry, task, phase="done", planned=28, finished=28, front=front))
        else:
            parts.append(
                part(entry, task, finished=7 if number < 78 else 0, front=front if number < 78 else None)
            )
    running = [now(f"entry-{23 + i % 3}", TASKS[2], f"cuda:{i % 8}", ago=60.0 * i) for i in range(32)]
    return snapshot(parts, running, planned=4000, capacity=32)


def drawn(one: CampaignSnapshot, width: int, height: int | None = None) -> list[str]:
    console = Console(width=width, height=height, record=True, quiet=False, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    with console.file:
        console.print(campaign_table(one, width, height))
        return console.export_text().splitlines()


@pytest.mark.parametrize(("width", "height"), [(40, 20), (60, 24), (80, 24), (120, 40), (200, 60)])
def test_a_large_campaign_fits_any_terminal_with_what_is_active_first(
    large: CampaignSnapshot, width: int, height: int
) -> None:
    lines = drawn(large, width, height)
    assert len(lines) < height
    assert max(map(len, lines)) <= width
    head, times, _, columns, first, *_ = lines
    assert head.startswith("mine  2121 of about 4000 trials, 32")
    assert times.startswith("2 min so far, time left: not known yet")
    assert "val" in columns
    assert first.startswith("entry-23")
    assert any("more done" in line and "78 more" in line for line in lines)
    assert any("more" in line and line.startswith("…") for line in lines[-3:])
    (leaders,) = [line for line in lines if line.startswith(TASKS[2][:4]) and "95.1, entry" in line]
    assert "entry-0 95.1" in leaders


def test_without_a_height_every_entry_has_its_row(large: CampaignSnapshot) -> None:
    text = "\n".join(drawn(large, 160))
    assert "more done" not in text
    assert text.count("28/28") == 75
    assert text.count("waiting") == 78


def test_a_row_says_progress_failures_and_the_front_on_validation_data() -> None:
    front = FrontSummary(points=4, best=0.981, at_10=0.952, at_100=0.5)
    lines = drawn(snapshot([part(finished=8, failed=2, front=front), part("dense")], [now(ago=200)]), 120, 30)
    columns, row, waiting = lines[3:6]
    assert columns.split("  ")[0] == "entry"
    assert [word for word in ("best val", "≥10× val", "≥100× val") if word not in columns] == []
    assert row.replace("━", "").replace("╸", "").split() == [
        "dwf-3", "8/16", "search,", "2", "failed", "4", "98.1", "95.2", "50.0",
    ]  # fmt: skip
    assert waiting.split() == ["dense", "0/16", "waiting", "–", "–", "–", "–"]
    assert lines[-1].split() == ["cpu", "dwf-3", "on", "t:", "search,", "trial", "3", "3", "min"]


def test_names_are_shown_as_they_are_written() -> None:
    assert any("[red]x[/]" in line for line in drawn(snapshot([part("[red]x[/]")]), 80, 24))


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
    confirm = [make_record(n, phase="confirm", confirms="id-0", seed=n, trial=None) for n in (2, 3)]

    def dense(records: Sequence[Record], **options: Any) -> tuple[str, int, int, int]:
        found = entries_progress(suite, records, **options)
        assert [one.entry for one in found] == ["dense", "other"]
        return found[0].phase, found[0].finished, found[0].planned, found[0].failed

    assert dense([]) == ("search", 0, 2, 0)
    assert dense(search[:1]) == ("search", 1, 2, 0)
    assert dense(search) == ("confirm", 2, 2, 1)
    assert dense(search, count_failed=False) == ("search", 1, 2, 0)
    assert dense([*search, confirm[0]]) == ("confirm", 3, 4, 1)
    assert dense([*search, *confirm]) == ("done", 4, 4, 1)
    assert [one.finished for one in entries_progress({}, [*search, *confirm])] == [4]


def test_the_time_left_is_the_work_over_the_places(make_record: Callable[..., Record]) -> None:
    pace = EtaEstimator()
    mine, other = ("digits-lenet_300_100", "dense"), ("mnist-lenet5", "dense")
    assert pace.left([RemainingWork(mine, 10, 4)], 2) is None
    pace.learn(make_record(seconds=10.0))
    pace.learn(make_record(seconds=20.0))
    pace.learn(make_record(seconds=900.0, status="failed", val_accuracy=None))
    pace.learn(make_record(seconds=60.0, entry="dwf", dataset="mnist", model="lenet5"))
    assert pace.seconds(mine) == 15
    assert pace.seconds((mine[0], "new")) == 15  # its task's mean
    assert pace.seconds(other) == 60
    assert pace.seconds(("none", "none")) == 30  # everyone's
    assert pace.left([RemainingWork(mine, 10, 4), RemainingWork(other, 5, 4)], 2) == (150 + 300) / 2
    assert pace.left([RemainingWork(mine, 10, 4, (5.0, 100.0))], 2) == (150 - 5 - 15) / 2
    assert pace.left([RemainingWork(mine, 8, 4)], 64) == 8 * 15 / 4  # a search asks four at a time
    assert pace.left([], 2) == 0


@pytest.mark.parametrize(
    ("seconds", "words"), [(-1, "0 s"), (45, "45 s"), (720, "12 min"), (12240, "3.4 h"), (181440, "2.1 days")]
)
def test_durations_are_said_as_a_person_says_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words


class Seen:
    """Keeps all that a display is told."""

    def __init__(self, error: type[BaseException] | None = None) -> None:
        self.shown: list[CampaignSnapshot] = []
        self.said: list[str] = []
        self.error = error

    def show(self, snapshot: CampaignSnapshot) -> None:
        self.shown.append(snapshot)
        if self.error:
            raise self.error

    def say(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    plan = Suite(
        name="s", budget={"trials": 4, "seeds": 2, "points": 3, "generation": 2},
        tasks=[{"dataset": "digits", "model": "lenet_300_100", "recipe": {"epochs": 1}}],
        entries=[{"method": "magnitude"}],
    )  # type: ignore[arg-type]  # fmt: skip
    return studies(plan, {plan.tasks[0].name: "digest"}, Store(tmp_path))[0]


def outcome(trial: Trial) -> Record:
    sparsity = trial.knobs["sparsity"]
    found = Measurements(classes=10, val_accuracy=0.95 - sparsity / 9, compression=1 / (1 - sparsity))
    return record_of(trial, TrainingResult(), found, threads=1, device="cpu", seconds=3.0)


def through(watchers: ProgressMonitor, study: Study, run: Callable[[Trial], Record] = outcome) -> None:
    """All trials of a study, one after the other."""
    while (trial := study.next()) is not None:
        watchers.running([Running("cpu", trial, time.time())])
        record = run(trial)
        study.store.append(record)
        study.take(trial, record)
        watchers.update(study, record)
    watchers.update(study, None)


def test_watchers_tell_how_a_study_stands(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparsebench.bench.progress.monitor.PAUSE", 0.0)
    seen = Seen()
    with ProgressMonitor(None, seen) as watchers:
        watchers.start([study], 2)
        through(watchers, study)
        watchers.say("hello")
    first, *middle, last = seen.shown
    assert (first.planned, first.seconds_left, first.done) == (4 + 3 * 2, None, False)
    assert middle[0].running[0].entry == "magnitude"
    assert middle[1].seconds_left == pytest.approx(9 * 3 / 2, abs=0.1)  # nine are left, one of them runs
    assert (last.done, last.ended, last.running, last.seconds_left) == (True, True, (), 0)
    (one,) = last.parts
    assert one.finished == one.planned == last.planned == study.finished
    assert one.front is not None
    assert one.front.points == 4  # the search's front; what confirms it is no part of it
    assert seen.said == ["hello"]


def test_a_reason_is_told_once_for_each_study(study: Study) -> None:
    seen = Seen()
    with ProgressMonitor(seen) as watchers:
        watchers.start([study], 2)
        through(watchers, study, lambda trial: failed(trial, "no room", device="cpu"))
    assert seen.said == ["magnitude on digits-lenet_300_100: a trial failed: no room"]
    assert (seen.shown[-1].failed, seen.shown[-1].finished) == (4, 4)


def test_what_lies_on_the_disk_counts_before_the_study_comes_to_it(study: Study) -> None:
    with ProgressMonitor() as watchers:
        watchers.start([study], 1)
        through(watchers, study)
    again = studies(study.suite, {study.task.name: "digest"}, Store(study.store.path.parent))[0]
    seen = Seen()
    ProgressMonitor(seen).start([again], 1)
    assert seen.shown[0].finished == study.finished
    assert seen.shown[0].parts[0].front is not None


def test_a_display_whose_terminal_is_gone_is_left_out(study: Study) -> None:
    broken, seen = Seen(BrokenPipeError), Seen()
    with ProgressMonitor(broken, seen) as watchers:
        watchers.start([study], 1)
        watchers.say("on it goes")
    assert (len(broken.shown), broken.said) == (1, [])
    assert (len(seen.shown), seen.said) == (2, ["on it goes"])


def recorded() -> Console:
    return Console(width=100, height=30, record=True, force_terminal=True)


def test_a_log_has_lines_for_what_ends_and_a_heartbeat() -> None:
    console = Console(width=40, record=True)
    log = LogLines(console, heartbeat=0.05)
    log.show(snapshot([part(), part("dense")]))
    log.show(snapshot([part(), part("dense", finished=3)]))
    log.say("[red]as it is[/]")
    log.show(snapshot([part(), part("dense", phase="done", finished=20, planned=20, failed=1)]))
    time.sleep(0.06)
    log.show(snapshot([part(), part("dense", phase="done", finished=20)], [now()], seconds_left=600.0))
    log.show(snapshot([part(), part("dense", phase="done", finished=20)], [now()], seconds_left=600.0))
    assert console.export_text().splitlines() == [
        "2 searches, 2 at a time",
        "[red]as it is[/]",
        "2 min  dense on t: confirmed (20 trials, 1 failed)",
        "2 min  20 of about 99 trials, 1 running, about 10 min left",
    ]


def test_a_log_folds_what_is_there_from_an_earlier_run() -> None:
    console = Console(record=True)
    LogLines(console).show(snapshot([part(str(n), phase="done" if n else "confirm") for n in range(9)]))
    assert console.export_text().splitlines()[1] == "2 min  8 entries confirmed and 1 searched already"


def test_the_live_display_redraws_below_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparsebench.bench.progress.live_table.PAUSE", 0.0)
    console = recorded()
    with LiveTable(console) as bars:
        bars.show(snapshot([part(finished=1)]))
        bars.say("[red]as it is[/]")
        bars.show(snapshot([part(finished=2)]))
    text = console.export_text()
    assert text.index("1/16") < text.index("[red]as it is[/]") < text.index("2/16")
