"""Times: what is timed computes the same, in turns, on the threads that were asked for."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import groupby
from typing import Any

import pytest
import torch
from sparsebench import SparsebenchError
from sparsebench.bench.latency.machine import cores_in_use, this_machine
from sparsebench.bench.latency.options import Options
from sparsebench.bench.latency.timing import LEAST, pinned_threads, timings
from sparsebench.records.measured.latency import BUSY
from torch import Tensor, nn


def test_models_take_turns_and_the_slower_one_is_slower() -> None:
    calls: list[str] = []

    def waiting(name: str, seconds: float) -> Callable[[Tensor], Tensor]:
        def model(x: Tensor) -> Tensor:
            calls.append(name)
            time.sleep(seconds)
            return x

        return model

    models = {"fast": waiting("fast", 0.001), "slow": waiting("slow", 0.02)}
    found = timings(models, torch.ones(2, 3), seconds=0.1)
    turns = [name for name, _ in groupby(calls)]
    assert turns == ["fast", "slow"] * (len(turns) // 2)
    assert len(turns) >= 2 * LEAST
    assert found["slow"].median >= 0.02 > found["fast"].median >= 0.001
    assert all(each.low <= each.median <= each.high for each in found.values())


def test_threads_and_cores_are_given_back() -> None:
    before = torch.get_num_threads(), os.sched_getaffinity(0)
    with pinned_threads(1):
        assert torch.get_num_threads() == 1
        assert len(os.sched_getaffinity(0)) == 1
    assert (torch.get_num_threads(), os.sched_getaffinity(0)) == before


@pytest.mark.parametrize("wrong", [lambda x: 1.01 * x, lambda x: x * float("nan")])
def test_no_time_counts_where_logits_differ(wrong: Any) -> None:
    models = {"dense": nn.Identity(), "sparse": wrong}
    with pytest.raises(SparsebenchError, match="no time counts for 'sparse'"):
        timings(models, torch.ones(2, 3), seconds=0)


def test_another_program_makes_the_machine_busy() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        time.sleep(0.3)
        busy = cores_in_use(1.0)
        other.kill()
    assert busy > BUSY


def test_a_machine_has_a_name_and_the_versions_that_compute() -> None:
    machine = this_machine(Options(threads=2))
    assert machine == this_machine(Options(threads=2))
    assert machine.title.endswith(", 2 threads")
    assert machine.versions["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
