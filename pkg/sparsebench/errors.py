"""The errors that are a user's business: one clear sentence, no traceback."""

import difflib
from collections.abc import Iterable


class SparsebenchError(ValueError):
    """Something the user can put right. The command line prints the message alone and exits with 2."""


class UnknownName(SparsebenchError):
    """A name that nothing is registered under; the message lists what comes near."""

    def __init__(self, kind: str, name: str, known: Iterable[str], where: str = "") -> None:
        super().__init__(f"{where}unknown {kind} {name!r}: {near(name, known)}")


def near(name: str, known: Iterable[str]) -> str:
    """`did you mean 'x' or 'y'?`, or all known names where none comes near."""
    names = sorted(known)
    matches = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.6)
    matches = matches or [n for n in names if name.lower() and n.startswith(name.lower()[:4])][:3]
    if matches:
        return "did you mean " + " or ".join(repr(match) for match in matches) + "?"
    shown = ", ".join(names[:40]) + (", …" if len(names) > 40 else "")
    return f"known are {shown}" if names else "none are known"
