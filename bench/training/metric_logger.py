"""Measurements while training runs: the training curve, and the cost. They seldom wait for the device."""

import math
from collections.abc import Callable, Mapping, ValuesView
from typing import Any

import torch
from torch import nn

from ...datasets.api import Data
from ...methods.api import Net
from ...records.bounds import bounded_names
from ...records.fields import Metric
from ..config.trial_spec import Recipe
from ..measurement.accuracy import accuracy
from ..measurement.compression import FLOAT32_EPS
from ..measurement.flops import speedup
from .clock import TrainingClock
from .optimizers import Optimizers

CURVE_POINTS = 16


class MetricLogger:
    """The training curve's rows, and the multiply-accumulates of the steps relative to dense ones.

    Args:
        clock: The training's clock; a row is due every steps/`CURVE_POINTS` steps and after the last.
        net: The method's view of the model, whose masks make steps cheaper.
        model: The model.
        data: Its dataset; a row has the accuracy on the validation split.
        device: The device that trains.
        diagnostics: The method's scalars for a row.
        cost: Multiply-accumulates of the dense model by weight.
        metric: The accuracy that a row has.

    Example:
        >>> clock, cpu = TrainingClock(steps=160, momentum=0.9), torch.device("cpu")
        >>> logger = MetricLogger(clock, net, net.model, data, cpu, lambda net: {}, {"1.weight": 19_200})
        >>> for loss in (2.0, 3.0):
        ...     logger.count(torch.tensor(loss))
        >>> logger.row()["train_loss"], logger.flops  # the mean loss, and two dense steps
        (2.5, 2.0)
    """

    def __init__(
        self,
        clock: TrainingClock,
        net: Net,
        model: nn.Module,
        data: Data,
        device: torch.device,
        diagnostics: Callable[[Net], Mapping[str, float]],
        cost: Mapping[str, int],
        metric: Metric = "accuracy",
    ) -> None:
        self.clock, self.net, self.model, self.data, self.device = clock, net, model, data, device
        self.diagnostics, self.metric = diagnostics, metric
        self.every = max(1, clock.steps // CURVE_POINTS)
        self.cost = cost
        self.loss = torch.zeros((), device=device)
        self.since = 0
        self.flops = 0.0
        self._density: tuple[int, float] = (-1, 1.0)

    def count(self, loss: torch.Tensor) -> None:
        """Adds the loss and the cost of one forward and backward pass; masked weights cost nothing."""
        self.loss += loss.detach()
        self.since += 1
        self.flops += self._share()

    def count_dense_gradient(self) -> None:
        """Adds the cost of a dense gradient, which a method took for itself: a third of a dense step.

        The masked third that `count` added for it is taken off.
        """
        self.flops += (1 - self._share()) / 3

    def _share(self) -> float:
        """Returns the multiply-accumulates of a step with the present masks, relative to dense."""
        net = self.net
        version, value = self._density
        if version != net.mask_version:
            density = {name: int(mask.count_nonzero()) / mask.numel() for name, mask in net.masks.items()}
            value = 1 / speedup(self.cost, density)
            self._density = (net.mask_version, value)
        return value

    def due(self) -> bool:
        """Returns whether a row of the curve is due at the clock's step."""
        return self.clock.step % self.every == 0 or self.clock.step == self.clock.steps

    def row(self) -> dict[str, float] | None:
        """Returns a row of the curve, and resets the mean loss; None where that is not finite."""
        loss = float(self.loss) / max(1, self.since)
        self.loss.zero_()
        self.since = 0
        if not math.isfinite(loss):
            return None
        row = {
            "step": self.clock.step,
            "fraction": self.clock.fraction,
            "lr": self.clock.lr,
            "train_loss": loss,
            "val_accuracy": accuracy(self.model, self.data.valid, self.device, self.metric),
            "compression": _compression_at(self.net, FLOAT32_EPS),
            "compression_at_1e-3": _compression_at(self.net, 1e-3),
            **self.diagnostics(self.net),
        }
        return finite(row)

    def state(self) -> dict[str, Any]:
        """Returns the logger's state for a checkpoint."""
        return {"loss": self.loss.clone(), "since": self.since, "flops": self.flops}

    def load(self, state: Mapping[str, Any]) -> None:
        """Restores a state that `state` returned."""
        self.loss.copy_(state["loss"])
        self.since, self.flops = state["since"], state["flops"]


def _compression_at(net: Net, threshold: float) -> float:
    """Returns |P| / weights that are not below a threshold in magnitude."""
    live = torch.stack([(net.weight(name).abs() >= threshold).sum() for name in net.names]).sum()
    return net.size / max(1, int(live))


def finite(values: Mapping[str, float]) -> dict[str, float]:
    """Returns the finite values, rounded to six significant digits, which suffice for a chart.

    JSON has neither NaN nor infinity: a diagnostic that is not finite is left out. Names that a record cannot
    have are bounded.

    Args:
        values: Numbers by name.

    Returns:
        A new dictionary in the same order.

    Example:
        >>> finite({"misalignment": 1 / 3, "spread": math.nan})
        {'misalignment': 0.333333}
    """
    kept = {key: float(f"{value:.6g}") for key, value in values.items() if math.isfinite(value)}
    return bounded_names(kept)


def memory_ratio(
    model: nn.Module, net: Net, optimizers: Optimizers, state: Mapping[str, Any], recipe: Recipe
) -> float:
    """Returns the bytes that a training holds, relative to dense training with the same optimizer.

    Counted are the model's parameters, the net's storage beside them, such as factors, the optimizers'
    buffers, masks and their multipliers, and the tensors of the method's state. Activations are not.

    Args:
        model: The model.
        net: The method's view of it.
        optimizers: The training's optimizers; one that has not stepped yet has no buffers.
        state: The method's state.
        recipe: Its optimizer and momentum give the buffers of dense training: one a parameter for SGD with
            momentum, none without, two for the others.

    Returns:
        The ratio; 1 for dense training after its first step.

    Example:
        >>> from sparsebench.bench.conformance import training
        >>> made, _ = training("random", {"sparsity": 0.75})  # a net of 1280 weights and 36 biases
        >>> _ = made.run(stop_at=1)
        >>> round(memory_ratio(made.model, made.net, made.optimizers, {}, made.recipe), 3)
        1.608
        >>> round(1 + 5 * 1280 / (8 * 1316), 3)  # mask and multiplier: 5 bytes a weight, dense: 8 a parameter
        1.608
    """
    parameters = list(model.parameters())
    # What this training holds: parameters and factors, then buffers, then masks.
    held = {id(p): p.nbytes for p in [*parameters, *net.storage.params()]}
    buffers = _bytes(state)
    kinds = {"sgd": 1 if recipe.momentum else 0}.get(recipe.optimizer, 2)
    for optimizer in optimizers.all:
        for param, memory in optimizer.state.items():
            same = (v for v in memory.values() if isinstance(v, torch.Tensor) and v.shape == param.shape)
            buffers += sum(v.nbytes for v in same)
    masks = _bytes([*net.masks.values(), *net.multipliers.values()])
    dense = sum(p.nbytes for p in parameters) * (1 + kinds)
    return (sum(held.values()) + buffers + masks) / dense


def _bytes(state: Any) -> int:
    """Returns the bytes of all tensors in nested lists and dictionaries."""
    if isinstance(state, torch.Tensor):
        return state.nbytes
    values = state.values() if isinstance(state, Mapping) else state
    return sum(_bytes(value) for value in values) if isinstance(values, (list, tuple, ValuesView)) else 0
