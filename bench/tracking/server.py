"""The local MLflow server of `sparsebench ui DIR`: the pages of one output folder, on this machine alone."""

import contextlib
import ipaddress
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import IO
from urllib.error import URLError
from urllib.request import Request, urlopen

from ...errors import SparsebenchError
from .chart_view import TAG, unknown_to, view_path
from .client import ARTIFACTS, DATABASE, default_uri

START = 180.0  # seconds that the server may take until it answers

Notify = Callable[[str], None]


def serve(
    folder: Path, port: int = 5000, host: str = "127.0.0.1", open_browser: bool = False, say: Notify = print
) -> None:
    """Serves an output folder's MLflow database until Ctrl-C or SIGTERM, then ends the server's processes.

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
    with running(folder, port, host, say) as (address, server):
        paths = _views(address)
        for name, path in paths.items():
            say(f"{name}  {address}{path}")
        if not paths:
            say(f"no experiment has been published yet  {address}")
        if warning := unknown_to():
            say(warning)
        say("Ctrl-C ends it")
        if open_browser:
            webbrowser.open(address + next(iter(paths.values()), ""))
        with _terminated_like_interrupted(), contextlib.suppress(KeyboardInterrupt):
            server.wait()


@contextlib.contextmanager
def running(
    folder: Path, port: int = 5000, host: str = "127.0.0.1", say: Notify = print
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Starts an MLflow server on an output folder's database, and ends its process group on exit.

    Args:
        folder: Output folder with `mlflow.db`.
        port: Port to listen on; one that is taken is replaced by a free one.
        host: Loopback address to listen on.
        say: Called with a line for the user where another port is used.

    Yields:
        The address, such as `http://127.0.0.1:5000`, and the process of a server that answers.

    Raises:
        SparsebenchError: `folder` has no database or a file that is none, `host` is not a loopback address,
            or the server ends before it answers.

    Example:
        >>> _ = Path("mlflow.db").write_bytes(b"SQLite format 3")
        >>> with running(Path(), host="0.0.0.0") as (address, server):
        ...     print(address)
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: '0.0.0.0' is not a loopback address: MLflow has no login, use ...
    """
    # The database and the address.
    folder = Path(folder).absolute()
    if not (folder / DATABASE).is_file():
        raise SparsebenchError(
            f"no {DATABASE} in {str(folder)!r}; `sparsebench track DIR` writes it for a run's output folder"
        )
    with (folder / DATABASE).open("rb") as file:
        if not file.read(16).startswith(b"SQLite format 3"):
            raise SparsebenchError(
                f"{str(folder / DATABASE)!r} is not a database: delete it, the records can be published again"
            )
    if not _loopback(host):
        raise SparsebenchError(f"{host!r} is not a loopback address: MLflow has no login, use 127.0.0.1")
    chosen = free_port(host, port)
    if chosen != port:
        say(f"port {port} is taken, using {chosen}")
    address = f"http://{f'[{host}]' if ':' in host else host}:{chosen}"
    # The server; its output is for the message of a failed start.
    with tempfile.TemporaryFile() as log:
        server = _start(folder, host, chosen, log)
        try:
            wait_until_up(server, address, log)
            yield address, server
        finally:
            _end(server)


def _views(address: str) -> dict[str, str]:
    """Returns the path that opens the saved charts, by the name of each experiment that has them."""
    body = json.dumps({"max_results": 1000, "order_by": ["name ASC"]}).encode()
    request = Request(
        f"{address}/api/2.0/mlflow/experiments/search", body, {"Content-Type": "application/json"}
    )
    with urlopen(request, timeout=30) as answer:
        found = json.load(answer).get("experiments", [])
    return {
        experiment["name"]: view_path(experiment["experiment_id"])
        for experiment in found
        if any(tag["key"] == TAG for tag in experiment.get("tags", []))
    }


def free_port(host: str, wanted: int) -> int:
    """Returns a port that a server can listen on.

    Args:
        host: IPv4 or IPv6 address, or a name.
        wanted: Preferred port.

    Returns:
        The preferred port if it is free, otherwise one that the operating system chooses.

    Raises:
        SparsebenchError: No port of the host can be bound.

    Example:
        >>> with socket.create_server(("127.0.0.1", 0)) as server:
        ...     taken = server.getsockname()[1]
        ...     free_port("127.0.0.1", taken) != taken
        True
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in (wanted, 0):
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server itself does
            with contextlib.suppress(OSError):
                probe.bind((host, port))
                return int(probe.getsockname()[1])
    raise SparsebenchError(f"no free port on {host}")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _start(folder: Path, host: str, port: int, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Starts the server in a process group of its own."""
    environment = os.environ | {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # 2 processes instead of 13
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONSAFEPATH": "1",  # a folder called datasets/ in the working directory is not Hugging Face's
    }
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--host",
        host,
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    command += ["--backend-store-uri", default_uri(folder)]
    command += ["--default-artifact-root", (folder / ARTIFACTS).as_uri()]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


def wait_until_up(server: subprocess.Popen[bytes], address: str, log: IO[bytes]) -> None:
    """Blocks until the server answers on its health address.

    Args:
        server: The server's process.
        address: Address such as `http://127.0.0.1:5000`.
        log: File with the server's output.

    Raises:
        SparsebenchError: The process ends, or does not answer within three minutes; the message has the last
            line of its output.

    Example:
        >>> from io import BytesIO
        >>> from unittest.mock import Mock
        >>> ended = Mock(**{"poll.return_value": 1})  # exit status 1
        >>> wait_until_up(ended, "http://127.0.0.1:5000", BytesIO(b"address already in use"))
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: MLflow's server did not start: address already in use
    """
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        with contextlib.suppress(URLError, OSError), urlopen(f"{address}/health", timeout=2):
            return
        time.sleep(0.1)
    log.seek(0)
    lines = log.read().decode(errors="replace").strip().splitlines() or ["it says nothing"]
    raise SparsebenchError(f"MLflow's server did not start: {lines[-1][:300]}")


def _end(server: subprocess.Popen[bytes]) -> None:
    """Ends the process group: SIGTERM, then SIGKILL. The group may outlive its leader."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(timeout=5)


@contextlib.contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Makes SIGTERM raise KeyboardInterrupt, so that the server's processes are ended as with Ctrl-C."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
