"""What is measured while training runs: the curve, and what it cost. It seldom waits for the device."""

import math
from collections.abc import Mapping, ValuesView
from typing import TYPE_CHECKING, Any

import torch

from ..methods.net import Net
from .measure import FLOAT32_EPS, accuracy, macs, speedup

if TYPE_CHECKING:
    from .train import Training

CURVE_POINTS = 16


class Meter:
    """Mean loss since the last row of the curve, and multiply-accumulates relative to dense steps."""

    def __init__(self, training: "Training") -> None:
        self.training = training
        self.every = max(1, training.clock.steps // CURVE_POINTS)
        self.cost = macs(training.model, training.data.shape, training.device)
        self.loss = torch.zeros((), device=training.device)
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
        net = self.training.net
        version, value = self._density
        if version != net.mask_version:
            density = {name: int(mask.count_nonzero()) / mask.numel() for name, mask in net.masks.items()}
            value = 1 / speedup(self.cost, density)
            self._density = (net.mask_version, value)
        return value

    def due(self) -> bool:
        """It is time for a row of the curve."""
        clock = self.training.clock
        return clock.step % self.every == 0 or clock.step == clock.steps

    def row(self) -> dict[str, float] | None:
        """A row of the curve; None where the loss is no number any more."""
        training = self.training
        loss = float(self.loss) / max(1, self.since)
        self.loss.zero_()
        self.since = 0
        if not math.isfinite(loss):
            return None
        row = {
            "step": training.clock.step,
            "fraction": training.clock.fraction,
            "lr": training.clock.lr,
            "train_loss": loss,
            "val_accuracy": accuracy(training.model, training.data.valid, training.device),
            "compression": compression_at(training.net, FLOAT32_EPS),
            "compression_at_1e-3": compression_at(training.net, 1e-3),
            **training.method.diagnostics(training.net),
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


def memory_ratio(training: "Training") -> float:
    """Bytes of weights, what the optimizer owns, its buffers, masks and a method's state, over dense."""
    model = list(training.model.parameters())
    held = {id(p): p.nbytes for p in [*model, *training.net.storage.params()]}
    buffers = _bytes(training.method.state)
    kinds = {"sgd": 1 if training.recipe.momentum else 0}.get(training.recipe.optimizer, 2)
    for optimizer in training.optimizers.all:
        for param, state in optimizer.state.items():
            same = (v for v in state.values() if isinstance(v, torch.Tensor) and v.shape == param.shape)
            buffers += sum(v.nbytes for v in same)
    masks = _bytes([*training.net.masks.values(), *training.net.multipliers.values()])
    dense = sum(p.nbytes for p in model) * (1 + kinds)
    return (sum(held.values()) + buffers + masks) / dense


def _bytes(state: Any) -> int:
    """Bytes of all tensors in nested lists and dictionaries."""
    if isinstance(state, torch.Tensor):
        return state.nbytes
    values = state.values() if isinstance(state, Mapping) else state
    return sum(_bytes(value) for value in values) if isinstance(values, (list, tuple, ValuesView)) else 0
