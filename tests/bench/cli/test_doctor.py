"""What `sparsebench doctor` finds, on this machine and on ones that lack something."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from sparsebench.bench.cli.machine import checks
from sparsebench.bench.cli.machine.checks import Check
from sparsebench.bench.cli.machine.doctor import examine
from sparsebench.bench.system import reachability as reach

Cli = Callable[..., Any]


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No data of this machine's user, and an output folder of the test's own."""
    monkeypatch.delenv("SPARSEBENCH_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine on which nobody listens, and which no other process is given meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield int(taken.getsockname()[1])


@pytest.fixture
def http() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A server that is well at /health, refuses /no/health, and notes the headers it is sent."""
    seen: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(dict(self.headers))
            self.send_response(200 if self.path == "/health" else 401)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", seen
        server.shutdown()
        thread.join()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield int(server.getsockname()[1])


def only(checks: Iterator[Check]) -> Check:
    (found,) = checks
    return found


def by_name(checks: Iterator[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_this_machine_can_run_and_nothing_is_written(tmp_path: Path) -> None:
    found = examine()
    checks = {check.name: check for check in found.checks}
    assert found.possible
    assert checks["torch"].found == metadata.version("torch")
    assert checks["cpu"].found.startswith(f"{len(os.sched_getaffinity(0))} ")
    assert checks["digits"].mark == "ok"
    assert checks["output"].found.endswith("GB free for runs")
    assert list(tmp_path.iterdir()) == []


def test_the_command_is_a_table_with_what_to_do_and_json(cli: Cli, closed_port: int) -> None:
    answer = cli("doctor", "--tracking-uri", f"http://me:secret@127.0.0.1:{closed_port}")
    assert answer.code == 0, answer.err
    assert "✓  python" in answer.out
    assert re.search(rf"!  MLflow +http://127\.0\.0\.1:{closed_port}: \[Errno", answer.out)
    assert "! MLflow: runs go on without it, and `sparsebench track DIR` publishes later" in answer.out
    assert "secret" not in answer.out
    assert answer.out.endswith("runs are possible\n")
    words = ("--json", "--storage", f"postgresql://me:secret@127.0.0.1:{closed_port}/x", "--out", "file/out")
    Path("file").write_text("mine")
    answer = cli("doctor", *words)
    assert answer.code == 1
    assert "secret" not in answer.out
    shown = json.loads(answer.out)
    assert not shown["possible"]
    assert {c["name"] for c in shown["checks"] if c["mark"] == "missing"} == {"Optuna", "output"}


@pytest.mark.xdist_group("server")
@pytest.mark.parametrize("port", ["closed_port", "silent_port"])
def test_a_server_that_is_not_there_is_told_in_seconds(port: str, request: pytest.FixtureRequest) -> None:
    start = time.monotonic()
    with pytest.raises(reach.Unreachable, match=r"refused|timed out|no answer within 0\.5 s"):
        reach.check_server(f"http://127.0.0.1:{request.getfixturevalue(port)}", "/health", 0.5)
    assert time.monotonic() - start < 5


def test_a_server_is_asked_for_its_health_with_the_login(http: tuple[str, list[dict[str, str]]]) -> None:
    address, seen = http
    assert only(checks.check_tracking(address.replace("//", "//me:s%20t@"), Path("out"))).mark == "ok"
    assert seen[-1]["Authorization"] == "Basic bWU6cyB0"
    found = only(checks.check_tracking(f"{address}/no", Path("out")))
    assert (found.mark, found.found) == ("warning", f"{address}/no: it answers 401 Unauthorized to /health")


def test_the_default_databases_are_those_of_the_output_folder(tmp_path: Path) -> None:
    assert only(checks.check_tracking(None, Path("out"))).found == f"sqlite:///{tmp_path}/out/mlflow.db"
    assert only(checks.check_studies(None, Path("out"))).found == f"sqlite:///{tmp_path}/out/optuna.db"
    Path("out").mkdir()
    Path("out/optuna.db").write_text("no database" * 100)
    found = only(checks.check_studies(None, Path("out")))
    assert found.mark == "missing"
    assert "file is not a database" in found.found


def test_data_are_found_or_there_is_a_command_that_gets_them(tmp_path: Path) -> None:
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (raw / f"{part}-ubyte").touch()
    found = by_name(checks.check_datasets(tmp_path / "data"))
    assert (found["mnist"].mark, found["mnist"].found) == ("ok", f"in {tmp_path / 'data'}")
    assert (found["kmnist"].mark, found["kmnist"].found) == ("note", f"not in {tmp_path / 'data'}")
    assert found["image_folder"].advice.startswith("your own images")
    program = found["kmnist"].advice.partition("python -c ")[2]
    # The command as given, for a dataset that needs no download.
    done = subprocess.run(f"{sys.executable} -c {program[: -len(' NAME')]} digits", shell=True, timeout=120)
    assert done.returncode == 0


def test_a_data_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("mine")
    assert by_name(checks.check_datasets(tmp_path / "data"))["folder"].mark == "warning"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Check]]:
    """The checks where the package asks for these requirements, and these versions are installed."""

    def check(requires: list[str], python: str = ">=3.11", **versions: str) -> dict[str, Check]:
        facts = Message()
        facts["Requires-Python"] = python
        facts["Provides-Extra"] = "ray"

        def version(name: str) -> str:
            if name not in versions:
                raise metadata.PackageNotFoundError(name)
            return versions[name]

        monkeypatch.setattr(checks.metadata, "metadata", lambda name: facts)
        monkeypatch.setattr(checks.metadata, "requires", lambda name: requires)
        monkeypatch.setattr(checks.metadata, "version", version)
        return by_name(checks.check_versions())

    return check


def test_versions_are_held_against_what_is_asked_for(installed: Callable[..., dict[str, Check]]) -> None:
    asked = ["torch>=2.11", "mlflow<3.18,>=3.17", "timm>=1.0", "rich>=14", "old>=1; python_version < '3'"]
    found = installed(asked, torch="2.15.0+cpu", mlflow="3.18.1", timm="0.9")
    assert found["python"].mark == found["torch"].mark == "ok"
    assert (found["mlflow"].mark, found["mlflow"].found) == (
        "missing",
        "3.18.1, but <3.18,>=3.17 is asked for",
    )
    assert found["mlflow"].advice == "pip install 'mlflow<3.18,>=3.17'"
    assert (found["timm"].mark, found["timm"].advice) == ("missing", "pip install 'timm>=1.0'")
    assert (found["rich"].mark, found["rich"].found) == ("missing", "not installed")
    assert "old" not in found
    assert installed([], python=">=4")["python"].mark == "missing"


def test_an_extra_may_be_absent_but_not_too_old(installed: Callable[..., dict[str, Check]]) -> None:
    asked = ["ray>=2.52; extra == 'ray'"]
    absent = installed(asked)["ray"]
    assert (absent.mark, absent.advice) == ("note", "pip install 'sparsebench[ray]'")
    assert installed(asked, ray="2.60")["ray"].mark == "ok"
    assert installed(asked, ray="2.1")["ray"].mark == "warning"


def test_a_machine_without_a_compiler_is_told_what_that_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "/no/such/compiler -O2")
    found = by_name(checks.check_devices())["C compiler"]
    assert (found.mark, found.found) == ("note", "none")
    assert "slower" in found.advice
    monkeypatch.setenv("CC", f"{sys.executable} -O2")
    assert by_name(checks.check_devices())["C compiler"].found == sys.executable


def test_a_gpu_that_torch_does_not_see_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from sparsebench.bench.system import devices

    monkeypatch.setattr(devices, "gpus", list)
    smi = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert by_name(checks.check_devices())["gpu"].mark == "note"
    smi.touch(0o755)
    assert by_name(checks.check_devices())["gpu"].mark == "warning"


def test_every_gpu_is_named_with_its_memory() -> None:
    import torch

    found = by_name(checks.check_devices())
    assert set(found) >= {f"cuda:{i}" for i in range(torch.cuda.device_count())}


@pytest.mark.parametrize(("free", "mark"), [(5e7, "missing"), (1e9, "warning"), (9e9, "ok")])
def test_a_disk_that_runs_full_is_told(monkeypatch: pytest.MonkeyPatch, free: float, mark: str) -> None:
    usage = shutil.disk_usage(".")._replace(free=int(free))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert only(checks.check_disk(Path("deep/in/out"))).mark == mark
