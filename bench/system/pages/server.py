"""A server of this machine that answers its user alone: its start, its addresses and its end."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import webbrowser
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import IO, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from ....errors import SparsebenchError, printable
from ..ports import free_port, is_loopback
from .guard import TOKEN

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
    started: AbstractContextManager[Running],
    pages: Callable[[Running], Mapping[str, str]],
    notes: Sequence[str] = (),
    open_browser: bool = False,
    say: Notify = say_now,
) -> None:
    """Serves pages until Ctrl-C or SIGTERM, then ends the server's process.

    Args:
        started: The server, as `running` returns it.
        pages: Returns the paths of the pages to print, by name; the first is opened.
        notes: Further lines to print.
        open_browser: Whether to open the first page in a browser.
        say: Called with each line for the user, such as the address of each page.

    Raises:
        SparsebenchError: The server cannot be started.

    Example:
        >>> serve(running("json.tool", [], "JSON's server"), pages=lambda server: {})
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: JSON's server did not start: ...
    """
    with (
        _told_to_end() as told,
        started as server,
        TemporaryDirectory(prefix="sparsebench-") as private,
        contextlib.suppress(KeyboardInterrupt),
    ):
        found = pages(server)
        for name, path in found.items():
            say(f"{printable(name)}  {server.link(path)}")
        for note in notes:
            say(note)
        say("who has the address with its token can read what you can read: keep it to yourself")
        say("Ctrl-C ends it")
        if open_browser:
            # Other users see the command lines of processes, a browser's too: the address is in a file.
            page = Path(private) / "open.html"
            link = escape(server.link(next(iter(found.values()))))
            page.write_text(f'<meta http-equiv="refresh" content="0;url={link}">', encoding="utf-8")
            webbrowser.open(page.as_uri())
        while server.process.poll() is None and not told:  # a wait without a limit may miss a signal
            time.sleep(POLL)


@contextlib.contextmanager
def running(
    module: str,
    arguments: Sequence[str],
    name: str,
    port: int = 0,
    host: str = "127.0.0.1",
    say: Notify = say_now,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    """Starts a module as a server, and ends its process group on exit.

    Args:
        module: The module to run, which calls `serve_guarded`; its first arguments are host and port.
        arguments: Its further arguments. Nothing in a folder is run: it works in an empty one.
        name: What the server is called in messages.
        port: Port to listen on; one that is taken is replaced by a free one.
        host: Loopback address to listen on.
        say: Called with a line for the user where another port is used.
        environment: Further variables of its environment.

    Yields:
        The server, which answers. SPARSEBENCH_UI_TOKEN sets its token, which else is random.

    Raises:
        SparsebenchError: `host` is not a loopback address, or the server ends before it answers.

    Example:
        >>> with running("http.server", [], "Python's server", host="0.0.0.0") as server:
        ...     print(server.address)
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: '0.0.0.0' is not a loopback address: ...
    """
    if not is_loopback(host):
        raise SparsebenchError(f"{host!r} is not a loopback address: what it sends is not encrypted")
    chosen = free_port(host, port)
    if port and chosen != port:
        say(f"port {port} is taken, using {chosen}")
    address = f"http://{f'[{host}]' if ':' in host else host}:{chosen}"
    token = os.environ.get(TOKEN) or secrets.token_urlsafe(24)
    command = [sys.executable, "-P", "-m", module, host, str(chosen), *arguments]
    # The server, in a process group of its own; its output is for the message of a failed start.
    with tempfile.TemporaryFile() as log, TemporaryDirectory(prefix="sparsebench-") as empty:
        server = subprocess.Popen(
            command, cwd=empty, env={**os.environ, **(environment or {}), TOKEN: token},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            wait_until_up(server, address, log, name)
            yield Running(address, token, server)
        finally:
            _end(server)


def wait_until_up(
    server: subprocess.Popen[bytes], address: str, log: IO[bytes], name: str = "the server"
) -> None:
    """Blocks until the server answers on its health address.

    Args:
        server: The server's process.
        address: Address such as `http://127.0.0.1:5000`.
        log: File with the server's output.
        name: What the server is called in the message.

    Raises:
        SparsebenchError: The process ends, or does not answer within three minutes; the message has the last
            line of its output.

    Example:
        >>> from io import BytesIO
        >>> from unittest.mock import Mock
        >>> ended = Mock(**{"poll.return_value": 1})  # exit status 1
        >>> wait_until_up(ended, "http://127.0.0.1:5000", BytesIO(b"address already in use"))
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: the server did not start: address already in use
    """
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            with urlopen(f"{address}/health", timeout=2):
                return
        except HTTPError:  # it answers, though it has no such page
            return
        except (URLError, OSError):
            pass
        time.sleep(0.1)
    log.seek(0)
    lines = log.read().decode(errors="replace").strip().splitlines() or ["it says nothing"]
    raise SparsebenchError(f"{name} did not start: {lines[-1][:300]}")


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
