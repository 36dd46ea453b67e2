"""Linear layers as sparse matrices in CSR form, with activations that are kept feature-major between them.

    dense   y = x Wᵀ + b      x (N, in), rows are images
    CSR     yᵀ = W_csr xᵀ + b  a row of xᵀ is a feature: each nonzero weight reads N neighbouring numbers

A transposed result is a view. Activations keep its layout, and the next layer transposes it back for nothing.
"""

import warnings

import torch
from torch import Tensor

from .kernels import Kernel

DENSEST = 0.5
"""Share of nonzero weights above which a sparse matrix is not tried."""


def to_csr(weight: Tensor) -> Tensor:
    """Returns a matrix in CSR form, without torch's warning that this is in beta.

    Args:
        weight: The matrix.

    Returns:
        The same numbers, the nonzero ones stored.

    Example:
        >>> to_csr(torch.tensor([[0.0, 2.0], [0.0, 0.0]])).values()
        tensor([2.])
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse (CSR|invariant)")
        return weight.detach().to_sparse_csr()


def csr_linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Returns x Wᵀ + b for a sparse W.

    Args:
        x: Features in the last dimension.
        weight: W (out, in) in CSR form.
        bias: b (out); None for zero.

    Returns:
        The same as a dense layer; its memory is feature-major.

    Example:
        >>> weight = torch.tensor([[0.0, 2.0], [0.0, 0.0]])
        >>> csr_linear(torch.ones(1, 2), to_csr(weight), torch.ones(2))
        tensor([[3., 1.]])
    """
    columns = x.reshape(-1, x.shape[-1]).T
    out = weight @ columns if bias is None else torch.addmm(bias.unsqueeze(1), weight, columns)
    return out.T.reshape(*x.shape[:-1], -1)


def _is_sparse(weight: Tensor) -> bool:
    return int(weight.count_nonzero()) <= DENSEST * weight.numel()


CSR = Kernel("csr", _is_sparse, to_csr, csr_linear)
