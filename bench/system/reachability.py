"""Whether an address or a folder answers, within a time and leaving no trace."""

import os
import shutil
import sqlite3
import threading
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile
from typing import TypeVar
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import Request, urlopen

PATIENCE = 4.0  # seconds

T = TypeVar("T")


class Unreachable(Exception):
    """What was asked does not answer; the message says why, without logins."""


def within(seconds: float, call: Callable[[], T]) -> T:
    """What `call` returns or raises. Errors: `TimeoutError`; then its thread is left to itself."""
    answer: list[T] = []
    problem: list[BaseException] = []

    def work() -> None:
        try:
            answer.append(call())
        except BaseException as error:  # raised again in the caller's thread
            problem.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError(f"no answer within {seconds:g} s")
    if problem:
        raise problem[0]
    return answer[0]


def check_server(address: str, path: str, seconds: float = PATIENCE) -> None:
    """An HTTP server that answers a GET of `path` with success. Errors: `Unreachable`."""
    parts = urlsplit(address)
    login, _, host = parts.netloc.rpartition("@")
    request = Request(urlunsplit((parts.scheme, host, parts.path.rstrip("/") + path, "", "")))
    if login:
        request.add_header("Authorization", f"Basic {b64encode(unquote(login).encode()).decode()}")

    def get() -> None:
        with urlopen(request, timeout=seconds):
            pass

    try:
        within(seconds, get)
    except HTTPError as error:
        error.close()
        raise Unreachable(f"it answers {error.code} {error.reason} to {path}") from None
    except (OSError, ValueError) as error:  # URLError and TimeoutError are OSErrors
        raise Unreachable(str(getattr(error, "reason", None) or error)) from None


def check_database(url: str, seconds: float = PATIENCE) -> None:
    """A database that can be opened, or for SQLite made, as SQLAlchemy writes its address.

    Errors: `Unreachable`.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError

    try:
        address = make_url(url)
        if address.get_backend_name() == "sqlite":
            if address.database not in (None, "", ":memory:"):
                check_sqlite(Path(address.database or ""))
            return
        engine = create_engine(address)

        def connect() -> None:
            with engine.connect():
                pass

        within(seconds, connect)
    except ImportError as error:
        raise Unreachable(f"its driver is not installed: pip install {error.name}") from None
    except (SQLAlchemyError, OSError, ValueError) as error:
        raise Unreachable(str(getattr(error, "orig", None) or error).strip().splitlines()[0]) from None


def check_sqlite(file: Path) -> None:
    """A SQLite file that can be written, or made. Errors: `Unreachable`."""
    if not file.exists():
        check_writable(file.parent)
        return
    if not os.access(file, os.W_OK):
        raise Unreachable(f"{str(file)!r} may not be written")
    try:
        connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=1.0)
        try:
            connection.execute("PRAGMA schema_version").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise Unreachable(f"{str(file)!r} cannot be opened: {error}") from None


def existing_parent(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    folder = folder.absolute()
    while not folder.exists() and folder.parent != folder:
        folder = folder.parent
    return folder


def check_writable(folder: Path) -> None:
    """A folder that can be written, or made. Errors: `Unreachable`."""
    there = existing_parent(folder)
    if not there.is_dir():
        raise Unreachable(f"{str(there)!r} is no folder")
    try:
        with TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise Unreachable(f"{str(there)!r} cannot be written: {error.strerror}") from None


def free_bytes(folder: Path) -> int:
    """What the file system of the folder, there or to be made, has left."""
    return shutil.disk_usage(existing_parent(folder)).free
