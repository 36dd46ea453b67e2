"""Where a training stands, and what it leaves beside the model."""

from dataclasses import dataclass, field


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
    memory_ratio: float = 1.0
    curve: list[dict[str, float]] = field(default_factory=list)
    diagnostics: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
