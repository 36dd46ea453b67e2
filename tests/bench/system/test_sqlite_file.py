"""Damaged SQLite files, and the journals that a killed process leaves: nothing old gets into a new file."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sparsebench.bench.system.sqlite_file import SIDECARS, damage, set_damaged_aside

pytestmark = pytest.mark.smoke


def make(path: Path, rows: int, mode: str = "delete") -> None:
    """A database, with what SQLite has beside it while a transaction is open."""
    live = path.with_name("live.db")
    with closing(sqlite3.connect(live, isolation_level=None)) as database:
        database.execute(f"PRAGMA journal_mode = {mode}")
        database.execute("PRAGMA cache_size = 1")  # changes are written before their end
        database.execute("CREATE TABLE rows (text)")
        database.executemany("INSERT INTO rows VALUES (?)", [("x" * 500,)] * rows)
        database.execute("BEGIN")
        database.executemany("INSERT INTO rows VALUES (?)", [("y" * 500,)] * 200)
        for ending in ("", *SIDECARS):
            if Path(f"{live}{ending}").exists():
                shutil.copy(f"{live}{ending}", f"{path}{ending}")
    live.unlink()


def count(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        (found,) = database.execute("SELECT COUNT(*) FROM rows").fetchone()
        return int(found)


def test_what_a_killed_process_leaves_is_sound(tmp_path: Path) -> None:
    make(tmp_path / "a.db", 300)
    assert (tmp_path / "a.db-journal").stat().st_size
    assert set_damaged_aside(tmp_path / "a.db", "rows") is None
    assert count(tmp_path / "a.db") == 300


@pytest.mark.parametrize(("mode", "deleted"), [("delete", True), ("wal", True), ("delete", False)])
def test_no_old_journal_is_played_into_a_new_file(tmp_path: Path, mode: str, deleted: bool) -> None:
    path = tmp_path / "a.db"
    make(path, 300, mode)
    path.unlink()
    if not deleted:
        path.write_bytes(b"no database" * 999)
    said = set_damaged_aside(path)
    assert (said is None) == deleted
    assert not [file.name for file in tmp_path.iterdir() if file.name.startswith("a.db")]
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE rows (text)")
    assert (count(path), damage(path)) == (0, None)


def test_each_kind_of_damage_is_named_and_another_name_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    for why in ("it is empty", "malformed|contradict", "not a database", "it is no file", "rows is empty"):
        make(path, 0 if why == "rows is empty" else 300)
        for ending in SIDECARS:
            Path(f"{path}{ending}").unlink(missing_ok=True)
        if why == "it is empty":
            os.truncate(path, 0)
        elif why.startswith("malformed"):
            os.truncate(path, path.stat().st_size // 2)
        elif why == "not a database":
            path.write_bytes(bytes(range(256)) * 9)
        elif why == "it is no file":
            path.unlink()
            path.mkdir()
        with pytest.raises(AssertionError, match=why):
            assert damage(path, "rows") is None, damage(path, "rows")
        assert set_damaged_aside(path, "rows")
    assert len(list(tmp_path.glob("a.damaged*"))) == 5


def test_a_file_that_another_process_writes_is_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparsebench.bench.system.sqlite_file.BUSY_SECONDS", 0.1)
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("CREATE TABLE rows (text)")
        database.execute("BEGIN EXCLUSIVE")
        assert damage(path, "rows") is None
