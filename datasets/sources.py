"""Reading and fetching files, with every failure told in one sentence that says what to do."""

import contextlib
import http.client
import os
import pickle
import socket
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ..errors import SparsebenchError

REMEDY = "name the folder that has it with --data DIR or SPARSEBENCH_DATA"
PATIENCE_SECONDS = 30.0

_FETCH_ERRORS = (
    OSError,  # URLError is one
    RuntimeError,
    EOFError,
    ValueError,
    http.client.HTTPException,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)
_READ_ERRORS = (
    *_FETCH_ERRORS,
    AssertionError,
    IndexError,
    KeyError,
    TypeError,
    pickle.UnpicklingError,
)


def require_readable(name: str, folder: Path) -> None:
    """Errors: `SparsebenchError` where `folder`, or the nearest parent that exists, may not be read."""
    try:
        with os.scandir(folder):
            pass
    except PermissionError:
        raise SparsebenchError(f"dataset {name!r}: the data folder {str(folder)!r} may not be read") from None
    except NotADirectoryError:
        raise SparsebenchError(f"dataset {name!r}: {str(folder)!r} is a file, not a folder") from None
    except OSError:
        return  # it does not exist: whoever needs it says so


def missing(root: Path, files: Sequence[str]) -> list[str]:
    """Those of `files` (relative to `root`) that are not there as files with some content."""
    return [file for file in files if not (root / file).is_file() or not (root / file).stat().st_size]


def ensure(name: str, root: Path, files: Sequence[str], download: bool, fetch: Callable[[], object]) -> None:
    """Make sure that `files` lie under `root`, fetching them where that is allowed.

    Errors: `SparsebenchError` where they are absent and cannot be fetched, or a folder cannot be read.
    """
    for folder in dict.fromkeys([root, *((root / file).parent for file in files)]):
        require_readable(name, folder)
    absent = missing(root, files)
    if not absent:
        return
    where = f"dataset {name!r}: {absent[0]!r} is not in {str(root)!r}"
    if not root.is_dir():
        where = f"dataset {name!r}: the data folder {str(root)!r} does not exist"
    if not download:
        raise SparsebenchError(f"{where}, and downloading is turned off: {REMEDY}")
    empty_before = _missing_parents(root, files)
    try:
        with _polite_network():
            fetch()
    except _FETCH_ERRORS as error:
        for folder in empty_before:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise SparsebenchError(f"{where}, and the download failed ({reason(error)}): {REMEDY}") from None


def _missing_parents(root: Path, files: Sequence[str]) -> list[Path]:
    """The folders that a download would create, deepest first."""
    folders = {parent for file in files for parent in (root / file).parents if not parent.exists()}
    return sorted(folders, key=lambda folder: -len(folder.parts))


@contextlib.contextmanager
def _polite_network() -> Iterator[None]:
    """No endless wait for a silent host, and nothing but results on stdout."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE_SECONDS)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        socket.setdefaulttimeout(before)


@contextlib.contextmanager
def reading(name: str, what: Path) -> Iterator[None]:
    """Turn whatever reading `what` raises into one sentence that names it."""
    try:
        yield
    except SparsebenchError:
        raise
    except PermissionError as error:
        raise SparsebenchError(f"dataset {name!r}: {error.filename or str(what)!r} may not be read") from None
    except _READ_ERRORS as error:
        raise SparsebenchError(
            f"dataset {name!r}: {str(what)!r} cannot be read ({reason(error)}): "
            "delete it, so that it is fetched again, or put a sound copy there"
        ) from None


def reason(error: BaseException) -> str:
    """The last line of an error's message that says anything, without its full stop."""
    lines = [
        line.strip() for line in str(getattr(error, "reason", None) or error).splitlines() if line.strip()
    ]
    return lines[-1].rstrip(".") if lines else type(error).__name__
