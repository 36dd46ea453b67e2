"""Reading and downloading of files, whose failures are reported in one sentence that says what to do."""

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


def _require_readable(name: str, folder: Path) -> None:
    """Raises a `SparsebenchError` where a folder, or one above it, may not be read or is a file.

    A folder that does not exist is no error here.
    """
    try:
        with os.scandir(folder):
            pass
    except PermissionError:
        raise SparsebenchError(f"dataset {name!r}: the data folder {str(folder)!r} is not readable") from None
    except NotADirectoryError:
        raise SparsebenchError(f"dataset {name!r}: {str(folder)!r} is a file, not a folder") from None
    except OSError:
        return  # it does not exist, which the check of the files reports


def _missing(root: Path, files: Sequence[str]) -> list[str]:
    """Returns those of `files` (relative to `root`) that do not exist as files or are empty."""
    return [file for file in files if not (root / file).is_file() or not (root / file).stat().st_size]


def ensure(name: str, root: Path, files: Sequence[str], download: bool, fetch: Callable[[], object]) -> None:
    """Downloads a dataset's files where one is missing or empty and downloading is allowed.

    Args:
        name: The dataset's name, for error messages.
        root: The data root.
        files: The files, relative to the root.
        download: Whether `fetch` may be called.
        fetch: Downloads the files. It has a timeout on network connections, and what it prints goes to
            stderr. Where it fails, empty folders that it made are removed.

    Raises:
        SparsebenchError: A file is missing and `download` is off or `fetch` failed, or a folder may not be
            read.

    Example:
        >>> def fetch():
        ...     Path("mine").mkdir()
        ...     _ = Path("mine/labels.txt").write_text("cat dog")
        >>> ensure("mine", Path("mine"), ["labels.txt"], True, fetch)  # calls fetch
        >>> ensure("mine", Path("mine"), ["labels.txt"], False, fetch)  # finds the file
        >>> ensure("mine", Path("mine"), ["images.bin"], False, fetch)
        Traceback (most recent call last):
            ...
        sparsebench.errors.SparsebenchError: dataset 'mine': 'images.bin' is not in 'mine', and downloading is
        turned off: name the folder that has it with --data DIR or SPARSEBENCH_DATA
    """
    for folder in dict.fromkeys([root, *((root / file).parent for file in files)]):
        _require_readable(name, folder)
    absent = _missing(root, files)
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
        raise SparsebenchError(f"{where}, and the download failed ({_reason(error)}): {REMEDY}") from None


def _missing_parents(root: Path, files: Sequence[str]) -> list[Path]:
    """Returns the folders that a download would create, deepest first."""
    folders = {parent for file in files for parent in (root / file).parents if not parent.exists()}
    return sorted(folders, key=lambda folder: -len(folder.parts))


@contextlib.contextmanager
def _polite_network() -> Iterator[None]:
    """Context manager that limits waits for a host and prints to stderr, since stdout is for results."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE_SECONDS)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        socket.setdefaulttimeout(before)


@contextlib.contextmanager
def reading(name: str, what: Path) -> Iterator[None]:
    """Context manager that turns errors of reading a file into a `SparsebenchError` that names it.

    Args:
        name: The dataset's name.
        what: The file or folder that the block reads.

    Yields:
        None; the block reads the file by its own means.

    Raises:
        SparsebenchError: The block raised an error of a class that absent, unreadable or damaged files cause.

    Example:
        >>> with reading("mine", Path("labels.idx")):
        ...     raise ValueError("16 bytes where its header announces 20")
        Traceback (most recent call last):
            ...
        sparsebench.errors.SparsebenchError: dataset 'mine': 'labels.idx' cannot be read (16 bytes where its
        header announces 20): delete it, so that it is fetched again, or put a sound copy there
    """
    try:
        yield
    except SparsebenchError:
        raise
    except PermissionError as error:
        raise SparsebenchError(f"dataset {name!r}: {error.filename or str(what)!r} is not readable") from None
    except _READ_ERRORS as error:
        raise SparsebenchError(
            f"dataset {name!r}: {str(what)!r} cannot be read ({_reason(error)}): "
            "delete it, so that it is fetched again, or put a sound copy there"
        ) from None


def _reason(error: BaseException) -> str:
    """Returns the last line of an error's message that is not empty, without its full stop."""
    lines = [
        line.strip() for line in str(getattr(error, "reason", None) or error).splitlines() if line.strip()
    ]
    return lines[-1].rstrip(".") if lines else type(error).__name__
