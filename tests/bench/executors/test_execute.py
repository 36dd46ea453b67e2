"""What a worker says of a trial that ended in an error."""

import platform
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from sparsebench.bench.config.trial_spec import Trial
from sparsebench.bench.executors.execute import OutOfMemory, execute_trial
from sparsebench.bench.training import trial as trials
from sparsebench.errors import SparsebenchError

PLACE = "(test_execute.py:20: raise error)"


def raising(error: Exception) -> Callable[..., Any]:
    def run(*args: Any, **more: Any) -> Any:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("bad luck\nsecond line"), "ValueError: bad luck second line"),
        (SparsebenchError("no data:\n  none"), "no data: none"),
        (ValueError(), "ValueError"),
        (KeyError("head"), "KeyError: 'head'"),
    ],
)
def test_a_reason_is_one_line(
    error: Exception, reason: str, make_trial: Callable[..., Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "run", raising(error))
    found = execute_trial(make_trial(), device="cpu").reason
    assert found == reason if isinstance(error, SparsebenchError) else found == f"{reason} {PLACE}"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "out of memory: MemoryError"),
        (MemoryError("5 GB\nwanted"), "out of memory: MemoryError: 5 GB wanted"),
    ],
)
def test_too_little_memory_is_said_with_what_there_is_to_say(
    error: Exception, reason: str, make_trial: Callable[..., Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "run", raising(error))
    with pytest.raises(OutOfMemory) as met:
        execute_trial(make_trial(), device="cpu")
    assert str(met.value) == f"{reason} {PLACE}"


STEPS = """
import resource
import torch
from sparsebench.bench.executors.execute import prepare_process
prepare_process(threads=1)
def step():
    blocks = [torch.ones(2**21) for _ in range(8)]  # 64 MB, given back together
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators have no mallopt")
def test_the_memory_of_a_step_is_there_for_the_next_one() -> None:
    faults = int(subprocess.check_output([sys.executable, "-P", "-c", STEPS]))
    assert faults < 16_384  # the pages of one step
