"""Kernels for 2:4: which weights fit them, where they run, and what a machine without them says."""

import pytest
import torch
from lived_in import lived_in
from sparsebench import SparsebenchError
from sparsebench.bench.latency.kernels import faster_layers
from sparsebench.bench.latency.measure import Bench
from sparsebench.bench.latency.options import HALF, Options
from sparsebench.bench.latency.semi_structured import SEMI_STRUCTURED, is_two_of_four
from sparsebench.bench.measurement.graph.trace import traced
from sparsebench.methods.nm import nm_mask
from sparsebench.records.measured.latency import TWO_OF_FOUR
from torch import nn


def patterned(n: int, m: int, rows: int = 32, columns: int = 64) -> torch.Tensor:
    weight = torch.randn(rows, columns, generator=torch.Generator().manual_seed(0))
    return weight * nm_mask(weight, n, m)


@pytest.mark.parametrize(("n", "m", "fits"), [(2, 4, True), (1, 4, True), (4, 8, False), (3, 4, False)])
def test_a_weight_fits_where_two_of_each_four_are_left(n: int, m: int, fits: bool) -> None:
    assert is_two_of_four(patterned(n, m)) is fits


@pytest.mark.parametrize("shape", [(10, 64), (32, 24)])
def test_sizes_are_multiples_of_sixteen(shape: tuple[int, int]) -> None:
    assert not is_two_of_four(torch.zeros(shape))


def test_a_convolution_does_not_fit() -> None:
    assert not is_two_of_four(torch.zeros(16, 16, 3, 3))


def network() -> nn.Module:
    model = lived_in(nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)))
    model.get_parameter("1.weight").data.copy_(patterned(2, 4))
    return model.requires_grad_(False)


def test_a_machine_without_the_kernels_says_so() -> None:
    graph = traced(network(), (1, 8, 8))
    with pytest.raises(SparsebenchError, match="Only CUDA tensors"):
        faster_layers(graph, torch.randn(8, 1, 8, 8), SEMI_STRUCTURED, 0.0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_measures_the_network_with_its_kernels() -> None:
    said: list[str] = []
    options = Options(device="cuda:0", seconds=0.2, batches=(64,), precision=HALF)
    bench = Bench(network(), torch.randn(64, 1, 8, 8), options, said.append)
    (found,) = bench.measure(network().state_dict())
    assert not [line for line in said if "semi_structured" in line], "they ran, with the same logits"
    assert set(found.sparse) <= {"compacted", "compacted, selecting", "compacted, CSR", TWO_OF_FOUR}
