"""Linear layers of a graph in a sparse form that a kernel multiplies by, each where that is faster."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.fx import Graph, GraphModule, Interpreter, Node

from ...errors import SparsebenchError
from ...reasons import reason
from ..measurement.graph.trace import as_module
from .timing import timings

aten = torch.ops.aten


class Kernel(NamedTuple):
    """A way to multiply by a sparse weight.

    Attributes:
        name: Its name, with which the names of its weights in a graph end.
        fits: Whether a weight `(out, in)` is tried at all.
        converted: Returns a weight in the form that the kernel reads.
        linear: x Wᵀ + b of features, a converted weight and, where the layer has one, a bias.

    Example:
        >>> from sparsebench.bench.latency.csr import CSR
        >>> CSR.name, CSR.fits(torch.eye(4)), CSR.fits(torch.ones(4, 4))
        ('csr', True, False)
    """

    name: str
    fits: Callable[[Tensor], bool]
    converted: Callable[[Tensor], Tensor]
    linear: Callable[..., Tensor]


@torch.inference_mode()
def faster_layers(module: GraphModule, images: Tensor, kernel: Kernel, seconds: float) -> list[str]:
    """Returns the linear layers of a graph that are faster with a kernel, each timed on its own input.

    Args:
        module: The graph, from `traced`.
        images: A batch, on the graph's device.
        kernel: The kernel.
        seconds: How long to time a layer.

    Returns:
        The names of their weights.

    Raises:
        SparsebenchError: The kernel does not run here, or gives other results.

    Example:
        >>> from sparsebench.bench.latency.csr import CSR
        >>> from sparsebench.bench.measurement.graph.trace import traced
        >>> faster_layers(traced(torch.nn.Linear(4, 2), (4,)), torch.zeros(2, 4), CSR, 0.0)  # dense
        []
    """
    chooser = _Chooser(module, kernel, seconds)
    try:
        chooser.run(images)
    except RuntimeError as error:
        raise SparsebenchError(f"{kernel.name}: {reason(error)}") from error
    return chooser.chosen


def with_kernel(module: GraphModule, names: list[str], kernel: Kernel) -> GraphModule:
    """Returns a graph in which a kernel computes some linear layers.

    Args:
        module: The graph, from `traced`; it is the same afterwards.
        names: The names of their weights.
        kernel: The kernel.

    Returns:
        A graph that computes the same.

    Example:
        >>> from sparsebench.bench.latency.csr import CSR
        >>> from sparsebench.bench.measurement.graph.trace import traced
        >>> made = with_kernel(traced(torch.nn.Linear(4, 2), (4,)), ["weight"], CSR)
        >>> made.weight_csr.layout, made(torch.zeros(3, 4)).shape
        (torch.sparse_csr, torch.Size([3, 2]))
    """
    graph, added = Graph(), dict[str, Tensor]()
    graph.output(graph.graph_copy(module.graph, {}))
    for node in list(graph.nodes):
        if not _is_linear(node) or (name := str(node.args[1].target)) not in names:
            continue
        sparse = f"{name.replace('.', '_')}_{kernel.name}"
        added[sparse] = kernel.converted(module.get_parameter(name))
        with graph.inserting_before(node):
            node.args = (node.args[0], graph.create_node("get_attr", sparse), *node.args[2:])
        node.target = kernel.linear
    for node in reversed(list(graph.nodes)):
        if node.op == "get_attr" and not node.users:
            graph.erase_node(node)  # its dense weight
    return as_module(module, graph, added)


class _Chooser(Interpreter):
    """A pass that times each linear layer that fits both ways, and goes on with the faster one."""

    def __init__(self, module: GraphModule, kernel: Kernel, seconds: float) -> None:
        super().__init__(module)
        self.kernel, self.seconds, self.chosen = kernel, seconds, list[str]()

    def run_node(self, n: Node) -> Any:
        if not _is_linear(n):
            return super().run_node(n)
        x, weight, *bias = self.fetch_args_kwargs_from_env(n)[0]
        if not self.kernel.fits(weight):
            return super().run_node(n)
        sparse = self.kernel.converted(weight)
        ways: dict[str, Callable[[Tensor], Tensor]] = {
            "dense": lambda given: aten.linear.default(given, weight, *bias),
            self.kernel.name: lambda given: self.kernel.linear(given, sparse, *bias),
        }
        found = timings(ways, x, seconds=self.seconds)
        faster = min(ways, key=lambda name: found[name].median)
        if faster == self.kernel.name:
            self.chosen.append(str(n.args[1].target))  # type: ignore[union-attr]
        return ways[faster](x)


def _is_linear(node: Node) -> bool:
    weight: Any = node.args[1] if node.target is aten.linear.default else None
    return weight is not None and weight.op == "get_attr"
