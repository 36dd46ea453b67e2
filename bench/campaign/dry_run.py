"""The cost of a suite before it runs: number of trials and steps, and a time measured on this machine."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from rich.console import Group
from rich.table import Table
from rich.text import Text
from torch import nn

from ...datasets.api import full_batches
from ...datasets.api import registry as datasets
from ..config.ignored import ignored
from ..config.suite import Suite, Task
from ..executors.rehearsal import TaskData, rehearse
from ..measurement.curve import check_compressions
from ..measurement.forward import products
from ..measurement.prunable import prunable_set
from ..models.factory import create
from ..models.start_file import located_start
from ..progress.snapshot import duration
from ..system.devices import DeviceSlot, slots
from ..training.trial import open_data
from .options import RunOptions

MEASURED_SECONDS = 1.5  # the longest that the steps of one task are timed
TRIAL_OVERHEAD = 0.15  # seconds: building the model, measuring the result


@dataclass(frozen=True)
class TaskCost:
    """The cost of one task of a suite.

    Attributes:
        task: Name of the task, `<dataset>-<model>`.
        entries: The number of entries.
        search: Search trials of all entries together.
        confirm: Confirming trials of all entries, an upper bound: one training may be the best at several
            compressions, and is confirmed once.
        steps_a_trial: Optimizer steps of a trial, epochs times full batches.
        seconds_a_step: Median time of a dense training step.
        prunable_share: Prunable weights / all parameters of the model.
        warning: The sentence for a small share.

    Example:
        >>> cost = TaskCost("t", entries=1, search=8, confirm=2, steps_a_trial=85, seconds_a_step=0.01)
        >>> (cost.search + cost.confirm) * cost.steps_a_trial  # optimizer steps of the whole task
        850
    """

    task: str
    entries: int
    search: int
    confirm: int
    steps_a_trial: int
    seconds_a_step: float
    prunable_share: float = 1.0
    warning: str | None = None


@dataclass(frozen=True)
class Cost:
    """The cost of a suite on the slots of this machine.

    Attributes:
        suite: The suite as it would run.
        slots: The slots that share the trials; for a cluster a single one.
        tasks: The cost of each task.
        cluster: Whether a cluster is to run it, whose slots are not known here: the time is that of one slot
            of this machine.
        notes: What there is to tell of the data, in sentences.

    Example:
        >>> from sparsebench.bench.config.suite import load_suite
        >>> task = TaskCost("t", entries=1, search=8, confirm=2, steps_a_trial=85, seconds_a_step=0.01)
        >>> Cost(load_suite("quickstart"), slots("cpu:2"), [task]).seconds  # 10 trials of 0.85 s + 0.15 s
        5.0
    """

    suite: Suite
    slots: list[DeviceSlot]
    tasks: list[TaskCost]
    cluster: bool = False
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """The time of all trials together, divided by the number of slots."""
        each = (
            (t.search + t.confirm) * (t.steps_a_trial * t.seconds_a_step + TRIAL_OVERHEAD) for t in self.tasks
        )
        return sum(each) / len(self.slots)


def estimate(suite: str, options: RunOptions) -> Cost:
    """Returns the cost of a suite: its trials counted, a dense training step of each task timed.

    Steps are timed on the first slot's device, with random images. Sets the number of torch's threads to that
    of the slot.

    Args:
        suite: The name of a shipped suite, or the path of a TOML file.
        options: The options of the run; devices, overrides and plugins count.

    Returns:
        The cost, by task.

    Raises:
        SparsebenchError: A suite, an option or a device that is not valid.

    Example:
        >>> cost = estimate("quickstart", RunOptions(methods=["dense"], trials=8, devices="cpu:1"))
        >>> (task,) = cost.tasks
        >>> task.search, task.confirm, task.steps_a_trial  # confirmed: 5 trainings at most, 3 seeds each
        (8, 15, 770)
    """
    # Where it would run
    resolved, resources = options.resolve(suite), options.resources
    cluster = resources.executor != "local"
    places = slots()[:1] if cluster else slots(resources.devices, resources.per_device)
    torch.set_num_threads(places[0].threads)
    # What each task has to do, and how long a step takes
    costs, base, notes = [], options.base(suite), ignored(resolved)
    sizes = {task.name: _dataset_sizes(task, options.data, base, notes) for task in resolved.tasks}
    rehearse(resolved, sizes, options.plugins, base, device=places[0].device)
    for task in resolved.tasks:
        shape, classes, size = sizes[task.name]
        steps = task.recipe.epochs * full_batches(size, task.recipe.batch_size)
        model = create(task.model, shape, classes, **located_start(task.model_args, base))
        covered = prunable_set(model, products(model, shape), task.keep_dense)
        check_compressions(resolved.budget.compressions, covered.size, task.name)
        seconds = _step_seconds(model, task, shape, classes, torch.device(places[0].device))
        budget, count = resolved.budget, len(resolved.entries)
        search, confirm = (count * n for n in (budget.searches * budget.trials, budget.most_confirmations))
        told = (covered.share, covered.warning)
        costs.append(TaskCost(task.name, count, search, confirm, steps, seconds, *told))
    return Cost(resolved, places, costs, cluster, tuple(notes))


def _dataset_sizes(task: Task, root: str | Path | None, base: Path, notes: list[str]) -> TaskData:
    """Returns image shape, classes and training size of a task; most datasets declare them unopened."""
    dataset = datasets[task.dataset]
    if dataset.shape and dataset.classes and dataset.train_size and not task.data_args:
        return TaskData(dataset.shape, dataset.classes, dataset.train_size)
    data = open_data(task.dataset, root, task.data_args, base)
    notes += [f"{task.dataset}: {note}" for note in data.notes]
    return TaskData(data.shape, data.classes, len(data.train))


def _step_seconds(
    model: nn.Module, task: Task, shape: tuple[int, int, int], classes: int, device: torch.device
) -> float:
    """Returns the median time of a dense training step on random images."""
    model = model.to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    x = torch.randn(task.recipe.batch_size, *shape, device=device)
    y = torch.randint(classes, (task.recipe.batch_size,), device=device)

    def step() -> None:
        torch.autograd.backward(F.cross_entropy(model(x), y))
        optimizer.step()
        optimizer.zero_grad()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    for _ in range(3):
        step()
    return _median_seconds(step)


def _median_seconds(step: Callable[[], None]) -> float:
    """Returns the median time of at most 200 calls, which together take about MEASURED_SECONDS at most."""
    times: list[float] = []
    while sum(times) < MEASURED_SECONDS and len(times) < 200:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


def cost_table(cost: Cost) -> Group:
    """Returns the estimate as a table and a sentence for the terminal.

    Args:
        cost: The cost of a suite.

    Returns:
        A rich renderable: one row for each task, then warnings, the sum of all trials and the time.

    Example:
        >>> from rich.console import Console
        >>> from sparsebench.bench.config.suite import load_suite
        >>> task = TaskCost("t", entries=1, search=8, confirm=2, steps_a_trial=85, seconds_a_step=0.01)
        >>> Console(width=85).print(cost_table(Cost(load_suite("quickstart"), slots("cpu:2"), [task])))
        task  prunable  entries  search trials  confirm trials  steps a trial  ms a step
        t        100 %        1              8             ≤ 2             85      10.00
        <BLANKLINE>
        quickstart: at most 10 trials, 850 optimizer steps; about ... on 2 slots (cpu). The time is
        that of a dense step on random images; nothing was trained.
    """
    shown = Table(box=None, pad_edge=False, header_style="bold")
    titles = ("task", "prunable", "entries", "search trials", "confirm trials", "steps a trial", "ms a step")
    for title in titles:
        shown.add_column(title, justify="left" if title == "task" else "right")
    for t in cost.tasks:
        step = f"{1000 * t.seconds_a_step:.2f}"
        share = f"{100 * t.prunable_share:.3g} %"
        shown.add_row(
            t.task, share, str(t.entries), str(t.search), f"≤ {t.confirm}", str(t.steps_a_trial), step
        )
    trials = sum(t.search + t.confirm for t in cost.tasks)
    total = sum((t.search + t.confirm) * t.steps_a_trial for t in cost.tasks)
    places = ", ".join(sorted({slot.device for slot in cost.slots}))
    where = f"{len(cost.slots)} slots ({places})"
    if cost.cluster:
        where = f"one slot of this machine ({places}), to be divided by the places of the cluster"
    summary = (
        f"{cost.suite.name}: at most {trials} trials, {total:,} optimizer steps; "
        f"about {duration(cost.seconds)} on {where}. "
        "The time is that of a dense step on random images; nothing was trained."
    )
    warnings = [Text(f"warning: {t.task}: {t.warning}") for t in cost.tasks if t.warning]
    notes = [Text(f"note: {note}") for note in cost.notes]
    return Group(shown, Text(), *warnings, *notes, Text(summary))
