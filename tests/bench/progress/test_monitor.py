"""The monitor: what it makes of the studies for every display."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sparsebench.bench.config.suite import Suite
from sparsebench.bench.config.trial_spec import Trial
from sparsebench.bench.executors.base import Running
from sparsebench.bench.progress.monitor import ProgressMonitor
from sparsebench.bench.progress.snapshot import (
    CampaignSnapshot,
)
from sparsebench.bench.search.study import Study, TaskFacts, studies
from sparsebench.bench.training.trial import failed, record_of
from sparsebench.records.fields import CompressionPoint, Measurements, TrainingResult
from sparsebench.records.record import Record
from sparsebench.records.store import Store


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
        name="s", budget={"trials": 4, "seeds": 2, "compressions": [4, 64], "generation": 2},
        tasks=[{"dataset": "digits", "model": "lenet_300_100", "recipe": {"epochs": 1}}],
        entries=[{"method": "magnitude"}],
    )  # type: ignore[arg-type]  # fmt: skip
    return studies(plan, {plan.tasks[0].name: TaskFacts("digest", images=1149)}, Store(tmp_path))[0]


def outcome(trial: Trial) -> Record:
    """The later, the better at 64, and the worse at 4 and at 1."""
    sparsity, number = trial.knobs["sparsity"], trial.number or 0
    accuracies = {1.0: 0.95 - number / 100, 4.0: 0.95 - number / 100, 64.0: 0.5 + number / 10}
    points = [CompressionPoint(at=c, val_accuracy=a, nonzeros=9, cut=False) for c, a in accuracies.items()]
    found = Measurements(
        classes=10, val_accuracy=accuracies[1.0], compression=1 / (1 - sparsity), at_compressions=points
    )
    return record_of(trial, TrainingResult(), found, threads=1, device="cpu", seconds=3.0)


def through(watchers: ProgressMonitor, study: Study, run: Callable[[Trial], Record] = outcome) -> None:
    """All trials of a study, one after the other."""
    while (trial := study.next()) is not None:
        watchers.running([Running("cpu", trial, 0.0)])
        record = run(trial)
        study.store.append(record)
        study.take(trial, record)
        watchers.update(study, record)
    watchers.update(study, None)


def test_watchers_tell_how_a_study_stands(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("PAUSE", "LONGEST_PAUSE"):  # no snapshot is left out, however long one took
        monkeypatch.setattr(f"sparsebench.bench.progress.monitor.{limit}", 0.0)
    seen = Seen()
    with ProgressMonitor(None, seen) as watchers:
        watchers.start([study], 2)
        through(watchers, study)
        watchers.say("hello")
    first, *middle, last = seen.shown
    assert (first.planned, first.seconds_left, first.done) == (4 + 3 * 2, None, False)  # 1, 4 and 64 at most
    assert middle[0].running[0].entry == "magnitude"
    assert middle[1].seconds_left == pytest.approx(9 * 3 / 2, abs=0.1)  # nine are left, one of them runs
    assert {snapshot.planned for snapshot in middle[2:]} == {4 + 2 * 2}  # trials 0 and, so far, the last
    assert (last.done, last.ended, last.running, last.seconds_left) == (True, True, (), 0)
    (one,) = last.entries
    assert one.finished == one.planned == last.planned == study.finished
    assert one.front is not None
    # The search's front, without what confirms it: the best at 4 (which is that at 1 too) and at 64.
    assert one.front.points == 2
    assert (one.front.best, one.front.at_10, one.front.at_100) == (0.95, 0.8, None)
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
    again = studies(
        study.suite, {study.task.name: TaskFacts("digest", images=1149)}, Store(study.store.path.parent)
    )[0]
    seen = Seen()
    ProgressMonitor(seen).start([again], 1)
    assert seen.shown[0].finished == study.finished
    assert seen.shown[0].entries[0].front is not None


def test_a_display_whose_terminal_is_gone_is_left_out(study: Study) -> None:
    broken, seen = Seen(BrokenPipeError), Seen()
    with ProgressMonitor(broken, seen) as watchers:
        watchers.start([study], 1)
        watchers.say("on it goes")
    assert (len(broken.shown), broken.said) == (1, [])
    assert (len(seen.shown), seen.said) == (2, ["on it goes"])
