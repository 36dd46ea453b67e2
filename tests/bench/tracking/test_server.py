"""`sparsebench ui` as a process of its own: its addresses, its pages in a browser, and its end."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import pytest
from chromium import FOUND
from processes import descendants, ended
from sparsebench.bench.system.pages.server import wait_until_up
from sparsebench.bench.system.ports import free_port
from sparsebench.bench.tracking import chart_view as mlflow_views
from sparsebench.bench.tracking.chart_view import (
    TRIALS,
    deflate,
    fronts_state,
    trials_state,
    view_path,
)
from sparsebench.bench.tracking.server import serve
from sparsebench.errors import SparsebenchError

# SQLAlchemy 2.1 deprecates a loader that MLflow 3.17 still names in its tables.
WARNING = "ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning"
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings(WARNING)]

needs_chromium = pytest.mark.skipif(FOUND is None, reason="chromium is not installed")
OWN = "0" * 32  # the id of a campaign
SERVE = """
import sys
from sparsebench.bench.tracking.server import serve
serve(sys.argv[1], port=int(sys.argv[2]))
"""

# The signal comes while a destructor runs, where an exception is lost.
TOLD = """
import os, signal, sys
from sparsebench.bench.tracking.server import serve

class Destroyed:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)

def say(line):
    _ = Destroyed() if "Ctrl-C" in line else None

serve(sys.argv[1], port=0, say=say)
"""


@pytest.fixture(scope="module")
def pages(published: Path) -> Iterator[tuple[subprocess.Popen[str], list[str], int]]:
    """The running command on a port that is taken, what it said, and that port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-P", "-c", SERVE, str(published), str(port)]
        environment = os.environ | {"MLFLOW_TRACKING_URI": "http://mlflow.invalid", "PYTHONUNBUFFERED": ""}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert process.stdout is not None
        said: list[str] = []
        for line in process.stdout:
            said.append(line.strip())
            if "Ctrl-C" in line:
                break
        yield process, said, port
        process.terminate()  # with its server
        process.wait()
        process.stdout.close()


def test_it_takes_a_free_port_and_says_the_address_of_the_charts(
    pages: tuple[subprocess.Popen[str], list[str], int],
) -> None:
    _, said, port = pages
    assert re.fullmatch(rf"port {port} is taken, using \d+", said[0])
    assert said[3] == "these are the pages of the folder's own mlflow.db, not those of MLFLOW_TRACKING_URI"
    name, _, address = said[1].partition("  ")
    assert name == "quickstart: digits-lenet_300_100"
    assert address.startswith("http://127.0.0.1:")
    token = parse_qs(urlsplit(address).query)["token"][0]
    assert len(token) >= 32
    assert address.endswith(f"/?token={token}{view_path('1')[1:]}")
    name, _, address = said[2].partition("  ")
    assert name == "quickstart: digits-lenet_300_100, all trials"
    assert address.endswith(f"/?token={token}{view_path('1', TRIALS)[1:]}")


def answers(address: str, **headers: str) -> int:
    try:
        with urlopen(Request(address, headers=headers), timeout=30) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


def test_it_answers_nobody_without_the_token_of_its_address(
    pages: tuple[subprocess.Popen[str], list[str], int],
) -> None:
    link = urlsplit(pages[1][1].partition("  ")[2])
    token = parse_qs(link.query)["token"][0]
    address = f"{link.scheme}://{link.netloc}"
    search = f"{address}/api/2.0/mlflow/experiments/get?experiment_id=1"
    for page in (f"{address}/", search, f"{address}/get-artifact?path=x", f"{address}/ajax-api/3.0/mlflow/x"):
        assert answers(page) == 401
        assert answers(page, Authorization=f"Bearer {token[:-1]}") == 401
        assert answers(page, Cookie=f"sparsebench-ui-{link.port}=x; token={token}") == 401
    assert answers(f"{address}/?token=x") == 401
    # A browser's first request sets a cookie for the others; MLflow's own clients send a header.
    with urlopen(f"{address}/?token={token}", timeout=30) as answer:
        cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert answers(search, Cookie=cookie.partition(";")[0]) == 200
    assert answers(search, Authorization=f"Bearer {token}") == 200
    # A page of another port of the same host is no page of this server, though browsers send it the cookie.
    assert answers(search, Cookie=cookie.partition(";")[0], Origin=address) == 200
    assert answers(search, Cookie=cookie.partition(";")[0], Origin="http://127.0.0.1:1") == 401
    assert answers(search, Cookie=cookie.partition(";")[0], Host="evil.example") == 403
    # Other users read command lines, not environments.
    for process in descendants(pages[0].pid):
        assert token.encode() not in Path(f"/proc/{process}/cmdline").read_bytes()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="counts processes under /proc")
def test_interrupting_it_ends_the_server_with_its_children(
    pages: tuple[subprocess.Popen[str], list[str], int],
) -> None:
    process, said, _ = pages
    servers = descendants(process.pid)
    assert 1 <= len(servers) <= 3
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(timeout=20) == 0
    time.sleep(0.2)
    assert not [pid for pid in servers if Path(f"/proc/{pid}").exists()]
    port = int(re.search(r"using (\d+)", said[0]).group(1))  # type: ignore[union-attr]
    assert free_port("127.0.0.1", port) == port


def test_a_signal_whose_exception_is_lost_ends_it(published: Path) -> None:
    code, said = ended([sys.executable, "-P", "-c", TOLD, published], 120.0)
    assert code == 0 and "Exception ignored" in said


def test_a_folder_without_a_database_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SparsebenchError, match=r"no mlflow\.db in"):
        serve(tmp_path)


def test_only_loopback_is_served(published: Path) -> None:
    for host in ("0.0.0.0", "192.168.1.4", "example.org"):
        with pytest.raises(SparsebenchError, match="loopback"):
            serve(published, host=host)


def test_a_folder_without_a_database_is_told_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(SparsebenchError, match="sparsebench track"):
        serve(tmp_path)


def test_a_file_that_is_no_database_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"this is not a database" * 100)
    with pytest.raises(SparsebenchError, match="is not a database"):
        serve(tmp_path)


def test_a_server_that_ends_at_once_is_one_sentence_with_its_last_words() -> None:
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen([sys.executable, "-c", "print(1); print('out of date')"], stdout=log)
        with pytest.raises(SparsebenchError, match="did not start: out of date"):
            wait_until_up(server, f"http://127.0.0.1:{free_port('127.0.0.1', 0)}", log)


def test_another_mlflow_is_told_of_the_view(monkeypatch: pytest.MonkeyPatch) -> None:
    assert mlflow_views.unknown_to() is None
    monkeypatch.setattr(mlflow_views, "version", lambda name: "3.99.0")
    assert (mlflow_views.unknown_to() or "").startswith("MLflow 3.99.0 may not show the saved charts")


def test_the_view_fits_into_an_experiment_tag() -> None:
    for state in (
        deflate(trials_state()),
        deflate(fronts_state([2.0**n for n in range(1, 60)], (0.86, 0.97))),
    ):
        assert state.startswith("deflate;")
        assert len(state) < 4500  # 5000 is the limit of older databases
