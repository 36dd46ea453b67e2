"""SGD over factors in one pass over memory.

The cost of a step of factorized training beyond a dense one is memory traffic: torch's operations make about
twenty passes over arrays of the net's size where one is enough. On a CPU that one pass is the C kernel in
`factors_sgd.c`, compiled when the first optimizer over factors is built (0.2 s, once per process and depth)
and used only where it reproduces torch's result bit for bit, so that no record depends on whether there is
a compiler. On a GPU it is `step_of_all` below, compiled by torch, for nets that are large enough to gain.
"""

import ctypes
import logging
import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .storage import Factors, Storage, exclusive_products, multiply

SOURCE = Path(__file__).with_name("factors_sgd.c")
# -ffp-contract=off: products and additions that torch rounds separately are not fused into one rounding.
FLAGS = ("-O3", "-march=native", "-ffp-contract=off", "-fopenmp-simd", "-shared", "-fPIC")
MOST_THREADS = 4
"""The kernel runs on one thread: with more threads than these, torch's parallel operations run instead."""
LEAST_ON_GPU = 2**20
"""With fewer weights a step on a GPU is bound by kernel launches, not memory: compiling would not pay."""

Move = Callable[[Factors, Tensor, float, float, float], None]
_log = logging.getLogger(__name__)


class FactorSGD(torch.optim.SGD):
    """SGD with momentum that updates the factors and their product in one pass.

    The state is that of torch's SGD: one momentum buffer for each parameter, of its shape. Where the factors
    have a gradient of their own (such as from a penalty on them), that step is torch's.

    Args:
        options: The parameter groups as for torch's SGD; one of them holds `factors.owned`.
        factors: The storage; the optimizer sets `deferred` and takes over its chain rule and product.
        move: Updates factors and product in place: `move(factors, momenta, lr, momentum, decay)`.
        more: Further arguments of torch's SGD.

    Example:
        >>> w = nn.Parameter(torch.ones(1))
        >>> factors = Factors({"w": w}, 2, lambda name, w: torch.stack([2 * w, w]))
        >>> optimizer = FactorSGD([{"params": factors.params()}], factors,
        ...                       partial(_by_graph, step_of_all), lr=0.1, momentum=0.9)
        >>> w.grad = torch.ones(1)
        >>> optimizer.step()
        >>> round(w.item(), 4)  # (2 - 0.1·1)·(1 - 0.1·2)
        1.52
    """

    def __init__(self, options: list[dict[str, Any]], factors: Factors, move: Move, **more: Any) -> None:
        super().__init__(options, **more)
        self.factors, self.move = factors, move
        factors.deferred = True

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Updates every parameter by its gradient, the factors by the gradient of their product."""
        super().step()  # skips the factors where they have no gradient of their own
        factors = self.factors
        if factors.owned.grad is None:
            options = next(g for g in self.param_groups if any(p is factors.owned for p in g["params"]))
            state = self.state[factors.owned]
            if state.get("momentum_buffer") is None:
                state["momentum_buffer"] = torch.zeros_like(factors.owned)
            rates = (options[key] for key in ("lr", "momentum", "weight_decay"))
            self.move(factors, state["momentum_buffer"], *rates)
            factors.current = True


def sgd(options: list[dict[str, Any]], storage: Storage, **more: Any) -> torch.optim.SGD:
    """Returns the SGD optimizer for a net: `FactorSGD` where it applies, else torch's.

    `FactorSGD` needs factors among the parameters, momentum without Nesterov's, and a one-pass update that
    works on this machine. On a CPU both give the same bits, on a GPU the same weights up to rounding.

    Args:
        options: The parameter groups as for torch's SGD.
        storage: How the net's weights are stored.
        more: Further arguments of torch's SGD, among them `momentum` and `nesterov`.

    Returns:
        The optimizer over all groups.

    Example:
        >>> w = nn.Parameter(torch.ones(1))
        >>> storage = Factors({"w": w}, 2, lambda name, w: torch.stack([2 * w, w]))
        >>> optimizer = sgd([{"params": storage.params()}], storage, lr=0.1, momentum=0.9, nesterov=False)
        >>> w.grad = torch.ones(1)
        >>> storage.pull(), optimizer.step(), storage.push()
        (None, None, None)
        >>> round(w.item(), 4)  # (2 - 0.1·1)·(1 - 0.1·2), by whichever optimizer
        1.52
    """
    if isinstance(storage, Factors) and more["momentum"] > 0 and not more["nesterov"]:
        owned = storage.owned
        if any(p is owned for group in options for p in group["params"]):
            move = _best_move(owned.shape[0], owned.device, owned.shape[1])
            if move is not None:
                return FactorSGD(options, storage, move, **more)
    return torch.optim.SGD(options, **more)


def _best_move(depth: int, device: torch.device, size: int) -> Move | None:
    """Returns the one-pass update of `depth` factors of `size` weights; None where none works or pays."""
    if device.type == "cpu" and torch.get_num_threads() <= MOST_THREADS:
        return move_by_c(depth)
    if device.type == "cuda" and size >= LEAST_ON_GPU:
        return _move_by_torch(depth, device)
    return None


@lru_cache
def move_by_c(depth: int) -> Move | None:
    """Returns the update by the C kernel, compiled for one depth and cached.

    Args:
        depth: D, the number of factors.

    Returns:
        The update; None, with the reason logged, without a C compiler or where the kernel's result differs
        from torch's in any bit.

    Example:
        >>> move = move_by_c(2)
        >>> move is None or repeats_torch(move, 2, torch.equal)
        True
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            library = Path(folder) / "step.so"  # once loaded, its file may go
            compiler = os.environ.get("CC", "cc").split()
            command = [*compiler, *FLAGS, f"-DDEPTH={depth}", str(SOURCE), "-o", str(library)]
            subprocess.run(command, check=True, capture_output=True, timeout=60)
            kernel = ctypes.CDLL(str(library)).step
    except (OSError, subprocess.SubprocessError) as error:
        _log.info("no compiled step for factors, torch's operations move them: %s", error)
        return None
    kernel.argtypes = [ctypes.c_size_t] * 2 + [ctypes.c_void_p] * 4 + [ctypes.c_float] * 3
    kernel.restype = None
    move = partial(_by_kernel, kernel)
    if not repeats_torch(move, depth, torch.equal):
        _log.info("the compiled step for factors rounds otherwise than torch, whose operations move them")
        return None
    return move


def _by_kernel(
    kernel: Any, factors: Factors, momenta: Tensor, lr: float, momentum: float, decay: float
) -> None:
    omega, moved, weight = (t.data_ptr() for t in (factors.owned, momenta, factors.flat))
    row = factors.flat.numel()
    for at, grad in factors.dense_grads():
        here = 4 * at  # bytes
        places = (omega + here, moved + here, grad.data_ptr(), weight + here)
        kernel(grad.numel(), row, *places, lr, momentum, decay)


@lru_cache
def _move_by_torch(depth: int, device: torch.device) -> Move | None:
    """Returns `step_of_all` compiled by torch for any size; None, with the reason logged, where it fails."""
    move = partial(_by_graph, torch.compile(step_of_all, dynamic=True))
    try:
        close = partial(torch.allclose, rtol=1e-5, atol=1e-6)
        if repeats_torch(move, depth, close, device):
            return move
        _log.warning("the compiled step for factors is wrong here; torch's operations move them")
    except Exception as error:  # torch.compile fails in many ways, and none of them should end a training
        _log.warning("no compiled step for factors, torch's operations move them: %s", error)
    return None


def _by_graph(
    graph: Callable[..., None],
    factors: Factors,
    momenta: Tensor,
    lr: float,
    momentum: float,
    decay: float,
) -> None:
    rates = torch.tensor([lr, momentum, decay]).to(momenta.device, non_blocking=True).unbind()
    factors.gather()
    graph(factors.owned.detach().unbind(), momenta.unbind(), factors.flat_grad, factors.flat, *rates)


def step_of_all(
    omega: Sequence[Tensor],
    momenta: Sequence[Tensor],
    grad: Tensor,
    weight: Tensor,
    lr: Tensor,
    momentum: Tensor,
    decay: Tensor,
) -> None:
    """Applies one SGD step to all factors in place, and updates their product.

    m_d ← μ·m_d + g⊙Π_{k≠d}ω_k + decay·ω_d; ω_d ← ω_d - lr·m_d; w ← Πω_d.

    Args:
        omega: The D factors ω_d, each `(n,)`.
        momenta: Their momentum buffers m_d.
        grad: g, the gradient of the product.
        weight: The product w.
        lr: The learning rate; like `momentum` and `decay` a scalar tensor, so that one graph serves all.
        momentum: μ.
        decay: The L2 strength on each factor.

    Example:
        >>> u, v, w = torch.tensor([2.0]), torch.tensor([1.0]), torch.tensor([2.0])
        >>> rates = torch.tensor([0.1, 0.9, 0.0])
        >>> step_of_all([u, v], [torch.zeros(1), torch.zeros(1)], torch.ones(1), w, *rates)
        >>> [round(x.item(), 4) for x in (u, v, w)]  # 2 - 0.1·1, 1 - 0.1·2, and their product
        [1.9, 0.8, 1.52]
    """
    slopes = [grad] * len(omega)
    for d in range(len(omega)):
        for k, factor in enumerate(omega):
            if k != d:
                slopes[d] = slopes[d] * factor
    product = torch.ones_like(grad)
    moved = []
    for factor, momenta_d, slope in zip(omega, momenta, slopes, strict=True):
        step = momentum * momenta_d + slope + decay * factor
        momenta_d.copy_(step)
        moved.append(factor - lr * step)
        product = product * moved[-1]
    for factor, value in zip(omega, moved, strict=True):
        factor.copy_(value)
    weight.copy_(product)


def repeats_torch(
    move: Move, depth: int, same: Callable[[Tensor, Tensor], bool], device: torch.device | None = None
) -> bool:
    """Returns whether two steps from random factors give the result of torch's products and fused SGD.

    Args:
        move: The one-pass update under test.
        depth: D, the number of factors.
        same: Compares two tensors: `torch.equal` for the same bits, `torch.allclose` for rounding.
        device: Where to compare; None is the CPU.

    Returns:
        True where factors, momenta and product all agree.

    Example:
        >>> repeats_torch(partial(_by_graph, step_of_all), 3, partial(torch.allclose, atol=1e-6))
        True
        >>> repeats_torch(lambda factors, momenta, *rates: None, 3, torch.equal)  # moves nothing
        False
    """
    lr, momentum, decay = 0.1, 0.9, 0.3
    generator = torch.Generator().manual_seed(depth)
    start = torch.randn(depth, 1024, generator=generator).to(device)
    w = nn.Parameter(torch.empty_like(start[0]))
    w.grad = torch.randn(1024, generator=generator).to(device)
    factors = Factors({"w": w}, depth, lambda name, w: start)
    momenta, slopes, product = torch.zeros_like(start), torch.empty_like(start), torch.empty_like(start[0])
    theirs = nn.Parameter(start.clone())
    sgd = torch.optim.SGD([theirs], lr=lr, momentum=momentum, weight_decay=decay, fused=True)
    with torch.no_grad():
        for _ in range(2):
            move(factors, momenta, lr, momentum, decay)
            exclusive_products(theirs, w.grad, slopes)
            theirs.grad = slopes
            sgd.step()
        multiply(theirs, product)
    buffer = sgd.state[theirs]["momentum_buffer"]
    ours = (factors.owned.detach(), momenta, factors.flat)
    return all(same(*pair) for pair in zip(ours, (theirs.detach(), buffer, product), strict=True))
