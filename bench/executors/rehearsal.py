"""The rehearsal of a campaign: one step of each entry on each task is tried before anything starts.

The steps run in processes forked from a worker, which has loaded the plugins alone: a name that only the
driver knows is found too, and nothing that a method does reaches the driver.
"""

import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from shlex import quote
from typing import NamedTuple

from ...datasets.api import registry as datasets
from ...errors import NotTrainable, SparsebenchError
from ...methods.api import registry as methods
from ...registry import defined_in
from ..config.search_space import DECAY_BUDGET, free_knobs, full_knobs, settle_recipe, split_settings
from ..config.suite import Entry, Suite, Task
from ..config.trial_spec import Trial
from ..models.factory import maker_of
from ..models.start_file import located_start
from ..training.warm import is_own
from .first_step import OUTCOMES, Rehearsal
from .local.fork_server import WorkerProcess
from .local.worker_setup import WorkerSetup

STEP_SECONDS = 20.0  # for one entry on one task; one that takes longer is left to its trials
ALL_SECONDS = 90.0  # for all of them; what comes later is not tried
SHOWN = 3  # of the entries that fail
MOST_NAMED = 12  # of the entries that do not


class TaskData(NamedTuple):
    """The dataset of a task in numbers.

    Attributes:
        shape: (C, H, W) of an image.
        classes: The number of classes.
        images: The size of the training split.

    Example:
        >>> TaskData((1, 28, 28), classes=10, images=55_000).classes
        10
    """

    shape: tuple[int, int, int]
    classes: int
    images: int


def rehearse(
    suite: Suite,
    opened: Mapping[str, "TaskData"],
    plugins: Sequence[str | Path],
    base: Path = Path(),
    *,
    begun: Iterable[str] = (),
    device: str = "cpu",
) -> None:
    """Tries one training step of each entry on each task, on a few random images.

    Args:
        suite: The suite that is to run.
        opened: The dataset of each task in numbers, by the task's name.
        plugins: The Python files that the workers will load.
        base: The folder in which relative paths in arguments are looked for.
        begun: Names of tasks with results, which are not tried again.
        device: The device of this machine that the steps are made on, as the trials' are.

    Raises:
        NotTrainable: A step fails, or a name is one that workers do not know. The sentence names task, entry
            and cause, and what to do.

    Example:
        >>> from sparsebench.bench.config.suite import load_suite
        >>> suite = load_suite("quickstart")
        >>> (task,) = suite.tasks
        >>> small = suite.model_copy(update={"entries": suite.entries[:2]})
        >>> sizes = {task.name: TaskData((1, 8, 8), classes=10, images=1078)}
        >>> rehearse(small, sizes, plugins=[])  # no error: both can be trained
    """
    tasks = [task for task in suite.tasks if task.name not in set(begun)]
    with _Stage(plugins, device) as stage:
        for task in tasks:
            task = task.model_copy(update={"model_args": located_start(task.model_args, base)})
            failed = dict(_failures(task, suite.entries, opened[task.name], stage))
            if failed:
                raise NotTrainable(_sentence(task, suite.entries, failed))


def _failures(
    task: Task, entries: Sequence[Entry], data: "TaskData", stage: "_Stage"
) -> Iterator[tuple[str, str]]:
    """Yields the entries that fail on a task with the reason: the model's is that of the entry ""."""
    # The model by itself and, of sparsebench's own methods, one entry each: in one process.
    dense, trials = _trial(task, Entry(method="dense")), [_trial(task, entry) for entry in entries]
    own = {**{trial.method: trial for trial in trials if is_own(trial)}, dense.method: dense}
    failed = dict(zip(own, stage.play(list(own.values()), data), strict=True))
    if failed[dense.method]:
        yield "", failed[dense.method]
        return
    # The methods of others, each in a process of its own.
    for entry, trial in zip(entries, trials, strict=True):
        said = failed[entry.method] if is_own(trial) else stage.play([trial], data)[0]
        if said:
            yield entry.label, said


def _trial(task: Task, entry: Entry) -> Trial:
    """Returns a trial of an entry with the defaults of the knobs that it does not fix."""
    cls = methods[entry.method]
    fixed = {name: value for name, value in entry.knobs.items() if not isinstance(value, dict)}
    free = free_knobs(task.recipe, cls, entry.knobs)
    values = {name: knob.default for name, knob in free.items() if name != DECAY_BUDGET}  # λ has its default
    knobs, rest = split_settings(cls, {**values, **fixed})
    return Trial(
        suite="rehearsal", entry=entry.label, dataset=task.dataset, dataset_args=task.data_args,
        data_digest="", model=task.model, model_args=task.model_args, keep_dense=task.keep_dense,
        method=entry.method, method_version=cls.version, recipe=settle_recipe(task.recipe, cls, rest),
        knobs=full_knobs(entry.method, knobs),
    )  # fmt: skip


def _sentence(task: Task, entries: Sequence[Entry], failed: Mapping[str, str]) -> str:
    """Returns what fails on a task, and the nearest way out."""
    if "" in failed:
        return f"task {task.name!r} cannot be trained: model {task.model!r}: {failed['']}"
    said = [f"entry {label!r} cannot be trained: {why}" for label, why in failed.items()]
    more = f"; and {len(said) - SHOWN} more entries" if len(said) > SHOWN else ""
    rest = [entry.label for entry in entries if entry.label not in failed]
    way = "leave it out of the suite" if len(failed) == 1 else "leave them out of the suite"
    if 0 < len(rest) <= MOST_NAMED:
        way = f"run the others alone with --methods {quote(','.join(rest))}"
    return f"task {task.name!r}: {'; '.join(said[:SHOWN])}{more}; {way}"


class _Stage:
    """A worker that plays rehearsals, one after another, within the time that they may take."""

    def __init__(self, plugins: Sequence[str | Path], device: str) -> None:
        files = tuple(str(Path(plugin).resolve()) for plugin in plugins)
        self._setup = WorkerSetup(device, threads=1, checkpoint_seconds=60.0, plugins=files)
        self._worker: WorkerProcess | None = None
        self._end = time.monotonic() + ALL_SECONDS
        self._buffer = b""

    def __enter__(self) -> "_Stage":
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def _leave(self) -> None:
        if self._worker is not None:
            self._worker.kill()
            self._worker.end()
        self._worker, self._buffer = None, b""

    def play(self, trials: Sequence[Trial], data: TaskData) -> list[str]:
        """Returns why the step of each trial fails; empty where it does not, or takes too long to know."""
        unknown = [""] * len(trials)
        if time.monotonic() > self._end:
            return unknown
        if self._worker is None:
            self._worker = WorkerProcess(self._setup, log=None)
            if self._answer(self._end) != "ready":  # such as where it is killed for its memory
                self._end = 0.0
                self._leave()
                return unknown
        rehearsal = Rehearsal(trials=list(trials), device=self._setup.device, **data._asdict())
        self._worker.send(f"try {rehearsal.model_dump_json()}")
        said = self._answer(min(self._end, time.monotonic() + STEP_SECONDS))
        word, _, content = (said or "").partition(" ")
        if word == "tried":
            outcomes = zip(trials, OUTCOMES.validate_json(content), strict=True)
            return [_unknown(trial, one.lacks) if one.lacks else one.reason for trial, one in outcomes]
        if word != "died":  # it takes too long
            self._leave()
        elif len(trials) > 1:  # one of them, which dies alone too
            return [why for trial in trials for why in self.play([trial], data)]
        elif "signal 9" not in content:  # that is the system's, for memory
            return [f"its process {said}"]
        return unknown

    def _answer(self, end: float) -> str | None:
        """Returns the worker's next line; None where it does not come in time, or the worker has ended."""
        assert self._worker is not None
        while b"\n" not in self._buffer:
            if not wait([self._worker.stdout.fileno()], max(0.0, end - time.monotonic())):
                return None
            chunk = os.read(self._worker.stdout.fileno(), 1 << 16)
            if not chunk:
                return None
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode("utf-8", "replace")


def _unknown(trial: Trial, kind: str) -> str:
    """Returns why the workers do not know what this process has registered, and what to do."""
    name = {"method": trial.method, "dataset": trial.dataset, "model": trial.model}[kind]
    try:
        module, file = defined_in(
            methods[name] if kind == "method" else datasets[name] if kind == "dataset" else maker_of(name)
        )
    except SparsebenchError as error:
        return str(error)
    if module == "__main__" and (file is None or "ipykernel" in file):
        return (
            f"the {kind} {name!r} is defined in a notebook or an interactive session, which workers do not "
            "run: write it to a Python file, such as with %%writefile mine.py, and pass plugins=['mine.py']"
        )
    if module == "__main__":
        script = Path(sys.argv[0] or str(file)).name
        return (
            f"the {kind} {name!r} is defined in the script {script!r}, which workers do not run: pass "
            "plugins=[__file__], with the call of sparsebench.run under `if __name__ == '__main__':`, or "
            "move it to a file of its own and name that in plugins"
        )
    where = file or module
    return (
        f"the {kind} {name!r} is defined in {where!r}, which the workers do not import: pass "
        f"plugins=[{where!r}] (on the command line --plugin), or install it with an entry point"
    )
