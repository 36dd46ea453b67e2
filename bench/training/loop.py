"""The training loop, and the only caller of an optimizer's step."""

import math
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ...datasets.api import Data, full_batches
from ...errors import SparsebenchError
from ...methods.api import Diverged, Net, Plan, Sparsifier
from ...reasons import WHOLE, message, reason
from ...records.fields import TrainingResult
from ..config.lr_schedule import eta_sum, rate, round_steps
from ..config.trial_spec import Recipe
from ..measurement.flops import by_weight
from ..measurement.forward import products
from ..measurement.graph.find_channels import find_channels
from ..measurement.prunable import prunable_set
from ..models.logits import checked_logits
from .batches import BatchStream
from .clock import TrainingClock
from .memory_format import memory_format, set_memory_format
from .metric_logger import MetricLogger, finite, memory_ratio
from .optimizers import Optimizers
from .probe import TrainingProbe

Notify = Callable[[dict[str, Any]], None]


class Training:
    """The training of one model with a method, a dataset and a recipe; `run` returns the result.

    Everything random comes from `seed`: the data's order and augmentation from a generator of their own for
    each epoch, what a method draws from the net's generator.

    Args:
        model: The new model, on `device`; training changes it, and leaves it plain.
        method: The configured method; it is attached to the model here, and may score on batches then.
        data: The dataset; trained on its training split, the curve is measured on its validation split.
        recipe: How to train, with `lr` and `weight_decay` decided, else a `SparsebenchError`.
        seed: The trial's seed.
        device: The device that trains.
        keep_dense: Layers that are not prunable: names, or patterns such as `blocks.0.*`.

    Example:
        >>> from sparsebench.methods.api import configure
        >>> recipe, cpu = Recipe(epochs=2, lr=0.05, weight_decay=0.0), torch.device("cpu")
        >>> method = configure("random", {"sparsity": 0.75})
        >>> training = Training(model, method, data, recipe, seed=0, device=cpu)
        >>> result = training.run()
        >>> result.steps, result.training_flops_ratio  # 2 epochs of 2 batches at a quarter of the cost
        (4, 0.25)
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
            raise SparsebenchError("the recipe's lr and weight_decay must be set before training")
        self.model, self.method, self.data, self.recipe = model, method, data, recipe
        self.device, self.base_lr = device, recipe.lr
        set_memory_format(model, memory_format(recipe, device))
        forward = products(model, data.shape, device)
        covered = prunable_set(model, forward, keep_dense)
        self.prunable, self.prunable_share = covered.names, covered.share
        self.total_steps = recipe.epochs * full_batches(len(data.train), recipe.batch_size)
        self.batches = BatchStream(data.train, recipe, seed, device)
        find = partial(find_channels, model, self.prunable, data.shape)
        self.net = Net(model, self.prunable, torch.Generator().manual_seed(seed + 1), find)
        self.result = TrainingResult(warnings=[covered.warning] if covered.warning else [])
        self.rounds = method.rounds()
        self._check_rounds()
        self._attach(recipe.weight_decay)
        cost = by_weight(forward)
        self.metrics = MetricLogger(
            self.clock, self.net, model, data, device, method.diagnostics, cost, recipe.metric
        )
        self._notify: Notify = lambda event: None

    def _check_rounds(self) -> None:
        """Raises where the shares of the method's rounds do not sum to 1."""
        if not math.isclose(sum(r.share for r in self.rounds), 1.0, abs_tol=1e-6):
            raise SparsebenchError(f"method {self.method.name!r}: the shares of its rounds do not sum to 1")

    def _attach(self, weight_decay: float) -> None:
        """Attaches the method, builds its optimizers, and sets the clock to the steps that scoring leaves."""
        # What the method may know, and its scoring, reparametrisation and parameter groups.
        recipe, total = self.recipe, self.total_steps
        probe = TrainingProbe(self.model, self.data.shape, self.batches, recipe.batch_size, total)
        momentum = recipe.momentum if recipe.optimizer == "sgd" else 0.0
        eta = eta_sum(recipe.schedule, recipe.warmup, self.base_lr, self.rounds, total, momentum)
        plan = Plan(total, recipe.optimizer, self.base_lr, momentum, eta)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            groups = self.method.attach(self.net, plan, probe)
        self.result.warnings += [
            message(w.message, WHOLE)  # type: ignore[arg-type] # caught, it is the warning itself, no text
            for w in caught
            if issubclass(w.category, UserWarning)
        ]
        # The optimizers, and all tensors whose gradients a step has to clear.
        self.optimizers = Optimizers(groups, recipe, weight_decay, self.net.sgd)
        self.net.optimizers = self.optimizers.all
        owned = [p for group in groups for p in group.params]
        self.leaves = list({id(p): p for p in [*self.model.parameters(), *owned]}.values())
        self._clear_grads()
        # The steps left to train with, divided among the rounds.
        self.scoring = probe.spent
        self.clock = TrainingClock(total - probe.spent, momentum)
        if len(self.rounds) > self.clock.steps:
            raise SparsebenchError(
                f"{len(self.rounds)} rounds do not fit into {self.clock.steps} steps: train for more epochs"
            )
        self.lengths = round_steps(self.rounds, self.clock.steps)

    @property
    def done(self) -> bool:
        """Whether the training is over: the last step was made, or it has diverged."""
        return self.clock.step == self.clock.steps or self.result.status != "ok"

    def run(
        self,
        on_event: Notify | None = None,
        stop_at: int | None = None,
        pause: Callable[[], bool] = lambda: False,
    ) -> TrainingResult:
        """Trains from the clock's step through all rounds, up to the step `stop_at` or until `pause` is true.

        After the last step the method finalizes and the model is plain again. `on_event` is called with
        `{"warning": text}` and with `{"row": row of the curve, "steps": total}`, `pause` between steps.
        Returns the result, which is complete only where the training is `done`.
        """
        self._notify = on_event or self._notify
        if self.clock.step == 0:
            for text in self.result.warnings:
                self._notify({"warning": text})
        self.model.train()
        end = self.clock.steps if stop_at is None else min(stop_at, self.clock.steps)
        try:
            while self.clock.step < end and self.result.status == "ok" and not pause():
                self._step()
        except Diverged as error:
            self._diverged(reason(error))
        if self.done:
            self._finish()
        return self.result

    def _step(self) -> None:
        """Makes a forward and backward pass, and the optimizer's step unless the method skips it."""
        # The round begins, and the schedule gives the step's learning rate.
        clock, recipe, method, net = self.clock, self.recipe, self.method, self.net
        if clock.round_step == 0:
            self._start_round()
        round_ = self.rounds[clock.round]
        clock.lr = rate(
            recipe.schedule, recipe.warmup, self.base_lr, round_, clock.round_step, clock.round_steps
        )
        # The gradient of the mean cross-entropy and the method's penalty.
        x, y = next(self.batches)
        with self._precision():
            loss = F.cross_entropy(checked_logits(self.model(x), len(x), self.data.classes), y)
        penalty = method.penalty(net, clock)
        torch.autograd.backward(loss + penalty if isinstance(penalty, torch.Tensor) else loss)
        self.metrics.count(loss)
        # The step, from the effective weights' gradients back to the effective weights.
        if method.before_step(net, clock):
            net.pull()
            self.optimizers.step(clock.lr, self.base_lr)
            net.push()
            method.after_step(net, clock)
        else:
            self.metrics.count_dense_gradient()
        self._clear_grads()
        self._advance()

    def _precision(self) -> AbstractContextManager[Any]:
        """Returns the autocast context for bfloat16, else none: a disabled autocast costs a small net 5%."""
        if self.recipe.precision == "bfloat16":
            return torch.autocast(self.device.type, torch.bfloat16)
        return nullcontext()

    def _start_round(self) -> None:
        """Sets the round's length, rebuilds the optimizers where it restarts, and calls the method."""
        self.clock.round_steps = self.lengths[self.clock.round]
        if self.rounds[self.clock.round].restart:
            self.optimizers.rebuild()
        self.method.start_round(self.net, self.clock)

    def _advance(self) -> None:
        """Advances the clock by a step; appends a row to the curve where one is due."""
        clock = self.clock
        clock.step += 1
        clock.round_step += 1
        if self.metrics.due():
            row = self.metrics.row()
            if row is None:
                self._diverged(f"the training loss is no number at step {clock.step} of {clock.steps}")
            else:
                self.result.curve.append(row)
                self._notify({"row": row, "steps": clock.steps})
        if clock.round_step == clock.round_steps and clock.step < clock.steps:
            clock.round, clock.round_step = clock.round + 1, 0

    def _diverged(self, reason: str) -> None:
        """Marks the training as diverged, which ends it."""
        self.result.status, self.result.reason = "diverged", reason

    def _clear_grads(self) -> None:
        """Clears the gradients of the model and of the optimizers' parameters, which `leaves` lists.

        Collecting them from the model in every step would be slow.
        """
        for p in self.leaves:
            p.grad = None

    def _finish(self) -> None:
        """Completes the result, lets the method finalize, and makes the model plain."""
        # Steps by purpose, costs and diagnostics.
        result, method = self.result, self.method
        result.steps = self.clock.step + self.scoring
        result.budget = {"scoring": self.scoring} if self.scoring else {}
        left = self.clock.step
        for round_, length in zip(self.rounds, self.lengths, strict=True):
            done = min(left, length)
            result.budget[round_.name] = result.budget.get(round_.name, 0) + done
            left -= done
        result.training_flops_ratio = (self.metrics.flops + self.scoring) / self.total_steps
        result.training_memory_ratio = memory_ratio(
            self.model, self.net, self.optimizers, method.state, self.recipe
        )
        result.diagnostics = finite({**method.facts(), **method.diagnostics(self.net)})
        # The plain model.
        if result.status == "ok":
            try:
                method.finalize(self.net)
            except Diverged as error:
                self._diverged(reason(error))
        self.net.collapse()
        set_memory_format(self.model, torch.contiguous_format)
