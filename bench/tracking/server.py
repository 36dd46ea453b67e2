"""The local MLflow server of `sparsebench ui DIR`: the pages of one output folder, on this machine alone."""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import webbrowser
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import IO, NamedTuple
from urllib.error import URLError
from urllib.request import Request, urlopen

from ...errors import SparsebenchError, printable
from ..system.mlflow_address import VARIABLE
from ..system.ports import free_port, is_loopback
from ..system.sqlite_file import damage
from . import guarded_app
from .chart_view import TAG, unknown_to, view_path
from .client import ARTIFACTS, DATABASE, TABLE, default_uri
from .guarded_app import TOKEN

START = 180.0  # seconds that the server may take until it answers
POLL = 0.2  # seconds between two looks at whether it has ended, or is to end

Notify = Callable[[str], None]


class Running(NamedTuple):
    """A server that answers.

    Attributes:
        address: Such as `http://127.0.0.1:5000`.
        token: What the server asks every request for.
        process: Its process.

    Example:
        >>> Running("http://127.0.0.1:5000", "abc", process=None).link("/#/experiments/1")
        'http://127.0.0.1:5000/?token=abc#/experiments/1'
    """

    address: str
    token: str
    process: subprocess.Popen[bytes]

    def link(self, path: str = "/") -> str:
        """Returns the address of a page, with the token, for a browser."""
        place, mark, page = path.partition("#")
        return f"{self.address}{place}{'&' if '?' in place else '?'}token={self.token}{mark}{page}"

    def ask(self, path: str, body: bytes | None = None) -> bytes:
        """Returns the server's answer to a request: a GET, or with a body a POST of JSON."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        with urlopen(Request(self.address + path, body, headers), timeout=30) as answer:
            return bytes(answer.read())


def say_now(line: str) -> None:
    """Prints a line at once: whoever reads it through a pipe needs it while the server runs.

    Args:
        line: The line.

    Example:
        >>> say_now("Ctrl-C ends it")
        Ctrl-C ends it
    """
    print(line, flush=True)


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
    with (
        _told_to_end() as told,
        running(folder, port, host, say) as server,
        TemporaryDirectory(prefix="sparsebench-") as private,
        contextlib.suppress(KeyboardInterrupt),
    ):
        paths = _views(server)
        for name, path in paths.items():
            say(f"{printable(name)}  {server.link(path)}")
        if not paths:
            say(f"no experiment has been published yet  {server.link()}")
        if os.environ.get(VARIABLE):
            say(f"these are the pages of the folder's own {DATABASE}, not those of {VARIABLE}")
        if warning := unknown_to():
            say(warning)
        say("who has the address with its token can read what you can read: keep it to yourself")
        say("Ctrl-C ends it")
        if open_browser:
            # Other users see the command lines of processes, a browser's too: the address is in a file.
            page = Path(private) / "open.html"
            link = escape(server.link(next(iter(paths.values()), "/")))
            page.write_text(f'<meta http-equiv="refresh" content="0;url={link}">', encoding="utf-8")
            webbrowser.open(page.as_uri())
        while server.process.poll() is None and not told:  # a wait without a limit may miss a signal
            time.sleep(POLL)


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
        >>> with running(Path(), host="0.0.0.0") as server:
        ...     print(server.address)
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: '0.0.0.0' is not a loopback address: ...
    """
    # The address and the database.
    if not is_loopback(host):
        raise SparsebenchError(f"{host!r} is not a loopback address: what it sends is not encrypted")
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
    chosen = free_port(host, port)
    if port and chosen != port:
        say(f"port {port} is taken, using {chosen}")
    address = f"http://{f'[{host}]' if ':' in host else host}:{chosen}"
    token = os.environ.get(TOKEN) or secrets.token_urlsafe(24)
    # The server; its output is for the message of a failed start.
    with tempfile.TemporaryFile() as log, TemporaryDirectory(prefix="sparsebench-") as empty:
        server = _start(folder, host, chosen, token, Path(empty), log)
        try:
            wait_until_up(server, address, log)
            yield Running(address, token, server)
        finally:
            _end(server)


def _views(server: Running) -> dict[str, str]:
    """Returns the path that opens the saved charts, by the name of each experiment that has them."""
    body = json.dumps({"max_results": 1000, "order_by": ["name ASC"]}).encode()
    found = json.loads(server.ask("/api/2.0/mlflow/experiments/search", body)).get("experiments", [])
    return {
        experiment["name"]: view_path(experiment["experiment_id"])
        for experiment in found
        if any(tag["key"] == TAG for tag in experiment.get("tags", []))
    }


def _start(
    folder: Path, host: str, port: int, token: str, empty: Path, log: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Starts the server in a process group of its own, with an empty working folder."""
    environment = os.environ | {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # else 12 processes, and code from the database
        "MLFLOW_DISABLE_TELEMETRY": "true",
        TOKEN: token,
    }
    command = [sys.executable, "-P", "-m", guarded_app.__name__, host, str(port)]
    command += [default_uri(folder), (folder / ARTIFACTS).as_uri()]
    return subprocess.Popen(
        command,
        cwd=empty,
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
def _told_to_end() -> Iterator[list[int]]:
    """Makes the first SIGINT or SIGTERM raise KeyboardInterrupt, so that the server's processes are ended.

    Yields the signals that have come: one that comes just before a blocking call raises only after that, one
    in a destructor raises nothing. Those after the first one leave the end of the processes undisturbed.
    """
    told: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        told.append(number)
        if len(told) == 1:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
