"""Short hashes of JSON-like content: identities, and seals that show whether a line was edited. No torch."""

import json
from hashlib import sha256
from typing import Any

from ..errors import SparsebenchError

SEAL = "seal"
VARYING = (SEAL, "seconds", "peak_memory_bytes")  # what a repetition changes: equal outcomes have equal seals


def digest(content: Any, length: int = 16) -> str:
    """A short, stable hash of JSON-like content, independent of key order."""
    try:
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise SparsebenchError(f"a setting cannot be written down as JSON: {error}") from error
    return sha256(canonical.encode()).hexdigest()[:length]


def _seal(content: dict[str, Any]) -> str:
    return digest({name: value for name, value in content.items() if name not in VARYING})


def sealed(line: str) -> str:
    """A record as JSON with the hash of its content, but for time and memory, as its last member, `seal`.

    It shows what an editor, a script or a disk has changed since. Whoever wants to deceive computes it anew.
    """
    return f'{line[:-1]},"{SEAL}":"{_seal(json.loads(line))}"}}'


def intact(line: str | bytes) -> bool | None:
    """Whether the content of a record's line is what was sealed; None where it has no seal."""
    try:
        content = dict(json.loads(line))
        seal = content.get(SEAL)
        return None if seal is None else seal == _seal(content)
    except (TypeError, ValueError, RecursionError, SparsebenchError):  # no object, or not what JSON should be
        return False
