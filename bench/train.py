"""The one training loop: the only caller of an optimizer's step."""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..datasets.api import Data
from ..errors import SparsebenchError
from ..methods.api import Plan, Sparsifier
from ..methods.net import Net
from .measure import FLOAT32_EPS, accuracy, macs, prunable_weights, speedup
from .optim import Optimizers
from .schedule import eta_sum, rate, round_steps
from .spec import Recipe

CURVE_POINTS = 16


@dataclass
class TrainingClock:
    """Where training stands; what a method sees as its `Clock`."""

    steps: int
    momentum: float
    step: int = 0
    round: int = 0
    round_step: int = 0
    round_steps: int = 1
    lr: float = 0.0

    @property
    def fraction(self) -> float:
        return self.step / self.steps

    @property
    def round_fraction(self) -> float:
        return self.round_step / self.round_steps

    @property
    def eta_eff(self) -> float:
        return self.lr / (1 - self.momentum)


@dataclass
class Outcome:
    """What training leaves beside the model."""

    status: str = "ok"
    reason: str | None = None
    steps: int = 0
    budget: dict[str, int] = field(default_factory=dict)
    flops_ratio: float = 1.0
    curve: list[dict[str, float]] = field(default_factory=list)
    diagnostics: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


class TrainingProbe:
    """Labelled training batches before training, each charged to the budget; a method's `Probe`."""

    def __init__(self, training: "Training") -> None:
        self._training = training
        self.model = training.model
        self.input_shape = training.data.shape
        self.spent = 0

    def batches(self, count: int) -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(count):
            self.charge(1)
            yield next(self._training.stream)

    def charge(self, steps: int) -> None:
        self.spent += steps
        if self.spent >= self._training.total_steps:
            raise SparsebenchError(
                f"scoring takes {self.spent} steps, but the whole budget is {self._training.total_steps}: "
                "train for more epochs"
            )

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(self.model(x), y)


class Training:
    """One model trained once: recipe, method and data put together. `run` returns the outcome.

    Everything random comes from `seed`: the data's order and augmentation from a generator of their own for
    each epoch, what a method draws from the net's generator.
    """

    def __init__(
        self,
        model: nn.Module,
        method: Sparsifier,
        data: Data,
        recipe: Recipe,
        *,
        seed: int,
        device: torch.device,
        keep_dense: tuple[str, ...] = (),
    ) -> None:
        if recipe.lr is None or recipe.weight_decay is None:
            raise SparsebenchError("a recipe to train with needs its lr and weight_decay settled")
        self.model, self.method, self.data, self.recipe = model, method, data, recipe
        self.seed, self.device, self.base_lr = seed, device, recipe.lr
        self.prunable = prunable_weights(model, keep_dense)
        self.total_steps = recipe.epochs * max(1, len(data.train) // recipe.batch_size)
        self.stream = self._batches()
        self.net = Net(model, self.prunable, torch.Generator().manual_seed(seed + 1))
        self.cost = macs(model, data.shape, device)
        self.outcome = Outcome()
        self.rounds = method.rounds()
        if not math.isclose(sum(r.share for r in self.rounds), 1.0, abs_tol=1e-6):
            raise SparsebenchError(f"method {method.name!r}: the shares of its rounds do not sum to 1")
        if len(self.rounds) > self.total_steps:
            raise SparsebenchError(f"{len(self.rounds)} rounds do not fit into {self.total_steps} steps")
        self._attach(recipe.weight_decay)

    def _attach(self, weight_decay: float) -> None:
        recipe, probe = self.recipe, TrainingProbe(self)
        momentum = recipe.momentum if recipe.optimizer == "sgd" else 0.0
        total = eta_sum(recipe.schedule, recipe.warmup, self.base_lr, self.rounds, self.total_steps, momentum)
        plan = Plan(self.total_steps, recipe.optimizer, self.base_lr, momentum, total)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            groups = self.method.attach(self.net, plan, probe)
        self.outcome.warnings = [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
        self.optimizers = Optimizers(groups, recipe, weight_decay)
        self.net.optimizers = self.optimizers.all
        owned = [p for group in groups for p in group.params]
        self.leaves = list({id(p): p for p in [*self.model.parameters(), *owned]}.values())
        self._clear_grads()
        if probe.spent:
            self.outcome.budget["scoring"] = probe.spent
        self.clock = TrainingClock(self.total_steps - probe.spent, momentum)
        self.lengths = round_steps(self.rounds, self.clock.steps)

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches without end; each epoch's order depends on the seed and the epoch alone."""
        epoch = 0
        while True:
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
            yield from self.data.train.epoch(
                self.recipe.batch_size, self.device, generator, self.recipe.augment
            )
            epoch += 1

    def run(self, on_event: Callable[[dict[str, Any]], None] | None = None) -> Outcome:
        """Train through all rounds. The finished model is plain; see `Outcome` for how it went."""
        self._tell = on_event or (lambda event: None)
        for text in self.outcome.warnings:
            self._tell({"warning": text})
        self.model.train()
        self._curve_every = max(1, self.clock.steps // CURVE_POINTS)
        self._running, self._since, self._flops = torch.zeros((), device=self.device), 0, 0.0
        self._density_of: tuple[int, float] = (-1, 1.0)
        for index, length in enumerate(self.lengths):
            self.start_round(index)
            for step in range(length):
                self.train_step(index, step)
                if self.outcome.status != "ok":
                    return self._close()
            name = self.rounds[index].name
            self.outcome.budget[name] = self.outcome.budget.get(name, 0) + length
        self.method.finalize(self.net)
        return self._close()

    def start_round(self, index: int) -> None:
        """Set the clock to a round's start, restart the optimizer where it asks to, tell the method."""
        clock = self.clock
        clock.round, clock.round_step, clock.round_steps = index, 0, self.lengths[index]
        if self.rounds[index].restart:
            self.optimizers.rebuild()
        self.method.start_round(self.net, clock)

    def train_step(self, index: int, step: int) -> None:
        """One forward and backward over a batch, and the optimizer's step unless the method declines it."""
        clock, recipe, method, net = self.clock, self.recipe, self.method, self.net
        clock.round_step = step
        clock.lr = rate(
            recipe.schedule, recipe.warmup, self.base_lr, self.rounds[index], step, clock.round_steps
        )
        x, y = next(self.stream)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=recipe.precision == "bfloat16"):
            loss = F.cross_entropy(self.model(x), y)
        self._running += loss.detach()
        self._since += 1
        torch.autograd.backward(loss + method.penalty(net, clock))
        if method.before_step(net, clock):
            net.pull()
            self.optimizers.step(clock.lr, self.base_lr)
            net.push()
            method.after_step(net, clock)
        self._clear_grads()
        self._flops += self._density()
        clock.step += 1
        if clock.step % self._curve_every == 0 or clock.step == clock.steps:
            self._log()

    def _clear_grads(self) -> None:
        """Of the effective weights and of what the optimizer owns; walking the model for them is slow."""
        for p in self.leaves:
            p.grad = None

    def _density(self) -> float:
        """Multiply-accumulates of a step relative to a dense one: masked weights cost nothing."""
        version, value = self._density_of
        if version != self.net.mask_version:
            density = {
                name: int(mask.count_nonzero()) / mask.numel() for name, mask in self.net.masks.items()
            }
            value = 1 / speedup(self.cost, density)
            self._density_of = (self.net.mask_version, value)
        return value

    def _log(self) -> None:
        """A row of the curve: the only place where training waits for the device."""
        loss = float(self._running) / self._since
        self._running.zero_()
        self._since = 0
        if not math.isfinite(loss):
            self.outcome.status = "diverged"
            self.outcome.reason = (
                f"the training loss is {loss} at step {self.clock.step} of {self.clock.steps}"
            )
            return
        row = {
            "step": self.clock.step,
            "fraction": self.clock.fraction,
            "lr": self.clock.lr,
            "train_loss": loss,
            "val_accuracy": accuracy(self.model, self.data.valid, self.device),
            "compression": self._compression_at(FLOAT32_EPS),
            "compression_at_1e-3": self._compression_at(1e-3),
            **self.method.diagnostics(self.net),
        }
        self.outcome.curve.append(_finite(row))
        self._tell({"row": self.outcome.curve[-1], "steps": self.clock.steps})

    def _compression_at(self, threshold: float) -> float:
        live = torch.stack([(self.net.weight(n).abs() >= threshold).sum() for n in self.net.names]).sum()
        return self.net.size / max(1, int(live))

    def _close(self) -> Outcome:
        outcome = self.outcome
        outcome.steps = self.clock.step + outcome.budget.get("scoring", 0)
        scoring = outcome.budget.get("scoring", 0)
        outcome.flops_ratio = (self._flops + scoring) / self.total_steps
        outcome.diagnostics = _finite({**self.method.facts(), **self.method.diagnostics(self.net)})
        self.net.collapse()
        return outcome


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    """JSON has no NaN: a diagnostic that is none is left out. Six digits are plenty for a chart."""
    return {key: float(f"{value:.6g}") for key, value in values.items() if math.isfinite(value)}
