"""Compaction of a finished model, with a check that its logits are the same, and counts of what it saves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Node

from ...errors import SparsebenchError
from ..measurement.difference import relative_difference
from ..measurement.eval_mode import eval_mode
from ..measurement.flops import macs
from ..measurement.graph.coupling_rules import couple
from ..measurement.graph.graph_tensors import shapes_of, shared_tensors
from ..measurement.graph.trace import IMAGES, traced
from .constants import constants
from .liveness import Layer, has_stored_weight, kept_atoms, layer_facts
from .rewrite import rewritten
from .selection import part_of
from .sequential import as_sequential

TOLERANCE = 1e-5
"""The largest difference of logits that is accepted, as a fraction of the largest logit; float32."""


@dataclass(frozen=True)
class Counts:
    """What compaction saves.

    Attributes:
        weights: Parameters of the model before, biases and norms included.
        weights_after: Those of the compacted one.
        macs: Multiply-accumulates of one image before, by operator.
        macs_after: Those of the compacted model.
        units: Outputs of all layers before: neurons and filters.
        units_after: Those of the compacted model.
        constant_units: Outputs of the compacted model that are the same for every image, and stay because
            they are part of a sum or of a norm, or because a padded convolution reads them.

    Example:
        >>> Counts(1000, 250, 4000, 500, 30, 10, 0).speedup
        8.0
    """

    weights: int
    weights_after: int
    macs: int
    macs_after: int
    units: int
    units_after: int
    constant_units: int

    @property
    def speedup(self) -> float:
        """Multiply-accumulates before / after."""
        return self.macs / max(1, self.macs_after)


@dataclass(frozen=True)
class Compacted:
    """A compacted model.

    Attributes:
        module: The model in eval mode: a `nn.Sequential` of torch's layers where it is a chain of them, else
            a graph of torch's operators, whose tensors have the names that they had.
        counts: What was saved.
        difference: The largest difference of the logits, as a fraction of the largest logit.

    Example:
        >>> images, _ = next(iter(data.valid.batches(8, torch.device("cpu"))))
        >>> compact(model, images).difference <= TOLERANCE
        True
    """

    module: nn.Module
    counts: Counts
    difference: float


def compact(model: nn.Module, images: Tensor, *, select: bool = False) -> Compacted:
    """Returns a smaller dense model that computes the same as a finished one with zeros among its weights.

    Removed is every unit (neuron, filter, channel, attention head) that no nonzero weight reads, and every
    one that is the same for all images and can be added exactly to the bias behind it. Coupled units, such as
    those of a residual sum, are removed together or stay. Nothing is approximated.

    Args:
        model: The finished plain model, on the CPU, in float32; it is the same afterwards.
        images: Real images `(N, C, H, W)`, two or more, on which the logits are compared.
        select: Also let layers select the inputs that they read, such as pixels, and compute the outputs
            alone that are not constant, such as some channels of a residual sum. There is no module of
            torch.nn for that: the result is a graph, not a `nn.Sequential`.

    Returns:
        The compacted model, what it saves, and how far its logits differ.

    Raises:
        SparsebenchError: The forward pass cannot be recorded, or logits differ by more than `TOLERANCE`.

    Example:
        >>> model[1].weight.data[10:] = 0  # 10 of 300 units are left
        >>> images, _ = next(iter(data.valid.batches(8, torch.device("cpu"))))
        >>> made = compact(model, images)
        >>> [tuple(p.shape) for p in made.module.parameters() if p.ndim > 1]
        [(10, 64), (100, 10), (10, 100)]
    """
    shape = tuple(images.shape[1:])
    module = traced(model, shape)
    layers = _layers(module, shape)
    shared = shared_tensors(module)
    coupling = couple(module.graph, shapes_of(module, shape), shared, select=select)
    kept = kept_atoms(coupling, layers.values())
    whole = {node: part_of(layer, coupling, kept) for node, layer in layers.items()}
    parts = {
        node: part
        for node, part in whole.items()
        if select and not part.is_whole and node.args[1] not in shared
    }
    graph = rewritten(module, coupling, kept, layers, parts)
    smaller = as_sequential(graph) or graph
    difference = check_logits(model, smaller, images)
    computed = {node: parts[node].computed if node in parts else part.stays for node, part in whole.items()}
    counts = Counts(
        weights=sum(p.numel() for p in model.parameters()),
        weights_after=sum(p.numel() for p in smaller.parameters()),
        macs=sum(macs(model, shape).values()),
        macs_after=sum(macs(smaller, shape).values()),
        units=sum(len(layer.constant) for layer in layers.values()),
        units_after=sum(int(rows.sum()) for rows in computed.values()),
        constant_units=sum(int((layers[node].constant & rows).sum()) for node, rows in computed.items()),
    )
    return Compacted(smaller, counts, difference)


def compacted_macs(model: nn.Module, shape: Sequence[int]) -> int:
    """Returns the multiply-accumulates of a finished model for one image after compaction.

    Logits are compared on images of noise, since no data is at hand.

    Args:
        model: The finished plain model, on the CPU, in float32; it is the same afterwards.
        shape: (C, H, W) of an image.

    Returns:
        The count, with layers that select their inputs and place their outputs.

    Raises:
        SparsebenchError: As `compact`.

    Example:
        >>> model[1].weight.data[10:] = 0  # 10 of 300 units are left
        >>> compacted_macs(model, (1, 8, 8))
        2640
    """
    noise = torch.randn(IMAGES, *shape, generator=torch.Generator().manual_seed(0))
    return compact(model, noise, select=True).counts.macs_after


@torch.no_grad()
def check_logits(model: nn.Module, other: nn.Module, images: Tensor) -> float:
    """Returns how far the logits of two models differ, for one image alone and for all together.

    Args:
        model: The model whose logits are right.
        other: Another one.
        images: Images `(N, C, H, W)`.

    Returns:
        The largest difference, as a fraction of the largest logit.

    Raises:
        SparsebenchError: It is more than `TOLERANCE`, or no number.

    Example:
        >>> check_logits(nn.Identity(), nn.ReLU(), torch.tensor([[1.0, 2.0]]))
        0.0
        >>> check_logits(nn.Identity(), nn.ReLU(), torch.tensor([[-1.0, 2.0]]))
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: logits differ by 0.5 of the largest one, more than 1e-05: ...
    """
    difference = 0.0
    with eval_mode(model), eval_mode(other):
        for batch in (images[:1], images):
            difference = max(difference, relative_difference(other(batch), model(batch)))
    if difference > TOLERANCE:
        raise SparsebenchError(
            f"logits differ by {difference:.2g} of the largest one, more than {TOLERANCE:g}: "
            "the model cannot be compacted"
        )
    return difference


def _layers(module: GraphModule, shape: Sequence[int]) -> dict[Node, Layer]:
    """Returns the layers with a stored weight."""
    layers: dict[Node, Layer] = {}

    def visit(node: Node, read: Any) -> None:
        if has_stored_weight(node):
            layers[node] = layer_facts(node, *(read(each) for each in (*node.args[:2], node)))

    with torch.no_grad():
        constants(module, torch.zeros(IMAGES, *shape), visit)
    return layers
