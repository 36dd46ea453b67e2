"""timm's models, with sparsebench's own registered among them.

Importing this module makes `timm.create_model` build them too.
"""

from collections.abc import Callable
from functools import partial

import timm
from torch import nn

from ...errors import SparsebenchError, suggest
from .networks import OURS

for _maker in OURS.values():
    timm.models.register_model(_maker)


def registered_models() -> list[str]:
    """Returns the names of all registered models, sparsebench's own first.

    Returns:
        Names that `timm.create_model` takes.

    Example:
        >>> registered_models()[:3]
        ['lenet_300_100', 'lenet5', 'conv3_bn']
    """
    return [*OURS, *(name for name in timm.list_models() if name not in OURS)]


def home(name: str) -> str:
    """Returns the module that defines a registered model.

    Args:
        name: A name of `registered_models`.

    Returns:
        The module's dotted name; it begins with `timm.` for timm's own, and is a plugin's where one
        registered the model.

    Example:
        >>> home("resnet18"), home("lenet5")
        ('timm.models.resnet', 'sparsebench.bench.models.networks')
    """
    return str(registered(name).__module__)


def registered(name: str) -> Callable[..., nn.Module]:
    """Returns the function that a registered model is built by.

    Args:
        name: A name of `registered_models`.

    Returns:
        The function, as its module defines it.

    Example:
        >>> registered("resnet18").__name__
        'resnet18'
    """
    found: Callable[..., nn.Module] = timm.models.model_entrypoint(name)
    return found


def maker(name: str) -> Callable[..., nn.Module]:
    """Returns the function that builds a registered model.

    Args:
        name: A name of `registered_models`.

    Returns:
        `timm.create_model` with the name bound; it takes the model's keyword arguments.

    Raises:
        SparsebenchError: No model has that name; the message lists near matches.

    Example:
        >>> build = maker("lenet_300_100")
        >>> build(in_chans=1, img_size=8, num_classes=5)[5]
        Linear(in_features=100, out_features=5, bias=True)
    """
    if not timm.is_model(name):
        raise SparsebenchError(f"unknown model {name!r}: {suggest(name, timm.list_models())}")
    return partial(timm.create_model, name)
