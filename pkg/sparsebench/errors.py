"""Errors that the user can correct, each reported as one sentence without a traceback."""

import difflib
from collections.abc import Iterable
from typing import ClassVar


class SparsebenchError(ValueError):
    """An error that the user can correct: a wrong name or value, missing data, a damaged file.

    Its message is one sentence that says what to do. The command line prints the message alone, without a
    traceback, and exits with status 2, the class's `exit_status`.

    Example:
        >>> from sparsebench.datasets.api import open_dataset
        >>> try:
        ...     open_dataset("minst")
        ... except SparsebenchError as error:
        ...     print(error)
        unknown dataset 'minst': did you mean 'mnist' or 'kmnist'?
    """

    exit_status: ClassVar[int] = 2


class NotTrainable(SparsebenchError):
    """A model or a method that no trial could train: its first step fails. The command exits with status 1.

    Example:
        >>> NotTrainable("it gives a tuple of 2").exit_status
        1
    """

    exit_status = 1


class UnknownName(SparsebenchError):
    """A name under which nothing is registered; the message suggests similar names.

    Args:
        kind: What the name should denote, as the message calls it ("dataset", "method").
        name: The name that was looked up.
        known: The names that exist; the suggestions are taken from them.
        where: Where the name was found, put before the message as it is, so with its own ": ".

    Example:
        >>> print(UnknownName("optimizer", "adamm", ["sgd", "adam"], where="suite.toml: "))
        suite.toml: unknown optimizer 'adamm': did you mean 'adam'?
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], where: str = "") -> None:
        super().__init__(f"{where}unknown {kind} {name!r}: {suggest(name, known)}")


def suggest(name: str, known: Iterable[str]) -> str:
    """Returns the end of a message about an unknown name: similar names, or else the known ones.

    Args:
        name: The unknown name, which is compared in lower case.
        known: The names that exist, in any order.

    Returns:
        `did you mean 'x' or 'y'?` with up to three names that are similar (a difflib ratio of 0.6 at least)
        or else begin with the same four characters; without such names, the first 40 known ones.

    Example:
        >>> suggest("mnits", ["mnist", "digits"])
        "did you mean 'mnist'?"
        >>> suggest("resnet18", ["mnist", "digits"])
        'known are digits, mnist'
    """
    names = sorted(known)
    matches = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.6)
    matches = matches or [n for n in names if name.lower() and n.startswith(name.lower()[:4])][:3]
    if matches:
        return "did you mean " + " or ".join(repr(match) for match in matches) + "?"
    shown = ", ".join(names[:40]) + (", …" if len(names) > 40 else "")
    return f"known are {shown}" if names else "none are known"


def printable(text: str, most: int | None = None) -> str:
    r"""Returns a text as one line that is safe to print: a terminal executes escape sequences.

    Args:
        text: Any text, also one from an untrusted file.
        most: The largest number of characters to return; None for all of them. The text is cut after that
            many characters; where escaping then makes it longer, it is cut again and ends in "…".

    Returns:
        The text with each run of white space as one space, none at its ends, and with unprintable characters
        as Python's escapes.

    Example:
        >>> print(printable("red: \x1b[31m\n  alarm"))
        red: \x1b[31m alarm
        >>> printable("accuracy", 3)
        'acc'
    """
    words = " ".join(text.split())
    found = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in words[:most])
    return found if most is None or len(found) <= most else found[: most - 1] + "…"
