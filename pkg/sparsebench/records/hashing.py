"""Hashes of JSON-like content: identities of trials, and seals that reveal an edited line. No torch."""

import json
import re
from hashlib import sha256
from typing import Any

from ..errors import SparsebenchError

SEAL = "seal"
LENGTH = 16
LAST = re.compile(rf',"{SEAL}":"([0-9a-f]{{{LENGTH}}})"}}\Z')
# Left out of the seal: they vary from run to run, and equal outcomes have equal seals.
VARYING = re.compile(r',"(?:seconds|peak_memory_bytes)":(?:[-+.\deE]+|null)')
STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')


def digest(content: Any) -> str:
    """Returns a short hash of JSON-like content, independent of the order of keys.

    Args:
        content: Dicts, lists, strings, numbers, booleans and None, nested; a tuple counts as a list.

    Returns:
        The first 16 hexadecimal digits of the SHA-256 of the canonical JSON text.

    Raises:
        SparsebenchError: JSON cannot express the content, for instance a date, NaN or infinity.

    Example:
        >>> digest({"lr": 0.1, "epochs": 30}), digest({"epochs": 30, "lr": 0.1})
        ('6d721aecb0ca2304', '6d721aecb0ca2304')
    """
    try:
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise SparsebenchError(f"a setting cannot be written down as JSON: {error}") from error
    return _hash(canonical)


def sealed(content: dict[str, Any]) -> str:
    """Returns a record as one line of JSON, with the hash of its text as its last member, `seal`.

    The hash leaves out time and memory, so equal outcomes have equal seals. It reveals what an editor, a
    script or a disk has changed since. It is no protection against forgery: anyone can compute it anew.

    Args:
        content: The fields of the record, in the order in which they are written.

    Returns:
        The line, without its newline.

    Example:
        >>> sealed({"id": "a1", "seconds": 2.5})
        '{"id":"a1","seconds":2.5,"seal":"5cc2b0b4633517b5"}'
        >>> sealed({"id": "a1", "seconds": 9.0})
        '{"id":"a1","seconds":9.0,"seal":"5cc2b0b4633517b5"}'
    """
    text = _text(content)
    return f'{text[:-1]},"{SEAL}":"{_seal(text)}"}}'


def intact(line: str) -> bool | None:
    """Returns whether a record's line still has the content that was sealed; spaces do not matter.

    Args:
        line: One line of a records file, with or without its newline.

    Returns:
        True where the seal matches, False where it does not or the line is no JSON object, and None where the
        line has no seal, as those of old versions.

    Example:
        >>> line = sealed({"id": "a1", "accuracy": 0.9})
        >>> intact(line), intact(line.replace("0.9", "0.99")), intact('{"id":"a1","accuracy":0.9}')
        (True, False, None)
    """
    line = line.strip()
    if f'"{SEAL}"' not in line:
        return None
    last = LAST.search(line)
    if last and last[1] == _seal(line[: last.start()] + "}"):
        return True
    try:  # another layout than `sealed` gives may hold the same content
        content = dict(json.loads(line))
        seal = content.pop(SEAL, None)
        return None if seal is None else bool(seal == _seal(_text(content)))
    except (TypeError, ValueError, RecursionError):  # no object, or no valid JSON
        return False


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


def _seal(text: str) -> str:
    """Returns the hash of a line's text without the time and memory of the record itself.

    Nested deeper, members of these names are content, and count.
    """
    parts, end, depth = [], 0, 0
    for member in VARYING.finditer(text):
        piece = text[end : member.start()]
        bare = STRING.sub("", piece)
        depth += bare.count("{") + bare.count("[") - bare.count("}") - bare.count("]")
        parts.append(piece if depth == 1 else text[end : member.end()])
        end = member.end()
    return _hash("".join([*parts, text[end:]]))


def _hash(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:LENGTH]
