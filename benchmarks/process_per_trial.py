"""What the process of a trial costs: short trials in a local worker, against the same in this warm process.

The worker has the data open and forks a process for each trial; this process runs them in turn. The trials
are the quick start's, on digits, and an epoch on MNIST (not with `--no-mnist`).
"""

import statistics
import sys
from collections.abc import Callable
from functools import partial

from sparsebench.bench.config.trial_spec import Recipe, Trial
from sparsebench.bench.executors.execute import execute_trial
from sparsebench.bench.executors.local.fork_server import WorkerProcess
from sparsebench.bench.executors.local.worker_setup import WorkerSetup
from sparsebench.bench.training.trial import open_data
from timing import interleaved, one_thread, write

REPETITIONS = 7


def in_its_own_process(worker: WorkerProcess, trial: Trial) -> None:
    worker.send(f"run {trial.model_dump_json()}")
    line = b""
    while not line.endswith(b"\n"):
        line += worker.stdout.readline()
    assert line.startswith(b"record ") and b'"status":"ok"' in line, line[:200]


def in_this_process(trial: Trial) -> None:
    assert execute_trial(trial, device="cpu").status == "ok"


def trial_on(dataset: str, batch: int, epochs: int) -> Trial:
    recipe = Recipe(epochs=epochs, batch_size=batch, lr=0.1, weight_decay=1e-4)
    digest = open_data(dataset).digest
    about = {"suite": "isolation", "entry": "dense", "dataset": dataset, "data_digest": digest}
    return Trial(**about, model="lenet_300_100", method="dense", recipe=recipe)


one_thread()
worker = WorkerProcess(WorkerSetup("cpu", 1, 60.0), None)
assert worker.stdout.readline() == b"ready\n"
blocks: dict[str, Callable[[], None]] = {}
for name, trial in {
    "digits, 770 steps": trial_on("digits", 32, 22),
    **({} if "--no-mnist" in sys.argv else {"mnist, 1 epoch": trial_on("mnist", 256, 1)}),
}.items():
    blocks[f"{name}: this process"] = partial(in_this_process, trial)
    blocks[f"{name}: its own process"] = partial(in_its_own_process, worker, trial)
times = interleaved(blocks, REPETITIONS)
table = {}
for name, own in times.items():
    table[name] = {"wall_ms": round(1000 * statistics.median(wall for wall, _ in own), 1)}
    if name.endswith("its own process"):
        others = times[name.replace("its own", "this")]
        more = statistics.median(a - b for (a, _), (b, _) in zip(own, others, strict=True))
        table[name]["more_ms"] = round(1000 * more, 1)
worker.kill()
worker.end()
write("process_per_trial", "milliseconds of a trial, in a warm process and in one forked from it", table)
