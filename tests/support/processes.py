"""Processes and their children, as Linux shows them."""

import time
from pathlib import Path


def parents() -> dict[int, int]:
    """Each running process's parent."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state != "Z":
            found[int(stat.parent.name)] = int(parent)
    return found


def children(pid: int) -> set[int]:
    return {child for child, parent in parents().items() if parent == pid}


def descendants(pid: int) -> set[int]:
    """The children and their children."""
    return children(pid).union(*map(children, children(pid)))


def gone(pids: set[int], seconds: float) -> bool:
    """Whether all of them end within so long."""
    end = time.monotonic() + seconds
    while pids & set(parents()):
        if time.monotonic() > end:
            return False
    return True
