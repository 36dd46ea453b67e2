"""A training step in a worker that keeps freed memory against one that returns it; each is a process."""

import json
import subprocess
import sys
from typing import Any
from unittest.mock import patch

from loops import harness, harness_steps, mnist
from sparsebench.bench.executors import execute
from timing import interleaved, write

REPETITIONS, BLOCKS = 5, 10
# Model, batch, steps a block.
CASES = [("lenet_300_100", 256, 200), ("lenet5", 256, 20), ("conv3_bn", 128, 8)]
KINDS = ("returned", "kept")


def step_seconds(kind: str, model: str, batch: int, steps: int) -> float:
    """Wall seconds of a step in this process."""
    with patch.object(execute, "MALLOC", execute.MALLOC if kind == "kept" else {}):
        execute.prepare_process(threads=1)
    training = harness(mnist(), model=model, batch=batch, lr=0.01)
    times = interleaved({kind: harness_steps(training, steps)}, BLOCKS)[kind]
    return sorted(wall for wall, _ in times)[BLOCKS // 2] / steps


def measured() -> dict[str, Any]:
    """The table: processes in turn, medians over pairs of them."""
    table = {}
    for model, batch, steps in CASES:
        pairs = []
        for _ in range(REPETITIONS):
            commands = ([sys.executable, __file__, kind, model, str(batch), str(steps)] for kind in KINDS)
            pairs.append([float(subprocess.check_output(command)) for command in commands])
        ratios = sorted(kept / returned for returned, kept in pairs)
        middle = REPETITIONS // 2
        table[f"{model}, batch {batch}"] = {
            "returned_ms": round(1000 * sorted(pair[0] for pair in pairs)[middle], 3),
            "ratio": round(ratios[middle], 3), "lowest": round(ratios[0], 3), "highest": round(ratios[-1], 3),
        }  # fmt: skip
    return table


if __name__ == "__main__":
    if len(sys.argv) > 1:
        kind, model, batch, steps = sys.argv[1:]
        print(json.dumps(step_seconds(kind, model, int(batch), int(steps))))
    else:
        write("allocator", "a step with freed memory kept against returned; MNIST, wall time", measured())
