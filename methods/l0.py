"""L0 regularisation through hard-concrete gates, one per weight."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from .api import Clock, Knob, ParamGroup, Plan, Probe, Sparsifier, knob, register
from .knobs import strength
from .net import Net

BETA, GAMMA, ZETA = 2 / 3, -0.1, 1.1
BOUND = math.log(100)


def sampled_gate(log_a: Tensor, u: Tensor) -> Tensor:
    """Returns a sampled hard-concrete gate, z = clip(σ((logit u + log a)/β)(ζ-γ)+γ, 0, 1).

    Args:
        log_a: The gates' locations log a, one per weight; larger ones open the gate.
        u: Uniform noise in (0, 1) of the same shape.

    Returns:
        z in [0, 1], exactly 0 or 1 with positive probability.

    Example:
        >>> sampled_gate(torch.zeros(3), u=torch.tensor([0.01, 0.5, 0.99])).tolist()
        [0.0, 0.5, 1.0]
    """
    return (torch.sigmoid((torch.logit(u) + log_a) / BETA) * (ZETA - GAMMA) + GAMMA).clamp(0, 1)


def open_probability(log_a: Tensor) -> Tensor:
    """Returns the probability P(z ≠ 0) = σ(log a - β·log(-γ/ζ)) that a sampled gate is open.

    Args:
        log_a: The gates' locations log a.

    Returns:
        The probability for each gate; their sum is the expected number of nonzeros.

    Example:
        >>> p = open_probability(torch.tensor([-math.log(100), 0.0, math.log(100)]))
        >>> [round(x, 3) for x in p.tolist()]
        [0.047, 0.832, 0.998]
    """
    return torch.sigmoid(log_a - BETA * math.log(-GAMMA / ZETA))


def final_gate(log_a: Tensor) -> Tensor:
    """Returns the gate of the finished model, clip(σ(log a)(ζ-γ)+γ, 0, 1).

    Args:
        log_a: The gates' locations log a.

    Returns:
        The gates in [0, 1]; 0 iff log a ≤ -log 11 ≈ -2.4.

    Example:
        >>> final_gate(torch.tensor([-2.5, 0.0, 2.5])).tolist()
        [0.0, 0.5, 1.0]
    """
    return (torch.sigmoid(log_a) * (ZETA - GAMMA) + GAMMA).clamp(0, 1)


def _gated(theta: Tensor, log_a: Tensor, u: Tensor) -> Tensor:
    """Returns θ·z; clips log a to its range in place here, because every step composes the weights."""
    with torch.no_grad():
        log_a.clamp_(-BOUND, BOUND)
    return theta * sampled_gate(log_a, u.detach())


@register("l0", reference="arXiv:1712.01312")
@dataclass
class HardConcrete(Sparsifier):
    """w = θ·z, z = clip(σ((logit u + log a)/β)(ζ-γ)+γ, 0, 1), u uniform; min E L + λΣP(z≠0).

    γ = -0.1, ζ = 1.1, β = 2/3; P(z≠0) = σ(log a - β·log(-γ/ζ)). One gate a weight, drawn anew each step;
    at the end z = clip(σ(log a)(ζ-γ)+γ, 0, 1), which is 0 iff log a ≤ -log 11. The gates have Adam, at a
    rate that lets log a travel `reach` over the whole training, however long that is.

    Attributes:
        lam: λ, the penalty per expected nonzero weight.
        drop: δ, the initial drop rate: log a starts at log((1-δ)/δ), plus noise of 0.01.
        reach: The sum of the gates' learning rates over the training, and so about the most by which Adam
            can change log a.

    Example:
        >>> from sparsebench.methods.api import configure
        >>> method = configure("l0", {"reach": 60})
        >>> groups = method.attach(net, Plan(100, "sgd", lr=0.1, momentum=0.9, eta_sum=100.0), probe=None)
        >>> round(method.facts()["gate_lr"], 3)  # 60 over 100 steps at a constant rate
        0.6
    """

    claims: ClassVar = {"lr": Knob(0.1, 0.02, 0.3, "log", minimum=0.0)}

    lam: float = strength(1e-4, 3e-6, 1e-3, "λ, the price of one live weight")
    drop: float = knob(
        0.5, low=0.2, high=0.5, minimum=0.01, maximum=0.99, doc="δ: log a starts at log((1-δ)/δ)"
    )
    reach: float = knob(
        60.0,
        low=20.0,
        high=200.0,
        log=True,
        minimum=0.1,
        maximum=1e4,
        doc="Σ of the gates' learning rates: how far log a can travel in the training",
    )

    def attach(self, net: Net, plan: Plan, probe: Probe) -> list[ParamGroup]:
        mean = math.log((1 - self.drop) / self.drop)
        net.reparametrize(
            _gated,
            theta=lambda w: w,
            log_a=lambda w: (mean + 0.01 * torch.randn(w.shape, generator=net.generator)).to(w.device),
            u=lambda w: torch.full_like(w, 0.5),
        )
        self._draw(net, -1)
        net.push()
        rate = self.reach * plan.lr / (plan.eta_sum * (1 - plan.momentum))
        self.state["gate_lr"] = rate
        return [
            net.group("theta", weight_decay=None),
            net.group("log_a", lr=rate, optimizer="adam"),
            net.others(),
        ]

    def penalty(self, net: Net, clock: Clock) -> Tensor | float:
        live = [open_probability(log_a).sum() for log_a in net.parameters("log_a").values()]
        return self.lam * torch.stack(live).sum()

    def before_step(self, net: Net, clock: Clock) -> bool:
        """Draws the noise of the next step from the seed and the step alone, so that a run can resume."""
        self._draw(net, clock.step)
        return True

    @torch.no_grad()
    def _draw(self, net: Net, step: int) -> None:
        noise = net.parameters("u").values()
        seed = (net.generator.initial_seed() + 1_000_003 * (step + 2)) % 2**63
        generator = torch.Generator(next(iter(noise)).device).manual_seed(seed)
        for u in noise:
            u.uniform_(1e-6, 1 - 1e-6, generator=generator)

    @torch.no_grad()
    def finalize(self, net: Net) -> None:
        theta, log_a = net.parameters("theta"), net.parameters("log_a")
        for name in net.names:
            net.weight(name).copy_(theta[name] * final_gate(log_a[name]))

    @torch.no_grad()
    def diagnostics(self, net: Net) -> dict[str, float]:
        """The compressions by the expected nonzeros of the sampled gates and by those of the final ones."""
        gates = net.parameters("log_a").values()
        expected = sum(float(open_probability(log_a).sum()) for log_a in gates)
        final = sum(int(final_gate(log_a).count_nonzero()) for log_a in gates)
        return {
            "expected_compression": net.size / max(1.0, expected),
            "final_compression": net.size / max(1, final),
        }

    def facts(self) -> dict[str, float]:
        return {"gate_lr": self.state["gate_lr"]}
