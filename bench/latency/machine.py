"""The machine that times belong to, and how much of it other programs use."""

import os
import platform
import time
import uuid
from contextlib import suppress
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from ...records.measured.latency import Machine
from .options import Options

LIBRARIES = ("torch", "onnxruntime")


def this_machine(options: Options) -> Machine:
    """Returns what is told of this machine beside its times.

    Args:
        options: How it is measured.

    Returns:
        The machine: its digest is made of the host's name and network address, and names neither.

    Example:
        >>> this_machine(Options()).threads
        1
    """
    host = sha256(f"{platform.node()}/{uuid.getnode()}".encode()).hexdigest()[:8]
    versions = {}
    for library in LIBRARIES:
        with suppress(PackageNotFoundError):
            versions[library] = version(library)
    return Machine(
        id=host, device=device_name(options.device), threads=options.threads, versions=versions,
        precision=options.precision,
    )  # fmt: skip


def device_name(device: str) -> str:
    """Returns the product's name of a device.

    Args:
        device: Its name in torch.

    Returns:
        Such as "AMD EPYC 9554 64-Core Processor" or "NVIDIA H200".

    Example:
        >>> len(device_name("cpu")) > 0
        True
    """
    if device.startswith("cuda"):
        return str(torch.cuda.get_device_name(device))
    if device != "cpu":
        return f"{platform.machine()} {device}"
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())[:200] or platform.machine()
    return platform.processor() or platform.machine() or "CPU"


def cores_in_use(seconds: float = 0.3) -> float:
    """Returns how many cores other programs use, watched for a moment in which this one sleeps.

    Args:
        seconds: How long to watch.

    Returns:
        Cores; where the system does not say, the load of the last minute.

    Example:
        >>> 0 <= cores_in_use(0.05) <= os.cpu_count()
        True
    """
    before, own = _busy_seconds(), time.process_time()
    if before is None:
        return float(os.getloadavg()[0]) if hasattr(os, "getloadavg") else 0.0
    start = time.perf_counter()
    time.sleep(seconds)
    passed, spent = time.perf_counter() - start, time.process_time() - own
    used = ((_busy_seconds() or before) - before - spent) / passed
    return min(max(round(used, 2), 0.0), float(os.cpu_count() or 1))


def _busy_seconds() -> float | None:
    """Returns the seconds that all cores together have worked since the start; None where that is unknown."""
    try:
        line = Path("/proc/stat").read_text().splitlines()[0].split()
        user, nice, system, _idle, _wait, *rest = map(int, line[1:])
        return (user + nice + system + sum(rest[:3])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None
