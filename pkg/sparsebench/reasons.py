"""The reason of any exception as one line: its type, its causes and the place in the user's code."""

import linecache
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from .errors import SparsebenchError, printable

LONGEST = 1000
"""The most characters of a reason; a longer one keeps its beginning and its end."""

# A terminal's escape sequences: colours and cursor (CSI), titles and links (OSC), those of one character.
_ESCAPES = re.compile(
    r"\x9b[0-?]*[ -/]*[@-~]|\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])"
)
WHOLE = 200_000
"""The most characters of a message that are looked at."""

_LINKS = 4  # of a chain of exceptions that are said
_STANDARD_LIBRARY = sysconfig.get_path("stdlib")
_OURS = __name__.partition(".")[0]


def reason(error: BaseException, most: int = LONGEST, *, place: bool = True, where: str = "") -> str:
    r"""Returns what went wrong as one printable line, whatever the exception is.

    The whole message counts, not its first line; colours are left out. An exception that another one caused
    is followed by that one, a group by its members. Where the user's own code raised it, or the message says
    nothing, the place is named, with the line of the source. A `SparsebenchError` is a sentence already.

    Args:
        error: Any exception, also one whose message cannot be made.
        most: The largest number of characters; a longer reason loses its middle.
        place: Whether to name the place.
        where: Where the whole text is, which a shortened one says; empty for nowhere.

    Returns:
        The line; never empty.

    Example:
        >>> reason(RuntimeError("Error(s) in loading:\n\tsize mismatch for \x1b[31mfc.weight\x1b[0m"))
        'RuntimeError: Error(s) in loading: size mismatch for fc.weight'
        >>> try:
        ...     assert 1 > 2
        ... except AssertionError as error:
        ...     print(reason(error))
        AssertionError (...: assert 1 > 2)
        >>> reason(ExceptionGroup("both", [ValueError("a"), KeyError("b")]))
        "ExceptionGroup: both (2 sub-exceptions): [ValueError: a; KeyError: 'b']"
    """
    parts = [_one(error, place)]
    for link, said in _causes(error):
        text = _text(link)
        if not any(text and text in part for part in parts):
            parts.append(f"{said} {_one(link, place)}")
    return shortened("; ".join(parts), most, where)


def message(error: BaseException, most: int = LONGEST) -> str:
    """Returns an exception's own message as one printable line; its type where it has none.

    Args:
        error: An exception whose type says nothing to the user, such as one of a database.
        most: The largest number of characters; `WHOLE` for nearly all of a text for a log.

    Returns:
        The line, without type, causes and place.

    Example:
        >>> message(OSError("unable to open\\n the file")), message(OSError())
        ('unable to open the file', 'OSError')
    """
    return shortened(_text(error), most) or _name(error)


def root_cause(error: BaseException) -> BaseException:
    """Returns the exception that an error was raised `from`, and so on to the first; else the error.

    Args:
        error: An exception, perhaps of a library that wraps what happened in general advice.

    Returns:
        The first exception of the chain of explicit causes.

    Example:
        >>> try:
        ...     try:
        ...         {}["head"]
        ...     except KeyError as missing:
        ...         raise RuntimeError("the export failed; see the documentation") from missing
        ... except RuntimeError as error:
        ...     print(repr(root_cause(error)))
        KeyError('head')
    """
    seen = {id(error)}
    while error.__cause__ is not None and id(error.__cause__) not in seen:
        error = error.__cause__
        seen.add(id(error))
    return error


def shortened(text: str, most: int = LONGEST, where: str = "") -> str:
    """Returns a text as one printable line within bounds; what is too long loses its middle.

    Args:
        text: Any text, of any length and with any characters.
        most: The largest number of characters.
        where: Where the whole text is, which a shortened one says; empty for nowhere.

    Returns:
        The line: its beginning, how much is left out, and its end.

    Example:
        >>> shortened("no memory")
        'no memory'
        >>> shortened("x" * 5000, 60, where="workers.log")
        'xxxxxxxxxxxx … (5000 characters; whole in workers.log) … xxx'
    """
    seen = text if len(text) <= WHOLE else text[: WHOLE // 2] + text[-WHOLE // 2 :]
    line = printable(_ESCAPES.sub("", seen))
    if len(line) <= most and len(text) <= WHOLE:
        return line
    between = f" … ({len(text)} characters{f'; whole in {where}' if where else ''}) … "
    room = max(most - len(between), 2)
    end = room // 5
    return f"{line[: room - end]}{between}{line[len(line) - end :]}"[:most]


def _one(error: BaseException, placed: bool) -> str:
    """Returns one exception, without its causes: type, message, members and place."""
    text, name = _text(error), _name(error)
    if isinstance(error, SparsebenchError) and text:
        return text
    if isinstance(error, BaseExceptionGroup):
        members = "; ".join(reason(one, 300) for one in error.exceptions[:3])
        more = "; …" if len(error.exceptions) > 3 else ""
        text = f"{text}: [{members}{more}]"
    place = _place(error, required=len(text.split()) < 2) if placed else ""
    return f"{name}{f': {text}' if text else ''}{f' ({place})' if place else ''}"


def _name(error: BaseException) -> str:
    """Returns the name of an exception's type."""
    return shortened(type(error).__name__, 100)


def _text(error: BaseException) -> str:
    """Returns an exception's message and notes on one line; what its `__str__` raises is said instead."""
    try:
        text, notes = str(error), getattr(error, "__notes__", ())
    except (Exception, SystemExit) as broken:
        return f"its message cannot be shown, {type(broken).__name__}"
    found = [text, *(note for note in notes if isinstance(note, str))] if isinstance(notes, list) else [text]
    return shortened(" ".join(found), WHOLE)


def _causes(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    """Yields the exceptions behind one, nearest first, each with what connects it."""
    seen = {id(error)}
    for _ in range(_LINKS):
        if isinstance(error, SparsebenchError):  # it has said why
            return
        behind, said = error.__cause__, "caused by"
        if behind is None and not error.__suppress_context__:
            behind, said = error.__context__, "while handling"
        if behind is None or id(behind) in seen:
            return
        seen.add(id(behind))
        yield behind, said
        error = behind


def _place(error: BaseException, *, required: bool) -> str:
    """Returns file, line and source of the innermost frame of the user's code, where there is one.

    Where there is none and the place is `required`, it is the innermost frame of any code.
    """
    frames, trace = list[tuple[FrameType, int]](), error.__traceback__
    while trace is not None:
        frames.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    users = [
        frame
        for frame in frames
        if is_users(frame[0].f_code.co_filename, str(frame[0].f_globals.get("__name__", "")))
    ]
    if not users and not (required and frames):
        return ""
    frame, number = (users or frames)[-1]
    file = frame.f_code.co_filename
    source = linecache.getline(file, number, frame.f_globals).strip()
    return printable(f"{Path(file).name}:{number}{f': {source}' if source else ''}", 200)


def is_users(file: str, module: str) -> bool:
    """Returns whether code is of neither sparsebench, nor the standard library, nor an installed package.

    Args:
        file: The file of the code.
        module: The name of its module.

    Returns:
        True for a user's own file.

    Example:
        >>> import json
        >>> is_users("/home/me/mine.py", "mine"), is_users(json.__file__, "json")
        (True, False)
    """
    if module.partition(".")[0] == _OURS or file.startswith("<frozen"):
        return False
    return not (
        file.startswith(_STANDARD_LIBRARY) or {"site-packages", "dist-packages"} & {*Path(file).parts}
    )
