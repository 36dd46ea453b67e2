"""Operators without a second derivative, which PyTorch leaves out of one without a word."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor
from torch.autograd.graph import Node

from ..errors import SparsebenchError

REFUSING = {"Error", "DelayedError", "NotImplemented"}
"""Nodes that raise when a derivative passes them; it passes only those that lead to what it is taken of."""


@contextmanager
def twice_differentiable(value: Tensor) -> Iterator[None]:
    """Checks, while a value's gradient is taken with a graph, that this graph lacks none of its operators.

    A gradient that depends on the weights goes into each operator's derivative. What comes out must depend on
    them too, unless it is 0. An operator that computes it outside the graph (`once_differentiable`,
    `no_grad`) or has no second derivative would be taken for one whose derivative is constant, which an
    operator that detaches what it has saved declares itself to be.

    Args:
        value: The value, such as a loss, whose gradient is taken within, with `create_graph=True`.

    Yields:
        Nothing.

    Raises:
        SparsebenchError: An operator has no second derivative; the sentence names all of them.

    Example:
        >>> import torch
        >>> weight = torch.randn(4, requires_grad=True)
        >>> loss = torch.nn.functional.hardsigmoid(weight).square().sum()
        >>> with twice_differentiable(loss):
        ...     _ = torch.autograd.grad(loss, weight, create_graph=True)
        Traceback (most recent call last):
            ...
        sparsebench.errors.SparsebenchError: Hardsigmoid has no second derivative, ...
    """
    lost: set[str] = set()

    def hook(node: Node) -> object:
        def look(came_out: tuple[Tensor | None, ...], went_in: tuple[Tensor | None, ...]) -> None:
            if any(one is not None and one.requires_grad for one in went_in) and any(map(_lost, came_out)):
                lost.add(re.sub(r"Backward\d*$", "", node.name()))

        return node.register_hook(look)

    handles = [hook(node) for node in _nodes(value) if node.name() != "torch::autograd::AccumulateGrad"]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()  # type: ignore[attr-defined]
    if lost:
        raise _refusal(lost)


@contextmanager
def implemented() -> Iterator[None]:
    """Names the operator whose second derivative PyTorch does not have, where the second one is taken.

    Yields:
        Nothing.

    Raises:
        SparsebenchError: An operator has no second derivative.

    Example:
        >>> with implemented():
        ...     raise NotImplementedError("the derivative for '_cdist_backward' is not implemented.")
        Traceback (most recent call last):
            ...
        sparsebench.errors.SparsebenchError: Cdist has no second derivative, ...
    """
    try:
        yield
    except NotImplementedError as error:
        found = re.search(r"derivative for '_?(\w+?)(_backward)?'", str(error))
        if found is None:
            raise
        raise _refusal({found[1].title().replace("_", "")}) from error


def _refusal(operators: set[str]) -> SparsebenchError:
    verb = "has" if len(operators) == 1 else "have"
    return SparsebenchError(
        f"{', '.join(sorted(operators))} {verb} no second derivative, which the score needs of every "
        "operator: use a model without, or another method"
    )


def _lost(gradient: Tensor | None) -> bool:
    """Returns whether an operator has given a gradient that cannot be differentiated."""
    if gradient is None:
        return False
    if gradient.grad_fn is None:
        return not gradient.requires_grad and bool(gradient.any())
    return gradient.grad_fn.name().rpartition("::")[2] in REFUSING


def _nodes(value: Tensor) -> set[Node]:
    """Returns the nodes of a value's graph, one for each operator."""
    found: set[Node] = set()
    waiting = [value.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in found:
            found.add(node)
            waiting += [following for following, _ in node.next_functions]
    return found
