"""Channels of networks whose forward pass changes shapes in unusual ways."""

import torch
import torch.nn.functional as F
from sparsebench.bench.measurement.graph.find_channels import find_channels
from torch import Tensor, nn


class Scaled(nn.Module):
    """A scale with a dimension of one, which the forward pass drops."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(4, 6), nn.Linear(6, 5), nn.Linear(5, 2)
        self.scale = nn.Parameter(torch.ones(6, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x) * self.scale.view(-1)
        return self.head(self.second(x).relu())  # type: ignore[no-any-return]


def test_a_dimension_of_one_can_be_dropped() -> None:
    found = find_channels(Scaled(), ["first.weight", "second.weight", "head.weight"], (4,))
    assert found.rows["second.weight"].tolist() == [0, 1, 2, 3, 4]
    assert "first.weight" not in found.rows, "a parameter of two dimensions makes its units too"


class SharedHeads(nn.Module):
    """Attention in which two heads of queries share one of keys and values, and a hidden layer before it."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.query = nn.Linear(4, 5), nn.Linear(5, 8)
        self.key, self.value, self.head = nn.Linear(5, 4), nn.Linear(5, 4), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.hidden(x).relu()
        q, k, v = (
            layer(x).view(x.shape[0], 6, -1, 2).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        x = F.scaled_dot_product_attention(q, k, v, enable_gqa=True)
        return self.head(x.transpose(1, 2).flatten(2).mean(1))  # type: ignore[no-any-return]


def test_no_head_that_shares_keys_and_values_can_be_removed_alone() -> None:
    names = [f"{name}.weight" for name in ("hidden", "query", "key", "value", "head")]
    found = find_channels(SharedHeads(), names, (6, 4))
    assert {name: rows.tolist() for name, rows in found.rows.items()} == {"hidden.weight": [0, 1, 2, 3, 4]}
