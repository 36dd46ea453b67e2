"""Any model by name, fitted to a dataset: ours, else timm's."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from ...errors import SparsebenchError
from .networks import OURS


def names(pattern: str = "") -> list[str]:
    """The models by name, ours first; `pattern` may hold wildcards, as in `*vit*tiny*`."""
    from fnmatch import fnmatch

    from .timm_registry import names

    return [name for name in names() if not pattern or fnmatch(name, pattern)]


def create(name: str, shape: tuple[int, int, int], classes: int, **args: Any) -> nn.Module:
    """A model by its timm name for images `(C, H, W)` and so many classes, tried on one batch.

    `args` go to the model (`pretrained`, `patch_size`, …). Errors: unknown name (near matches), an argument
    that the model does not take, an image that it cannot digest, weights that cannot be fetched.
    """
    model, _ = _build(name, shape, classes, args)
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")
            logits = model.eval()(torch.zeros(2, *shape))
    except Exception as error:
        raise SparsebenchError(
            f"model {name!r} cannot take images of {_size(shape)}: {_first_line(error)}"
        ) from error
    if logits.shape != (2, classes):
        raise SparsebenchError(
            f"model {name!r} gives {tuple(logits.shape)} for two images, not (2, {classes})"
        )
    return model.train()


def rebuild(
    name: str, shape: tuple[int, int, int], classes: int, args: Mapping[str, Any]
) -> tuple[nn.Module, dict[str, Any]]:
    """The same network with fresh weights, nothing fetched; and the arguments that make it."""
    return _build(name, shape, classes, {key: value for key, value in args.items() if key != "pretrained"})


def _maker(name: str) -> Callable[..., nn.Module]:
    """What builds the model of that name. timm takes seconds to import, so it is asked for its own alone."""
    if name in OURS:
        return OURS[name]
    from .timm_registry import maker

    return maker(name)


def _build(
    name: str, shape: tuple[int, int, int], classes: int, args: Mapping[str, Any]
) -> tuple[nn.Module, dict[str, Any]]:
    """Models whose weights depend on the image's size take `img_size`; the others refuse the word."""
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
                f"model {name!r} does not take these arguments: {_first_line(error)}"
            ) from error
        except Exception as error:
            doing = (
                "fetch the pretrained weights of"
                if args.get("pretrained")
                else f"build for {_size(shape)} images"
            )
            raise SparsebenchError(f"cannot {doing} {name!r}: {_first_line(error)}") from error
    raise AssertionError("the last attempt returns or raises")


def _size(shape: tuple[int, int, int]) -> str:
    return "×".join(map(str, shape))


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
