"""The clock of a training: its steps, rounds and learning rate."""

from dataclasses import dataclass


@dataclass
class TrainingClock:
    """The progress of a training, and its learning rate; what a method sees as its `Clock`.

    Attributes:
        steps: Optimizer steps of the whole budget, less those that scoring before training took.
        momentum: μ of SGD; 0 for the other optimizers.
        step: Steps made so far, from 0.
        round: Index of the round, from 0.
        round_step: Steps made in this round.
        round_steps: Steps of this round.
        lr: The learning rate of the present step.

    Example:
        >>> clock = TrainingClock(steps=100, momentum=0.5, step=25, lr=0.1)
        >>> clock.fraction, clock.eta_eff
        (0.25, 0.2)
    """

    steps: int
    momentum: float
    step: int = 0
    round: int = 0
    round_step: int = 0
    round_steps: int = 1
    lr: float = 0.0

    @property
    def fraction(self) -> float:
        """step/steps, in [0, 1)."""
        return self.step / self.steps

    @property
    def round_fraction(self) -> float:
        """round_step/round_steps, in [0, 1)."""
        return self.round_step / self.round_steps

    @property
    def eta_eff(self) -> float:
        """The effective learning rate lr/(1-μ)."""
        return self.lr / (1 - self.momentum)
