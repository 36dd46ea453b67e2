"""A branch that starts behind γ = 0, as timm's ResNets have them, under a mask chosen at initialisation."""

import pytest
import torch
from sparsebench.bench.training.probe import TrainingProbe
from sparsebench.methods.api import configure
from sparsebench.methods.net import Net
from sparsebench.methods.plan import Plan
from torch import Tensor, nn

SHAPE = (1, 4, 4)


class Residual(nn.Module):
    """A block whose last γ starts at 0."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.branch, self.norm = (
            nn.Conv2d(1, 4, 3),
            nn.Conv2d(4, 4, 3, padding=1),
            nn.BatchNorm2d(4),
        )
        self.head = nn.Linear(16, 3)
        nn.init.zeros_(self.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        return self.head((x + self.norm(self.branch(x))).flatten(1))


def attached(method: str, sparsity: float) -> Net:
    torch.manual_seed(0)
    model = Residual()
    net = Net(model, ["stem.weight", "branch.weight", "head.weight"], torch.Generator().manual_seed(0))
    batch = torch.randn(8, *SHAPE), torch.arange(8) % 3
    probe = TrainingProbe(model, SHAPE, iter([batch]), 8, 1000)
    configure(method, {"sparsity": sparsity}).attach(net, Plan(1000, "sgd", 0.1, 0.9, 1e9), probe)
    return net


@pytest.mark.parametrize("method", ["snip", "grasp", "synflow"])
def test_a_branch_behind_a_zero_gamma_is_scored_too(method):
    net = attached(method, 0.5)
    assert 0 < int(net.masks["branch.weight"].sum()) < 144


@pytest.mark.parametrize("method", ["snip", "grasp", "synflow", "random", "set", "rigl"])
@pytest.mark.parametrize("sparsity", [0.0, 0.5])
def test_a_zero_gamma_opens_with_a_mask_and_stays_without_one(method, sparsity):
    """A masked shortcut beside a closed branch would be dead; at sparsity 0 the net is the dense one."""
    gamma = attached(method, sparsity).model.get_parameter("norm.weight")
    assert bool((gamma == (1.0 if sparsity else 0.0)).all())
