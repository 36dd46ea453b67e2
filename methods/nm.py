"""N:M sparsity: of every M consecutive weights along the inputs at most N are nonzero."""

import warnings
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..errors import SparsebenchError
from .api import Diverged, ParamGroup, Plan, Probe, Sparsifier, knob, register
from .knobs import finetune_knob, finetune_lr_knob
from .net import Net
from .one_shot import PrunedOnce

SHOWN = 3  # names in a warning


def divides(w: Tensor, m: int) -> bool:
    """Returns whether a weight's inputs make whole groups of M.

    Args:
        w: The weight, `(out, in, *k)`; of a grouped convolution `in` is that of one of its groups.
        m: M.

    Returns:
        True where M divides `in`. Other layers stay dense.

    Example:
        >>> divides(torch.zeros(16, 8, 3, 3), 4), divides(torch.zeros(16, 3, 3, 3), 4)
        (True, False)
    """
    return w.shape[1] % m == 0


def nm_mask(w: Tensor, n: int, m: int) -> Tensor:
    """Returns the mask of the N largest |w| of every M consecutive weights along the inputs.

    A convolution's groups are M input channels at one place of its kernel, which are neighbours in the order
    (out, height, width, in). Of equal magnitudes the first stays.

    Args:
        w: The weight, `(out, in, *k)`, with `in` a multiple of M.
        n: N, how many stay.
        m: M, of how many.

    Returns:
        A boolean mask of the weight's shape, with N ones in each group.

    Raises:
        Diverged: A weight is NaN.

    Example:
        >>> nm_mask(torch.tensor([[0.1, -0.4, 0.3, 0.2, 1.0, 1.0, 1.0, 1.0]]), 2, 4).int().tolist()
        [[0, 1, 1, 0, 1, 1, 0, 0]]
    """
    if bool(w.isnan().any()):
        raise Diverged("the weights that should be ranked are not numbers: training diverged")
    last = w.detach().abs().movedim(1, -1)
    size = last.reshape(-1, m)
    # How many of the group come before: the larger ones, and of equal ones those to the left.
    before = torch.zeros(size.shape, dtype=torch.uint8, device=w.device)
    for j in range(m):
        other = size[:, j : j + 1]
        before += other > size
        before[:, j + 1 :] += other == size[:, j + 1 :]
    return (before < n).reshape(last.shape).movedim(-1, 1)


def nm_knob(default: int, doc: str) -> Any:
    """Returns the field of N or M, whole numbers that a suite fixes and no search varies.

    Args:
        default: N or M where none is given.
        doc: One line of help.

    Returns:
        A dataclass field.

    Example:
        >>> nm_knob(4, "M").metadata["knob"].check("sr_ste: m", 8)
        8
    """
    return knob(default, minimum=1, maximum=32, searched=False, doc=doc)


def checked(net: Net, n: int, m: int, name: str) -> dict[str, float]:
    """Checks a pattern against a net, and warns of layers that it leaves dense.

    Args:
        net: The net.
        n: N.
        m: M.
        name: The method's name, for messages.

    Returns:
        The share of the prunable weights that the pattern covers, as a fact of the training.

    Raises:
        SparsebenchError: N is not below M, or M divides the inputs of no layer.

    Example:
        >>> checked(net, 2, 4, "sr_ste")  # all layers have 64, 300 or 100 inputs
        {'nm_share': 1.0}
        >>> checked(net, 4, 4, "sr_ste")
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: sr_ste: n = 4 leaves all of m = 4 weights: choose a smaller n
    """
    if n >= m:
        raise SparsebenchError(f"{name}: n = {n} leaves all of m = {m} weights: choose a smaller n")
    rest = [layer for layer in net.names if not divides(net.weight(layer), m)]
    if len(rest) == len(net.names):
        raise SparsebenchError(f"{name}: m = {m} divides the inputs of no layer of this network")
    if rest:
        more = ", …" if len(rest) > SHOWN else ""
        warnings.warn(
            f"{name}: {len(rest)} of {len(net.names)} layers stay dense, since m = {m} does not divide their "
            f"inputs: {', '.join(rest[:SHOWN])}{more}",
            stacklevel=3,
        )
    return {"nm_share": 1 - sum(net.weight(layer).numel() for layer in rest) / net.size}


@register("nm_magnitude", reference="arXiv:2104.08378")
@dataclass
class NMMagnitude(PrunedOnce):
    """Train dense, keep the N largest |w| of every M along the inputs, fine-tune the rest under the mask.

    Layers whose inputs M does not divide stay dense, with a warning. The compression is M/N where there are
    none of these; no knob moves it.

    Attributes:
        n: N, how many weights of each group stay.
        m: M, the weights of a group.
        finetune: The share of the steps after pruning; 0 leaves fine-tuning out.
        finetune_lr: The peak learning rate of fine-tuning as a multiple of that of training.

    Example:
        >>> from sparsebench.methods.api import configure
        >>> method = configure("nm_magnitude", {"n": 1, "m": 4})
        >>> method.finalize(net)
        >>> net.size / sum(int(net.weight(name).count_nonzero()) for name in net.names)
        4.0
    """

    n: int = nm_knob(2, "N, how many weights of each M stay")
    m: int = nm_knob(4, "M, how many consecutive weights along the inputs are a group")
    finetune: float = finetune_knob()
    finetune_lr: float = finetune_lr_knob()

    def attach(self, net: Net, plan: Plan, probe: Probe) -> list[ParamGroup]:
        self.state.update(checked(net, self.n, self.m, self.name))
        return super().attach(net, plan, probe)

    def prune_once(self, net: Net) -> None:
        weights = net.effective_weights()
        net.set_masks({name: nm_mask(w, self.n, self.m) for name, w in weights.items() if divides(w, self.m)})

    def facts(self) -> dict[str, float]:
        return {"nm_share": self.state["nm_share"]}


class _SparseRefined(torch.autograd.Function):
    """mask⊙w with a straight-through gradient, and λ(1-mask)⊙w added to it."""

    @staticmethod
    def forward(ctx: Any, w: Tensor, mask: Tensor, lam: float) -> Tensor:
        ctx.save_for_backward(w, mask)
        ctx.lam = lam
        return w * mask

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        w, mask = ctx.saved_tensors
        return grads[0] + ctx.lam * (w * ~mask), None, None


def sparse_refined(dense: Tensor, n: int, m: int, lam: float) -> Tensor:
    """Returns the N:M weight of SR-STE, whose gradient is the dense one with a decay of what is masked.

    Args:
        dense: The dense weight, `(out, in, *k)`; one whose inputs M does not divide is returned as it is.
        n: N.
        m: M.
        lam: λ, the strength of the decay.

    Returns:
        mask⊙dense; a gradient g of it becomes g + λ(1 - mask)⊙dense for the dense weight.

    Example:
        >>> w = torch.tensor([[3.0, 1.0]], requires_grad=True)
        >>> sparse = sparse_refined(w, 1, 2, lam=0.5)
        >>> sparse.sum().backward()
        >>> sparse.tolist(), w.grad.tolist()
        ([[3.0, 0.0]], [[1.0, 1.5]])
    """
    if not divides(dense, m):
        return dense.clone()
    found: Tensor = _SparseRefined.apply(dense, nm_mask(dense, n, m), lam)
    return found


@register("sr_ste", reference="arXiv:2102.04010")
@dataclass
class SparseRefinedSTE(Sparsifier):
    """w = mask⊙θ, with the N largest |θ| of every M in the mask, from the first step to the last.

    The gradient of w reaches all of θ (straight through), and λ(1 - mask)⊙θ is added to it: what is masked
    decays, so that the mask settles. Layers whose inputs M does not divide stay dense, with a warning.

    Attributes:
        lam: λ, the strength of the decay of masked weights.
        n: N, how many weights of each group stay.
        m: M, the weights of a group.

    Example:
        >>> from sparsebench.methods.api import configure
        >>> method = configure("sr_ste", {"n": 1, "m": 4})
        >>> plan = Plan(steps=1000, optimizer="sgd", lr=0.1, momentum=0.9, eta_sum=1000.0)
        >>> groups = method.attach(net, plan, probe=None)
        >>> net.size / sum(int(net.weight(name).count_nonzero()) for name in net.names)
        4.0
    """

    lam: float = knob(
        2e-4, low=2e-5, high=2e-3, log=True, minimum=0.0, maximum=1e3, doc="λ, the decay of masked weights"
    )
    n: int = nm_knob(2, "N, how many weights of each M stay")
    m: int = nm_knob(4, "M, how many consecutive weights along the inputs are a group")

    def attach(self, net: Net, plan: Plan, probe: Probe) -> list[ParamGroup]:
        self.state.update(checked(net, self.n, self.m, self.name))
        net.reparametrize(partial(sparse_refined, n=self.n, m=self.m, lam=self.lam), dense=lambda w: w)
        return [net.group("dense", weight_decay=None), net.others()]

    def facts(self) -> dict[str, float]:
        return {"nm_share": self.state["nm_share"]}
