"""Addresses of databases and servers: as SQLAlchemy reads them, and as they may be shown. No torch."""

from pathlib import Path
from urllib.parse import quote, urlsplit

from ...errors import SparsebenchError


def sqlite_url(file: Path) -> str:
    """Returns the SQLAlchemy address of a SQLite file.

    Args:
        file: The file, which need not exist; a relative path is taken from the working folder.

    Returns:
        The address, which holds the absolute path.

    Raises:
        SparsebenchError: The path has a `?` or `%` that the installed SQLAlchemy cannot express (2.0 knows no
            way to write a `?`).

    Example:
        >>> sqlite_url(Path("/data/studies.db"))
        'sqlite:////data/studies.db'
    """
    path = file.absolute().as_posix()
    if not set(path) & set("?%"):
        return f"sqlite:///{path}"
    from sqlalchemy.engine import make_url

    for written in (path, quote(path)):  # 2.0 takes the path literally, 2.1 decodes it
        if make_url(f"sqlite:///{written}").database == path:
            return f"sqlite:///{written}"
    raise SparsebenchError(
        f"no database can be kept at {path!r}: choose an output folder without '?' and '%' in its path"
    )


def without_login(text: str, address: str | None = None) -> str:
    """Returns an address, or a text about one, without the name and password in the address.

    Args:
        text: The address, or a text that contains it.
        address: The address, where `text` is not the address itself.

    Returns:
        The text, which may be printed.

    Example:
        >>> without_login("postgresql://ann:secret@example.org/studies")
        'postgresql://example.org/studies'
    """
    login = urlsplit(address or text).netloc.rpartition("@")[0]
    return text.replace(f"{login}@", "") if login else text
