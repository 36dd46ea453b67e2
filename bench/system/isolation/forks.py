"""Whether a process can be forked safely: what is left in it that no fork survives."""

import sys
import threading
import time
from pathlib import Path

import torch

GRACE_SECONDS = 0.5
"""How long threads may take to end that have been told to."""


def left_behind() -> str:
    """Returns what of this process makes a fork of it unsafe, in words; empty where nothing does.

    A thread may hold a lock for ever in the copy, in which it does not run; torch's own threads, which an
    operator with more than one has started, are waited for in vain. A GPU's context cannot be copied.

    Returns:
        Words such as "3 threads", or "".

    Example:
        >>> from unittest.mock import patch
        >>> with patch.object(torch.cuda, "is_initialized", return_value=True):
        ...     left_behind()
        "a GPU's context"
    """
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return "a GPU's context"
    end = time.monotonic() + GRACE_SECONDS
    while (others := _threads() - 1) and time.monotonic() < end:
        time.sleep(0.01)
    return "" if others == 0 else f"{others} thread{'s' if others > 1 else ''}"


def _threads() -> int:
    """Returns the number of this process's threads; where the system does not tell, that of Python's."""
    if sys.platform == "linux":
        return len(list(Path("/proc/self/task").iterdir()))
    return threading.active_count()
