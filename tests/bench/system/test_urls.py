"""No spelling of a password is printed, whichever way a parser would read it."""

import itertools
import sys
from urllib.parse import quote, unquote

import pytest
from sparsebench.bench.progress.state_file import command_line
from sparsebench.bench.system.urls import shown_address, without_login
from sparsebench.bench.tracking.client import mlflow_message

pytestmark = pytest.mark.smoke

PASSWORDS = [
    "hunter2", "hun/ter2", "hun@ter2", "hun#ter2", "hun?ter2", "hun:ter2", "hun%40ter2", "h@n/t#e?r:ter2",
    "hun ter2", "hun&ter2", "hun=ter2", "hun[ter2]", "hun/te@r2#cut:hid%41den@end", "Hun#Ter2", "hun\\ter2",
]  # fmt: skip
FORMS = [
    "postgresql://ann:{}@example.org:5432/db", "mysql+pymysql://{}@host/db", "https://{}@host:5000/x",
    "postgresql://host/db?user=ann&password={}&sslkey=/k", "http://ann:{0}@h/x?api_key={0}#{0}",
    "ann:{}@host:5000", "mssql+pyodbc:///?odbc_connect=PWD%3D{}", "https://h/x?token={}", "http://h/x?token={0}#{0}",
    "http://h/x#{}", "http://{}@h/x", "postgresql://ann:{}@[::1]:5432/db",
]  # fmt: skip


def parts(password: str) -> list[str]:
    """The password, decoded and encoded, and what is left of it where a parser cuts it."""
    texts = {password, unquote(password), quote(password, safe="")}
    cut = {"".join(c if c.isalnum() else " " for c in text) for text in (password, unquote(password))}
    return [text for text in texts | set(itertools.chain(*map(str.split, cut))) if len(text) > 2]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_is_in_nothing_that_is_printed_or_written(
    form: str, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = form.format(password)
    words = ["sparsebench", "run", "x.toml", "--storage", address, f"--tracking-uri={address}"]
    monkeypatch.setattr(sys, "argv", words)
    said = f"connection to {address!r} failed: {password!r} or {unquote(password)!r} is wrong"
    said += f", no host {password.lower()!r}, no port {password.rpartition(':')[2]!r}, {password.split('#')}"
    printed = [
        shown_address(address),
        command_line() or "",
        without_login(said, address),
        mlflow_message(address, ConnectionError(said)),
    ]
    for text, part in itertools.product(printed, parts(password)):
        assert part.lower() not in text.lower()


def test_an_address_without_a_login_is_printed_as_it_is() -> None:
    for address in (
        "http://host:5000/x",
        "sqlite:////tmp/a@b/c.db",
        "postgresql://host:5432/db",
        "/tmp/a@b/mlruns",
    ):
        assert shown_address(address) == address
        assert without_login(f"no answer from {address}", address) == f"no answer from {address}"


def test_passwords_of_the_environment_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "PGPASSWORD"):
        monkeypatch.setenv(name, f"the {name} itself")
        assert "itself" not in mlflow_message("http://host", ValueError(f"refused: the {name} itself"))
