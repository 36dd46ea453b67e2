"""What a model must give: one tensor of logits. Anything else is said in words, where it first comes up."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass

from torch import Tensor

from ...errors import NotTrainable


def checked_logits(output: object, images: int, classes: int) -> Tensor:
    """Returns the logits that a model gave; it costs no more than a look at their shape.

    A model of several outputs is refused, also where it has them in training alone, as one with auxiliary
    heads: its loss and its weights would differ from those that are measured and exported.

    Args:
        output: What the model returned.
        images: The number of images that it was given.
        classes: The number of logits of an image.

    Returns:
        The output, a floating-point tensor `(images, classes)`.

    Raises:
        NotTrainable: It is anything else; the message says what, and what to do.

    Example:
        >>> import torch
        >>> checked_logits(torch.zeros(2, 10), images=2, classes=10).shape
        torch.Size([2, 10])
        >>> checked_logits((torch.zeros(2, 10), torch.zeros(2, 10)), images=2, classes=10)
        Traceback (most recent call last):
        sparsebench.errors.NotTrainable: it gives a tuple of 2, not one tensor of logits (2, 10): ...
    """
    if isinstance(output, Tensor) and output.shape == (images, classes) and output.is_floating_point():
        return output
    wanted = f"one tensor of logits ({images}, {classes})"
    if not isinstance(output, Tensor):
        raise NotTrainable(
            f"it gives {_described(output)}, not {wanted}: let it return the logits alone, "
            "with auxiliary heads (aux_logits) turned off"
        )
    found = f"{str(output.dtype).removeprefix('torch.')} of the shape {tuple(output.shape)}"
    raise NotTrainable(
        f"it gives {found}, not {wanted}: let its last layer have num_classes = {classes} outputs"
    )


def _described(output: object) -> str:
    """Returns what an output is that is no tensor."""
    if isinstance(output, Mapping):
        return f"a {type(output).__name__} of {', '.join(map(repr, list(output)[:4]))}"
    if is_dataclass(output):
        return f"{type(output).__name__} of {', '.join(field.name for field in fields(output)[:4])}"
    if isinstance(output, tuple | list):
        return f"a {type(output).__name__} of {len(output)}"
    return "nothing" if output is None else f"a {type(output).__name__}"
