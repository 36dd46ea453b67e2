"""Where a training stands: steps, rounds and the learning rate."""

from dataclasses import dataclass


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
