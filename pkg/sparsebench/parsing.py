"""TOML and JSON of the user's files and arguments: what no reader takes is a sentence with file and place."""

import json
import math
import re
import tomllib
from pathlib import Path
from typing import Any

from .errors import SparsebenchError, printable
from .reasons import message

MOST_BYTES = 16 << 20
MOST_DEPTH = 50
LARGEST = 2**63  # of whole numbers, as TOML has them
_DIGITS = re.compile(r"\d(?:_?\d){4000}")


def read_toml(path: Path) -> dict[str, Any]:
    """Returns the content of a TOML file, in which numbers, texts and depth are within bounds.

    Args:
        path: The file, in UTF-8; a byte order mark is allowed.

    Returns:
        The content.

    Raises:
        SparsebenchError: The file cannot be read or is no TOML, a number in it is too large or not finite,
            or it is nested too deeply; one sentence with the file and the line or the key.

    Example:
        >>> _ = Path("a.toml").write_text("seed = 0xffffffffffffffffffff")
        >>> read_toml(Path("a.toml"))
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: a.toml: seed: a whole number is beyond 64 bits
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise SparsebenchError(f"{path}: is larger than {MOST_BYTES >> 20} MiB")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SparsebenchError(f"{path}: cannot be read: it is not UTF-8 ({message(error, 200)})") from error
    except OSError as error:
        raise SparsebenchError(f"{path}: cannot be read: {error.strerror or message(error)}") from error
    try:
        content = tomllib.loads(text)
    except RecursionError:
        raise SparsebenchError(f"{path}: is nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        raise SparsebenchError(f"{path}: is not TOML: {message(error, 300)}") from error
    except ValueError as error:  # of int(): a number of thousands of digits; of a date
        found = _DIGITS.search(text)
        line = f"line {text.count(chr(10), 0, found.start()) + 1}: " if found else ""
        raise SparsebenchError(f"{path}: {line}{message(error, 300)}") from error
    check_values(content, str(path))
    return content


def parse_json(text: str | bytes, where: str) -> Any:
    """Returns the content of a JSON text, in which numbers, texts and depth are within bounds.

    Args:
        text: The text.
        where: What it is, usually a file, to begin a message with.

    Returns:
        The content.

    Raises:
        SparsebenchError: It is no JSON, or `check_values` raises.

    Example:
        >>> parse_json('{"seed": [1, NaN]}', "suite.json")
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: suite.json: seed.1: a number is not finite
    """
    try:
        content = json.loads(text)
    except RecursionError:
        raise SparsebenchError(f"{where}: is nested too deeply") from None
    except ValueError as error:
        raise SparsebenchError(f"{where}: is not JSON: {message(error, 300)}") from error
    check_values(content, where)
    return content


def check_values(content: Any, where: str) -> None:
    """Checks that numbers are finite and within 64 bits, texts are Unicode, and the depth is at most 50.

    Args:
        content: Nested dictionaries and lists.
        where: What it is, to begin a message with.

    Raises:
        SparsebenchError: One is not; the message has its key.

    Example:
        >>> check_values({"tasks": [{"seed": 3}]}, "suite.toml")
    """
    left: list[tuple[Any, tuple[str, ...]]] = [(content, ())]
    while left:
        value, path = left.pop()
        problem = _problem(value, len(path))
        if problem:
            key = ".".join(printable(part, 40) for part in path[:10])
            raise SparsebenchError(f"{where}: {f'{key}: ' if key else ''}{problem}")
        if isinstance(value, dict):
            left += [(name, (*path, str(name))) for name in value]
            left += [(item, (*path, str(name))) for name, item in value.items()]
        elif isinstance(value, list):
            left += [(item, (*path, str(index))) for index, item in enumerate(value)]


def _problem(value: Any, depth: int) -> str:
    """Returns what is wrong with one value; empty where nothing is."""
    if depth > MOST_DEPTH:
        return "is nested too deeply"
    if isinstance(value, float) and not math.isfinite(value):
        return "a number is not finite"
    if isinstance(value, int) and not -LARGEST <= value < 2 * LARGEST:
        return "a whole number is beyond 64 bits"
    if isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value):
        return "a text has half a character (a lone surrogate)"
    return ""
