"""The address of MLflow's server or database: which one is meant, whether it can work, whether it answers."""

import os
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import urlsplit

from ...errors import SparsebenchError, printable, suggest
from .reachability import PATIENCE, Unreachable, check_database, check_server
from .urls import shown_address

VARIABLE = "MLFLOW_TRACKING_URI"
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")  # that MLflow knows
DATABRICKS = ("databricks", "databricks-uc", "uc")


def named_address(given: str | None) -> str | None:
    """Returns the address that the user names: an argument, else MLflow's own variable.

    Args:
        given: The address of `--tracking-uri`, or None.

    Returns:
        The address; None where there is neither, and the output folder's own database is meant.

    Example:
        >>> from unittest.mock import patch
        >>> with patch.dict(os.environ, MLFLOW_TRACKING_URI="http://mlflow:5000"):
        ...     named_address(None), named_address("sqlite:///mine.db")
        ('http://mlflow:5000', 'sqlite:///mine.db')
    """
    return given or os.environ.get(VARIABLE) or None


def check_tracking_address(uri: str) -> None:
    """Checks that an address is one of the forms that MLflow takes; nothing is contacted.

    Args:
        uri: The address of a server or a database.

    Raises:
        SparsebenchError: It can never work: a folder, no scheme, an unknown one. The message says what to
            write.

    Example:
        >>> check_tracking_address("localhost:5000")
        Traceback (most recent call last):
            ...
        sparsebench.errors.SparsebenchError: MLflow's address 'localhost:5000' has no scheme: write http://...
        >>> check_tracking_address("./mlruns")
        Traceback (most recent call last):
            ...
        sparsebench.errors.SparsebenchError: MLflow's address './mlruns' is a folder: MLflow keeps ...
    """
    shown = printable(shown_address(uri))
    scheme, mark, _ = uri.partition("://")
    if uri.partition(":")[0] in DATABRICKS:
        return
    if not mark and uri.rpartition("@")[2].partition("/")[0].rpartition(":")[2].isdecimal():
        raise SparsebenchError(f"MLflow's address {shown!r} has no scheme: write http://{shown}")
    if not mark or scheme == "file":
        raise SparsebenchError(
            f"MLflow's address {shown!r} is a folder: MLflow keeps runs in a database, "
            "write sqlite:///FOLDER/mlflow.db"
        )
    known = {
        "http",
        "https",
        *DATABASES,
        *(point.name for point in entry_points(group="mlflow.tracking_store")),
    }
    if scheme.partition("+")[0] not in known:
        raise SparsebenchError(f"MLflow's address {shown!r} begins with {scheme!r}: {suggest(scheme, known)}")
    if scheme in ("http", "https"):
        try:
            host = urlsplit(uri).hostname
        except ValueError:  # such as a login with brackets, which stand for an IPv6 address
            host = None
        if not host:
            raise SparsebenchError(f"MLflow's address {shown!r} names no host")


def check_tracking_store(uri: str, seconds: float = PATIENCE) -> None:
    """Checks that MLflow's server answers, or that its database can be opened or made.

    Args:
        uri: The address, of a form that `check_tracking_address` takes.
        seconds: The time limit.

    Raises:
        SparsebenchError: The address can never work.
        Unreachable: The server or the database cannot be used now.

    Example:
        >>> try:
        ...     check_tracking_store("sqlite:///nodir/mlflow.db")
        ... except Unreachable as error:
        ...     print(error)
        the folder '...nodir' does not exist
    """
    check_tracking_address(uri)
    scheme = uri.partition("://")[0]
    if scheme in ("http", "https"):
        check_server(uri, "/health", seconds)
    elif uri.partition(":")[0] in DATABRICKS:
        named = {"DATABRICKS_HOST", "DATABRICKS_CONFIG_PROFILE"} & set(os.environ)
        if (
            not named
            and not Path(os.environ.get("DATABRICKS_CONFIG_FILE", "~/.databrickscfg")).expanduser().exists()
        ):
            raise Unreachable("Databricks has no login here: set DATABRICKS_HOST and DATABRICKS_TOKEN")
    elif scheme.partition("+")[0] in DATABASES:
        check_database(uri, seconds)
