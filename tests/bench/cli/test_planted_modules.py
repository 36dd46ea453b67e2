"""A folder from a stranger is data: no command runs a module that lies in it, or in the working folder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from processes import ended
from sparsebench.bench.tracking.client import DATABASE, Tracker, default_uri
from sparsebench.records.store import load_records

pytestmark = pytest.mark.slow

LIMIT = 120.0  # seconds for a command; the longest takes ten on an idle machine
COMMAND = Path(sys.executable).with_name("sparsebench")
SUITE = """
name = "one"
[budget]
trials = 1
seeds = 1
[[tasks]]
dataset = "planted"
model = "lenet_300_100"
data_args = { n = 320, valid = 64 }
recipe = { epochs = 1, batch_size = 64 }
[[entries]]
method = "dense"
"""
# The interpreter, or the script that pip writes, runs these before any line of a command: from the working
# folder only where PYTHONPATH has it.
BEFORE = ("sitecustomize", "usercustomize", "json", "random", "logging")
MODULES = (
    "mlflow", "torch", "torchvision", "timm", "optuna", "sqlalchemy", "alembic", "ray", "uvicorn", "flask",
    "fastapi", "rich", "typer", "click", "pydantic", "numpy", "scipy", "matplotlib", "seaborn", "jinja2",
    "safetensors", "PIL", "conftest", "methods", "datasets", "bench", "reports", "records", "tests",
    "gunicorn", "yaml", "packaging", "psutil", "pandas", "sklearn", "triton", "planted_backend",
)  # fmt: skip
FILES = {
    "matplotlibrc": "backend: module://planted_backend\n",
    "planted.pth": "import planted_backend\n",
    ".env": "PYTHONSTARTUP=planted_backend.py\nMLFLOW_TRACKING_URI=planted\n",
    "gunicorn.conf.py": "import planted_backend\n",
    "MLproject": "entry_points: {main: {command: python planted_backend.py}}\n",
    "alembic.ini": "[alembic]\nscript_location = .\n",
    "env.py": "import planted_backend\n",
    "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '-p planted_backend'\n",
    "ruff.toml": "",
}


def plant(folder: Path, ran: Path, *, at_start: bool) -> None:
    """Puts modules into a folder that leave a line in a file when they are run."""
    code = f"open({str(ran)!r}, 'a').write(__name__ + '\\n')\n"
    for name in (*MODULES, *(BEFORE if at_start else ())):
        (folder / f"{name}.py").write_text(code)
    if at_start:
        (folder / "sparsebench").mkdir()
        for name in ("__init__", "errors", "__main__"):
            (folder / "sparsebench" / f"{name}.py").write_text(code)
    for name, text in FILES.items():
        (folder / name).write_text(text)


@pytest.fixture(scope="module")
def strange(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished campaign's folder with its MLflow database."""
    folder = tmp_path_factory.mktemp("strange") / "run"
    shutil.copytree(finished, folder)
    Tracker(default_uri(folder), folder, "c0ffee").client.search_experiments()
    assert (folder / DATABASE).exists()
    return folder


@pytest.mark.parametrize("path", [None, ":"], ids=["no path", "an empty entry in the path"])
def test_no_command_runs_what_lies_in_its_folder(strange: Path, tmp_path: Path, path: str | None) -> None:
    folder, ran = tmp_path / "run", tmp_path / "ran"
    shutil.copytree(strange, folder)
    plant(folder, ran, at_start=path is None)
    (tmp_path / "one.toml").write_text(SUITE)
    left_out = ("PYTHONPATH", "PYTHONUNBUFFERED")  # what is said must come through a pipe as it is said
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    environment |= {"PYTHONPATH": path} if path is not None else {}
    record = next(r for r in load_records(folder) if r.status == "ok")
    retrained = ("export", ".", record.id, "--retrain", "--out", tmp_path / "m.pt", "--device", "cpu")
    trained = "--dataset planted --model lenet_300_100 --method dense --epochs 1"
    trained += " --data-arg n=320 --data-arg valid=64"
    # those that start processes; then the others
    commands: list[tuple[object, ...]] = [("run", "../one.toml", "--out", "new", "--devices", "cpu:1")]
    if path is None:
        commands += [
            ("ui", ".", "--port", "0"), ("report", "."), retrained,
            ("run", "../one.toml", "--dry-run"), ("status", "."), ("track", "."), ("doctor", "--out", "."),
            ("pack", ".", "--out", tmp_path / "a.zip"), ("merge", ".", "--out", tmp_path / "merged"),
            ("train", *trained.split(), "--save", "m.safetensors"),
            ("list", "models", "lenet*"), ("show", "dwf"), ("export", "."),
        ]  # fmt: skip
    for words in commands:
        options: dict[str, Any] = {"cwd": folder, "env": environment, "stdin": subprocess.DEVNULL}
        code, said = ended((COMMAND, *words), LIMIT, terminate_at="Ctrl-C", **options)  # the server answers
        assert code == 0, said
        assert not ran.exists(), f"{words[0]} ran {ran.read_text()}"
