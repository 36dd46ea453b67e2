"""The addresses of databases and servers: `doctor` accepts those that `run` and `track` accept."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sparsebench.bench.cli.machine import checks as machine_checks
from sparsebench.bench.search.storage_mirror import StudyMirror
from sparsebench.errors import SparsebenchError

Cli = Callable[..., Any]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)


def only(checks: Any) -> machine_checks.Check:
    (found,) = checks
    assert isinstance(found, machine_checks.Check)
    return found


@pytest.mark.parametrize(
    ("uri", "part"),
    [
        ("sqlite:///no.db", "file is not a database"),
        ("sqlite:////proc/x.db", "cannot be written"),
        ("sqlite:///nodir/x.db", "nodir' does not exist"),
        ("postgresql+psycpg://x/y", "postgresql.psycpg"),
        ("mysql+pymysql://x/y", "its driver is not installed: pip install pymysql"),
        ("mysql://x/y", "its driver is not installed: pip install mysqlclient"),
        ("databricks", "set DATABRICKS_HOST"),
    ],
)
def test_an_address_of_no_use_now_is_told(uri: str, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("no.db").write_text("is no database " * 100)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", "nowhere")
    found = only(machine_checks.check_tracking(uri, Path("out")))
    assert found.mark == "warning"
    assert part in found.found
    if not uri.startswith("databricks"):
        found = only(machine_checks.check_studies(uri, Path("out")))
        assert found.mark == "missing"
        assert part in found.found
        with pytest.raises(SparsebenchError, match=re.escape(part)):
            StudyMirror(uri, "campaign")


@pytest.mark.parametrize(
    ("uri", "part"),
    [
        ("./mlruns", "is a folder: MLflow keeps runs in a database"),
        ("file:///tmp/mlruns", "is a folder"),
        ("localhost:5000", "has no scheme: write http://localhost:5000"),
        ("ann:sec@ret@host:5000/x", "has no scheme: write http://host:5000/x"),
        ("htp://localhost:5000", "did you mean 'http'"),
        ("nonsense://ann:secret@x", "begins with 'nonsense'"),
        ("http://", "names no host"),
    ],
)
def test_an_address_that_can_never_work_is_refused_by_every_command(
    uri: str, part: str, cli: Cli, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = only(machine_checks.check_tracking(uri, Path("out")))
    assert (found.mark, part in found.found) == ("missing", True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)  # which stands for the option
    for words in (("run", tiny, "--out", "out"), ("run", tiny, "--dry-run"), ("track", "."), ("doctor",)):
        answer = cli(*words)
        assert answer.code == (1 if words == ("doctor",) else 2)
        assert part in (answer.out if words == ("doctor",) else answer.err)
        assert "secret" not in answer.out + answer.err
        assert "ret@" not in answer.out + answer.err
    assert not Path("out").exists()


def test_the_option_goes_before_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///theirs.db")
    assert only(machine_checks.check_tracking(None, Path("out"))).found == "sqlite:///theirs.db"
    assert only(machine_checks.check_tracking("sqlite:///mine.db", Path("out"))).found == "sqlite:///mine.db"
