"""Atomic writing of files: under a file's name there is the old content or the whole new one."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from secrets import token_hex

from .errors import SparsebenchError


def write_atomic(path: Path, content: bytes | str | Iterable[str], *, private: bool = False) -> Path:
    """Writes a file atomically, in place of an old one of that name; a folder of that name is set aside.

    Args:
        path: The file; its folder is created where it is missing.
        content: The whole content, or its parts, each of which is written before the next is asked for; text
            is encoded as UTF-8, with its line ends unchanged.
        private: Whether only the user may read it, whatever the umask.

    Returns:
        The path, for chaining.

    Raises:
        SparsebenchError: The file cannot be written (permissions, a full disk); the old one is unchanged.

    Example:
        >>> write_atomic(Path("new/front.json"), "[1, 2]").read_text()
        '[1, 2]'
        >>> [path.name for path in Path("new").iterdir()]  # no temporary file is left
        ['front.json']
    """
    parts = [content] if isinstance(content, bytes | str) else content
    try:
        if path.is_dir():
            set_aside(path)
        with replacing(path, private=private) as temporary, temporary.open("wb") as file:
            file.writelines(part.encode() if isinstance(part, str) else part for part in parts)
    except OSError as error:
        raise SparsebenchError(f"cannot write {str(path)!r}: {error.strerror or error}") from error
    return path


@contextmanager
def replacing(path: Path, *, durable: bool = False, private: bool = False) -> Iterator[Path]:
    """Context manager that replaces a file by a temporary one when the block ends without an error.

    A reader sees the old file or the new one in full, also where the process is killed in between.

    Args:
        path: The file to replace or create; its folder is created where it is missing.
        durable: Whether to wait, before the replacement, until the content is on the disk (fsync), so that
            it also survives a loss of power.
        private: Whether only the user may read it, whatever the umask.

    Yields:
        The path of an empty temporary file in the same folder, for the block to write to.

    Raises:
        OSError: The folder or the file cannot be written. Like any error of the block, it removes the
            temporary file and leaves the old file as it was.

    Example:
        >>> path = write_atomic(Path("state.txt"), "old")
        >>> with suppress(ZeroDivisionError), replacing(path) as temporary:
        ...     _ = temporary.write_text("half of the new")
        ...     1 / 0
        >>> path.read_text()
        'old'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _new_file(path, 0o600 if private else 0o666)
    try:
        mode = temporary.stat().st_mode
        yield temporary
        temporary.chmod(mode)  # some writers create the file anew, readable by its owner alone
        if durable:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _new_file(path: Path, mode: int) -> Path:
    """Creates an empty file beside another, under a name that nobody has: never one that is there, or a link.

    It has the permissions of the user's umask, of `mode` at most."""
    while True:
        temporary = path.with_name(f".{path.name}.{token_hex(4)}.part")
        with suppress(FileExistsError):
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
            return temporary


def set_aside(path: Path) -> Path:
    """Renames a file or folder that cannot be used, so that a new one can take its name.

    Args:
        path: The file or folder, which exists.

    Returns:
        Its new path: the suffix is `.damaged`, or `.damaged2` and so on where that is taken.

    Raises:
        OSError: It cannot be renamed.

    Example:
        >>> for content in ("first", "second"):
        ...     _ = write_atomic(Path("optuna.db"), content)
        ...     print(set_aside(Path("optuna.db")))
        optuna.damaged
        optuna.damaged2
    """
    for number in count(1):
        new = path.with_suffix(f".damaged{number if number > 1 else ''}")
        if not os.path.lexists(new):
            break
    path.rename(new)
    return new
