"""The operators that multiply and accumulate: how much each does, and which of its operands may be a weight.

Counted by operator rather than by module: a layer that is used through `F.linear`, a weight that two layers
share and the two products of attention have no module of their own whose call could be watched.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

aten = torch.ops.aten


class Contraction(NamedTuple):
    """The multiply-accumulates of one operator's call with one of its operands.

    Attributes:
        macs: How many there are.
        operands: The operands that may be a weight, the likeliest first; none for an operator whose operands
            are activations by definition.
        is_layer: Whether the operator is a layer's and takes the first operand as its weight; in a general
            matrix product neither operand is.

    Example:
        >>> x, w = torch.zeros(5, 4), torch.zeros(3, 4)
        >>> (found,) = CONTRACTIONS[aten.linear.default]((x, w), x @ w.T)
        >>> found.macs, found.operands[0] is w, found.is_layer
        (60, True, True)
    """

    macs: int
    operands: tuple[Tensor, ...]
    is_layer: bool


Count = Callable[[Sequence[Any], Any], list[Contraction]]


def _linear(args: Sequence[Any], out: Tensor) -> list[Contraction]:
    weight = args[1]
    return [Contraction(out.numel() * weight.shape[-1], (weight,), True)]


def _convolution(args: Sequence[Any], out: Tensor) -> list[Contraction]:
    """A kernel's slice of one channel meets each output, or of a transposed convolution each input."""
    image, weight, transposed = args[0], args[1], args[6]
    return [Contraction((image if transposed else out).numel() * weight[0].numel(), (weight,), True)]


def _recurrent(rows: int, params: Sequence[Tensor]) -> list[Contraction]:
    """Each matrix meets each step of each sequence once, in both directions and in every layer."""
    return [Contraction(rows * weight.numel(), (weight,), True) for weight in params if weight.ndim > 1]


def _padded_sequences(args: Sequence[Any], out: Any) -> list[Contraction]:
    return _recurrent(args[0].numel() // args[0].shape[-1], args[2])


def _packed_sequences(args: Sequence[Any], out: Any) -> list[Contraction]:
    return _recurrent(args[0].shape[0], args[3])


def _bilinear(args: Sequence[Any], out: Tensor) -> list[Contraction]:
    first, weight = args[0], args[2]
    return [Contraction(first.numel() // first.shape[-1] * weight.numel(), (weight,), True)]


def _product_of(first: int) -> Count:
    """Counts a matrix product whose factors are the arguments `first` and the next."""

    def count(args: Sequence[Any], out: Tensor) -> list[Contraction]:
        left, right = args[first], args[first + 1]
        columns = right.shape[-1] if right.ndim > left.ndim - 1 and right.ndim > 1 else 1
        return [Contraction(left.numel() * columns, (right, left), False)]

    return count


def _attention(args: Sequence[Any], out: Any) -> list[Contraction]:
    """Queries with keys, then their softmax with values."""
    query, key, value = args[:3]
    pairs = query.numel() // query.shape[-1] * key.shape[-2]
    return [Contraction(pairs * (query.shape[-1] + value.shape[-1]), (), False)]


CONTRACTIONS: dict[Any, Count] = {
    aten.linear.default: _linear,
    aten.convolution.default: _convolution,
    aten.bilinear.default: _bilinear,
    aten.mm.default: _product_of(0),
    aten.bmm.default: _product_of(0),
    aten.mv.default: _product_of(0),
    aten.dot.default: _product_of(0),
    aten.vdot.default: _product_of(0),
    aten.addmm.default: _product_of(1),
    aten.addbmm.default: _product_of(1),
    aten.baddbmm.default: _product_of(1),
    aten.addmv.default: _product_of(1),
    aten.scaled_dot_product_attention.default: _attention,
    aten._scaled_dot_product_flash_attention.default: _attention,
    aten._scaled_dot_product_flash_attention_for_cpu.default: _attention,
    aten._scaled_dot_product_efficient_attention.default: _attention,
    aten._scaled_dot_product_cudnn_attention.default: _attention,
    **{getattr(aten, kind).input: _padded_sequences for kind in ("lstm", "gru", "rnn_tanh", "rnn_relu")},
    **{getattr(aten, kind).data: _packed_sequences for kind in ("lstm", "gru", "rnn_tanh", "rnn_relu")},
}
"""By operator: from its arguments and its result, its contractions."""
