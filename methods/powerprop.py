"""Powerpropagation: a reparametrisation under which small weights change less, and then magnitude pruning."""

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from .api import Clock, Knob, ParamGroup, Plan, Probe, Round, Sparsifier, knob, register
from .gradual import GradualMagnitude
from .knobs import finetune_knob, finetune_lr_knob
from .lottery import LearningRateRewinding
from .magnitude import Magnitude
from .net import Net

GRADUAL = {"prune": ("gmp", "imp")}  # no fine-tuning after these


@register("powerprop", reference="arXiv:2110.00296")
@dataclass
class Powerpropagation(Magnitude):
    """w = θ|θ|^(α-1), θ₀ = sign(w₀)|w₀|^(1/α); then the (1-sparsity)·|P| largest |w| are kept.

    ∂L/∂θ = α|θ|^(α-1)·∂L/∂w: the large grow faster than the small. α = 1 is plain training. `prune` says
    when: "one_shot" after training, with fine-tuning out of the same budget, "gmp", gradually from 15% to 75%
    of the steps, or "imp", level by level as `lrr` does. The recipe's weight decay is on θ, where it is
    (wd/2)·Σ|w|^(2/α).

    Attributes:
        alpha: α, the power; the larger, the more weights stay near 0.
        prune: When weights are pruned: "one_shot", "gmp" or "imp". The knobs `finetune` and `finetune_lr`
            apply to "one_shot" alone.
        levels: The number of prunings of "imp".

    Example:
        >>> from sparsebench.methods.api import configure
        >>> method = configure("powerprop", {"alpha": 2.0, "prune": "imp", "levels": 2})
        >>> [r.name for r in method.rounds()]
        ['dense', 'level 1', 'level 2']
        >>> _ = net.weight("5.weight")[0, :2].copy_(Tensor([0.25, -0.04]))
        >>> groups = method.attach(net, plan=None, probe=None)
        >>> [round(x, 3) for x in net.parameters("theta")["5.weight"][0, :2].tolist()]  # sign(w)·√|w|
        [0.5, -0.2]
    """

    claims: ClassVar = {"lr": Knob(0.1, 0.03, 0.5, "log", minimum=0.0)}

    finetune: float = finetune_knob(idle=GRADUAL)
    finetune_lr: float = finetune_lr_knob(idle=GRADUAL)
    alpha: float = knob(2.0, low=1.5, high=4.0, minimum=1.0, maximum=16.0, doc="α, the power")
    prune: str = knob(
        "one_shot", choices=("one_shot", "gmp", "imp"), searched=False, doc="when the weights are pruned"
    )
    levels: int = knob(
        3,
        minimum=1,
        maximum=100,
        searched=False,
        doc="how often imp prunes and trains again",
        idle={"prune": ("one_shot", "gmp")},
    )

    def __post_init__(self) -> None:
        target: dict[str, Any] = {"sparsity": self.sparsity, "scope": self.scope}
        self.pruning: Sparsifier
        if self.prune == "gmp":
            self.pruning = GradualMagnitude(**target)
        elif self.prune == "imp":
            self.pruning = LearningRateRewinding(levels=self.levels, **target)
        else:
            self.pruning = Magnitude(finetune=self.finetune, finetune_lr=self.finetune_lr, **target)
        self.pruning.state = self.state

    def attach(self, net: Net, plan: Plan, probe: Probe) -> list[ParamGroup]:
        # |θ|^α·sign θ has a finite derivative at 0, which θ·|θ|^(α-1) has not for α < 2
        net.reparametrize(lambda theta: theta.sign() * theta.abs().pow(self.alpha), theta=self._root)
        return [net.group("theta", weight_decay=None), net.others()]

    def _root(self, w: Tensor) -> Tensor:
        return w.sign() * w.abs().pow(1 / self.alpha)

    def rounds(self) -> tuple[Round, ...]:
        return self.pruning.rounds()

    def start_round(self, net: Net, clock: Clock) -> None:
        self.pruning.start_round(net, clock)

    def after_step(self, net: Net, clock: Clock) -> None:
        self.pruning.after_step(net, clock)

    def finalize(self, net: Net) -> None:
        self.pruning.finalize(net)
