"""What passes between a method and the trainer: rounds, parameter groups, the plan, the clock, the probe."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn


@dataclass(frozen=True)
class Round:
    """One stretch of training, as data. `share` of the budget's steps; the shares of a plan sum to 1.

    The learning-rate schedule runs from `resume` to `until` (0 and 1: its start and its end), scaled by
    `peak`; `restart` begins the round with fresh optimizer buffers.
    """

    share: float = 1.0
    name: str = "train"
    resume: float = 0.0
    until: float = 1.0
    peak: float = 1.0
    restart: bool = False


@dataclass
class ParamGroup:
    """What an optimizer is to move. `weight_decay=None` takes the recipe's ordinary decay.

    `l2` is the method's own penalty (l2/2)·‖p‖², coupled to the gradient whatever the optimizer.
    `optimizer=None` takes the recipe's; `lr=None` the schedule's rate times `lr_scale`.
    """

    params: list[Tensor]
    weight_decay: float | None = 0.0
    l2: float = 0.0
    lr_scale: float = 1.0
    lr: float | None = None
    optimizer: str | None = None


@dataclass(frozen=True)
class Plan:
    """What a method may know before training: the steps, the optimizer, and Σ over steps of η/(1-μ)."""

    steps: int
    optimizer: str
    lr: float
    momentum: float
    eta_sum: float


class Clock(Protocol):
    """Where training stands. `step` counts from 0 over the whole budget of `steps`."""

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
    """What a method may use before training: labelled training batches, each charged as one step."""

    input_shape: tuple[int, int, int]
    model: nn.Module

    def batches(self, count: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Up to `count` training batches, each charged to the step budget."""

    def charge(self, images: int) -> None:
        """Charge a forward and backward over so many images to the budget, in whole steps of a batch."""

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Mean cross-entropy of the model as it stands."""
