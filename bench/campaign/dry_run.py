"""What a suite would cost: trials, steps, and a time measured on this machine."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ...datasets.api import full_batches
from ...datasets.api import registry as datasets
from ...methods.api import registry as methods
from ..config.search_space import free_knobs
from ..config.suite import Suite, Task
from ..models.factory import create
from ..progress.snapshot import duration
from ..system.devices import DeviceSlot, slots
from ..training.trial import open_data
from .options import RunOptions

MEASURED_SECONDS = 1.5
TRIAL_OVERHEAD = 0.15  # seconds: building the model, measuring the result


@dataclass(frozen=True)
class TaskCost:
    """One task of a suite. `confirm` is an upper bound: a front may have fewer points."""

    task: str
    entries: int
    search: int
    confirm: int
    steps_a_trial: int
    seconds_a_step: float


@dataclass(frozen=True)
class Cost:
    suite: Suite
    slots: list[DeviceSlot]
    tasks: list[TaskCost]
    cluster: bool = False  # whose places are not known here: the time is that of one slot of this machine

    @property
    def seconds(self) -> float:
        """All trials one after the other, over the slots."""
        each = (
            (t.search + t.confirm) * (t.steps_a_trial * t.seconds_a_step + TRIAL_OVERHEAD) for t in self.tasks
        )
        return sum(each) / len(self.slots)


def estimate(suite: str, options: RunOptions) -> Cost:
    """Count a suite's trials and time a dense training step of each task on the first slot's device."""
    resolved, resources = options.resolve(suite), options.resources
    cluster = resources.executor != "local"
    places = slots()[:1] if cluster else slots(resources.devices, resources.per_device)
    torch.set_num_threads(places[0].threads)
    costs = []
    for task in resolved.tasks:
        shape, classes, size = _facts(task, options.data)
        steps = task.recipe.epochs * full_batches(size, task.recipe.batch_size)
        budget = resolved.budget
        confirm = sum(
            budget.seeds * (budget.points if _has_front(task, entry.method, entry.knobs) else 1)
            for entry in resolved.entries
        )
        seconds = _step_seconds(task, shape, classes, torch.device(places[0].device))
        count = len(resolved.entries)
        costs.append(TaskCost(task.name, count, count * budget.trials, confirm, steps, seconds))
    return Cost(resolved, places, costs, cluster)


def _has_front(task: Task, method: str, fixed: dict[str, Any]) -> bool:
    return any(knob.operating for knob in free_knobs(task.recipe, methods[method], fixed).values())


def _facts(task: Task, root: str | Path | None) -> tuple[tuple[int, int, int], int, int]:
    """Shape, classes and training size: known of most datasets without opening them."""
    dataset = datasets[task.dataset]
    if dataset.shape and dataset.classes and dataset.train_size and not task.data_args:
        return dataset.shape, dataset.classes, dataset.train_size
    data = open_data(task.dataset, root, task.data_args)
    return data.shape, data.classes, len(data.train)


def _step_seconds(task: Task, shape: tuple[int, int, int], classes: int, device: torch.device) -> float:
    """Median time of a dense training step on random images."""
    model = create(task.model, shape, classes, **task.model_args).to(device)
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
    times: list[float] = []
    while sum(times) < MEASURED_SECONDS and len(times) < 200:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


def cost_table(cost: Cost) -> Group:
    """The estimate for a person."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("task", "entries", "search trials", "confirm trials", "steps a trial", "ms a step"):
        shown.add_column(title, justify="left" if title == "task" else "right")
    for t in cost.tasks:
        step = f"{1000 * t.seconds_a_step:.2f}"
        shown.add_row(t.task, str(t.entries), str(t.search), f"≤ {t.confirm}", str(t.steps_a_trial), step)
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
    return Group(shown, Text(), Text(summary))
