"""Checks whether a server, a database or a folder can be used, within a time limit and leaving no trace."""

import os
import shutil
import sqlite3
import threading
from base64 import b64encode
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryFile
from typing import TypeVar
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import Request, urlopen

from ...errors import printable
from ...reasons import WHOLE, message, shortened
from .urls import without_login

PATIENCE = 4.0  # seconds
# What to install for a driver's module, where it has another name or would have to be compiled.
PACKAGES = {"MySQLdb": "mysqlclient", "psycopg": "'psycopg[binary]'", "psycopg2": "psycopg2-binary"}

T = TypeVar("T")


class Unreachable(Exception):
    """Raised where a server, a database or a folder cannot be used; the message says why, without logins.

    Example:
        >>> try:
        ...     check_database("nosuchdb://ann:secret@example.org/studies")
        ... except Unreachable as error:
        ...     print(error)
        Can't load plugin: sqlalchemy.dialects:nosuchdb
    """


def within(seconds: float, call: Callable[[], T]) -> T:
    """Returns what a function returns or raises, if it does so in time.

    Args:
        seconds: The time limit.
        call: The function, which runs in a thread of its own.

    Returns:
        The function's result.

    Raises:
        TimeoutError: The time is over; the thread, a daemon, runs on.
        BaseException: Whatever the function raises.

    Example:
        >>> within(1.0, lambda: 6 * 7)
        42
        >>> within(0.01, lambda: threading.Event().wait(0.2))
        Traceback (most recent call last):
            ...
        TimeoutError: no answer within 0.01 s
    """
    answer: list[T] = []
    problem: list[BaseException] = []

    def work() -> None:
        try:
            answer.append(call())
        except BaseException as error:  # re-raised in the caller's thread
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
    """Checks that an HTTP server answers a GET request with success.

    Args:
        address: The server's address; a login in it is sent as basic authentication.
        path: What is requested below the address, such as "/health".
        seconds: The time limit.

    Raises:
        Unreachable: It does not answer in time, or with an error.

    Example:
        >>> check_server("htp://localhost:5000", "/health")  # a typing error
        Traceback (most recent call last):
            ...
        sparsebench.bench.system.reachability.Unreachable: unknown url type: htp
    """

    def get() -> None:
        parts = urlsplit(address)
        login, _, host = parts.netloc.rpartition("@")
        request = Request(urlunsplit((parts.scheme, host, parts.path.rstrip("/") + path, "", "")))
        if login:
            request.add_header("Authorization", f"Basic {b64encode(unquote(login).encode()).decode()}")
        with urlopen(request, timeout=seconds):
            pass

    try:
        within(seconds, get)
    except HTTPError as error:
        error.close()
        raise Unreachable(f"it answers {error.code} {error.reason} to {path}") from None
    except (OSError, ValueError, HTTPException) as error:  # URLError and TimeoutError are OSErrors
        reason = str(getattr(error, "reason", None) or error)
        raise Unreachable(printable(without_login(reason, address))) from None


def check_database(url: str, seconds: float = PATIENCE) -> None:
    """Checks that a database can be opened or, for SQLite, made.

    Args:
        url: The address as SQLAlchemy writes it, such as "sqlite:///studies.db".
        seconds: The time limit.

    Raises:
        Unreachable: The database does not answer in time or not at all, or its driver is not installed.

    Example:
        >>> check_database("sqlite:///studies.db")  # it could be made here
        >>> Path("studies.db").exists()  # and has not been
        False
    """
    from sqlalchemy import create_engine
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError

    try:
        address = make_url(url)
        if address.get_backend_name() == "sqlite":
            address.get_dialect()  # a driver that there is not
            if address.database not in (None, "", ":memory:"):
                _check_sqlite(Path(address.database or ""))
            return
        engine = create_engine(address)

        def connect() -> None:
            with engine.connect():
                pass

        within(seconds, connect)
    except ImportError as error:
        package = PACKAGES.get(error.name or "", error.name)
        raise Unreachable(f"its driver is not installed: pip install {package}") from None
    except (SQLAlchemyError, OSError, ValueError) as error:
        whole = without_login(message(getattr(error, "orig", None) or error, WHOLE), url)
        raise Unreachable(shortened(whole)) from None


def _check_sqlite(file: Path) -> None:
    """Checks that a SQLite file can be written, or made; raises `Unreachable`."""
    if not file.exists():
        if not file.absolute().parent.exists():
            raise Unreachable(f"the folder {str(file.absolute().parent)!r} does not exist")
        check_writable(file.absolute().parent)
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


def _existing_parent(folder: Path) -> Path:
    """Returns the folder, or the nearest one above it that exists."""
    folder = folder.absolute()
    while not folder.exists() and folder.parent != folder:
        folder = folder.parent
    return folder


def check_writable(folder: Path) -> None:
    """Checks that a folder can be written, or made.

    Args:
        folder: The folder; where it does not exist, the nearest one above it is tried with a temporary file.

    Raises:
        Unreachable: It is no folder, or no file can be made there.

    Example:
        >>> check_writable(Path("runs/new"))
        >>> _ = Path("notes").write_text("a file")
        >>> check_writable(Path("notes/run"))
        Traceback (most recent call last):
            ...
        sparsebench.bench.system.reachability.Unreachable: '...notes' is no folder
    """
    there = _existing_parent(folder)
    if not there.is_dir():
        raise Unreachable(f"{str(there)!r} is no folder")
    try:
        with TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise Unreachable(f"{str(there)!r} cannot be written: {error.strerror}") from None


def free_bytes(folder: Path) -> int:
    """Returns the free bytes of a folder's file system.

    Args:
        folder: The folder, which need not exist yet.

    Returns:
        The bytes that this user may still write.

    Example:
        >>> 0 < free_bytes(Path("runs/new")) <= shutil.disk_usage(".").total
        True
    """
    return shutil.disk_usage(_existing_parent(folder)).free
