"""Decoded pixels kept in a file, so that a set of many small images is decoded once."""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor


def load(file: Path) -> tuple[dict[str, Tensor], str] | None:
    """The tensors and the digest that `store` wrote; None where the file is absent or not whole."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as kept:
            return {name: kept.get_tensor(name) for name in kept.keys()}, kept.metadata()["content"]  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, TypeError):
        return None


def store(file: Path, tensors: Mapping[str, Tensor], content: str) -> None:
    """Write at once or not at all; where that is not possible (rights, a full disk), do without."""
    from safetensors.torch import save_file

    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file(dict(tensors), unfinished, metadata={"content": content})
        unfinished.replace(file)
    except Exception:  # safetensors raises errors of its own for what the system refuses
        with contextlib.suppress(OSError):
            unfinished.unlink()
