"""Sparse layers, runtimes and sizes: the same logits, and numbers that can be counted by hand."""

import pytest
import torch
from lived_in import lived_in
from sparsebench.bench.latency.csr import CSR, csr_linear, to_csr
from sparsebench.bench.latency.kernels import faster_layers, with_kernel
from sparsebench.bench.latency.measure import Bench
from sparsebench.bench.latency.options import Options
from sparsebench.bench.latency.runtimes import onnx_is_there
from sparsebench.bench.latency.size import network_size, peak_bytes
from sparsebench.bench.measurement.graph.trace import traced
from sparsebench.bench.models.factory import create
from torch import nn


def sparse(model: nn.Module, share: float) -> nn.Module:
    torch.manual_seed(0)
    for p in lived_in(model).parameters():
        if p.ndim == 2:
            p.data[torch.rand(p.shape) < share] = 0
    return model


@pytest.mark.parametrize("shape", [(5, 6), (2, 3, 6)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_in_csr_form_computes_the_same(shape: tuple[int, ...], bias: bool) -> None:
    layer = sparse(nn.Linear(6, 4, bias=bias), 0.7)
    x = torch.randn(shape)
    found = csr_linear(x, to_csr(layer.weight), layer.bias)
    torch.testing.assert_close(found, layer(x))


def test_the_faster_layers_of_a_net_become_csr_matrices() -> None:
    model = sparse(create("lenet_300_100", (1, 28, 28), 10), 0.98).requires_grad_(False)
    graph, images = traced(model, (1, 28, 28)), torch.randn(64, 1, 28, 28)
    names = faster_layers(graph, images, CSR, 0.05)
    assert "1.weight" in names, "784 inputs of which 2 % are read: some times faster"
    made = with_kernel(graph, names, CSR)
    assert all(made.get_buffer(f"{n.replace('.', '_')}_csr").layout is torch.sparse_csr for n in names)
    assert not {name for name, _ in made.named_parameters()} & set(names)
    torch.testing.assert_close(made(images), model(images))


def test_a_dense_layer_is_never_tried() -> None:
    model = lived_in(nn.Sequential(nn.Flatten(), nn.Linear(16, 8)))
    assert faster_layers(traced(model, (1, 4, 4)), torch.randn(8, 1, 4, 4), CSR, 0.0) == []


def test_memory_is_what_is_alive_at_once() -> None:
    model = nn.Sequential(nn.Linear(10, 100), nn.ReLU(), nn.Linear(100, 5)).requires_grad_(False)
    images = torch.zeros(8, 10)
    assert peak_bytes(model, images) == 4 * 8 * (100 + 100)
    inplace = nn.Sequential(nn.Linear(10, 100), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(100, 5))
    assert peak_bytes(inplace, images) == 4 * 8 * (100 + 5)
    size = network_size(model, images)
    assert size.parameters == 1605 and size.macs == 1500
    assert size.memory_bytes == 4 * (1605 + 8 * 200)
    assert 4 * 1605 < size.file_bytes < 4 * 1605 + 1000


def test_a_model_is_measured_in_every_runtime_and_the_next_one_has_its_own_weights() -> None:
    model = sparse(create("lenet_300_100", (1, 8, 8), 10), 0.95)
    model.get_parameter("1.weight").data[:, :30] = 0  # pixels that nothing reads
    said: list[str] = []
    images, fresh = torch.randn(9, 1, 8, 8), create("lenet_300_100", (1, 8, 8), 10)
    bench = Bench(fresh, images, Options(seconds=0), said.append)
    first = list(bench.measure(model.state_dict()))
    assert [found.batch for found in first] == [1, 64], "nine images, repeated"
    dense = {"eager", "torch.compile"} | ({"ONNX Runtime"} if onnx_is_there() else set())
    missing = {"torch.compile"} if said else set()  # where there is no compiler
    assert all(set(found.dense) == dense - missing for found in first)
    assert all({"compacted", "compacted, selecting"} <= set(found.sparse) for found in first)
    assert all(found.difference < 1e-5 for found in first)
    assert first[0].compacted.macs < first[0].size.macs
    assert first[0].size.memory_bytes < first[1].size.memory_bytes
    other = sparse(create("lenet_300_100", (1, 8, 8), 10), 0.5)
    assert next(bench.measure(other.state_dict())).compacted.macs > first[0].compacted.macs
