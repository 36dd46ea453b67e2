"""The local server of `sparsebench ui DIR --optuna`: optuna-dashboard with the studies of a folder."""

from importlib.util import find_spec
from pathlib import Path

from ...errors import SparsebenchError
from ..system.pages.server import Notify, Running, running, say_now, serve
from ..system.sqlite_file import damage
from ..system.urls import sqlite_url
from . import dashboard_app
from .storage_mirror import FILE

MODULE = "optuna_dashboard"


def serve_dashboard(
    folder: Path, port: int = 5000, open_browser: bool = False, say: Notify = say_now
) -> None:
    """Serves the Optuna studies of an output folder until Ctrl-C or SIGTERM, on this machine alone.

    As with MLflow's pages the server asks for a token, which the printed address holds. The studies are a
    copy of the records: what is changed or deleted in the dashboard changes no result.

    Args:
        folder: Output folder with `optuna.db`.
        port: Port to listen on; one that is taken is replaced by a free one.
        open_browser: Whether to open the list of studies in a browser.
        say: Called with each line for the user.

    Raises:
        SparsebenchError: optuna-dashboard is not installed, `folder` has no studies, or the server ends
            before it answers.

    Example:
        >>> serve_dashboard(Path("nowhere"))
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: no optuna.db in '...nowhere'; a run writes it
    """
    folder = Path(folder).absolute()
    file = folder / FILE
    if not file.exists():
        raise SparsebenchError(f"no {FILE} in {str(folder)!r}; a run writes it")
    if why := damage(file):
        raise SparsebenchError(
            f"{str(file)!r} is damaged ({why}); the next run sets it aside, and writes a new one"
        )
    if find_spec(MODULE) is None:
        raise SparsebenchError("--optuna needs optuna-dashboard: pip install -e '.[dashboard]' in the clone")
    server = running(dashboard_app.__name__, [sqlite_url(file)], "optuna-dashboard", port, say=say)

    def pages(there: Running) -> dict[str, str]:
        return {f"Optuna studies of {folder.name}": "/dashboard"}

    serve(server, pages, open_browser=open_browser, say=say)
