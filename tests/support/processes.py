"""Processes and their children, as Linux shows them."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

STATUS = ("State", "SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt")


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


def ended(
    command: Sequence[object], seconds: float, *, terminate_at: str = "\0", **options: Any
) -> tuple[int, str]:
    """The exit code of a command and all that it says, until every process has closed its output.

    It gets SIGTERM once it has said `terminate_at`. After so many seconds the test fails: with the command,
    what it has said and what its processes wait for, all of which are killed.
    """
    words = list(map(str, command))
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options) as process:
        assert process.stdout is not None
        said, end = b"", time.monotonic() + seconds
        try:
            while wait([process.stdout], max(0.0, end - time.monotonic())):
                chunk = os.read(process.stdout.fileno(), 1 << 16)
                if not chunk:
                    return process.wait(max(1.0, end - time.monotonic())), said.decode()
                had, said = terminate_at.encode() in said, said + chunk
                if terminate_at.encode() in said and not had:
                    process.terminate()
        except subprocess.TimeoutExpired:
            pass
        left = _below(process.pid) | _holding(os.fstat(process.stdout.fileno()).st_ino)
        states = "\n".join(map(_state, sorted(left)))
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        raise AssertionError(
            f"{' '.join(words)} has not ended within {seconds:g} s\n{said.decode(errors='replace')}\n{states}"
        )


def _below(pid: int) -> set[int]:
    """A process with all that are below it."""
    return {pid}.union(*map(_below, children(pid)))


def _holding(pipe: int) -> set[int]:
    """The other processes that hold a pipe open, which may have lost their parent."""
    found = set()
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if str(descriptor.readlink()) == f"pipe:[{pipe}]":
                found.add(int(descriptor.parts[2]))
    return found - {os.getpid()}


def _state(pid: int) -> str:
    """A process's command line, its signals, and what each of its threads waits for."""
    with suppress(OSError):
        place = Path("/proc") / str(pid)
        line = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:300]
        status = dict(one.split(":\t") for one in (place / "status").read_text().splitlines())
        signals = ", ".join(f"{name} {status[name].strip()}" for name in STATUS)
        threads = ", ".join((one / "wchan").read_text() or "runs" for one in place.glob("task/*"))
        return f"{pid}: {line}\n    {signals}\n    threads: {threads}"
    return f"{pid}: has ended"
