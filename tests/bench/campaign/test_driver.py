"""A tiny suite from end to end, through the real workers."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from sparsebench.bench.campaign.driver import run
from sparsebench.bench.config.seeds import seed_of
from sparsebench.bench.output_folder.campaign_id import take_campaign_id
from sparsebench.bench.tracking.client import Tracker, default_uri
from sparsebench.errors import SparsebenchError
from sparsebench.records.choice import choose
from sparsebench.records.record import Record
from sparsebench.records.store import FILE, load_records

pytestmark = pytest.mark.xdist_group("campaign")

TASKS = ("planted-lenet_300_100", "digits-lenet_300_100")
Told = Callable[[Path], dict[str, dict[str, Any]]]
Board = Callable[[Path], list[dict[str, str]]]

ENTRIES = ("dense", "dwf-3")


def of(records: list[Record], task: str, entry: str, phase: str) -> list[Record]:
    return [r for r in records if (r.task, r.entry, r.phase) == (task, entry, phase)]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("entry", ENTRIES)
def test_every_entry_is_searched_and_confirmed_on_every_task(finished: Path, task: str, entry: str) -> None:
    records = load_records(finished)
    search, confirm = of(records, task, entry, "search"), of(records, task, entry, "confirm")
    assert sorted(r.trial or 0 for r in search) == [0, 1, 2]
    assert [r.seed for r in sorted(search, key=lambda r: r.trial or 0)] == [
        seed_of(0, 0, "search", number) for number in range(3)
    ]
    best = choose(search, (1.0, *search[0].compressions))  # the nine of the default, and 1
    assert len(best) == 10
    repeats = Counter(r.confirms for r in confirm)
    assert set(repeats) == {r.id for r in best.values()}
    assert set(repeats.values()) == {2}
    assert {r.seed for r in confirm} == {seed_of(0, 0, "confirm", k) for k in range(2)}


def test_test_data_are_read_for_chosen_trials_alone(finished: Path) -> None:
    for record in load_records(finished):
        chosen = record.phase == "confirm"
        assert (record.test_accuracy is not None) == chosen
        assert (record.test_accuracy_exact is not None) == chosen


def test_every_entry_gets_the_same_steps(finished: Path) -> None:
    steps = {(record.task, record.steps) for record in load_records(finished)}
    assert steps == {(TASKS[0], 4 * (512 // 64)), (TASKS[1], 4 * (1150 // 64))}


def test_a_record_is_complete(finished: Path) -> None:
    for record in load_records(finished):
        assert record.status == "ok"
        left_out = {name for name, value in record if value is None}
        allowed = {
            "reason",
            "target",
            "missed_by",
            "confirms",
            "trial",
            "test_accuracy",
            "test_accuracy_exact",
            "test_balanced_accuracy",
            "test_chance",
            "start_digest",
            "seal",
        }
        assert left_out <= allowed
        assert record.seconds > 0
        assert record.peak_memory_bytes
        assert record.curve
        assert [layer.shape for layer in record.layers] == [(300, 64), (100, 300), (10, 100)]
        assert {"sparsebench", "python", "torch", "torchvision", "timm"} <= set(record.versions)
        assert record.command.startswith("sparsebench train --dataset ")
        assert (record.threshold == 0) == (record.method == "dense")


def test_everything_that_is_promised_lies_in_the_folder(finished: Path) -> None:
    names = {path.name for path in finished.iterdir()}
    assert {FILE, "suite.json", "optuna.db", "leaderboard.md", "leaderboard.csv"} <= names
    for task in TASKS:
        assert {f"fronts-{task}.png", f"fronts-{task}.svg"} <= names
    board = (finished / "leaderboard.md").read_text()
    assert all(word in board for word in (*TASKS, *ENTRIES))


def test_the_studies_are_there_for_a_dashboard(finished: Path) -> None:
    url = f"sqlite:///{finished / 'optuna.db'}"
    names = optuna.get_all_study_names(storage=url)
    assert sorted(names) == sorted(f"{entry} on {task}" for entry in ENTRIES for task in TASKS)
    for name in names:
        study = optuna.load_study(study_name=name, storage=url)
        assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 3


@pytest.mark.parametrize("kept", [0, 13], ids=["none", "half"])
def test_one_slot_and_a_resume_give_the_same_records(
    finished: Path, tiny: Path, tracking: str, told: Told, board: Board, tmp_path: Path, kept: int
) -> None:
    """From nothing, and from a folder whose driver was killed while it wrote a line."""
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    lines = (out / FILE).read_bytes().splitlines(keepends=True)
    (out / FILE).write_bytes(b"".join(lines[:kept]) + lines[kept][: len(lines[kept]) // 2])
    result = run(tiny, out=out, devices="cpu:1", tracking_uri=tracking)
    assert result.complete
    assert (out / FILE).read_bytes().startswith(b"".join(lines[:kept]))
    assert len(load_records(out)) == len(lines)
    assert told(out) == told(finished)
    assert board(out) == board(finished)


def test_a_run_again_makes_up_for_views_that_were_lost(finished: Path, tiny: Path, tmp_path: Path) -> None:
    """A driver that was killed had published nothing, and Optuna's file is damaged: both are only views."""
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    (out / "optuna.db").write_bytes(b"no database, but longer than the header of one " * 100)
    uri = default_uri(out)
    result = run(tiny, out=out, devices="cpu:1", tracking_uri=uri)
    assert result.complete and result.problems == []
    tracker = Tracker(uri, out, take_campaign_id(out)[0].id)
    published = [id_ for task in TASKS for id_ in tracker.present(tracker.experiment("tiny", task))]
    assert sorted(published) == sorted(record.id for record in result.records)
    found = optuna.get_all_study_summaries(f"sqlite:///{out / 'optuna.db'}")
    assert {study.n_trials for study in found} == {3} and len(found) == len(TASKS) * len(ENTRIES)
    assert (out / "optuna.damaged").is_file()


def test_an_extended_suite_keeps_what_was_run_and_adds_the_rest(
    finished: Path, tiny: Path, tracking: str, told: Told, tmp_path: Path
) -> None:
    out, grown = tmp_path / "out", tmp_path / "tiny.toml"
    shutil.copytree(finished, out)
    grown.write_text(
        tiny.read_text().replace("trials = 3", "trials = 4") + '[[entries]]\nmethod = "random"\n'
    )
    with pytest.raises(
        SparsebenchError, match=r"trials: 3 there, 4 now; .*entries.random is new; .*continue it with"
    ):
        run(grown, out=out, devices="cpu:2", tracking_uri=tracking)
    before = (out / FILE).read_bytes()
    result = run(grown, out=out, devices="cpu:2", tracking_uri=tracking, extend=True)
    assert result.complete
    assert (out / FILE).read_bytes().startswith(before)
    for task in TASKS:
        for entry in (*ENTRIES, "random"):
            search = of(result.records, task, entry, "search")
            assert sorted(r.trial or 0 for r in search) == [0, 1, 2, 3]
            assert of(result.records, task, entry, "confirm")


def test_entries_that_ask_the_same_question_share_the_run(tmp_path: Path, tracking: str) -> None:
    suite = tmp_path / "same.toml"
    suite.write_text("""
        name = "same"
        budget = { trials = 1, seeds = 1, points = 1 }
        tasks = [{ dataset = "planted", model = "lenet_300_100", recipe = { epochs = 1 } }]
        entries = [{ method = "dense" }, { method = "dense", label = "again" }]
    """)
    result = run(suite, out=tmp_path / "out", devices="cpu:2", tracking_uri=tracking)
    assert result.complete
    assert [record.phase for record in result.records] == ["search", "confirm"]


def test_a_campaign_of_failures_says_the_first_reason_and_keeps_the_records(
    tmp_path: Path, tracking: str
) -> None:
    plugin = tmp_path / "late.py"
    plugin.write_text("""
from sparsebench import Sparsifier, register
@register("late")
class Late(Sparsifier):
    "It raises at the end."
    def finalize(self, net):
        raise RuntimeError("too late")
""")
    suite = tmp_path / "broken.toml"
    suite.write_text("""
        name = "broken"
        budget = { trials = 1, seeds = 1 }
        tasks = [{ dataset = "planted", model = "lenet_300_100", recipe = { epochs = 1 } }]
        entries = [{ method = "late" }]
    """)
    with pytest.raises(SparsebenchError, match=r"every trial failed: RuntimeError: too late .late.py:7"):
        run(suite, out=tmp_path / "out", devices="cpu:1", tracking_uri=tracking, plugins=[plugin])
    assert [record.status for record in load_records(tmp_path / "out")] == ["failed"]
    # Beside an entry that has results it is a problem, and the campaign is not complete.
    suite.write_text(suite.read_text().replace("entries = [", 'entries = [{ method = "dense" }, '))
    result = run(suite, out=tmp_path / "both", devices="cpu:1", tracking_uri=tracking, plugins=[plugin])
    assert not result.complete
    assert result.failed == result.problems
    assert "every trial of 'late' on planted-lenet_300_100 failed (1): RuntimeError" in result.failed[0]
