"""What a network of sparsebench's own does not take: pretrained weights, and unknown arguments."""

from typing import Any

from ...errors import SparsebenchError

# Arguments that timm and sparsebench pass to every model; one that does not need them ignores them.
_OFFERED = {"pretrained_cfg", "pretrained_cfg_overlay", "cache_dir", "img_size"}


def refuse(name: str, pretrained: bool, rest: dict[str, Any]) -> None:
    """Refuses what a network cannot have.

    Args:
        name: The model's name.
        pretrained: Whether pretrained weights are asked for; sparsebench's own networks have none.
        rest: The arguments that the model does not know.

    Raises:
        SparsebenchError: Pretrained weights, or an argument that is not one of those passed to every model.

    Example:
        >>> refuse("lenet5", False, {"widht": 2})
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: model 'lenet5' takes no argument 'widht'
    """
    if pretrained:
        raise SparsebenchError(f"model {name!r} has no pretrained weights")
    for argument in rest:
        if argument not in _OFFERED:
            raise SparsebenchError(f"model {name!r} takes no argument {argument!r}")
