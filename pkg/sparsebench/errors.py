"""The errors that are a user's business: one clear sentence, no traceback."""

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


class SparsebenchError(ValueError):
    """Something the user can put right. The command line prints the message alone and exits with 2."""


class UnknownName(SparsebenchError):
    """A name that nothing is registered under; the message lists what comes near."""

    def __init__(self, kind: str, name: str, known: Iterable[str], where: str = "") -> None:
        super().__init__(f"{where}unknown {kind} {name!r}: {suggest(name, known)}")


def suggest(name: str, known: Iterable[str]) -> str:
    """`did you mean 'x' or 'y'?`, or all known names where none comes near."""
    names = sorted(known)
    matches = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.6)
    matches = matches or [n for n in names if name.lower() and n.startswith(name.lower()[:4])][:3]
    if matches:
        return "did you mean " + " or ".join(repr(match) for match in matches) + "?"
    shown = ", ".join(names[:40]) + (", …" if len(names) > 40 else "")
    return f"known are {shown}" if names else "none are known"


def printable(text: str, most: int | None = None) -> str:
    """The text for a terminal, which obeys some characters: what is not printable is written as Python
    would, spaces and ends of lines are one space. At most `most` characters of it."""
    words = " ".join(text.split())
    found = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in words[:most])
    return found if most is None or len(found) <= most else found[: most - 1] + "…"
