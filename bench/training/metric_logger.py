"""What is measured while training runs: the curve, and what it cost. It seldom waits for the device."""

import math
from collections.abc import Callable, Mapping, ValuesView
from typing import Any

import torch
from torch import nn

from ...datasets.api import Data
from ...methods.api import Net
from ..config.trial_spec import Recipe
from ..measurement.accuracy import accuracy
from ..measurement.compression import FLOAT32_EPS
from ..measurement.flops import macs, speedup
from .clock import TrainingClock
from .optimizers import Optimizers

CURVE_POINTS = 16


class MetricLogger:
    """Mean loss since the last row of the curve, and multiply-accumulates relative to dense steps."""

    def __init__(
        self,
        clock: TrainingClock,
        net: Net,
        model: nn.Module,
        data: Data,
        device: torch.device,
        diagnostics: Callable[[Net], Mapping[str, float]],
    ) -> None:
        self.clock, self.net, self.model, self.data, self.device = clock, net, model, data, device
        self.diagnostics = diagnostics
        self.every = max(1, clock.steps // CURVE_POINTS)
        self.cost = macs(model, data.shape, device)
        self.loss = torch.zeros((), device=device)
        self.since = 0
        self.flops = 0.0
        self._density: tuple[int, float] = (-1, 1.0)

    def count(self, loss: torch.Tensor) -> None:
        """A forward and a backward pass were made. Masked weights cost nothing."""
        self.loss += loss.detach()
        self.since += 1
        self.flops += self._share()

    def count_dense_gradient(self) -> None:
        """The method took the gradient for itself, of all weights: a third of a step without masks."""
        self.flops += (1 - self._share()) / 3

    def _share(self) -> float:
        """Multiply-accumulates of a step with the present masks, relative to dense."""
        net = self.net
        version, value = self._density
        if version != net.mask_version:
            density = {name: int(mask.count_nonzero()) / mask.numel() for name, mask in net.masks.items()}
            value = 1 / speedup(self.cost, density)
            self._density = (net.mask_version, value)
        return value

    def due(self) -> bool:
        """It is time for a row of the curve."""
        return self.clock.step % self.every == 0 or self.clock.step == self.clock.steps

    def row(self) -> dict[str, float] | None:
        """A row of the curve; None where the loss is no number any more."""
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
            "val_accuracy": accuracy(self.model, self.data.valid, self.device),
            "compression": compression_at(self.net, FLOAT32_EPS),
            "compression_at_1e-3": compression_at(self.net, 1e-3),
            **self.diagnostics(self.net),
        }
        return finite(row)

    def state(self) -> dict[str, Any]:
        return {"loss": self.loss.clone(), "since": self.since, "flops": self.flops}

    def load(self, state: Mapping[str, Any]) -> None:
        self.loss.copy_(state["loss"])
        self.since, self.flops = state["since"], state["flops"]


def compression_at(net: Net, threshold: float) -> float:
    """|P| over the weights that are not below a threshold."""
    live = torch.stack([(net.weight(name).abs() >= threshold).sum() for name in net.names]).sum()
    return net.size / max(1, int(live))


def finite(values: Mapping[str, float]) -> dict[str, float]:
    """JSON has no NaN: a diagnostic that is none is left out. Six digits are plenty for a chart."""
    return {key: float(f"{value:.6g}") for key, value in values.items() if math.isfinite(value)}


def memory_ratio(
    model: nn.Module, net: Net, optimizers: Optimizers, state: Mapping[str, Any], recipe: Recipe
) -> float:
    """Bytes of weights, what the optimizer owns, its buffers, masks and a method's state, over dense."""
    parameters = list(model.parameters())
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
    """Bytes of all tensors in nested lists and dictionaries."""
    if isinstance(state, torch.Tensor):
        return state.nbytes
    values = state.values() if isinstance(state, Mapping) else state
    return sum(_bytes(value) for value in values) if isinstance(values, (list, tuple, ValuesView)) else 0
