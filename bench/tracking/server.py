"""The local MLflow server of `sparsebench ui DIR`: the pages of one output folder, on this machine alone."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from ...errors import SparsebenchError
from ..system.mlflow_address import VARIABLE
from ..system.pages import server as pages
from ..system.pages.server import Notify, Running, say_now
from ..system.sqlite_file import damage
from . import guarded_app
from .chart_view import FRONTS, TAG, TRIALS, unknown_to, view_path
from .client import ARTIFACTS, DATABASE, TABLE, default_uri


def serve(
    folder: Path, port: int = 5000, host: str = "127.0.0.1", open_browser: bool = False, say: Notify = say_now
) -> None:
    """Serves an output folder's MLflow database until Ctrl-C or SIGTERM, then ends the server's process.

    The server asks for a token, which the printed addresses hold: MLflow's pages show whatever the server's
    user can read, and every user of a machine reaches its loopback address.

    Args:
        folder: Output folder with `mlflow.db`.
        port: Port to listen on; one that is taken is replaced by a free one.
        host: Loopback address to listen on.
        open_browser: Whether to open the first task's charts in a browser.
        say: Called with each line for the user, such as the address of each task's charts.

    Raises:
        SparsebenchError: `folder` has no database, `host` is not a loopback address, or the server ends
            before it answers.

    Example:
        >>> serve(folder)
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: no mlflow.db in '...run'; `sparsebench track DIR` writes it ...
    """
    notes = [f"these are the pages of the folder's own {DATABASE}, not those of {VARIABLE}"]
    notes = notes if os.environ.get(VARIABLE) else []
    notes += [warning] if (warning := unknown_to()) else []
    pages.serve(running(folder, port, host, say), _saved_views, notes, open_browser, say)


@contextlib.contextmanager
def running(
    folder: Path, port: int = 5000, host: str = "127.0.0.1", say: Notify = say_now
) -> Iterator[Running]:
    """Starts an MLflow server on an output folder's database, and ends its process group on exit.

    Args:
        folder: Output folder with `mlflow.db`. Nothing in it is run: the server works in an empty folder.
        port: Port to listen on; one that is taken is replaced by a free one.
        host: Loopback address to listen on.
        say: Called with a line for the user where another port is used.

    Yields:
        The server, which answers. SPARSEBENCH_UI_TOKEN sets its token, which else is random.

    Raises:
        SparsebenchError: `folder` has no database or a file that is none, `host` is not a loopback address,
            or the server ends before it answers.

    Example:
        >>> with running(Path()) as server:
        ...     print(server.address)
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: no mlflow.db in '...'; `sparsebench track DIR` writes it ...
    """
    folder = Path(folder).absolute()
    if not (folder / DATABASE).exists():
        raise SparsebenchError(
            f"no {DATABASE} in {str(folder)!r}; `sparsebench track DIR` writes it for a run's output folder"
        )
    if why := damage(folder / DATABASE, TABLE):
        raise SparsebenchError(
            f"{str(folder / DATABASE)!r} is damaged ({why}); `sparsebench track DIR` sets it aside, and "
            "writes a new one from the records"
        )
    settings = {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # else 12 processes, and code from the database
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    arguments = [default_uri(folder), (folder / ARTIFACTS).as_uri()]
    module = guarded_app.__name__
    with pages.running(module, arguments, "MLflow's server", port, host, say, settings) as server:
        yield server


def _saved_views(server: Running) -> dict[str, str]:
    """Returns the paths of the saved charts by name: of each experiment its fronts, once there are some, and
    its trials. Without any, that of MLflow's first page."""
    body = json.dumps({"max_results": 1000, "order_by": ["name ASC"]}).encode()
    found = json.loads(server.ask("/api/2.0/mlflow/experiments/search", body)).get("experiments", [])
    views = {
        experiment["name"] + words: view_path(experiment["experiment_id"], key)
        for experiment in found
        for key, words in ((FRONTS, ""), (TRIALS, ", all trials"))
        if any(tag["key"] == TAG.format(key) for tag in experiment.get("tags", []))
    }
    return views or {"no experiment has been published yet": "/"}
