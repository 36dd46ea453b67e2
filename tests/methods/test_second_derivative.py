"""GraSP's H·g is the finite difference of the gradient, or a sentence names the operator that prevents it."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from sparsebench.errors import SparsebenchError
from sparsebench.methods.net import Net
from sparsebench.methods.saliency import hessian_gradient
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

CENTRES = torch.linspace(-1, 1, 80, dtype=torch.float64).view(5, 16)
GRID = torch.linspace(-0.9, 0.9, 50, dtype=torch.float64).view(1, 5, 5, 2)


class Scaled(torch.autograd.Function):
    """An operator of somebody's that is differentiable twice."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.sin()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * ctx.saved_tensors[0].cos()


class Once(Scaled):
    backward = staticmethod(once_differentiable(Scaled.backward))


class Ungraphed(Scaled):
    backward = staticmethod(torch.no_grad()(Scaled.backward))


def sampled(x: Tensor) -> Tensor:
    return F.grid_sample(x.view(-1, 1, 4, 4), GRID.expand(len(x), 5, 5, 2), align_corners=False).flatten(1)


OPERATORS: dict[str, Callable[[Tensor], Tensor]] = {
    "Cdist": lambda x: torch.cdist(x, CENTRES, p=3.0),
    "EuclideanDist": lambda x: torch.cdist(x, CENTRES),
    "GridSampler2D": sampled,
    "Pdist": lambda x: x + F.pdist(x).sum(),
    "SegmentReduce": lambda x: torch.segment_reduce(
        x.sin().flatten(), "sum", lengths=torch.full((len(x) * 4,), 4)
    ).view(-1, 4),
    "Hardsigmoid": F.hardsigmoid,
    "Scaled": Scaled.apply,
    "Once": Once.apply,
    "Ungraphed": Ungraphed.apply,
    # linear in parts, with a derivative of 0 somewhere or everywhere: nothing is lost
    "Round": lambda x: x + x.round(),
    "MaxPool": lambda x: F.max_pool1d(x, 2),
    "Sort": lambda x: x.sort(1).values,
}
REFUSED = ("Once", "Ungraphed")  # by every version of PyTorch; Hardsigmoid and SegmentReduce by today's


class Model(nn.Sequential):
    def __init__(self, operator: Callable[[Tensor], Tensor]) -> None:
        torch.manual_seed(0)
        super().__init__(nn.Linear(12, 16), nn.Linear(operator(torch.zeros(8, 16).double()).shape[1], 3))
        self.operator = operator
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        return self[1](self.operator(self[0](x)))


@pytest.mark.parametrize("name", OPERATORS)
def test_the_score_is_right_or_refused_by_the_operators_name(name: str) -> None:
    model = Model(OPERATORS[name])
    weights = [model[0].weight, model[1].weight]
    x, y = torch.randn(8, 12, dtype=torch.float64), torch.arange(8) % 3

    def gradient() -> tuple[Tensor, ...]:
        return torch.autograd.grad(F.cross_entropy(model(x) / 200, y), weights)

    try:
        found = hessian_gradient(Net(model, ["0.weight", "1.weight"], torch.Generator()), [(x, y)])
    except SparsebenchError as error:
        named = {"EuclideanDist": ("EuclideanDist", "Cdist")}.get(name, (name,))  # its derivative is Cdist's
        assert str(error).partition(" has no second derivative")[0] in named
        return
    assert name not in REFUSED
    g = gradient()
    step = 1e-4 / max(float(one.norm()) for one in g)
    moved = []
    for sign in (1, -2):
        with torch.no_grad():
            for weight, one in zip(weights, g, strict=True):
                weight.add_(sign * step * one)
        moved.append(gradient())
    for got, up, down in zip(found, *moved, strict=True):
        torch.testing.assert_close(
            got, (up - down) / (2 * step), rtol=1e-4, atol=1e-8 * float(got.abs().max())
        )
