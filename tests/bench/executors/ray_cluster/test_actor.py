"""What a worker on a node checks before it takes a trial; in this process, without a cluster."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sparsebench.bench.config.trial_spec import Trial
from sparsebench.bench.executors.ray_cluster.actor import TrialActor, mark, own_folder
from sparsebench.bench.executors.ray_cluster.messages import (
    Plugin,
    RequiredDataset,
    WorkerConfig,
    WorkerReady,
)
from sparsebench.bench.system import environment as versions
from sparsebench.bench.training.trial import open_data
from sparsebench.records.record import parse

SIZE = {"n": 320, "valid": 64}
Make = Callable[..., Trial]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The node's folder for temporary files."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def worker(**fields: Any) -> TrialActor:
    config = {"device": "cpu", "versions": versions.versions(), **fields}
    return TrialActor(WorkerConfig(**config).model_dump_json())


def opened(made: TrialActor) -> WorkerReady:
    return WorkerReady.model_validate_json(made.open(True))


def test_the_same_versions_and_data_are_fit() -> None:
    digest = open_data("planted", None, SIZE).digest
    found = opened(worker(datasets=[RequiredDataset("planted", SIZE, digest)]))
    assert (found.device, found.error) == ("cpu", "")


@pytest.mark.parametrize("package", ["sparsebench", "torch", "timm"])
def test_another_version_is_named(package: str) -> None:
    here = versions.versions()
    found = opened(worker(versions={**here, package: "0.0.1"}))
    assert found.error.startswith(f"it has {package} {here[package]}, the driver 0.0.1; install")


def test_other_data_and_missing_data_are_named(tmp_path: Path) -> None:
    wanted = RequiredDataset("planted", SIZE, "another digest")
    assert "its dataset 'planted' differs from the driver's" in opened(worker(datasets=[wanted])).error
    nowhere = RequiredDataset("image_folder", {"path": str(tmp_path / "nowhere")}, "a digest")
    assert "nowhere" in opened(worker(datasets=[nowhere])).error


def test_a_plugin_of_the_drivers_machine_alone_is_known(make_trial: Make, temporary: Path) -> None:
    text = """
from dataclasses import dataclass
from sparsebench import Sparsifier, register

@register("shipped")
@dataclass
class Shipped(Sparsifier):
    \"\"\"Dense.\"\"\"
"""
    made = worker(plugins=[Plugin("/on/the/driver/mine.py", text)])
    assert opened(made).error == ""
    word, _, content = made.run(make_trial(method="shipped").model_dump_json()).partition(" ")
    assert word == "record"
    record = parse(content, "here")
    assert record.status == "ok"
    assert record.command.endswith(" --plugin /on/the/driver/mine.py")  # not the copy, which the user lacks
    assert [path.name for path in temporary.rglob("*.py")] == ["mine.py"]
    assert own_folder().stat().st_mode & 0o077 == 0  # nobody else writes what is run


def test_a_plugin_that_fails_is_named() -> None:
    found = opened(worker(plugins=[Plugin("/on/the/driver/broken.py", "raise RuntimeError('no')")]))
    assert "plugin file '/on/the/driver/broken.py' fails to import at line 1" in found.error


@pytest.mark.parametrize("shares", [True, False])
def test_a_paused_trial_goes_on_from_where_it_stood(
    make_trial: Make, tmp_path: Path, temporary: Path, shares: bool
) -> None:
    """In the driver's folder where the node sees that, else in one of its own."""
    folder = tmp_path / "checkpoints"
    known = mark(folder)
    assert mark(folder) == known
    if not shares:
        (folder / "here").unlink()
    config = {"folder": str(folder), "mark": known}
    trial = make_trial(recipe={"epochs": 3})
    made = worker(**config)
    assert opened(made).shares == shares
    made.pause()
    assert made.run(trial.model_dump_json()) == "paused"
    (file,) = (folder if shares else temporary).rglob(f"{trial.id}.pt")
    again = worker(**config)
    opened(again)
    word, _, content = again.run(trial.model_dump_json()).partition(" ")
    straight = worker()
    opened(straight)
    plain = straight.run(trial.model_dump_json()).partition(" ")[2]
    assert word == "record"
    first, second = (parse(text, "here").model_dump() for text in (content, plain))
    times = {"seconds", "peak_memory_bytes"}
    assert {key: first[key] for key in first.keys() - times} == {
        key: second[key] for key in second.keys() - times
    }
    again.forget(trial.id)
    assert not file.exists()


def test_a_folder_of_somebody_else_is_not_trusted(temporary: Path) -> None:
    own_folder().chmod(0o777)
    assert "belongs to somebody else; set TMPDIR" in opened(worker(mark="m")).error
