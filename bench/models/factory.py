"""Models by name, fitted to a dataset's images and classes: sparsebench's own, else timm's."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from ...errors import NotTrainable, SparsebenchError
from ...reasons import reason
from ...start_file import CHECKPOINT, CONFIGURATIONS
from .logits import checked_logits
from .networks import OURS

STARTS = ("pretrained", "pretrained_strict", "cache_dir", CHECKPOINT, *CONFIGURATIONS)
"""The arguments that decide where weights come from: what a finished model's file replaces."""


def model_names(pattern: str = "") -> list[str]:
    """Returns the names of the models that `create` builds, sparsebench's own first.

    Args:
        pattern: A name with shell wildcards, as in `*vit*tiny*`; all names where it is empty.

    Returns:
        The matching names; empty where none matches.

    Example:
        >>> model_names("lenet*")
        ['lenet_300_100', 'lenet5']
    """
    from fnmatch import fnmatch

    from .timm_registry import registered_models

    return [name for name in registered_models() if not pattern or fnmatch(name, pattern)]


def create(name: str, shape: tuple[int, int, int], classes: int, **args: Any) -> nn.Module:
    """Returns a new model for a dataset's images and classes, in train mode, checked on one batch of zeros.

    Args:
        name: A name of `model_names`, which are timm's.
        shape: (C, H, W) of an image; becomes the arguments `in_chans` and, where the model takes it,
            `img_size`.
        classes: The number of logits.
        **args: Further arguments of the model, such as `pretrained` or `patch_size`.

    Returns:
        The model on the CPU; its weights depend on torch's global seed unless they are pretrained.

    Raises:
        SparsebenchError: An unknown name (with near matches), an argument that the model does not take,
            images that it cannot process, a wrong number of logits, or weights that cannot be downloaded.

    Example:
        >>> lenet = create("lenet_300_100", shape=(3, 8, 8), classes=5)
        >>> lenet[1], lenet[5]
        (Linear(in_features=192, out_features=300, bias=True),
         Linear(in_features=100, out_features=5, bias=True))
    """
    model, _ = _build(name, shape, classes, args)
    try:
        # Not in inference mode: the parameters of lazy layers, made here, could not be trained.
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            output = model.eval()(torch.zeros(2, *shape))
    except Exception as error:
        raise SparsebenchError(
            f"model {name!r} cannot take images of {_size(shape)}: {reason(error)}"
        ) from error
    try:
        checked_logits(output, 2, classes)
    except NotTrainable as error:
        raise NotTrainable(f"model {name!r}: {error}") from None
    return model.train()


def rebuild(
    name: str, shape: tuple[int, int, int], classes: int, args: Mapping[str, Any]
) -> tuple[nn.Module, dict[str, Any]]:
    """Returns a network as `create` builds it, with new weights, and the arguments that build it.

    Nothing is downloaded and no batch is tried: the caller loads the weights of a file.

    Args:
        name: A name of `model_names`.
        shape: (C, H, W) of an image.
        classes: The number of logits.
        args: The arguments that `create` had; those that name a start of the weights are left out.

    Returns:
        The model, and every keyword argument that it was built with.

    Raises:
        SparsebenchError: As `create`, before the batch.

    Example:
        >>> network, arguments = rebuild("lenet5", (1, 28, 28), 10, {"pretrained": False})
        >>> arguments
        {'num_classes': 10, 'in_chans': 1, 'img_size': 28}
    """
    return _build(name, shape, classes, {key: value for key, value in args.items() if key not in STARTS})


def has_model(name: str) -> bool:
    """Returns whether this process can build a model of this name.

    Args:
        name: A name, of sparsebench's own models or timm's.

    Returns:
        True where it is registered.

    Example:
        >>> has_model("lenet5"), has_model("lenet6")
        (True, False)
    """
    if name in OURS:
        return True
    from .timm_registry import registered_models

    return name in registered_models()


def maker_of(name: str) -> Callable[..., nn.Module]:
    """Returns the function that was registered under a model's name.

    Args:
        name: A name of `model_names`.

    Returns:
        The function; its `__module__` tells where it is defined.

    Raises:
        SparsebenchError: No model has that name.

    Example:
        >>> maker_of("lenet5").__name__
        'lenet5'
    """
    if name in OURS:
        return OURS[name]
    from .timm_registry import maker, registered

    maker(name)
    return registered(name)


def _maker(name: str) -> Callable[..., nn.Module]:
    """Returns the function that builds a model; timm, slow to import, is imported for its own models only."""
    if name in OURS:
        return OURS[name]
    from .timm_registry import maker

    return maker(name)


def _build(
    name: str, shape: tuple[int, int, int], classes: int, args: Mapping[str, Any]
) -> tuple[nn.Module, dict[str, Any]]:
    """Builds a model, with `img_size` where it takes that argument, and returns it with its arguments.

    Models whose weights depend on the image's size take `img_size`; the others refuse it and are built
    without.
    """
    make, args = _maker(name), {"num_classes": classes, "in_chans": shape[0], **args}
    size = shape[1] if shape[1] == shape[2] else shape[1:]
    attempts = [args] if "img_size" in args else [{**args, "img_size": size}, args]
    for index, attempt in enumerate(attempts):
        try:
            return make(**attempt), attempt
        except SparsebenchError:
            raise
        except TypeError as error:
            if index + 1 < len(attempts) and "img_size" in str(error):
                continue
            raise SparsebenchError(
                f"model {name!r} does not take these arguments: {reason(error)}"
            ) from error
        except Exception as error:
            doing = (
                "fetch the pretrained weights of"
                if args.get("pretrained")
                else f"build for {_size(shape)} images"
            )
            raise SparsebenchError(f"cannot {doing} {name!r}: {reason(error)}") from error
    raise AssertionError("the last attempt returns or raises")


def _size(shape: tuple[int, int, int]) -> str:
    return "×".join(map(str, shape))
