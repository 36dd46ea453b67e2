"""Files that are either there in full or not at all."""

import os
import tempfile
from pathlib import Path

from ..errors import SparsebenchError


def write_atomic(path: Path, content: bytes | str) -> Path:
    """Write beside the target, then rename over it. Errors: a folder that cannot be written."""
    data = content.encode() if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise SparsebenchError(f"cannot write {str(path)!r}: {error.strerror or error}") from error
    return path


def _umask() -> int:
    """mkstemp makes files private; a report is as readable as any other file of its user."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
