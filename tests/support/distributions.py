"""The distributions of the package, built offline from a copy of its sources."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOMS = ("methods", "datasets", "bench", "reports")
SOURCES = (*ROOMS, "pkg", "pyproject.toml", "setup.py", "README.md", "LICENSE")
BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"


def python(code: str, *args: str, cwd: Path, path: Path | None = None) -> str:
    """Run code in an interpreter that, as for an installed program, does not look into the working folder."""
    return run([sys.executable, "-P", "-c", code, *args], cwd=cwd, path=path)


def run(command: list[str], cwd: Path, path: Path | None = None) -> str:
    """What a command that has to succeed says."""
    environment = {**os.environ, **({"PYTHONPATH": str(path)} if path else {})}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def copy_sources(repository: Path, tree: Path) -> Path:
    """A copy of what is built, so that what lies about in the repository has no part in it."""
    for name in SOURCES:
        source = repository / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tree / name)
    return tree


def build(kind: str, tree: Path, out: Path) -> Path:
    """The `wheel` or the `sdist` of a source tree, written into a folder of its own."""
    python(BUILD, f"build_{kind}", str(out), cwd=tree)
    (built,) = out.iterdir()
    return built
