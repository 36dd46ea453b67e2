"""Addresses of databases and servers: as SQLAlchemy reads them, and as they may be shown. No torch."""

import os
import re
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote

from ...errors import SparsebenchError

HIDDEN = "…"
SECRET = re.compile(r"pass|pwd|secret|token|key|auth|cred|sig|cert|session|code", re.IGNORECASE)
LEAST = 4  # characters: a shorter secret is hidden where it stands alone, not inside of words


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


def shown_address(address: str) -> str:
    """Returns an address as it may be printed: without its login, and with its query's names alone.

    No parser tells where a password with `@`, `/`, `#` or `?` ends: all that could belong to one is hidden.

    Args:
        address: The address; one without a scheme, such as the path of a file, may hold a login too.

    Returns:
        The address, where "…" stands for what is hidden.

    Example:
        >>> shown_address("postgresql://ann:s/e@c@example.org/studies?sslmode=require")
        'postgresql://example.org/studies?sslmode=…'
        >>> shown_address("https://example.org/mlflow?token=secret#part")
        'https://example.org/mlflow?token=…#…'
        >>> shown_address("https://ann:a#b@example.org")  # or what stands behind the # has an @
        'https://…'
    """
    scheme, mark, rest = address.partition("://")
    if not mark:
        return _without_secrets(address) if _has_login(address) or "?" in address else address
    if _is_file(scheme):
        path, mark, query = rest.partition("?")
        return f"{scheme}://{path}" + (f"?{_names(query)}" if mark else "")
    return f"{scheme}://{_without_secrets(rest)}"


def _has_login(address: str) -> bool:
    """Whether an address without a scheme has a login, and is not the path of a file."""
    login = address.rpartition("@")[0]
    return bool(login) and (":" in login or "/" not in login)


def _without_secrets(rest: str) -> str:
    """Returns what stands behind a scheme, without login, the query's values and the fragment."""
    place = re.split(r"[?#]", rest, maxsplit=1)[0]
    behind = rest[len(place) :]
    if "@" in behind:  # there, or in a password that has the "?" or "#"
        return HIDDEN
    query, mark, _ = behind.partition("#")
    shown = place.rpartition("@")[2] + (f"?{_names(query[1:])}" if query else "")
    return f"{shown}#{HIDDEN}" if mark else shown


def _is_file(scheme: str) -> bool:
    return scheme.partition("+")[0] in ("sqlite", "file")


def _names(query: str) -> str:
    parts = (part.partition("=") for part in query.split("&"))
    return "&".join(f"{name}={HIDDEN}" if equals else HIDDEN for name, equals, _ in parts)


def without_login(text: str, address: str | None = None) -> str:
    """Returns an address, or a text about one, without what is secret in it.

    Args:
        text: The address, or a text that may contain it or parts of it, such as the message of a driver.
        address: The address, where `text` is not the address itself. Passwords and tokens in the environment
            (`MLFLOW_TRACKING_TOKEN`, `PGPASSWORD`) are hidden too.

    Returns:
        The text, which may be printed.

    Example:
        >>> without_login("postgresql://ann:secret@example.org/studies")
        'postgresql://example.org/studies'
        >>> without_login("no login for ann:s@c with 's%40c'", "mysql://ann:s%40c@example.org/studies")
        "no login for … with '…'"
    """
    if address is None:
        return shown_address(text)
    text = text.replace(address, shown_address(address))
    found = sorted({*_secrets(address), *_in_environment()}, key=len, reverse=True)
    # A short one is hidden where it stands alone; parsers write what they take for a host in lower case.
    whole = (re.escape(s) if len(s) >= LEAST else rf"(?<!\w){re.escape(s)}(?!\w)" for s in found)
    return re.sub("|".join(whole), HIDDEN, text, flags=re.IGNORECASE) if found else text


def _secrets(address: str) -> Iterator[str]:
    """Yields what is secret in an address, in every spelling that a message may have."""
    scheme, mark, rest = address.partition("://")
    if not mark:
        rest = address
    query = rest.partition("?")[2]
    if not _is_file(scheme) if mark else _has_login(address):
        # The login up to the last "@", before the query, and before what ends a host: parsers differ.
        for body in {rest, rest.partition("?")[0], re.split(r"[/?#]", rest)[0]}:
            login = body.rpartition("@")[0]
            name, colon, password = login.partition(":")
            yield from _spellings(login)
            yield from (b64encode(text.encode()).decode() for text in {login, unquote(login)} if text)
            yield from _parts(password if colon and name.isidentifier() else login)
        yield from _parts(rest.partition("#")[2])
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        if not equals or SECRET.search(name) or set("=#") & set(unquote(value)):
            yield from _parts(value or name)


def _parts(secret: str) -> Iterator[str]:
    """Yields the spellings of a secret, and of each part that a parser may take for a host, port or path."""
    for text in {secret, unquote(secret)}:
        for part in {text, *re.split(r"[@/#?:&=;]", text)}:
            yield from _spellings(part)


def _in_environment() -> Iterator[str]:
    for name, value in os.environ.items():
        if re.search(r"PASSWORD|PASSWD|TOKEN$|SECRET", name) and len(value) >= LEAST:
            yield from _spellings(value)


def _spellings(secret: str) -> Iterator[str]:
    """Yields a secret as it stands, decoded, encoded, and as Python shows it."""
    decoded = unquote(secret)
    spelt = (secret, decoded, quote(decoded, safe=""), quote_plus(decoded), repr(decoded)[1:-1])
    yield from {text for text in spelt if text}


def without_logins(words: list[str]) -> list[str]:
    """Returns a command's words without what is secret in their addresses.

    Args:
        words: The words of a command line.

    Returns:
        The words; an address, also one behind `--option=` or `name=`, as `shown_address` gives it.

    Example:
        >>> without_logins(["run", "--storage=mysql://me:se/cret@host/x", "--tracking-uri", "tok@host:5000"])
        ['run', '--storage=mysql://…@host/x', '--tracking-uri', '…@host:5000']
    """
    found = []
    for before, word in zip(["", *words], words, strict=False):
        start = re.match(r"(?:[\w.-]+=)?", word)
        assert start is not None
        name, address = start[0], word[start.end() :]
        if (
            "://" in address
            or before in ("--storage", "--tracking-uri")
            or name in ("--storage=", "--tracking-uri=")
        ):
            address = _marked(address)
        found.append(name + address)
    return found


def _marked(address: str) -> str:
    """Returns an address for a command that is to be completed: "…@" stands where a login was."""
    shown, scheme = shown_address(address), address.partition("://")[0]
    if "@" in address and "@" not in shown and HIDDEN not in shown:
        return (
            shown.replace(f"{scheme}://", f"{scheme}://{HIDDEN}@", 1)
            if "://" in shown
            else f"{HIDDEN}@{shown}"
        )
    return shown
