"""Addresses of databases and servers: as SQLAlchemy reads them, and as they may be shown. No torch."""

from pathlib import Path
from urllib.parse import quote, urlsplit

from ...errors import SparsebenchError


def sqlite_url(file: Path) -> str:
    """A SQLite file as an address of SQLAlchemy's.

    Errors: a path that such addresses cannot hold (2.0 knows no way to write a `?`).
    """
    path = file.absolute().as_posix()
    if not set(path) & set("?%"):
        return f"sqlite:///{path}"
    from sqlalchemy.engine import make_url

    for written in (path, quote(path)):  # 2.0 takes a path as it stands, 2.1 decodes it
        if make_url(f"sqlite:///{written}").database == path:
            return f"sqlite:///{written}"
    raise SparsebenchError(
        f"no database can be kept at {path!r}: choose an output folder without '?' and '%' in its path"
    )


def without_login(text: str, address: str | None = None) -> str:
    """An address, or a text about one, without the name and password that the address carries."""
    login = urlsplit(address or text).netloc.rpartition("@")[0]
    return text.replace(f"{login}@", "") if login else text
