"""Hashes of JSON-like content: identities of trials, and seals that reveal an edited line. No torch."""

import json
import re
from hashlib import sha256
from typing import Any

from ..errors import SparsebenchError, printable

SEAL = "seal"
LENGTH = 16
IDENTITY = rf"^[0-9a-f]{{{LENGTH}}}$"  # the form of the identity of a trial, which names files
NAMED = f',"{SEAL}":"'.encode()
LAST = re.compile(NAMED + rb'([0-9a-f]{%d})"}' % LENGTH)
# Left out of the seal: they vary from run to run, and equal outcomes have equal seals.
VARYING = (b',"seconds":', b',"peak_memory_bytes":')
VALUE = re.compile(rb"[-+.0-9eE]+|null")
STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
UNNESTED = bytes(set(range(256)) - set(b'{}[]"\\'))  # what says nothing of the depth


def check_identity(text: str) -> str:
    """Returns the id of a trial unchanged, after checking its form.

    Args:
        text: The id, possibly from an untrusted file.

    Returns:
        The id.

    Raises:
        SparsebenchError: It does not have 16 hexadecimal digits.

    Example:
        >>> check_identity("0123456789abcdef")
        '0123456789abcdef'
        >>> check_identity("../../x")
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: '../../x' is not the id of a trial: it has 16 hexadecimal digits
    """
    if not re.fullmatch(IDENTITY.rstrip("$"), text):
        shown = printable(text, 40)
        raise SparsebenchError(f"{shown!r} is not the id of a trial: it has {LENGTH} hexadecimal digits")
    return text


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
    return text_digest(canonical(content))


def canonical(content: Any) -> str:
    """Returns the canonical JSON text of content, of which `digest` is the hash.

    Args:
        content: As for `digest`.

    Returns:
        The text. That of a list is the texts of its items, with commas, in brackets.

    Raises:
        SparsebenchError: JSON cannot express the content.

    Example:
        >>> canonical({"lr": 0.1, "epochs": 30})
        '{"epochs":30,"lr":0.1}'
    """
    try:
        return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise SparsebenchError(f"a setting cannot be written down as JSON: {error}") from error


def text_digest(text: str) -> str:
    """Returns the hash of a text as identities have it.

    Args:
        text: The text, such as a canonical one.

    Returns:
        The first 16 hexadecimal digits of its SHA-256.

    Example:
        >>> text_digest(canonical([1, 2])) == digest([1, 2])
        True
    """
    return sha256(_encoded(text)).hexdigest()[:LENGTH]


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
    return f'{text[:-1]},"{SEAL}":"{_seal(_encoded(text))}"}}'


def intact(line: str | bytes) -> bool | None:
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
    text = (line if isinstance(line, bytes) else _encoded(line)).strip()
    at = text.rfind(NAMED)
    last = LAST.fullmatch(text, at) if at >= 0 else None
    if last and last[1].decode() == _seal(text[:at] + b"}"):
        return True
    if f'"{SEAL}"'.encode() not in text:
        return None
    try:  # another layout than `sealed` gives may hold the same content
        content = dict(json.loads(text))
        seal = content.pop(SEAL, None)
        return None if seal is None else bool(seal == _seal(_encoded(_text(content))))
    except (TypeError, ValueError, RecursionError):  # no object, or no valid JSON
        return False


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _seal(text: bytes) -> str:
    """Returns the hash of a line's text without the time and memory of the record itself.

    Nested deeper, members of these names are content, and count.
    """
    hashed, end, depth = sha256(), 0, 0
    for start, stop in _varying(text):
        piece = text[end:start]
        depth += _deeper(piece)
        hashed.update(piece if depth == 1 else text[end:stop])
        end = stop
    hashed.update(text[end:])
    return hashed.hexdigest()[:LENGTH]


def _varying(text: bytes) -> list[tuple[int, int]]:
    """Returns start and end of each member that the seal leaves out, at any depth."""
    found = []
    for name in VARYING:
        at = text.find(name)
        while at >= 0:
            if value := VALUE.match(text, at + len(name)):
                found.append((at, value.end()))
            at = text.find(name, at + 1)
    return sorted(found)


def _deeper(piece: bytes) -> int:
    """Returns how much deeper a part of a JSON text ends than it begins, which is outside of strings."""
    bare = piece.translate(None, UNNESTED)
    if b"\\" in bare:
        bare = STRING.sub(b"", piece)
    elif b'"' in (bare := bare.replace(b'""', b"")):  # a string holds a bracket
        bare = b"".join(bare.split(b'"')[::2])
    return bare.count(b"{") + bare.count(b"[") - bare.count(b"}") - bare.count(b"]")
