"""What a process a trial costs: short trials in one warm worker, against a fresh fork of the server for each.

Both through the local executor's own worker process. The fresh one forks, opens the data and meets everything
in torch that is done once a process; the trials are the quick-start's, digits, and the same on MNIST.
"""

import statistics
import sys
from collections.abc import Callable
from functools import partial

from sparsebench.bench.config.trial_spec import Recipe, Trial
from sparsebench.bench.executors.local.fork_server import WorkerProcess, start_server
from sparsebench.bench.executors.local.worker import WorkerSetup
from sparsebench.bench.training.trial import open_data
from timing import interleaved, write

REPETITIONS = 7
SETUP = WorkerSetup("cpu", 1, 60.0)


def started() -> WorkerProcess:
    """A worker that is ready."""
    worker = WorkerProcess(SETUP, None)
    assert worker.stdout.readline() == b"ready\n"
    return worker


def run(worker: WorkerProcess, trial: Trial) -> None:
    worker.stdin.write(f"run {trial.model_dump_json()}\n".encode())
    worker.stdin.flush()
    line = worker.stdout.readline()
    assert line.startswith(b"record ") and b'"status":"ok"' in line, line[:200]


def in_a_process_of_its_own(trial: Trial) -> None:
    worker = started()
    run(worker, trial)
    worker.kill()
    worker.end()


def trial_on(dataset: str, batch: int, epochs: int) -> Trial:
    recipe = Recipe(epochs=epochs, batch_size=batch, lr=0.1, weight_decay=1e-4)
    digest = open_data(dataset).digest
    about = {"suite": "isolation", "entry": "dense", "dataset": dataset, "data_digest": digest}
    return Trial(**about, model="lenet_300_100", method="dense", recipe=recipe)


start_server()
warm = started()
blocks: dict[str, Callable[[], None]] = {}
for name, trial in {
    "digits, 770 steps": trial_on("digits", 32, 22),
    **({} if "--no-mnist" in sys.argv else {"mnist, 1 epoch": trial_on("mnist", 256, 1)}),
}.items():
    blocks[f"{name}: warm worker"] = partial(run, warm, trial)
    blocks[f"{name}: process a trial"] = partial(in_a_process_of_its_own, trial)
times = interleaved(blocks, REPETITIONS)
medians = {name: statistics.median(wall for wall, _ in own) for name, own in times.items()}
table = {name: {"wall_ms": round(1000 * seconds, 1)} for name, seconds in medians.items()}
for name, seconds in medians.items():
    if name.endswith("process a trial"):
        table[name]["more_ms"] = round(
            1000 * (seconds - medians[name.replace("process a trial", "warm worker")]), 1
        )
warm.kill()
warm.end()
write("process_per_trial", "milliseconds of a trial, in a warm worker and in a process of its own", table)
