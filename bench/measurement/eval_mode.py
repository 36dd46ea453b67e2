"""Eval mode for a while: what a measurement does to a model's mode is undone."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Puts a model into eval mode for a while; each of its modules then has the mode that it had.

    Args:
        model: The model.

    Yields:
        Nothing.

    Example:
        >>> net = nn.Sequential(nn.Dropout(), nn.Linear(2, 2).eval())
        >>> with eval_mode(net):
        ...     [module.training for module in net]
        [False, False]
        >>> [module.training for module in net]
        [True, False]
    """
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
