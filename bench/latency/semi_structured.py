"""Linear layers with at most two nonzero weights in each four neighbours, in the kernels of GPUs for 2:4.

torch has them for two-dimensional weights in half precision whose sizes are multiples of 16. A kernel keeps
two weights of each four, with two bits each that say where they were, and multiplies half as often.
"""

import warnings

import torch
from torch import Tensor

from .kernels import Kernel

GROUP, MOST = 4, 2
SIZES = 16  # the numbers of rows and columns are multiples of it


def is_two_of_four(weight: Tensor) -> bool:
    """Returns whether the kernels for 2:4 can hold a weight.

    Args:
        weight: The weight `(out, in)`.

    Returns:
        Whether both sizes are multiples of 16, and at most two of every four weights in a row are nonzero.

    Example:
        >>> half = torch.tensor([1.0, 0.0]).repeat(16, 8)
        >>> is_two_of_four(half), is_two_of_four(torch.ones(16, 16)), is_two_of_four(half[:10])
        (True, False, False)
    """
    if weight.ndim != 2 or any(size % SIZES for size in weight.shape):
        return False
    return int((weight.reshape(-1, GROUP) != 0).sum(1).max()) <= MOST


def to_semi_structured(weight: Tensor) -> Tensor:
    """Returns a weight in the form of the kernels, without torch's warning that this is a prototype.

    Args:
        weight: The weight, in half precision on a GPU.

    Returns:
        A tensor that torch's linear layers multiply by.

    Raises:
        RuntimeError: The device has no such kernel, or the weight does not fit it.

    Example:
        >>> to_semi_structured(torch.zeros(16, 16))
        Traceback (most recent call last):
        RuntimeError: Error original_tensor.device= cpu is not supported! Only CUDA tensors are ...
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        made: Tensor = torch.sparse.to_sparse_semi_structured(weight.detach().contiguous())
    return made


SEMI_STRUCTURED = Kernel("semi_structured", is_two_of_four, to_semi_structured, torch.ops.aten.linear.default)
