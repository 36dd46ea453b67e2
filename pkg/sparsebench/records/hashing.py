"""Short hashes of JSON-like content: identities, and seals that show whether a line was edited. No torch."""

import json
import re
from hashlib import sha256
from typing import Any

from ..errors import SparsebenchError

SEAL = "seal"
LENGTH = 16
LAST = re.compile(rf',"{SEAL}":"([0-9a-f]{{{LENGTH}}})"}}\Z')
# What varies from run to run: equal outcomes have equal seals.
VARYING = re.compile(r',"(?:seconds|peak_memory_bytes)":(?:[-+.\deE]+|null)')
STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')


def digest(content: Any) -> str:
    """A short, stable hash of JSON-like content, independent of key order."""
    try:
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise SparsebenchError(f"a setting cannot be written down as JSON: {error}") from error
    return _hash(canonical)


def written(content: dict[str, Any], *, seal: bool = True) -> str:
    """A record as one line of JSON, by default with the hash of its text as its last member, `seal`.

    The hash leaves out time and memory. It shows what an editor, a script or a disk has changed since.
    Whoever wants to deceive computes it anew.
    """
    text = _text(content)
    return f'{text[:-1]},"{SEAL}":"{_seal(text)}"}}' if seal else text


def intact(line: str) -> bool | None:
    """Whether a record's line is what was sealed, spaces aside; None where it has no seal."""
    line = line.strip()
    if f'"{SEAL}"' not in line:
        return None
    last = LAST.search(line)
    if last and last[1] == _seal(line[: last.start()] + "}"):
        return True
    try:  # not as `sealed` wrote it, but perhaps the same
        content = dict(json.loads(line))
        seal = content.pop(SEAL, None)
        return None if seal is None else bool(seal == _seal(_text(content)))
    except (TypeError, ValueError, RecursionError):  # no object, or not what JSON should be
        return False


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


def _seal(text: str) -> str:
    """Of the text without time and memory of the record itself; deeper in it, these names are content."""
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
