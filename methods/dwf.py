"""Deep weight factorization (`dwf`), and its special case of two factors (`spred`)."""

import math
import warnings
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from . import fused
from .api import Knob, ParamGroup, Plan, Probe, Sparsifier, knob, register, sparsity_knob
from .factors import algorithm_d1, layer_sigma, misalignment
from .knobs import NO_DECAY, finetune_knob, finetune_lr_knob, strength
from .magnitude import keep_largest
from .net import Net
from .one_shot import PrunedOnce

FLOAT32_EPS = torch.finfo(torch.float32).eps


@register("dwf", reference="arXiv:2502.02496")
@dataclass
class DeepWeightFactorization(Sparsifier):
    """w = ω₁⊙…⊙ω_D; min L(w) + (λ/D)·Σ_d‖ω_d‖², the same minima as L(w) + λ·Σ|w|^(2/D).

    As an optimizer's group the penalty is an L2 of 2λ/D on the factors. The factors start from the paper's
    Algorithm D.1. Decay budget: a weight that the loss does not hold shrinks as e^(-B) with
    B = 2λ·Σ_t η_t/(1-μ), whatever D; numerical zeros need B ≳ ln(σ_w/float32 eps) + 5, about 18.

    Attributes:
        lam: λ, the strength of the penalty; more makes the net sparser.
        depth: D, the number of factors, and so the penalty's exponent 2/D: 1 (lasso) for 2 factors.
        eps: The smallest initial |w| as a share of the layer's standard deviation σ_w.

    Example:
        >>> from sparsebench.methods.api import configure
        >>> plan = Plan(steps=1000, optimizer="sgd", lr=0.1, momentum=0.9, eta_sum=1000.0)
        >>> method = configure("dwf", {"lam": 0.01, "depth": 4})
        >>> method.attach(net, plan, probe=None)[0].l2  # 2λ/D
        0.005
        >>> {key: round(value, 1) for key, value in method.facts().items()}  # B = 2·0.01·1000
        {'decay_budget': 20.0, 'decay_budget_needed': 18.9}
    """

    exact_zeros: ClassVar[bool] = False
    claims: ClassVar = {"lr": Knob(0.2, 0.05, 1.0, "log", minimum=0.0), "weight_decay": NO_DECAY}

    decay_budget: ClassVar = Knob(
        15.0, 0.5, 40.0, "log", minimum=0.0, maximum=1e4, operating=True, doc="B = 2λ·Σ_t η_t/(1-μ)"
    )

    lam: float = strength(3e-4, 1e-5, 1.2e-2, "λ, the strength of Σ|w|^(2/D)")
    depth: int = knob(2, low=2, high=4, maximum=16, doc="D, the number of factors")
    eps: float = knob(
        0.1,
        low=0.01,
        high=0.25,
        minimum=1e-6,
        maximum=1.999,
        searched=False,
        doc="smallest initial |w|, as a share of the layer's σ_w",
    )

    def attach(self, net: Net, plan: Plan, probe: Probe) -> list[ParamGroup]:
        self._note_decay_budget(net, plan)
        net.factorize(self.depth, lambda name, w: self.initial(net, w))
        return [net.factors(l2=2 * self.lam / self.depth), net.others()]

    def lam_limit(self) -> float:
        """The end of the range of `lam` at depth 2, and (2/D)² of it at depth D.

        Above it no weight was left in the sweeps of docs/search_ranges.md, whatever the steps and their size.
        """
        return super().lam_limit() * (2 / self.depth) ** 2

    def warm_up(self) -> None:
        fused.move_by_c(self.depth)

    def initial(self, net: Net, w: Tensor) -> Tensor:
        """Returns the initial factors of one layer, shape `(depth, *w.shape)`."""
        return algorithm_d1(w, self.depth, self.eps, net.generator)

    def _note_decay_budget(self, net: Net, plan: Plan) -> None:
        """Records B and the B that zeros at float32 eps need; warns where SGD's B is below that."""
        sigma = max(layer_sigma(net.weight(name)) for name in net.names)
        budget, needed = 2 * self.lam * plan.eta_sum, math.log(sigma / FLOAT32_EPS) + 5
        self.state["decay_budget"], self.state["decay_budget_needed"] = budget, needed
        if plan.optimizer == "sgd" and 0 < budget < needed:
            warnings.warn(
                f"decay budget B = {budget:.1f} of the {needed:.1f} that zeros at float32 eps need: "
                f"expect small weights rather than exact zeros (raise lam, lr or the steps)",
                stacklevel=2,
            )

    def diagnostics(self, net: Net) -> dict[str, float]:
        return {"misalignment": misalignment(net.factorized.omega)}

    def facts(self) -> dict[str, float]:
        return {key: self.state[key] for key in ("decay_budget", "decay_budget_needed")}


@register("spred", reference="arXiv:2210.01212", version=2)
@dataclass
class Spred(PrunedOnce, DeepWeightFactorization):
    """w = u⊙v with L2 of strength λ on both: min L(w) + λ‖w‖₁ by plain gradient descent; cut, fine-tune.

    After 1-`finetune` of the steps the (1-sparsity)·|P| largest |w| stay, and the remaining steps train the
    factors of these on. The start is that of the authors' code, u = sign(w₀)·√|w₀| and v = √|w₀|, which is
    balanced and keeps the network's function; "dense" is u = w₀, v = 1, "d1" Algorithm D.1 at depth 2.

    Attributes:
        sparsity: The fraction of zeros.
        finetune: The share of the steps after the cut; 0 leaves it out.
        finetune_lr: The peak learning rate after the cut as a multiple of that before.
        depth: The number of factors, fixed at 2.
        init: The initial factors: "sqrt", "dense" or "d1".

    Example:
        >>> from sparsebench.methods.api import configure
        >>> configure("spred", {}).initial(net, torch.tensor([4.0, -9.0])).tolist()
        [[2.0, -3.0], [2.0, 3.0]]
        >>> configure("spred", {"init": "dense"}).initial(net, torch.tensor([3.0, -2.0])).tolist()
        [[3.0, -2.0], [1.0, 1.0]]
    """

    exact_zeros: ClassVar[bool] = True
    # Most trials of a search aim with the defaults: 5 is between what is best at 4 and at 256.
    decay_budget: ClassVar = replace(DeepWeightFactorization.decay_budget, default=5.0, operating=False)

    lam: float = knob(
        3e-4, low=1e-5, high=5e-3, log=True, minimum=0.0, maximum=1e3, doc="λ, the strength of ‖w‖₁"
    )
    depth: int = knob(2, minimum=2, maximum=2, searched=False, doc="two factors, always")
    eps: float = knob(
        0.1,
        low=0.01,
        high=0.25,
        minimum=1e-6,
        maximum=1.999,
        searched=False,
        doc="smallest initial |w| of D.1, as a share of the layer's σ_w",
        idle={"init": ("sqrt", "dense")},
    )
    init: str = knob(
        "sqrt", choices=("sqrt", "dense", "d1"), searched=False, doc="first factors: ±√|w₀|; w₀ and 1; or D.1"
    )
    sparsity: float = sparsity_knob()
    finetune: float = finetune_knob()
    finetune_lr: float = finetune_lr_knob()

    def initial(self, net: Net, w: Tensor) -> Tensor:
        if self.init == "dense":
            return torch.stack([w, torch.ones_like(w)])
        if self.init == "sqrt":
            return torch.stack([w.sign() * w.abs().sqrt(), w.abs().sqrt()])
        return super().initial(net, w)

    def prune_once(self, net: Net) -> None:
        keep_largest(net, self.sparsity, "global")
