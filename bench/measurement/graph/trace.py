"""A model's forward pass as a graph of ATen operators without side effects, for any number of images."""

import operator
import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.fx import Graph, GraphModule, Node

from ....errors import SparsebenchError
from ....reasons import reason, root_cause
from ..eval_mode import eval_mode

IMAGES = 3
"""Images in the pass that is recorded: a number that no other dimension is likely to have."""

aten = torch.ops.aten

CONVOLUTIONS = {aten.conv1d.default, aten.conv2d.default, aten.conv3d.default}
CONVOLUTIONS |= {aten.conv1d.padding, aten.conv2d.padding, aten.conv3d.padding}
"""Operators that multiply by a kernel."""
_DROPOUT = {
    getattr(aten, f"{kind}dropout{inplace}").default
    for kind in ("", "feature_", "alpha_", "feature_alpha_")
    for inplace in ("", "_")
}
_UNTAGGED = {aten.hardswish.default, aten.to.dtype, aten._to_copy.default, aten.contiguous.default}


def export_program(model: nn.Module, shape: tuple[int, ...]) -> ExportedProgram:
    """Returns the forward pass of a model in eval mode as a program of torch.export for any number of images.

    Args:
        model: The model, on the CPU; it is the same afterwards.
        shape: (C, H, W) of an image.

    Returns:
        The program, whose one input is a batch of images.

    Raises:
        SparsebenchError: torch.export cannot record the pass, as where its course depends on values.

    Example:
        >>> program = export_program(model, (1, 8, 8))
        >>> program.module()(torch.zeros(5, 1, 8, 8)).shape
        torch.Size([5, 10])
    """
    images = torch.zeros(IMAGES, *shape)
    try:
        with eval_mode(model), torch.no_grad():
            return torch.export.export(model, (images,), dynamic_shapes=({0: Dim("count")},), strict=False)
    except Exception as error:
        raise SparsebenchError(
            f"torch.export cannot record the forward pass of the model: {reason(root_cause(error))}"
        ) from error


def traced(model: nn.Module, shape: tuple[int, ...]) -> GraphModule:
    """Returns the forward pass of a model as a graph in which no operator writes to its operands.

    Args:
        model: The model, on the CPU; it is the same afterwards, and the graph shares its parameters.
        shape: (C, H, W) of an image.

    Returns:
        A module that computes the same. Its nodes are the images, parameters and buffers by name, ATen
        operators, and the logits.

    Raises:
        SparsebenchError: As `export_program`.

    Example:
        >>> graph = traced(nn.Sequential(nn.Linear(4, 2), nn.Dropout(), nn.ReLU(inplace=True)), (4,)).graph
        >>> [str(node.target) for node in graph.nodes if node.op == "call_function"]
        ['aten.linear.default', 'aten.relu.default']
    """
    program = export_program(model, shape)
    module: Any = program.module(check_guards=False)
    _remove_dropout(module.graph)
    if not _without_writes(module.graph):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch 2.11 copies what it deprecates itself
            module = program.run_decompositions({}).module(check_guards=False)
        _remove_dropout(module.graph)
        _plain_batch_norms(module.graph)
    module.graph.eliminate_dead_code()
    graph = Graph()
    (logits,) = graph.graph_copy(module.graph, {})  # type: ignore[misc]
    graph.output(logits)
    return as_module(module, graph)


def is_pointwise(target: object) -> bool:
    """Returns whether an operator computes each element from the elements at its place alone.

    Args:
        target: The target of a node.

    Returns:
        True for activations, sums, products with broadcasting and the like.

    Example:
        >>> is_pointwise(aten.add.Tensor), is_pointwise(aten.mm.default)
        (True, False)
    """
    return target in _UNTAGGED or torch.Tag.pointwise in getattr(target, "tags", ())


def as_module(root: nn.Module, graph: Graph, replaced: dict[str, Tensor] | None = None) -> GraphModule:
    """Returns a plain module of a graph, with the tensors that the graph reads.

    Args:
        root: The module that has them, by the names in the graph.
        graph: The graph.
        replaced: Tensors to take in place of those of `root`, by name.

    Returns:
        A module in eval mode; other than that of torch.export it can be put into either mode.

    Example:
        >>> made = traced(nn.Linear(4, 2), (4,))
        >>> as_module(made, made.graph, {"bias": torch.ones(2)}).get_buffer("bias")
        tensor([1., 1.])
    """
    tensors = dict(replaced or {})
    for name in {str(node.target) for node in graph.nodes if node.op == "get_attr"} - set(tensors):
        tensors[name] = _read(root, name)
    return GraphModule(tensors, graph).eval()


def _read(root: nn.Module, name: str) -> Tensor:
    """Returns the parameter, buffer or constant of a dotted name."""
    owner, _, last = name.rpartition(".")
    found = getattr(root.get_submodule(owner), last)
    assert isinstance(found, Tensor)
    return found


def _remove_dropout(graph: Graph) -> None:
    for node in list(graph.nodes):
        if node.target in _DROPOUT and not node.args[2]:
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)


def _without_writes(graph: Graph) -> bool:
    """Replaces operators that write to their first operand by those that do not; returns whether all are.

    `relu_(x)` becomes `relu(x)`, and what reads x afterwards reads the result. That is the same where no view
    of x is read afterwards; where it may not be, torch has to find the equivalent.
    """
    nodes = list(graph.nodes)
    place = {node: i for i, node in enumerate(nodes)}
    for node in nodes:
        if node.op != "call_function" or not getattr(
            getattr(node.target, "_schema", None), "is_mutable", False
        ):
            continue
        target, pure = node.args[0], _pure(node)
        views = any(_is_view(user) and place[user] < place[node] for user in target.users)
        if pure is None or target.op != "call_function" or _is_view(target) or views:
            return False
        node.target = pure
        later = [user for user in target.users if place[user] > place[node]]
        for user in later:
            user.replace_input_with(target, node)
    return True


def _is_view(node: Node) -> bool:
    """Returns whether a node may share memory with its operand: by its operator's schema, or in part."""
    if node.target is operator.getitem:
        return _is_view(node.args[0])  # type: ignore[arg-type]
    returns = getattr(getattr(node.target, "_schema", None), "returns", ())
    return any(given.alias_info is not None and not given.alias_info.is_write for given in returns)


def _pure(node: Node) -> object | None:
    """Returns the operator that computes what one that writes to its operand does, without writing."""
    name, _, overload = str(node.target).removeprefix("aten.").partition(".")
    found = getattr(getattr(aten, name.removesuffix("_"), None), overload, None)
    return found if is_pointwise(found) else None


def _plain_batch_norms(graph: Graph) -> None:
    """Replaces the batch norms of a functional graph, which return three tensors, by those of one."""
    for node in list(graph.nodes):
        if node.target is not aten._native_batch_norm_legit_no_training.default:
            continue
        with graph.inserting_after(node):
            args = (*node.args[:5], False, *node.args[5:7], False)
            plain = graph.call_function(aten.batch_norm.default, args)
        plain.meta["val"] = node.meta["val"][0]
        for user in list(node.users):
            user.replace_all_uses_with(plain)
            graph.erase_node(user)
        graph.erase_node(node)
