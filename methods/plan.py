"""Types that pass between a method and the trainer: rounds, parameter groups, plan, clock and probe."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from ..errors import SparsebenchError


class Diverged(SparsebenchError):
    """The numbers that a method ranks or rescales are NaN. Raised in training, it is the trial's outcome.

    The trainer catches it and records the trial as diverged; elsewhere it is an error like any other.

    Example:
        >>> import torch
        >>> from sparsebench.methods.masks import top
        >>> top(torch.tensor([1.0, float("nan")]), keep=1)
        Traceback (most recent call last):
        sparsebench.methods.plan.Diverged: the scores ... are not numbers: training diverged
    """


@dataclass(frozen=True)
class Round:
    """One round of training: a share of the steps, with its part of the learning-rate schedule.

    Attributes:
        share: The share of the budget's steps; the shares of a method's rounds sum to 1.
        name: The round's name in logs, such as "finetune".
        resume: The position of the learning-rate schedule at which the round begins; 0 is its start.
        until: The position at which it ends; 1 is the schedule's end.
        peak: The factor on the schedule's learning rate in this round.
        restart: Whether the round begins with fresh optimizer buffers.

    Example:
        >>> from sparsebench.methods.api import configure
        >>> [(r.name, r.share, r.peak, r.restart) for r in configure("magnitude", {}).rounds()]
        [('train', 0.5, 1.0, False), ('finetune', 0.5, 1.0, True)]
    """

    share: float = 1.0
    name: str = "train"
    resume: float = 0.0
    until: float = 1.0
    peak: float = 1.0
    restart: bool = False


@dataclass
class ParamGroup:
    """Tensors that an optimizer updates, with their decay, penalty and learning rate.

    Attributes:
        params: The tensors; a group without any is left out.
        weight_decay: The decay of the optimizer's own kind; None takes the recipe's ordinary decay.
        l2: The strength of the method's own penalty (l2/2)·‖p‖², whose gradient l2·p is added to the loss's
            whatever the optimizer, even under AdamW, whose own decay is decoupled.
        lr_scale: The factor on the schedule's learning rate.
        lr: A peak rate of the group's own, which follows the schedule's shape; None: the schedule's rate.
        optimizer: "sgd", "adam" or "adamw"; None takes the recipe's.

    Example:
        >>> import torch
        >>> from sparsebench.bench.config.trial_spec import Recipe
        >>> from sparsebench.bench.training.optimizers import Optimizers
        >>> p = torch.tensor([2.0], requires_grad=True)
        >>> p.grad = torch.zeros(1)  # the loss is flat here: the penalty alone moves p
        >>> Optimizers([ParamGroup([p], l2=0.5)], Recipe(), weight_decay=0.0).step(lr=0.1, peak=0.1)
        >>> round(p.item(), 6)  # 2 - 0.1·0.5·2
        1.9
    """

    params: list[Tensor]
    weight_decay: float | None = 0.0
    l2: float = 0.0
    lr_scale: float = 1.0
    lr: float | None = None
    optimizer: str | None = None


@dataclass(frozen=True)
class Plan:
    """The facts of a training that a method may use before it starts.

    Attributes:
        steps: The steps of the whole budget, from which a probe's batches are taken.
        optimizer: The recipe's optimizer: "sgd", "adam" or "adamw".
        lr: The peak learning rate η.
        momentum: μ of SGD; 0 for the other optimizers.
        eta_sum: Σ_t η_t/(1-μ) over all steps and rounds: the unit of decay budgets.

    Example:
        >>> plan = Plan(steps=100, optimizer="sgd", lr=0.1, momentum=0.5, eta_sum=100 * 0.1 / (1 - 0.5))
        >>> 2 * 1.0 * plan.eta_sum  # dwf's decay budget 2λ·Σ_t η_t/(1-μ) at λ = 1
        40.0
    """

    steps: int
    optimizer: str
    lr: float
    momentum: float
    eta_sum: float


class Clock(Protocol):
    """The position in training that every hook receives.

    Attributes:
        step: The current step, counted from 0 over all rounds.
        steps: The number of training steps: the budget less what was charged by the probe.
        round: The index of the current round, from 0.
        round_step: The step within the round, from 0.
        round_steps: The number of steps of the round.
        lr: The schedule's learning rate η at this step.

    Example:
        >>> from sparsebench.bench.training.clock import TrainingClock
        >>> clock: Clock = TrainingClock(steps=100, momentum=0.5, step=25, lr=0.1)
        >>> clock.fraction, clock.eta_eff
        (0.25, 0.2)
    """

    step: int
    steps: int
    round: int
    round_step: int
    round_steps: int
    lr: float

    @property
    def fraction(self) -> float:
        """step/steps, in [0, 1)."""

    @property
    def round_fraction(self) -> float:
        """round_step/round_steps, in [0, 1)."""

    @property
    def eta_eff(self) -> float:
        """lr/(1-μ) for SGD with momentum μ, lr for the others."""


class Probe(Protocol):
    """Access to labelled training batches before training, each charged to the budget as one step.

    Attributes:
        input_shape: The shape of one image, `(channels, height, width)`.
        model: The fresh model, in the state in which `attach` received it.

    Example:
        >>> import torch
        >>> from sparsebench.bench.training.probe import TrainingProbe
        >>> batch = torch.zeros(32, *data.shape), torch.zeros(32, dtype=torch.long)
        >>> probe: Probe = TrainingProbe(model, data.shape, iter([batch]), batch_size=32, total_steps=10)
        >>> [(tuple(x.shape), probe.loss(x, y).isfinite().item()) for x, y in probe.batches(1)]
        [((32, 1, 8, 8), True)]
    """

    input_shape: tuple[int, int, int]
    model: nn.Module

    def batches(self, count: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields up to `count` training batches, each charged to the step budget."""

    def charge(self, images: int) -> None:
        """Charges a forward and backward over so many images to the budget, in whole steps of a batch."""

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Mean cross-entropy of the model with its present weights."""
