"""Times of models that compute the same, taken in turns on one device."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from statistics import quantiles

import torch
from torch import Tensor

from ...errors import SparsebenchError
from ...records.measured.latency import Timing
from ..measurement.difference import relative_difference

TOLERANCE = 1e-4
"""The largest difference of logits, as a fraction of the largest: other kernels sum in another order."""
ON_GPU = 1e-2
"""That of a GPU, whose convolutions may compute in TensorFloat-32."""
WARM_UP = 3  # passes
LEAST = 5  # turns
TURN, MOST = 3e-3, 30  # seconds and timed passes of a turn

Callables = Mapping[str, Callable[[Tensor], Tensor]]


@torch.inference_mode()
def timings(models: Callables, images: Tensor, *, seconds: float = 1.0) -> dict[str, Timing]:
    """Returns the times of several models that compute the same, on one batch.

    The models take turns of some milliseconds, so that a change of the machine's pace reaches all of them;
    the first pass of a turn, which finds other weights in the caches, is not timed. A time counts only where
    the logits are those of the first model, which is checked before.

    Args:
        models: Callables from images to logits, by name; the first one is right.
        images: The batch, on the models' device.
        seconds: How long to measure all together, after the warm-up.

    Returns:
        The times by name, of at least `LEAST` passes in as many turns each.

    Raises:
        SparsebenchError: Logits of a model differ from the first one's by more than `TOLERANCE`.

    Example:
        >>> models = {"dense": torch.relu, "other": lambda x: x.clamp(min=0)}
        >>> found = timings(models, torch.ones(4), seconds=0)
        >>> list(found), found["dense"].passes >= LEAST
        (['dense', 'other'], True)
    """
    largest_difference(models, images)
    passes = {name: _passes_a_turn(model, images) for name, model in models.items()}
    times: dict[str, list[float]] = {name: [] for name in models}
    end, turns = time.perf_counter() + seconds, 0
    while turns < LEAST or time.perf_counter() < end:
        turns += 1
        for name, model in models.items():
            model(images)
            times[name] += [_seconds(model, images) for _ in range(passes[name])]
    found = {}
    for name, taken in times.items():
        low, median, high = quantiles(taken, n=4)
        found[name] = Timing(median=median, low=low, high=high, passes=len(taken))
    return found


def _passes_a_turn(model: Callable[[Tensor], Tensor], images: Tensor) -> int:
    """Returns how many passes fill a turn, after the warm-up."""
    for _ in range(WARM_UP):
        model(images)
    return min(max(int(TURN / _seconds(model, images)), 1), MOST)


@torch.inference_mode()
def largest_difference(models: Callables, images: Tensor) -> float:
    """Returns how far the logits of models are from those of the first one.

    Args:
        models: Callables from images to logits, by name.
        images: A batch, on the models' device.

    Returns:
        The largest difference, as a fraction of the largest logit.

    Raises:
        SparsebenchError: It is too large, or a logit is no number: no time of that model counts.

    Example:
        >>> largest_difference({"dense": torch.relu, "wrong": torch.neg}, torch.ones(1, 4))
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: no time counts for 'wrong': its logits differ by 2 of the ...
    """
    largest, limit = 0.0, TOLERANCE if images.device.type == "cpu" else ON_GPU
    logits = {name: model(images) for name, model in models.items()}
    first, *_ = logits.values()
    for name, found in logits.items():
        difference = relative_difference(found, first)
        if difference > limit:
            raise SparsebenchError(
                f"no time counts for {name!r}: its logits differ by {difference:.2g} of the largest one, "
                f"more than {limit:g}"
            )
        largest = max(largest, difference)
    return largest


def _seconds(model: Callable[[Tensor], Tensor], images: Tensor) -> float:
    """Returns the time of one pass; a GPU, which works on its own, is waited for."""
    _wait(images.device)
    start = time.perf_counter()
    model(images)
    _wait(images.device)
    return max(time.perf_counter() - start, 1e-9)


def _wait(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


@contextmanager
def pinned_threads(count: int) -> Iterator[None]:
    """Computes with a number of threads for a while, on as many cores of which none is left.

    Args:
        count: CPU threads of torch; a runtime of its own has to be given as many.

    Yields:
        Nothing.

    Example:
        >>> with pinned_threads(1):
        ...     torch.get_num_threads()
        1
    """
    before = torch.get_num_threads()
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    torch.set_num_threads(count)
    if count < len(cores):
        os.sched_setaffinity(0, sorted(cores)[-count:])  # the first ones serve interrupts
    try:
        yield
    finally:
        torch.set_num_threads(before)
        if cores:
            os.sched_setaffinity(0, cores)
