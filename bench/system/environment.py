"""Library versions, the git commit and the usable cores of this machine, read without importing torch."""

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


@cache
def versions() -> dict[str, str]:
    """Returns the versions that a record holds; read once in a process.

    Returns:
        Versions of sparsebench, python and, where installed, torch, torchvision and timm; `git` is the commit
        where sparsebench runs from a checkout.

    Example:
        >>> versions()["python"] == platform.python_version(), "torch" in versions()
        (True, True)
    """
    found = {"sparsebench": version("sparsebench"), "python": platform.python_version()}
    if commit := _git_commit():
        found["git"] = commit
    for package in ("torch", "torchvision", "timm"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _git_commit() -> str | None:
    """Returns the commit of the checkout that holds this file, or None.

    It ends in `-dirty` where tracked files have changed.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10, check=True
        )
        return done.stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("-dirty" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def cores() -> int:
    """Returns the number of processors that this process may use.

    Returns:
        The size of the process's CPU affinity, which `taskset` or a scheduler may have narrowed; on systems
        without it, all processors.

    Example:
        >>> 1 <= cores() <= os.cpu_count()
        True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
