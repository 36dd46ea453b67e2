"""SQLite files that can be made again from the records: one that cannot be read is set aside."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from ...files import set_aside

# What SQLite keeps beside a file. A journal of an old file would be played into a new one of its name.
SIDECARS = ("-journal", "-wal", "-shm")
BUSY_SECONDS = 10.0  # until a file that another process writes to counts as sound


def damage(file: Path, table: str | None = None) -> str | None:
    """Returns why a SQLite file cannot be used.

    Args:
        file: The file. Changes that a killed process has left half written in it are undone.
        table: A table that must have a row, as where a killed process may have left the file half made.

    Returns:
        The reason; None for a sound file, for one that is locked or may not be read, and where there is none.

    Example:
        >>> _ = Path("a.db").write_text("no database, whatever its name is")
        >>> damage(Path("a.db")), damage(Path("b.db"))
        ('file is not a database', None)
    """
    if not os.path.lexists(file):
        return None
    if not file.is_file():
        return "it is no file"
    if not file.stat().st_size:
        return "it is empty"
    try:
        address = f"{file.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS)) as database:
            (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                return "its pages contradict each other"
            if table is not None and not _has_rows(database, table):
                return f"its table {table} is empty or not there"
    except sqlite3.OperationalError:  # locked, or may not be read
        return None
    except sqlite3.DatabaseError as error:
        return str(error)
    return None


def _has_rows(database: sqlite3.Connection, table: str) -> bool:
    there = database.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", [table])
    return bool(there.fetchone()) and bool(database.execute(f'SELECT 1 FROM "{table}" LIMIT 1').fetchone())


def set_damaged_aside(file: Path, table: str | None = None) -> str | None:
    """Renames a SQLite file that cannot be used, and what lies beside it, so that a new one can be made.

    Args:
        file: The file. What a deleted one has left beside it is renamed too.
        table: As for `damage`.

    Returns:
        A sentence for the user; None where there is nothing to say.

    Raises:
        OSError: It cannot be renamed.

    Example:
        >>> for name in ("a.db", "a.db-wal"):
        ...     _ = Path(name).write_text("no database, whatever its name is")
        >>> set_damaged_aside(Path("a.db"))
        "'a.db' is damaged (file is not a database): it is now 'a.damaged', and is written again ..."
        >>> list(Path().glob("a.db*"))
        []
    """
    why = damage(file, table)
    if why is None and os.path.lexists(file):
        return None
    new = set_aside(file) if why is not None else None
    for beside in (file.with_name(file.name + ending) for ending in SIDECARS):
        if os.path.lexists(beside):
            if new is None:
                set_aside(beside)
            else:
                beside.rename(new.with_name(new.name + beside.name.removeprefix(file.name)))
    if new is None:
        return None
    return f"{str(file)!r} is damaged ({why}): it is now {new.name!r}, and is written again from the records"
