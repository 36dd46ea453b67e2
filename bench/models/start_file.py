"""The file that a model's weights start from: where it lies, and the digest of its content."""

from collections.abc import Mapping
from functools import lru_cache
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from ...errors import SparsebenchError
from ...start_file import start_paths, with_start_paths


def located_start(model_args: Mapping[str, Any], base: str | Path | None = None) -> dict[str, Any]:
    """Returns a model's arguments with the absolute paths of its start files.

    Args:
        model_args: Arguments of the model's constructor.
        base: The folder in which relative paths are looked for; None for the working directory.

    Returns:
        The arguments; as they are where the weights start from no file.

    Example:
        >>> located_start({"checkpoint_path": "my.pth"}, "/data")
        {'checkpoint_path': '/data/my.pth'}
    """
    return with_start_paths(model_args, lambda path: str(_place(path, base)))


def start_digest(model_args: Mapping[str, Any], base: str | Path | None = None) -> str | None:
    """Returns the digest of the files that a model's weights start from.

    Args:
        model_args: Arguments of the model's constructor.
        base: The folder in which relative paths are looked for; None for the working directory.

    Returns:
        The SHA-256 in hex of the content, whatever the path; None where the weights start from no file.

    Raises:
        SparsebenchError: A file is missing or cannot be read.

    Example:
        >>> _ = Path("my.pth").write_bytes(b"weights")
        >>> start_digest({"checkpoint_path": "my.pth"}) == sha256(b"weights").hexdigest()
        True
        >>> start_digest({"checkpoint_path": "your.pth"})
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: the model's argument checkpoint_path: '/.../your.pth' cannot be
        read (No such file or directory)
    """
    found = []
    for name, path in start_paths(model_args).items():
        place = _place(path, base)
        try:
            facts = place.stat()
            found.append(_digest(place, facts.st_size, facts.st_mtime_ns, facts.st_ino))
        except OSError as error:
            raise SparsebenchError(
                f"the model's argument {name}: {str(place)!r} cannot be read ({error.strerror})"
            ) from None
    return found[0] if len(found) == 1 else sha256("".join(found).encode()).hexdigest() if found else None


def _place(path: str, base: str | Path | None) -> Path:
    return (Path.cwd() if base is None else Path(base)) / Path(path).expanduser()


@lru_cache(maxsize=64)
def _digest(path: Path, size: int, modified: int, inode: int) -> str:
    """Returns the SHA-256 of a file, which is read once in a process while it stays the same."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
