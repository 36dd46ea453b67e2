"""Files that are either there in full or not at all: the only place that writes beside a file and renames."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import SparsebenchError


def write_atomic(path: Path, content: bytes | str) -> Path:
    """Writes a whole file in place of the old one. Errors: a folder that cannot be written."""
    data = content.encode() if isinstance(content, str) else content
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise SparsebenchError(f"cannot write {str(path)!r}: {error.strerror or error}") from error
    return path


@contextmanager
def replacing(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Gives a temporary file beside `path`, which takes its place when the block ends without an error.

    A reader sees the old file or the new one, also where the process is killed meanwhile. `durable` waits
    until the content is on the disk. The folder is made where it is missing. Errors: `OSError`, and whatever
    the block raises; then the temporary file is gone and the old one stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.touch()  # with the mode that the user's umask gives
        mode = temporary.stat().st_mode
        yield temporary
        temporary.chmod(mode)  # some writers make a new file, which nobody else could read
        if durable:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
