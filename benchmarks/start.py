"""What a trial costs before its first step, in a warm worker; and `sparsebench --help`."""

import statistics
import subprocess
from functools import partial

from loops import BATCH, MODEL
from sparsebench.bench.config.trial_spec import Recipe, Trial
from sparsebench.bench.training import trial as trials
from sparsebench.bench.training.loop import Training
from timing import interleaved, one_thread, write

REPETITIONS = 9


class FirstStep(Exception):
    """Ends a trial where its first step would begin."""


def stop(self: Training, *args: object, **more: object) -> None:
    """In place of `Training.run`."""
    raise FirstStep


def start_of(method: str, digest: str) -> None:
    recipe = Recipe(epochs=1, batch_size=BATCH, lr=0.05, weight_decay=0.0)
    about = {"suite": "start", "entry": method, "dataset": "mnist", "data_digest": digest}
    try:
        trials.run(Trial(**about, model=MODEL, recipe=recipe, method=method))
    except FirstStep:
        return
    raise AssertionError("the trial began to train")


def help_page() -> None:
    subprocess.run(["sparsebench", "--help"], check=True, stdout=subprocess.DEVNULL)


one_thread()
digest = trials.open_data("mnist").digest
Training.run = stop  # type: ignore[assignment,method-assign]
methods = ("dense", "dwf", "random", "snip")
blocks = {f"to the first step, {method}": partial(start_of, method, digest) for method in methods}
times = interleaved(blocks | {"sparsebench --help": help_page}, REPETITIONS)
table = {
    name: {
        f"{clock}_ms": round(1000 * statistics.median(seconds[column] for seconds in own), 1)
        for column, clock in enumerate(("wall", "cpu"))
    }
    for name, own in times.items()
}
write("start", "milliseconds to start", table)
