"""What all tests share: quiet third parties, one torch thread, the real data where a checkout has them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

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
    "reports/test_figures.py",
    "reports/test_pareto.py",
    "reports/test_points.py",
    "reports/test_rows.py",
)

# How long an example takes says how busy the machine is, and which test of a process imports scipy.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


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
