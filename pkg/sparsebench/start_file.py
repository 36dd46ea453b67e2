"""The arguments of a model that name a file from which its weights start. No torch.

What the start is says the file's content, whose digest a record has; the path is where it lay.
"""

from collections.abc import Callable, Mapping
from typing import Any

# timm's arguments; a file in a pretrained configuration counts where pretrained weights are asked for.
CHECKPOINT = "checkpoint_path"
CONFIGURATIONS = ("pretrained_cfg_overlay", "pretrained_cfg")


def start_paths(model_args: Mapping[str, Any]) -> dict[str, str]:
    """Returns the paths of files that a model's weights start from.

    Args:
        model_args: Arguments of the model's constructor.

    Returns:
        The paths as they were typed, by argument; empty where the weights start from no file.

    Example:
        >>> start_paths({"checkpoint_path": "my.safetensors", "drop_rate": 0.1})
        {'checkpoint_path': 'my.safetensors'}
        >>> start_paths({"pretrained": True, "pretrained_cfg_overlay": {"file": "my.pth"}})
        {'pretrained_cfg_overlay.file': 'my.pth'}
    """
    found = {CHECKPOINT: model_args.get(CHECKPOINT)}
    for name in CONFIGURATIONS if model_args.get("pretrained") else ():
        inner = model_args.get(name)
        found[f"{name}.file"] = inner.get("file") if isinstance(inner, Mapping) else None
    return {name: path for name, path in found.items() if isinstance(path, str) and path}


def with_start_paths(model_args: Mapping[str, Any], change: Callable[[str], Any]) -> dict[str, Any]:
    """Returns a model's arguments with other paths of its start files.

    Args:
        model_args: Arguments of the model's constructor.
        change: Returns the value that takes a path's place.

    Returns:
        A copy; the same arguments where the weights start from no file.

    Example:
        >>> with_start_paths({"checkpoint_path": "my.pth", "drop_rate": 0.1}, lambda path: f"/data/{path}")
        {'checkpoint_path': '/data/my.pth', 'drop_rate': 0.1}
    """
    changed = dict(model_args)
    for name, path in start_paths(model_args).items():
        outer, _, inner = name.partition(".")
        changed[outer] = {**changed[outer], inner: change(path)} if inner else change(path)
    return changed
