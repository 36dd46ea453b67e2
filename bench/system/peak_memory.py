"""Peak memory of one trial, also in a process that has run others before."""

import resource
import sys
from contextlib import suppress
from pathlib import Path

import torch


def reset_peak(device: torch.device) -> None:
    """Resets the peak that `peak` reads, so that a trial's own memory is measured.

    On Linux this resets the high-water mark of the process's resident memory; elsewhere a CPU's peak cannot
    be reset.

    Args:
        device: A GPU for its allocator's statistics; any other for the process.

    Example:
        >>> reset_peak(torch.device("cpu"))
        >>> peak(torch.device("cpu")) > 2**20  # the process as it is, with torch
        True
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak(device: torch.device) -> int:
    """Returns the peak memory since `reset_peak`.

    Args:
        device: A GPU for its allocator's peak; any other for the process's resident peak.

    Returns:
        The peak in bytes.

    Example:
        >>> reset_peak(torch.device("cpu"))
        >>> block = torch.ones(2**22)  # 16 MiB
        >>> peak(torch.device("cpu")) > block.nbytes
        True
    """
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
