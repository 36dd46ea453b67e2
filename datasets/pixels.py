"""A file of decoded pixels, so that a dataset of many small images is decoded once."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from ..files import replacing


def load(file: Path) -> tuple[dict[str, Tensor], str] | None:
    """Returns the tensors and the digest that `store` wrote.

    Args:
        file: The safetensors file.

    Returns:
        The tensors by name, and the digest of what they were decoded from; None where the file is absent,
        damaged or not written by `store`.

    Example:
        >>> _ = Path("damaged.safetensors").write_bytes(b"half of a header")
        >>> print(load(Path("damaged.safetensors")))
        None
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as kept:
            return {name: kept.get_tensor(name) for name in kept.keys()}, kept.metadata()["content"]  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, TypeError):
        return None


def store(file: Path, tensors: Mapping[str, Tensor], content: str) -> None:
    """Writes decoded pixels to a file, whole or not at all; errors (permissions, a full disk) are ignored.

    Args:
        file: The safetensors file to write or replace; its folder is created where it is missing.
        tensors: The pixels and labels by name.
        content: The digest of what they were decoded from, which `load` returns.

    Example:
        >>> import torch
        >>> store(Path("cache/pixels.safetensors"), {"labels": torch.tensor([3, 1])}, "digest of the files")
        >>> load(Path("cache/pixels.safetensors"))
        ({'labels': tensor([3, 1])}, 'digest of the files')
    """
    from safetensors.torch import save_file

    with contextlib.suppress(Exception), replacing(file) as unfinished:  # safetensors has errors of its own
        save_file(dict(tensors), unfinished, metadata={"content": content})
