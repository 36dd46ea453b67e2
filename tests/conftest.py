"""What all tests share: quiet third parties, one torch thread, the real data where a checkout has them."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent
UNPACK = ROOT.parent / "shared" / "data" / "unpack"

# Quick files whose every test belongs to the smoke set; elsewhere, single tests carry the mark.
SMOKE = (
    "datasets/test_builtin.py",
    "datasets/test_mnist.py",
    "datasets/test_planted.py",
    "datasets/test_registry.py",
    "datasets/test_splits.py",
    "methods/*",
    "reports/figures/test_figures.py",
    "records/test_pareto.py",
    "reports/analysis/test_points.py",
    "reports/analysis/test_boards.py",
)

# How long an example takes says how busy the machine is, and which test of a process imports scipy.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("SPARSEBENCH_LATENCY", "0")  # some seconds a campaign; tests/bench/latency asks for it


@pytest.hookimpl(tryfirst=True)  # before `-m smoke` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        path = item.path.relative_to(ROOT / "tests").as_posix()
        if any(fnmatch(path, pattern) for pattern in SMOKE):
            item.add_marker(pytest.mark.smoke)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the source tree."""
    return ROOT


@pytest.fixture(scope="session")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that holds MNIST in torchvision's layout, `MNIST/raw/*-ubyte`.

    It is the user's own (SPARSEBENCH_DATA) where that has MNIST, else unpacked for this test session from
    the collection beside the checkout. Tests that need it are skipped where there is neither.
    """
    own = os.environ.get("SPARSEBENCH_DATA")
    if own and (Path(own).expanduser() / "MNIST" / "raw").is_dir():
        return Path(own).expanduser()
    if not UNPACK.is_file():
        pytest.skip("real data are absent: neither SPARSEBENCH_DATA nor ../shared/data holds MNIST")
    folder = tmp_path_factory.mktemp("data")
    subprocess.run([str(UNPACK), "--mnist", str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture(autouse=True)
def torch_threads(request: pytest.FixtureRequest) -> None:
    """One thread and no denormals, as in a trial, so that tests neither fight over cores nor crawl.

    Hypothesis wants its denormals: the setting is the process's, and a trial run before has changed it.
    Torch is not imported for any of this: the tests of the rooms that do without it stay without.
    """
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
        torch.set_flush_denormal(not getattr(request.function, "is_hypothesis_test", False))


@pytest.fixture(autouse=True)
def plugins_forgotten() -> Iterator[None]:
    """What a test's plugin files register is forgotten after it: two tests may call their methods alike."""
    before = set(sys.modules)
    yield
    new = {name for name in set(sys.modules) - before if name.startswith("sparsebench_plugin_")}
    for room in filter(None, map(sys.modules.get, ("sparsebench.methods.api", "sparsebench.datasets.api"))):
        items = room.registry._items
        for name in [name for name, item in items.items() if getattr(item, "open", item).__module__ in new]:
            del items[name]
    for name in new:
        del sys.modules[name]


@pytest.fixture
def make_record() -> Callable[..., Any]:
    """A valid record; any field can be given. The id of record n is n in 16 hexadecimal digits; a given id
    that is no hash is replaced by its own."""
    from sparsebench.records.fields import Layer
    from sparsebench.records.record import Record
    from synthetic_records import identity

    def make(number: int = 0, **fields: Any) -> Any:
        base: dict[str, Any] = {
            "id": f"{number:016x}", "config": f"config-{number}", "suite": "suite", "entry": "dense",
            "dataset": "digits", "model": "lenet_300_100", "method": "dense", "knobs": {}, "trial": number,
            "seed": 0, "phase": "search", "status": "ok", "classes": 10, "val_accuracy": 0.9,
            "compression": 4.0, "layers": [Layer(name="1.weight", shape=(4, 4), nonzeros=4)],
            "command": "sparsebench train", "data_digest": "d", "device": "cpu",
        }  # fmt: skip
        named = {key: identity(fields[key]) for key in ("id", "confirms") if isinstance(fields.get(key), str)}
        return Record(**{**base, **fields, **named})

    return make


@dataclass
class Answer:
    """What a command left: exit status and both streams."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """The real entry point, in this process: `cli("list", "methods").out`."""
    from sparsebench.bench.cli.app import main

    def call(*words: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["sparsebench", *map(str, words)])
        capfd.readouterr()
        code: Any = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
        out, err = capfd.readouterr()
        return Answer(int(code), out, err)

    return call
