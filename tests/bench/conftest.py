"""What the tests of the harness share: small trials and records, the command line in this process."""

import csv
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sparsebench.records.store import load_records

TINY = """
name = "tiny"
[budget]
trials = 3
seeds = 2
generation = 2
[[tasks]]
dataset = "planted"
model = "lenet_300_100"
data_args = { n = 640, valid = 128 }
recipe = { epochs = 4, batch_size = 64 }
[[tasks]]
dataset = "digits"
model = "lenet_300_100"
recipe = { epochs = 4, batch_size = 64 }
[[entries]]
method = "dense"
lr = 0.1
[[entries]]
method = "dwf"
label = "dwf-3"
depth = 3
"""


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite file of two tasks and two entries that runs in seconds."""
    path = tmp_path_factory.mktemp("suite") / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder whose name is awkward in an address."""
    return tmp_path_factory.mktemp("an output folder, 100% é#1")


@pytest.fixture(scope="module")
def tracker(folder: Path) -> Any:
    """That folder's own MLflow database."""
    from sparsebench.bench.tracking.client import Tracker, default_uri

    made = Tracker(default_uri(folder), folder, "0" * 32)
    made.client.search_experiments()  # makes the database: a server wants to find it
    return made


@pytest.fixture(scope="session")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One MLflow database for all campaigns of the tests: making it takes seconds, and some are killed."""
    from sparsebench.bench.tracking.client import Tracker

    folder = tmp_path_factory.mktemp("mlflow")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    Tracker(uri, folder, "0" * 32).client.search_experiments()
    return uri


@pytest.fixture(scope="session")
def finished(tiny: Path, tracking: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of that suite, run to its end on two slots. To be read; copy it to change it."""
    from sparsebench.bench.campaign.driver import run

    out = tmp_path_factory.mktemp("campaign") / "out"
    result = run(tiny, out=out, devices="cpu:2", tracking_uri=tracking)
    assert result.complete
    assert result.problems == []
    return out


@pytest.fixture(scope="session")
def told() -> Callable[[Path], dict[str, dict[str, Any]]]:
    """The records of a folder by identity, without what depends on the machine and its load."""

    def read(folder: Path) -> dict[str, dict[str, Any]]:
        free = {"seconds": 0, "peak_memory_bytes": 0, "versions": 0, "seal": 0}  # the seal is of versions too
        return {record.id: {**json.loads(record.to_json()), **free} for record in load_records(folder)}

    return read


@pytest.fixture(scope="session")
def board() -> Callable[[Path], list[dict[str, str]]]:
    """The leaderboard of a folder without its times."""

    def read(folder: Path) -> list[dict[str, str]]:
        with (folder / "leaderboard.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        return [{key: value for key, value in row.items() if "seconds" not in key} for row in rows]

    return read


ACTING = '''
import os, time
from dataclasses import dataclass
from pathlib import Path
from sparsebench import Sparsifier, register

class Base(Sparsifier):
    def attach(self, net, plan, probe):
        self.act()
        return super().attach(net, plan, probe)

@register("hanging")
@dataclass
class Hanging(Base):
    """Hangs the first time."""
    file: str = ""
    def act(self):
        if not Path(self.file).exists():
            Path(self.file + ".part").write_text(str(os.getpid()))
            Path(self.file + ".part").rename(self.file)
            time.sleep(600)
'''


@pytest.fixture(scope="session")
def acting() -> str:
    """The start of a plugin file: a base whose methods `act` when they are attached, and one that hangs."""
    return ACTING


@contextmanager
def _small_disk(place: Path, options: str) -> Iterator[None]:
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    mounted = subprocess.run(mount, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture(scope="session")
def small_disk() -> Callable[[Path, str], AbstractContextManager[None]]:
    """A file system of its own, made with mount's options, where this machine allows one."""
    if shutil.which("mount") is None:
        pytest.skip("this system has no mount")
    return _small_disk


SIZE = {"n": 320, "valid": 64}
"""A planted set of 256 training examples: two steps of 128."""


@pytest.fixture
def make_trial() -> Callable[..., Any]:
    """A trial on a small planted set; any field can be given, recipe fields as `recipe={...}`."""
    from sparsebench.bench.config.trial_spec import Recipe, Trial

    def make(**fields: Any) -> Trial:
        recipe = {"epochs": 1, "lr": 0.05, "weight_decay": 0.0, **fields.pop("recipe", {})}
        base: dict[str, Any] = {
            "suite": "suite", "entry": "entry", "dataset": "planted", "dataset_args": SIZE, "data_digest": "",
            "model": "lenet_300_100", "method": "dense", "phase": "search",
        }  # fmt: skip
        return Trial(**{**base, "recipe": Recipe(**recipe), **fields})

    return make
