"""Every command, as it is typed."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sparsebench.records.store import FILE, load_records

Cli = Callable[..., Any]

TRAIN = ["train", "--dataset", "planted", "--model", "lenet_300_100"]
COMMANDS = {
    "run": [
        "--out", "--methods", "--trials", "--epochs", "--seeds", "--devices", "--per-device", "--dry-run",
        "--data", "--storage", "--tracking-uri", "--plugin",
    ],
    "train": [
        "--dataset", "--model", "--method", "--set", "--epochs", "--seed", "--data-arg", "--model-arg",
        "--keep-dense", "--data", "--device", "--threads", "--save", "--plugin",
    ],
    "list": ["--json", "--plugin"],
    "show": ["--json", "--plugin"],
    "report": [],
    "status": ["--json"],
    "doctor": ["--data", "--tracking-uri", "--storage", "--out", "--json"],
    "track": ["--tracking-uri"],
    "pack": ["--out"],
    "merge": ["--out"],
    "ui": ["--port", "--open"],
}  # fmt: skip


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """No colours, no wrapping."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")


def without(*blocked: str) -> list[str]:
    """The command line in a process where these packages do not import."""
    program = f"""
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ImportError(name)
sys.meta_path.insert(0, Block())
from sparsebench.bench.cli.app import main
main()
"""
    return [sys.executable, "-c", program]


def test_help_names_every_command(cli: Cli) -> None:
    answer = cli("--help")
    assert answer.code == 0
    assert all(f" {command} " in answer.out for command in COMMANDS)
    assert cli("-h").out == answer.out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_names_its_options_with_a_word_on_each(cli: Cli, command: str) -> None:
    answer = cli(command, "--help")
    assert answer.code == 0
    assert f"Usage: sparsebench {command}" in answer.out
    lines = [line.strip("│ ") for line in answer.out.splitlines()]
    for option in COMMANDS[command]:
        (line,) = [line for line in lines if line.lstrip("* ").startswith(f"{option} ")]
        assert len(line.split()) > 3, f"{option} has no help"


def test_the_version_is_printed(cli: Cli) -> None:
    from importlib.metadata import version

    assert cli("--version").out == f"sparsebench {version('sparsebench')}\n"


@pytest.mark.parametrize(
    ("kind", "name", "keys"),
    [
        ("methods", "dwf", {"name", "summary", "knobs", "reference"}),
        ("datasets", "digits", {"name", "summary", "shape", "classes", "train_size", "downloads", "args"}),
        ("models", "lenet_300_100", {"name", "from"}),
        ("suites", "quickstart", {"name", "summary", "tasks", "entries"}),
    ],
)
def test_lists_are_for_people_and_for_programs(cli: Cli, kind: str, name: str, keys: set[str]) -> None:
    rows = json.loads(cli("list", kind, "--json").out)
    assert all(set(row) == keys for row in rows)
    assert name in {row["name"] for row in rows}
    shown = cli("list", kind).out
    assert all(row["name"] in shown for row in rows)


def test_lists_take_a_pattern(cli: Cli) -> None:
    assert [row["name"] for row in json.loads(cli("list", "models", "lenet*", "--json").out)] == [
        "lenet_300_100",
        "lenet5",
    ]
    assert json.loads(cli("list", "methods", "nothing*", "--json").out) == []


def test_show_says_equation_knobs_ranges_and_reference(cli: Cli) -> None:
    text = cli("show", "dwf").out
    for part in ("Σ|w_i|^(2/D)", "Σ|w|^(2/D)"):
        if part in text:
            break
    else:
        raise AssertionError("the equation is missing")
    assert "arXiv:2502.02496" in text
    shown = json.loads(cli("show", "dwf", "--json").out)
    knobs = {row["name"]: row for row in shown["knobs"]}
    assert set(knobs) == {"lam", "depth", "eps", "lr", "weight_decay"}
    assert knobs["lam"]["operating"]
    low, high = knobs["lam"]["searched"]
    assert low < knobs["lam"]["default"] < high
    assert knobs["weight_decay"]["searched"] is None
    assert all(f"{row['name']} " in text for row in shown["knobs"])


def test_a_plugin_is_listed_and_shown(cli: Cli, tmp_path: Path) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text(
        "from dataclasses import dataclass\nfrom sparsebench import Sparsifier, knob, register\n"
        "@register('from_a_file', reference='me')\n@dataclass\nclass M(Sparsifier):\n"
        "    '''Keeps [all] weights.'''\n    strength: float = knob(0.5, low=0.1, high=1.0, doc='how much')\n"
    )
    assert "Keeps [all] weights." in cli("list", "methods", "--plugin", plugin).out
    assert "how much" in cli("show", "from_a_file", "--plugin", plugin).out
    words = [*TRAIN, "--method", "from_a_file", "--epochs", "1"]
    record = json.loads(cli(*words, "--plugin", plugin, "--set", "strength=1").out)
    assert record["knobs"] == {"strength": 1.0}


def test_dry_run_says_what_would_run_and_writes_nothing(
    cli: Cli, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = cli("run", tiny, "--dry-run", "--devices", "cpu:2", "--seeds", 5)
    assert answer.code == 0
    rows = [line.split() for line in answer.out.splitlines()]
    assert ["planted-lenet_300_100", "99.2", "%", "2", "6", "≤", "30", "32"] in [row[:8] for row in rows]
    assert "tiny: at most 72 trials" in answer.out
    assert "2 slots (cpu)" in answer.out
    on_ray = cli("run", tiny, "--dry-run", "--executor", "ray", "--seeds", 5)
    assert "one slot of this machine (" in on_ray.out
    assert "tiny: at most 72 trials" in on_ray.out
    assert "address" in cli("run", tiny, "--dry-run", "--address", "auto").err
    assert list(tmp_path.iterdir()) == []


def test_train_prints_its_record_alone_and_needs_neither_optuna_nor_mlflow(tmp_path: Path) -> None:
    words = [*TRAIN, "--method", "dwf", "--set", "depth=3", "--epochs", "2", "--seed", "3"]
    command = [*without("optuna", "mlflow"), *words, "--save", str(tmp_path / "model.safetensors")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    record = json.loads(done.stdout)
    assert (record["status"], record["phase"], record["seed"]) == ("ok", "single", 3)
    assert record["test_accuracy"] is not None
    assert record["knobs"]["depth"] == 3
    assert "warning: decay budget" in done.stderr
    assert "step      64/64" in done.stderr
    assert "leaked" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_a_diverged_training_prints_its_record_and_is_no_success(cli: Cli) -> None:
    answer = cli(*TRAIN, "--method", "dense", "--set", "lr=900", "--epochs", 2)
    assert answer.code != 0
    assert json.loads(answer.out)["status"] == "diverged"
    assert answer.err.splitlines()[-1].startswith("error: the trial diverged: the training loss is no number")


@pytest.mark.xdist_group("campaign")
def test_a_finished_campaign_is_shown_again_by_the_same_command(
    cli: Cli, finished: Path, tiny: Path, tracking: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    before = (out / FILE).read_bytes()
    answer = cli("run", tiny, "--out", out, "--devices", "cpu:1", "--tracking-uri", tracking)
    assert answer.code == 0, answer.err
    assert (out / FILE).read_bytes() == before
    for task in ("planted-lenet_300_100", "digits-lenet_300_100"):
        assert f"{task}: test accuracy" in answer.out
        assert str(out / f"fronts-{task}.png") in answer.out
    assert "dwf-3" in answer.out
    assert f"MLflow  {tracking}" in answer.out
    again = cli("report", out)  # its own database is not there
    assert f"MLflow  sparsebench track {out}" in again.out
    (out / "mlflow.db").touch()
    again = cli("report", out)
    assert f"MLflow  sparsebench ui {out}" in again.out


@pytest.mark.xdist_group("campaign")
def test_report_makes_everything_again_without_torch(finished: Path, tmp_path: Path) -> None:
    shutil.copy(finished / FILE, tmp_path)
    shutil.copy(finished / "suite.json", tmp_path)
    command = [*without("torch", "torchvision", "timm", "optuna", "mlflow"), "report", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for name in ("leaderboard.md", "leaderboard.csv", "fronts-digits-lenet_300_100.svg"):
        assert (tmp_path / name).read_bytes() == (finished / name).read_bytes(), name
    assert (tmp_path / "fronts-planted-lenet_300_100.png").stat().st_size > 1000
    assert "planted-lenet_300_100: test accuracy" in done.stdout


@pytest.mark.xdist_group("campaign")
def test_track_publishes_what_is_missing_and_twice_does_no_harm(
    cli: Cli, finished: Path, tmp_path: Path, tracking: str
) -> None:
    records = load_records(finished)
    uri = tracking.replace("mlflow.db", "other.db")
    shutil.copy(tracking.removeprefix("sqlite:///"), uri.removeprefix("sqlite:///"))
    for path in (FILE, "suite.json"):
        shutil.copy(finished / path, tmp_path)
    first = cli("track", tmp_path, "--tracking-uri", uri)
    assert first.out == f"{len(records)} trials published to {uri}\n"  # a folder without an id: others' runs
    assert "campaign.json was not there: from now on this is campaign" in first.err
    extra = records[0].model_copy(update={"id": "5e" * 8, "suite": "tiny"})
    with (tmp_path / FILE).open("a") as file:
        file.write(extra.to_json() + "\n")
    assert cli("track", tmp_path, "--tracking-uri", uri).out == f"1 trials published to {uri}\n"
    assert cli("track", tmp_path, "--tracking-uri", uri).out == f"0 trials published to {uri}\n"
